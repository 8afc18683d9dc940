#include "kernel_proxy/seal.hpp"

#include <array>
#include <cstring>
#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>

namespace cordon::proxy {
namespace {

using Key = std::array<unsigned char, crypto_shorthash_KEYBYTES>;

const Key& key_of(term::ExternalType type) {
    static const auto keys = [] {
        std::array<Key, 8> made{};
        for (Key& key : made)
            randombytes_buf(key.data(), key.size());
        return made;
    }();
    return keys[static_cast<std::size_t>(type)];
}

} // namespace

std::uint64_t make_seal(term::ExternalType type, std::span<const unsigned char> bytes) {
    std::array<unsigned char, crypto_shorthash_BYTES> hash{};
    crypto_shorthash(hash.data(), bytes.data(), bytes.size(), key_of(type).data());
    std::uint64_t seal;
    static_assert(sizeof seal == crypto_shorthash_BYTES);
    std::memcpy(&seal, hash.data(), sizeof seal);
    return seal;
}

} // namespace cordon::proxy
