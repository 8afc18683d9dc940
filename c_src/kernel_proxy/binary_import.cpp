#include "kernel_proxy/binary_import.hpp"

#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/host_binary.hpp"
#include "shared_heap/copy_bytes.hpp"

#include <iterator>
#include <new>

namespace cordon::proxy {
namespace {

// From here on it is looked at what of it the host has ever written.
constexpr std::uint64_t kMayHaveHoles = 64 * 1024; // to ask costs 2 us
constexpr std::uint64_t kSharedBinary = 64;        // bytes; smaller ones are cheaper copied

} // namespace

// When it is part of one that we have already: as in the VM, it then shares its bytes. Else 0.
ERL_NIF_TERM BinaryImport::part_of_known(term::Word address, std::uint64_t bytes) const {
    const auto after = known_.upper_bound(address);
    if (after == known_.begin())
        return 0;
    const auto& [start, known] = *std::prev(after);
    return address - start <= known.bytes && bytes <= known.bytes - (address - start)
               ? enif_make_sub_binary(env_, known.term, address - start, bytes)
               : 0;
}

// One copy, so what the host does to the bytes meanwhile can only change the bytes.
ERL_NIF_TERM BinaryImport::copy(term::Word address, std::uint64_t bytes) {
    if (const ERL_NIF_TERM part = part_of_known(address, bytes); part != 0)
        return part;
    claim_bytes(address, bytes);
    return copy_claimed(address, bytes);
}

ERL_NIF_TERM BinaryImport::copy_claimed(term::Word address, std::uint64_t bytes) {
    ERL_NIF_TERM term;
    unsigned char* to = enif_make_new_binary(env_, bytes, &term);
    if (to == nullptr)
        throw std::bad_alloc();
    fill(address, bytes, reinterpret_cast<char*>(to));
    if (sharing_ && bytes > kSharedBinary)
        known_.insert_or_assign(address, Known{bytes, term});
    return term;
}

ERL_NIF_TERM BinaryImport::of_block(term::Word address, term::Word owner, std::uint64_t bytes,
                                    bool kept) {
    const bool in_block = owner != 0 && (owner & term::kBaseOwner) == 0;
    if (!kept || !in_block || bytes < kInPlaceBytes || !host_.group().keeps_binaries_in_place())
        return copy(address, bytes);
    if (const ERL_NIF_TERM part = part_of_known(address, bytes); part != 0)
        return part;
    claim_bytes(address, bytes);
    const ERL_NIF_TERM term = make_host_binary(env_, host_, owner, address, bytes);
    if (term == 0)
        return copy_claimed(address, bytes);
    if (sharing_)
        known_.insert_or_assign(address, Known{bytes, term});
    return term;
}

// Checks that they lie in the host's memory, and counts them.
void BinaryImport::claim_bytes(term::Word address, std::uint64_t bytes) {
    host_bytes(host_, arena_, address, bytes);
    budget_.spend_binary(term::bytes_to_words(bytes));
}

// Of what was claimed.
void BinaryImport::fill(term::Word address, std::uint64_t bytes, char* to) const {
    if (bytes < kMayHaveHoles || !host_.copy_holes(address, to, bytes))
        copy_bytes(to, host_bytes(host_, arena_, address, bytes), bytes);
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
    fill(named.copy, bytes, proxy->bytes());
    return resources.make_binary(env_, proxy);
}

} // namespace cordon::proxy
