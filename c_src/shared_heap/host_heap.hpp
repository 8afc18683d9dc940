// The allocator of a host segment, used by the host alone: a Boost.Interprocess allocator whose
// lock lives in the segment and is taken by threads of the host only. Environments take large
// blocks from it and hand out small ones themselves (nif_host/enif/env).
//
// All memory that a term can refer to comes from here, so that the BEAM can read it in place. When
// the segment is full the host ends with {quota, memory} (the C API has no error to return).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace cordon {

class HostHeap {
  public:
    // `memory` is the part of the host segment behind its fixed area; `size` in bytes.
    HostHeap(void* memory, std::uint64_t size);
    ~HostHeap();
    HostHeap(const HostHeap&) = delete;
    HostHeap& operator=(const HostHeap&) = delete;

    // 16-byte aligned; never nullptr: calls the handler given below when the segment is full.
    void* allocate(std::size_t bytes);
    // `alignment`: a power of two. As allocate otherwise.
    void* allocate_aligned(std::size_t bytes, std::size_t alignment);
    void deallocate(void* block);
    // Grows or shrinks in place where that is possible; else copies. Never nullptr.
    void* reallocate(void* block, std::size_t old_bytes, std::size_t new_bytes);

    std::uint64_t free_bytes() const;

    // Called with the wanted size when the segment is full; must not return.
    void set_exhausted_handler(void (*handler)(std::size_t wanted));

  private:
    void* checked(void* block, std::size_t bytes) const;

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace cordon
