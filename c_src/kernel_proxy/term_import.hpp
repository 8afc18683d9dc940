// Hop 7: what a host has built, checked and built again on the heap of a VM process.
//
// Every word is read once (Wild) and nothing in it is believed: addresses must lie in memory of
// that host or in this call's arguments, sizes inside it, tags must be known. No recursion. A
// result can't be larger than what the host has physically written, which the kernel knows: that
// bounds cyclic and endless terms. When a term seems larger than that, its parts are shared, and it
// is built again with sharing kept.
#pragma once

#include "kernel_proxy/argument_arena.hpp"

#include <erl_nif.h>
#include <stdexcept>

namespace cordon::proxy {

class Host;

// The host has broken the rules; what() is an atom's text that says which.
struct ProtocolViolation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What the VM does with the term: just has it, or walks it as a tree at once: to make a copy of it,
// or to compare, hash, encode or print it. A small shared term can be endless as a tree.
// To print an integer takes the square of its length, and can't be interrupted.
enum class Use { Keep, Copy, Walk, Print };
struct TermTooLarge : ProtocolViolation {
    TermTooLarge() : ProtocolViolation("term_too_large") {}
};

// The term in `env`. Throws ProtocolViolation, std::bad_alloc. `arena` is the call's own.
ERL_NIF_TERM import_term(ErlNifEnv* env, term::Word word, Host& host, const ArgumentArena& arena,
                         Use use = Use::Keep);

// Memory that the host has named, as local address; throws ProtocolViolation.
const char* host_bytes(const Host& host, const ArgumentArena& arena, term::Word address,
                       std::uint64_t bytes);

} // namespace cordon::proxy
