#include "shared_heap/host_heap.hpp"

#include <boost/interprocess/indexes/null_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <cstdlib>
#include <cstring>

namespace cordon {

namespace bip = boost::interprocess;

using Buffer = bip::basic_managed_external_buffer<
    char, bip::rbtree_best_fit<bip::mutex_family, bip::offset_ptr<void>>, bip::null_index>;

struct HostHeap::Impl {
    Impl(void* memory, std::uint64_t size) : buffer(bip::create_only, memory, size) {}
    Buffer buffer;
    void (*exhausted)(std::size_t) = nullptr;
};

HostHeap::HostHeap(void* memory, std::uint64_t size)
    : impl_(std::make_unique<Impl>(memory, size)) {}

HostHeap::~HostHeap() = default;

void* HostHeap::checked(void* block, std::size_t bytes) const {
    if (block == nullptr) {
        if (impl_->exhausted != nullptr)
            impl_->exhausted(bytes);
        std::abort();
    }
    return block;
}

void* HostHeap::allocate(std::size_t bytes) {
    return checked(impl_->buffer.allocate(bytes == 0 ? 1 : bytes, std::nothrow), bytes);
}

void* HostHeap::allocate_aligned(std::size_t bytes, std::size_t alignment) {
    return checked(impl_->buffer.allocate_aligned(bytes, alignment, std::nothrow), bytes);
}

void HostHeap::deallocate(void* block) {
    if (block != nullptr)
        impl_->buffer.deallocate(block);
}

void* HostHeap::reallocate(void* block, std::size_t old_bytes, std::size_t new_bytes) {
    if (block == nullptr)
        return allocate(new_bytes);
    Buffer::size_type received = new_bytes;
    char* reuse = static_cast<char*>(block);
    if (new_bytes > old_bytes &&
        impl_->buffer.allocation_command<char>(bip::expand_fwd | bip::nothrow_allocation, new_bytes,
                                               received, reuse) != nullptr &&
        received >= new_bytes)
        return block;
    void* moved = allocate(new_bytes);
    std::memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    deallocate(block);
    return moved;
}

std::uint64_t HostHeap::free_bytes() const {
    return impl_->buffer.get_free_memory();
}

void HostHeap::set_exhausted_handler(void (*handler)(std::size_t)) {
    impl_->exhausted = handler;
}

} // namespace cordon
