#include "kernel_proxy/external_import.hpp"

#include "kernel_proxy/seal.hpp"
#include "shared_heap/wild.hpp"

#include <cstring>
#include <vector>

namespace cordon::proxy {

using term::ExternalType;

ERL_NIF_TERM import_external(ErlNifEnv* env, term::Word address, std::uint64_t bytes,
                             const Host& host, const ArgumentArena& arena) {
    if (bytes <= term::kSealBytes)
        throw ProtocolViolation("invalid_external");
    constexpr std::uint64_t kBefore = sizeof(term::Word) + term::kSealBytes;
    const std::size_t length = bytes - term::kSealBytes;
    const char* from = host_bytes(host, arena, address, kBefore + length);
    const auto* words = reinterpret_cast<const term::Word*>(from);
    const auto type = static_cast<ExternalType>(Wild<term::Word>::read(words).unchecked());
    if (type < ExternalType::Integer || type > ExternalType::Bitstring)
        throw ProtocolViolation("invalid_external");
    const term::Word seal = Wild<term::Word>::read(words + 1).unchecked();
    // A copy of ours: what was checked is what gets decoded.
    std::vector<unsigned char> copy(length);
    std::memcpy(copy.data(), from + kBefore, length);
    if (make_seal(type, copy) != seal)
        throw ProtocolViolation("forged_external");
    ERL_NIF_TERM term;
    if (enif_binary_to_term(env, copy.data(), copy.size(), &term, 0) == 0)
        throw ProtocolViolation("invalid_external");
    return term;
}

} // namespace cordon::proxy
