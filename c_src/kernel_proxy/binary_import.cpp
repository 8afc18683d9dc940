#include "kernel_proxy/binary_import.hpp"

#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"

#include <cstring>
#include <iterator>
#include <new>

namespace cordon::proxy {
namespace {

// From here on the kernel copies: it gives holes no pages.
constexpr std::uint64_t kCopyByKernel = 16 * 1024;
constexpr std::uint64_t kSharedBinary = 64; // bytes; smaller ones are cheaper copied

} // namespace

// One copy, so what the host does to the bytes meanwhile can only change the bytes.
ERL_NIF_TERM BinaryImport::copy(term::Word address, std::uint64_t bytes) {
    ERL_NIF_TERM term;
    if (sharing_) {
        // Part of one that we have already: as in the VM, it then shares its bytes.
        const auto after = known_.upper_bound(address);
        if (after != known_.begin()) {
            const auto& [start, known] = *std::prev(after);
            if (address - start <= known.bytes && bytes <= known.bytes - (address - start))
                return enif_make_sub_binary(env_, known.term, address - start, bytes);
        }
    }
    claim_bytes(address, bytes);
    unsigned char* to = enif_make_new_binary(env_, bytes, &term);
    if (to == nullptr)
        throw std::bad_alloc();
    copy_bytes(address, bytes, reinterpret_cast<char*>(to));
    if (sharing_ && bytes > kSharedBinary)
        known_.insert_or_assign(address, Known{bytes, term});
    return term;
}

// Checks that they lie in the host's memory, and counts them.
void BinaryImport::claim_bytes(term::Word address, std::uint64_t bytes) {
    host_bytes(host_, arena_, address, bytes);
    budget_.spend_binary(term::bytes_to_words(bytes));
}

// Of what was claimed.
void BinaryImport::copy_bytes(term::Word address, std::uint64_t bytes, char* to) const {
    if (bytes < kCopyByKernel || !host_.copy_bytes(address, to, bytes))
        std::memcpy(to, host_bytes(host_, arena_, address, bytes), bytes);
}

ERL_NIF_TERM BinaryImport::of_resource(const OfResource& named, std::uint64_t bytes, bool kept) {
    ResourceTable& resources = host_.group().resources();
    if (named.number != 0)
        if (const ERL_NIF_TERM known =
                resources.binary_again(env_, host_, named.number, named.in_library, bytes);
            known != 0) {
            budget_.count_known(1 + term::bytes_to_words(bytes));
            return known;
        }
    if (!kept)
        return copy(named.copy, bytes);
    claim_bytes(named.copy, bytes);
    BinaryProxy* proxy = resources.allocate_binary(host_, named.handle, named.in_library, bytes);
    copy_bytes(named.copy, bytes, proxy->bytes());
    return resources.make_binary(env_, proxy);
}

} // namespace cordon::proxy
