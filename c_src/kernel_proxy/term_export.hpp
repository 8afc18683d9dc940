// Hop 2: a term of the VM, written into the arena of a call as the host will read it.
//
// No recursion: a term nested a million deep takes memory, not stack. Sharing is kept once a term
// turns out to be large (kSharingThreshold): a small term that shares its parts many times over
// would explode otherwise, and finding that out costs time on terms that don't.
#pragma once

#include "kernel_proxy/argument_arena.hpp"

#include <cstdint>
#include <erl_nif.h>
#include <stdexcept>

namespace cordon::proxy {

class Host;

// A resource of an earlier generation was given to a call.
struct StaleResource : std::runtime_error {
    explicit StaleResource(std::uint64_t of)
        : std::runtime_error("stale resource"), generation(of) {}
    std::uint64_t generation;
};

// What to do with a resource of an earlier generation: a call is refused, an upcall's answer
// carries it as the plain reference that it has become.
enum class Stale { Throw, Plain };

// Where the term's funs are from: the VM made them, or it has decoded bytes of a host, who may have
// forged them. Then only names of functions (fun M:F/A) and funs that are known are exported,
// unless the configuration says that this host is believed.
enum class Funs { OfVm, OfHost, OfBelievedHost };
struct FunRefused : std::runtime_error {
    FunRefused() : std::runtime_error("fun_from_bytes") {}
};

// A large term takes milliseconds to write: normal schedulers leave it to others.
enum class Large { Export, Throw };
struct LargeArgument : std::runtime_error {
    LargeArgument() : std::runtime_error("large argument") {}
};

// The host's word for the term. Throws StaleResource, FunRefused, ArgumentsTooLarge,
// LargeArgument, std::bad_alloc.
term::Word export_term(ErlNifEnv* env, ERL_NIF_TERM term, Host& host, ArgumentArena& arena,
                       Stale stale, Funs funs = Funs::OfVm, Large large = Large::Export);

} // namespace cordon::proxy
