// An environment: where the terms that a library makes live, and what they keep alive.
//
// Memory comes from the host's heap in blocks; making a term is moving one pointer. A small first
// block stays when the environment is emptied, so a hot call allocates nothing. References to
// binaries and resources are a chain of nodes in the same memory, dropped when the environment is
// emptied.
//
// Invariant: everything that a term in an environment points to lies in the environment itself, in
// a binary that it holds a reference to, or in the BEAM segment (for the length of the call).
#pragma once

#include "compat_ipc/crash_record.hpp"
#include "compat_ipc/pool_layout.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/instance.hpp"
#include "shared_heap/term.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace cordon::host {

using term::Word;

enum class EnvKind { Call, Load, Callback, Independent };

struct Scheduled {
    ERL_NIF_TERM (*function)(ErlNifEnv*, int, const ERL_NIF_TERM[]);
    int flags;
    int argc;
    const ERL_NIF_TERM* argv;
};

ErlNifEnv* env_create(EnvKind kind, Instance* instance);
void env_destroy(ErlNifEnv* env, ipc::Ending how);

// Drops all references and all memory but the first block. `how`: what ends its terms.
void env_reset(ErlNifEnv* env, ipc::Ending how);
// Nothing was allocated or referenced since the last reset.
bool env_is_clean(const ErlNifEnv* env);

// The start of a call (or of a later step of one: what the environment holds stays).
void env_set_call(ErlNifEnv* env, Instance* instance, std::uint64_t caller_pid_word,
                  std::uint8_t thread_type);
// Reason of the pending exception, or 0.
Word env_exception(const ErlNifEnv* env);

// What enif_schedule_nif asked for, once. The arguments stay valid until the next step is taken. A
// long chain's environment is compacted here when it has doubled.
bool env_take_scheduled(ErlNifEnv* env, Scheduled* scheduled);
// The last enif_consume_timeslice of the step that was just taken answered 1.
bool env_timeslice_used(const ErlNifEnv* env);

// Deep copy; big binaries go by reference.
Word copy_term(ErlNifEnv* destination, Word term);
// The same with the sharing inside the term kept.
Word copy_keeping_sharing(ErlNifEnv* destination, Word term);

// --- for the enif_* functions -----------------------------------------------------------------

struct BinaryBlock; // binary.hpp
struct Resource;    // resource.hpp
struct MapIndex;    // map.hpp
struct PendingType; // resource.cpp

struct EnvBlock {
    EnvBlock* next;
    char* end;
    char* begin() { return reinterpret_cast<char*>(this + 1); }
};

// What an environment keeps about a flat map with many pairs, which only the BEAM makes; both lie
// in the environment, and are made when they are needed.
struct BigFlatMap {
    MapIndex* index = nullptr; // for look-ups
    Word hash_map = 0;         // the same map, where changes begin
};

// One reference held; exactly one of the two is set.
struct EnvReference {
    EnvReference* next;
    BinaryBlock* binary;
    Resource* resource;
};

} // namespace cordon::host

struct enif_environment_t {
    // hot: the free part of the current block
    char* top = nullptr;
    char* end = nullptr;
    cordon::host::EnvReference* references = nullptr;
    cordon::host::Word exception = 0; // reason of the pending one
    cordon::host::Instance* instance = nullptr;
    std::uint64_t caller = 0; // pid word, 0 if there is none
    const char* beam_begin = nullptr;
    cordon::host::EnvKind kind = cordon::host::EnvKind::Independent;
    std::uint8_t thread_type = 0;
    bool timeslice_used = false;      // in the running step
    bool step_timeslice_used = false; // in the step that ended
    bool has_scheduled = false;

    // cold
    cordon::host::EnvBlock* first = nullptr;   // kept over resets
    cordon::host::EnvBlock* current = nullptr; // that top and end are in
    cordon::host::EnvBlock* others = nullptr;  // all blocks but the first
    std::size_t next_block_bytes = 0;
    std::size_t other_bytes = 0; // of the blocks in `others`
    std::size_t held_bytes = 0;  // of referenced binaries
    std::size_t compact_at = 0;  // other_bytes + held_bytes that start the next compaction
    cordon::host::Scheduled scheduled{};
    std::unique_ptr<std::unordered_map<cordon::host::Word, cordon::host::BigFlatMap>> big_flat_maps;
    // The flat form, in the VM's order, of hash maps that were iterated.
    std::unique_ptr<std::unordered_map<cordon::host::Word, cordon::host::Word>> map_orders;
    std::vector<cordon::host::PendingType>* pending_types = nullptr; // Load only
};

namespace cordon::host {

char* env_allocate_slow(ErlNifEnv* env, std::size_t bytes);

// 8-byte aligned memory that lives as long as the environment's terms. `bytes` is a multiple of 8.
inline char* env_allocate(ErlNifEnv* env, std::size_t bytes) {
    char* at = env->top;
    if (bytes > static_cast<std::size_t>(env->end - at)) [[unlikely]]
        return env_allocate_slow(env, bytes);
    env->top = at + bytes;
    return at;
}
inline Word* env_words(ErlNifEnv* env, std::size_t words) {
    return reinterpret_cast<Word*>(env_allocate(env, words * sizeof(Word)));
}

// Takes over one reference that the caller holds.
void env_hold(ErlNifEnv* env, BinaryBlock* binary);
void env_hold(ErlNifEnv* env, Resource* resource);

inline bool in_beam_segment(const ErlNifEnv* env, const void* address) {
    return static_cast<std::uint64_t>(static_cast<const char*>(address) - env->beam_begin) <
           ipc::kBeamWindowBytes;
}

// As copy_term, but what lies in the BEAM segment may be shared when the environment is a call's.
Word copy_term_sharing(ErlNifEnv* destination, Word term);

// Sets the pending exception; what the C function returns for it.
ERL_NIF_TERM env_raise(ErlNifEnv* env, Word reason);
ERL_NIF_TERM env_badarg(ErlNifEnv* env);

} // namespace cordon::host
