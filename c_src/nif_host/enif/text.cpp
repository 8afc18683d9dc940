#include "nif_host/enif/text.hpp"

#include <algorithm>
#include <array>

namespace cordon::host {

unsigned utf8_encode(std::uint32_t code, char* to) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
    if (code < 0x80) {
        to[0] = byte(code);
        return 1;
    }
    const auto tail = [&](unsigned shift) { return byte(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x800) {
        to[0] = byte(0xC0 | (code >> 6));
        to[1] = tail(0);
        return 2;
    }
    if (code < 0x10000) {
        to[0] = byte(0xE0 | (code >> 12));
        to[1] = tail(6);
        to[2] = tail(0);
        return 3;
    }
    to[0] = byte(0xF0 | (code >> 18));
    to[1] = tail(12);
    to[2] = tail(6);
    to[3] = tail(0);
    return 4;
}

std::uint32_t utf8_next(std::string_view text, std::size_t* at) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
    };
    const std::uint32_t first = byte(*at);
    ++*at;
    if (first < 0x80)
        return first;
    const unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    std::uint32_t code = first & (0x3FU >> more);
    for (unsigned i = 0; i < more; ++i, ++*at)
        code = (code << 6) | (byte(*at) & 0x3F);
    return code;
}

std::ptrdiff_t utf8_length(std::string_view text) {
    constexpr std::array<std::uint32_t, 4> kSmallest{0, 0x80, 0x800, 0x10000};
    std::ptrdiff_t count = 0;
    for (std::size_t at = 0; at < text.size(); ++count) {
        const auto first = static_cast<unsigned char>(text[at]);
        if (first >= 0xF8 || (first & 0xC0) == 0x80)
            return -1;
        const unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
        if (text.size() - at <= more)
            return -1;
        for (unsigned i = 1; i <= more; ++i)
            if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80)
                return -1;
        const std::uint32_t code = utf8_next(text, &at);
        if (code < kSmallest[more] || !is_code_point(code))
            return -1;
    }
    return count;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::string latin1_to_utf8(std::string_view latin1) {
    std::string utf8;
    utf8.reserve(2 * latin1.size());
    for (const char c : latin1) {
        char bytes[4];
        utf8.append(bytes, utf8_encode(static_cast<unsigned char>(c), bytes));
    }
    return utf8;
}

} // namespace cordon::host
