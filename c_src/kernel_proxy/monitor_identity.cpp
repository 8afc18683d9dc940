#include "kernel_proxy/monitor_identity.hpp"

#include "kernel_proxy/encoded_term.hpp"
#include "kernel_proxy/seal.hpp"

#include <cstring>
#include <stdexcept>
#include <string>

namespace cordon::proxy {
namespace {

// A reference in external term format (erl_ext_dist, NEWER_REFERENCE_EXT): tag, count of numbers,
// node, creation, then the numbers of 32 bits each: three in references of this node. (A host's
// select or monitor reference is an ordinary one; those with more numbers are aliases.)
constexpr std::size_t kNumberBytes = 12;

std::string encode(ErlNifEnv* env, ERL_NIF_TERM reference) {
    constexpr char kNewerReference = 90;
    constexpr char kNumbers = 3;
    std::string encoded = EncodedTerm(env, reference).text();
    if (encoded.size() < 4 + kNumberBytes || encoded[1] != kNewerReference || encoded[2] != 0 ||
        encoded[3] != kNumbers)
        throw std::runtime_error("references of this VM have another form");
    return encoded;
}

std::uint64_t seal_of(const std::array<term::Word, 2>& numbers) {
    return make_monitor_seal(
        {reinterpret_cast<const unsigned char*>(numbers.data()), sizeof numbers});
}

} // namespace

MonitorIdentity identity_of(ErlNifEnv* env, const ErlNifMonitor& monitor) {
    const std::string encoded = encode(env, enif_make_monitor_term(env, &monitor));
    MonitorIdentity identity{};
    static_assert(kNumberBytes <= sizeof identity.numbers);
    std::memcpy(identity.numbers.data(), encoded.data() + encoded.size() - kNumberBytes,
                kNumberBytes);
    identity.seal = seal_of(identity.numbers);
    return identity;
}

ERL_NIF_TERM monitor_reference(ErlNifEnv* env, const std::array<term::Word, 3>& words) {
    const std::array<term::Word, 2> numbers{words[0], words[1]};
    if (seal_of(numbers) != words[2])
        return 0;
    // Any reference of this node says what comes before the numbers.
    std::string encoded = encode(env, enif_make_ref(env));
    encoded.replace(encoded.size() - kNumberBytes, kNumberBytes,
                    reinterpret_cast<const char*>(numbers.data()), kNumberBytes);
    ERL_NIF_TERM reference;
    return enif_binary_to_term(env, reinterpret_cast<const unsigned char*>(encoded.data()),
                               encoded.size(), &reference, 0) != 0
               ? reference
               : 0;
}

} // namespace cordon::proxy
