// Latin-1 and UTF-8.
#pragma once

#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/vm_release.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cordon::host {

// ErlNifCharEncoding has ERL_NIF_UTF8 since API 2.17 only.
inline constexpr int kLatin1 = 1;
inline constexpr int kUtf8 = 2;

// What the VM takes an encoding for: until OTP 25 it has one, and doesn't look.
inline int vm_encoding(ErlNifCharEncoding encoding) {
    const int given = static_cast<int>(encoding);
    const bool looks = vm_release() == 0 || vm_release() >= 26;
    return looks || given == kUtf8 ? given : kLatin1;
}

constexpr bool is_code_point(std::int64_t value) {
    return value >= 0 && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

// Number of bytes written, at most 4.
unsigned utf8_encode(std::uint32_t code_point, char* to);

// Number of characters; -1 if it isn't valid UTF-8.
std::ptrdiff_t utf8_length(std::string_view text);

// Decodes one character of valid UTF-8 and moves behind it.
std::uint32_t utf8_next(std::string_view text, std::size_t* at);

std::string latin1_to_utf8(std::string_view latin1);

bool is_ascii(std::string_view text);

} // namespace cordon::host
