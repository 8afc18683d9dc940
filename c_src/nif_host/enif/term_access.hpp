// Reading terms in place. No check: the words come from this process or from the BEAM.
#pragma once

#include "shared_heap/term.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>

namespace cordon::host {

using term::Kind;
using term::Word;

inline Word* object(Word boxed) {
    return reinterpret_cast<Word*>(boxed);
} // the tag is 0
inline Word* cons_cell(Word cons) {
    return reinterpret_cast<Word*>(cons - term::kConsTag);
}
inline Word boxed_word(const Word* address) {
    return reinterpret_cast<Word>(address);
}
inline Word cons_word(const Word* address) {
    return reinterpret_cast<Word>(address) | term::kConsTag;
}
static_assert(term::kBoxedTag == 0);

inline bool is_kind(Word w, Kind kind) {
    return term::is_boxed(w) && term::header_kind(*object(w)) == kind;
}
inline Kind kind_of(Word boxed) {
    return term::header_kind(*object(boxed));
}
inline std::uint64_t size_of(Word boxed) {
    return term::header_size(*object(boxed));
}

inline bool is_external(Word w, term::ExternalType type) {
    return is_kind(w, Kind::External) && object(w)[1] == static_cast<Word>(type);
}
inline bool is_whole_binary(Word w) {
    if (!term::is_boxed(w))
        return false;
    const Kind kind = kind_of(w);
    return kind == Kind::Binary || kind == Kind::BinaryRef || kind == Kind::ResourceBinary;
}

struct Bytes {
    unsigned char* data;
    std::size_t size;
};
// Of a Binary, BinaryRef or ResourceBinary.
inline Bytes binary_bytes(Word boxed) {
    Word* words = object(boxed);
    const std::size_t size = term::header_size(words[0]);
    if (term::header_kind(words[0]) == Kind::Binary)
        return {reinterpret_cast<unsigned char*>(words + 1), size};
    return {reinterpret_cast<unsigned char*>(words[1]), size};
}
// External term format of an External, without its seal and a leading version byte.
inline std::string_view external_bytes(Word boxed) {
    const Word* words = object(boxed);
    std::string_view bytes(reinterpret_cast<const char*>(words + 2), term::header_size(words[0]));
    bytes.remove_prefix(std::min<std::size_t>(term::kSealBytes, bytes.size()));
    if (!bytes.empty() && bytes.front() == '\x83')
        bytes.remove_prefix(1);
    return bytes;
}

inline bool is_bitstring(Word w) {
    return is_whole_binary(w) || is_external(w, term::ExternalType::Bitstring);
}
// The whole bytes of a bitstring: the bits behind them are not looked at, as in the VM.
inline Bytes whole_bytes(Word bitstring) {
    if (is_whole_binary(bitstring))
        return binary_bytes(bitstring);
    // In external format: tag, four bytes of length, number of bits in the last byte, bytes.
    constexpr std::size_t kHead = 6;
    const std::string_view external = external_bytes(bitstring).substr(kHead);
    const auto* data = reinterpret_cast<const unsigned char*>(external.data());
    return {const_cast<unsigned char*>(data), external.size() - 1};
}

inline double float_value(Word boxed) {
    return std::bit_cast<double>(object(boxed)[1]);
}

} // namespace cordon::host
