// Layout of a term as it crosses the border, and as the host's enif_* functions see it.
//
// A term is one 64-bit word. The low bits tell what it is; 0 is never a term (libraries use it as
// "none", as the VM does). Immediates carry their value in the word and are equal in every
// environment and call. A boxed word or a cons word is an address in the *host's* address space;
// the BEAM side turns it into segment + offset and checks it before it reads (see
// kernel_proxy/term_import). Every object is 8-byte aligned and starts with a header word.
#pragma once

#include <cstdint>

namespace cordon::term {

using Word = std::uint64_t;

// --- tags -------------------------------------------------------------------------------------
// low 2 bits: 00 boxed, 01 cons cell, 11 immediate (then the low 4 bits say which)
inline constexpr Word kPrimaryMask = 0x3;
inline constexpr Word kBoxedTag = 0x0;
inline constexpr Word kConsTag = 0x1;
inline constexpr Word kImmediateTag = 0x3;

inline constexpr Word kImmediateMask = 0xF;
inline constexpr Word kPidTag = 0x3;   // upper 60 bits: as in the VM's word of a local pid
inline constexpr Word kPortTag = 0x7;  // upper 60 bits: as in the VM's word of a local port
inline constexpr Word kConstTag = 0xB; // atoms and []; bits 4-5 tell which
inline constexpr Word kSmallTag = 0xF; // upper 60 bits: signed integer

inline constexpr Word kConstMask = 0x3F;
inline constexpr Word kAtomTag = 0x0B; // bits 6 and up: index into the atom segment
inline constexpr Word kNilTag = 0x1B;
inline constexpr Word kNil = kNilTag;

inline constexpr std::int64_t kSmallMax = (std::int64_t{1} << 59) - 1;
inline constexpr std::int64_t kSmallMin = -(std::int64_t{1} << 59);

constexpr bool is_boxed(Word w) {
    return (w & kPrimaryMask) == kBoxedTag && w != 0;
}
constexpr bool is_cons(Word w) {
    return (w & kPrimaryMask) == kConsTag;
}
constexpr bool is_immediate(Word w) {
    return (w & kPrimaryMask) == kImmediateTag;
}
constexpr bool is_small(Word w) {
    return (w & kImmediateMask) == kSmallTag;
}
constexpr bool is_local_pid(Word w) {
    return (w & kImmediateMask) == kPidTag;
}
constexpr bool is_local_port(Word w) {
    return (w & kImmediateMask) == kPortTag;
}
constexpr bool is_atom(Word w) {
    return (w & kConstMask) == kAtomTag;
}
constexpr bool is_nil(Word w) {
    return w == kNil;
}

constexpr bool fits_small(std::int64_t v) {
    return v >= kSmallMin && v <= kSmallMax;
}
constexpr Word make_small(std::int64_t v) {
    return (static_cast<Word>(v) << 4) | kSmallTag;
}
constexpr std::int64_t small_value(Word w) {
    return static_cast<std::int64_t>(w) >> 4;
}
constexpr Word make_atom(std::uint32_t index) {
    return (Word{index} << 6) | kAtomTag;
}
constexpr std::uint64_t atom_index(Word w) {
    return w >> 6;
}
constexpr Word make_boxed(Word address) {
    return address | kBoxedTag;
}
constexpr Word make_cons(Word address) {
    return address | kConsTag;
}
constexpr Word address_of(Word w) {
    return w & ~kPrimaryMask;
}

// --- boxed objects ----------------------------------------------------------------------------
// header = size << 8 | kind. What `size` counts is said at each kind. A cons cell has no header:
// two words, head and tail.
enum class Kind : std::uint8_t {
    Tuple = 1,     // size = arity;  words: elements
    Float = 2,     // size = 1;      words: IEEE-754 bits
    Int64 = 3,     // size = 1;      words: signed value outside the small range
    Uint64 = 4,    // size = 1;      words: unsigned value above INT64_MAX
    Binary = 5,    // size = bytes;  bytes follow, padded to a word
    BinaryRef = 6, // size = bytes;  words: address of the bytes, owner (see below)
    FlatMap = 7,   // size = pairs;  words: all keys, then all values, in iteration order
    HashMap = 8,   // size = pairs;  words: root (boxed MapNode)
    MapNode = 9, // size = children; words: bitmap, children (a cons [Key|Value] or a boxed MapNode)
    Resource = 10, // size = 1;      words: handle (of the host that made it; 0 is none)
    External = 11, // size = bytes;  words: ExternalType, then that many bytes, padded (see below)
    ResourceBinary =
        12, // size = bytes; words: address in the library, handle, number, copy (below)
};
// The owner word of a BinaryRef is the host's: what keeps the bytes alive. The VM only ever gives
// it back: when it holds the bytes in place (option zero_copy), with acquire and release events and
// in a BinaryRef of its own as an argument.
inline constexpr Word kBaseOwner = 1; // in an owner word: no block of binaries

// A ResourceBinary is bytes of a resource. The address is for the library alone. The number is the
// VM's, of the object that stands for it there, 0 when there is none yet; the copy is the address
// of the bytes in the host segment, 0 when the VM has written the term.

// What an External holds: terms that no enif_* can take apart. They travel as a seal of 8 bytes
// followed by external term format, and come back equal. Only the BEAM makes them: the seal is a
// keyed hash of type and bytes, so that a host can copy one but not forge one (a forged fun could
// crash the VM).
enum class ExternalType : std::uint64_t {
    Integer = 1, // beyond 64 bits
    Reference = 2,
    Fun = 3,
    Pid = 4,       // of another node
    Port = 5,      // of another node
    Bitstring = 6, // not a whole number of bytes
};

inline constexpr std::uint64_t kSealBytes = 8;

constexpr Word make_header(Kind kind, std::uint64_t size) {
    return (size << 8) | static_cast<Word>(kind);
}
constexpr Kind header_kind(Word header) {
    return static_cast<Kind>(header & 0xFF);
}
constexpr std::uint64_t header_size(Word header) {
    return header >> 8;
}

constexpr std::uint64_t bytes_to_words(std::uint64_t bytes) {
    return (bytes + 7) / 8;
}

// Small maps are flat; above this many pairs the host builds a HashMap when it changes one, or
// looks a key up in one (the BEAM always exports flat).
inline constexpr std::uint64_t kFlatMapLimit = 32;

// Limits of the VM that both sides know: arity of a tuple.
inline constexpr std::uint64_t kMaxTupleArity = (1U << 24) - 1;

} // namespace cordon::term
