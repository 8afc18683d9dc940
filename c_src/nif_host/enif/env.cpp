#include "nif_host/enif/env.hpp"

#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/chain.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/lifetime_check.hpp"

#include <algorithm>
#include <utility>

namespace cordon::host {
namespace {

constexpr std::size_t kWarmBlockBytes = 32 << 10; // of environments of calls
constexpr std::size_t kSmallBlockBytes = 2 << 10; // of others: libraries make one per message
constexpr std::size_t kMaxBlockBytes = 1 << 20;

std::size_t first_block_bytes(EnvKind kind) {
    return kind == EnvKind::Call ? kWarmBlockBytes : kSmallBlockBytes;
}

EnvBlock* new_block(std::size_t bytes) {
    auto* block = static_cast<EnvBlock*>(watched_allocate(sizeof(EnvBlock) + bytes));
    block->next = nullptr;
    block->end = block->begin() + bytes;
    return block;
}

void enter_block(ErlNifEnv* env, EnvBlock* block) {
    env->current = block;
    env->top = block->begin();
    env->end = block->end;
}

EnvReference* new_reference(ErlNifEnv* env) {
    auto* node = reinterpret_cast<EnvReference*>(env_allocate(env, sizeof(EnvReference)));
    node->next = env->references;
    node->binary = nullptr;
    node->resource = nullptr;
    env->references = node;
    return node;
}

} // namespace

void drop_references(EnvReference* node, Ending how) {
    while (node != nullptr) {
        EnvReference* next = node->next; // the node may lie in what is dropped with it
        if (node->binary != nullptr)
            binary_block_release(node->binary, how);
        else
            resource_drop(node->resource);
        node = next;
    }
}

void drop_blocks(EnvBlock* block, Ending how) {
    while (block != nullptr) {
        EnvBlock* next = block->next;
        watched_end(block, how);
        block = next;
    }
}

char* env_allocate_slow(ErlNifEnv* env, std::size_t bytes) {
    if (env->first == nullptr) {
        env->first = new_block(first_block_bytes(env->kind));
        env->next_block_bytes = 2 * first_block_bytes(env->kind);
        enter_block(env, env->first);
        return env_allocate(env, bytes);
    }
    // What takes most of a block gets one of its own, and the current one stays in use.
    const bool own_block = bytes > env->next_block_bytes / 2;
    EnvBlock* block = new_block(own_block ? bytes : env->next_block_bytes);
    block->next = env->others;
    env->others = block;
    env->other_bytes += static_cast<std::size_t>(block->end - block->begin());
    if (own_block)
        return block->begin();
    env->next_block_bytes = std::min(2 * env->next_block_bytes, kMaxBlockBytes);
    enter_block(env, block);
    return env_allocate(env, bytes);
}

void env_hold(ErlNifEnv* env, BinaryBlock* binary) {
    new_reference(env)->binary = binary;
    env->held_bytes += binary->capacity;
}

void env_hold(ErlNifEnv* env, Resource* resource) {
    new_reference(env)->resource = resource;
}

ErlNifEnv* env_create(EnvKind kind, Instance* instance) {
    ErlNifEnv* env =
        lifetimes_checked() ? new (watched_allocate(sizeof(ErlNifEnv))) ErlNifEnv : new ErlNifEnv;
    env->kind = kind;
    env->instance = instance;
    env->beam_begin = context().beam_window;
    env->compact_at = kCompactMinimum;
    return env;
}

void env_destroy(ErlNifEnv* env, Ending how) {
    if (env == nullptr)
        return;
    env_reset(env, how);
    if (env->first != nullptr)
        watched_end(env->first, how);
    types_rollback(env);
    if (!lifetimes_checked()) {
        delete env;
        return;
    }
    env->~ErlNifEnv();
    watched_end(env, how);
}

void env_reset(ErlNifEnv* env, Ending how) {
    EnvReference* references = env->references;
    env->references = nullptr;
    drop_references(references, how);
    if (env->others != nullptr) {
        drop_blocks(env->others, how);
        env->others = nullptr;
        env->next_block_bytes = 2 * first_block_bytes(env->kind);
    }
    if (env->first != nullptr) {
        if (lifetimes_checked())
            watched_end(std::exchange(env->first, new_block(first_block_bytes(env->kind))), how);
        enter_block(env, env->first);
    }
    env->other_bytes = 0;
    env->held_bytes = 0;
    env->compact_at = kCompactMinimum;
    env->exception = 0;
    env->has_scheduled = false;
    env->big_flat_maps.reset();
    env->map_orders.reset();
}

bool env_is_clean(const ErlNifEnv* env) {
    return env->references == nullptr && env->others == nullptr &&
           (env->first == nullptr || env->top == env->first->begin());
}

void env_set_call(ErlNifEnv* env, Instance* instance, std::uint64_t caller_pid_word,
                  std::uint8_t thread_type) {
    env->instance = instance;
    env->caller = caller_pid_word;
    env->thread_type = thread_type;
    env->exception = 0;
    env->timeslice_used = false;
    env->has_scheduled = false;
    current_thread_type = thread_type;
}

Word env_exception(const ErlNifEnv* env) {
    return env->exception;
}

bool env_take_scheduled(ErlNifEnv* env, Scheduled* scheduled) {
    if (!env->has_scheduled)
        return false;
    env->has_scheduled = false;
    env->step_timeslice_used = env->timeslice_used;
    env->timeslice_used = false;
    if (env->other_bytes + env->held_bytes > env->compact_at)
        compact(env);
    *scheduled = env->scheduled;
    return true;
}

bool env_timeslice_used(const ErlNifEnv* env) {
    // A step that isn't flagged dirty runs on a normal scheduler: from a dirty one the VM has to
    // move it.
    return env->step_timeslice_used || env->thread_type != ERL_NIF_THR_NORMAL_SCHEDULER;
}

ERL_NIF_TERM env_raise(ErlNifEnv* env, Word reason) {
    env->exception = reason;
    env->has_scheduled = false; // what is asked for last is done
    return 0;
}

ERL_NIF_TERM env_badarg(ErlNifEnv* env) {
    return env_raise(env, term::make_atom(static_cast<std::uint32_t>(WellKnownAtom::Badarg)));
}

} // namespace cordon::host

using namespace cordon::host;

ErlNifEnv* enif_alloc_env() {
    return env_create(EnvKind::Independent, nullptr);
}
void enif_free_env(ErlNifEnv* env) {
    env_destroy(env, Ending::FreeEnv);
}
void enif_clear_env(ErlNifEnv* env) {
    const bool pending = env->exception != 0;
    env_reset(env, Ending::ClearEnv);
    if (pending) // it stays so in the VM; the reason was one of the terms
        env_badarg(env);
}

void* enif_priv_data(ErlNifEnv* env) {
    return env->instance == nullptr ? nullptr : env->instance->priv_data;
}

ERL_NIF_TERM enif_make_badarg(ErlNifEnv* env) {
    return env_badarg(env);
}
ERL_NIF_TERM enif_raise_exception(ErlNifEnv* env, ERL_NIF_TERM reason) {
    return env_raise(env, reason);
}
int enif_has_pending_exception(ErlNifEnv* env, ERL_NIF_TERM* reason) {
    if (env->exception == 0)
        return 0;
    if (reason != nullptr)
        *reason = env->exception;
    return 1;
}
// What enif_schedule_nif returned is no term either.
int enif_is_exception(ErlNifEnv* env, ERL_NIF_TERM term) {
    return env->exception != 0 && term == 0;
}
ERL_NIF_TERM enif_make_copy(ErlNifEnv* env, ERL_NIF_TERM term) {
    return copy_term_sharing(env, term);
}
