#include "kernel_proxy/seal.hpp"

#include <array>
#include <cstring>
#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>

namespace cordon::proxy {
namespace {

using Key = std::array<unsigned char, crypto_shorthash_KEYBYTES>;

// One for each type of external terms; their numbers begin with 1.
constexpr std::size_t kMonitorKey = 0;

const Key& key(std::size_t number) {
    static const auto keys = [] {
        std::array<Key, 8> made{};
        for (Key& key : made)
            randombytes_buf(key.data(), key.size());
        return made;
    }();
    return keys[number];
}

std::uint64_t seal_with(const Key& key, std::span<const unsigned char> bytes) {
    std::array<unsigned char, crypto_shorthash_BYTES> hash{};
    crypto_shorthash(hash.data(), bytes.data(), bytes.size(), key.data());
    std::uint64_t seal;
    static_assert(sizeof seal == crypto_shorthash_BYTES);
    std::memcpy(&seal, hash.data(), sizeof seal);
    return seal;
}

} // namespace

std::uint64_t make_seal(term::ExternalType type, std::span<const unsigned char> bytes) {
    return seal_with(key(static_cast<std::size_t>(type)), bytes);
}

std::uint64_t make_monitor_seal(std::span<const unsigned char> identity) {
    return seal_with(key(kMonitorKey), identity);
}

} // namespace cordon::proxy
