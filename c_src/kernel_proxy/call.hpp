// Hops 1 to 8 on the BEAM side: one call of a library's function, from the trampoline to the
// result.
#pragma once

#include "kernel_proxy/active_call.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// Where a call runs, and what it may do there.
enum class Place {
    Normal, // a normal scheduler: waits for a bounded time, then moves
    Dirty,  // a dirty scheduler
};

// From the trampoline. May return enif_schedule_nif's value: then the call goes on elsewhere.
ERL_NIF_TERM begin_call(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[], std::uint32_t function,
                        Place place);

// Serves upcalls and waits until the response is there, then gives the result; or moves the call.
// `spin`: the worker was awake when the doorbell rang.
ERL_NIF_TERM drive_call(ErlNifEnv* env, ActiveCall call, Place place, bool spin);

// The next step of an enif_schedule_nif chain.
ERL_NIF_TERM continue_call(ErlNifEnv* env, ActiveCall call, Place place);

// The caller has gone before the call went on: `mid_chain` says that the library waits for a
// Continue.
void abandon_call(const ActiveCall& call, bool mid_chain);

// What a chain's step runs as (0 normal, else the flags given to enif_schedule_nif).
std::uint8_t thread_type_of_flags(std::uint32_t flags);

// load, upgrade, unload and their like: on the calling thread to the end, without moving. True with
// what the host answered; false when the host ended or the deadline (then it is killed) passed.
// `caller`: the VM's environment that the library is called for, or nullptr.
bool call_inline(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance, Host& host,
                 ipc::RequestKind kind, ERL_NIF_TERM info, std::uint32_t old_instance,
                 std::chrono::milliseconds timeout, std::int64_t* answer);
// The same in a slot that the caller has taken; gives it back.
bool call_inline_in(Slot& slot, ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance,
                    Host& host, ipc::RequestKind kind, ERL_NIF_TERM info,
                    std::uint32_t old_instance, std::chrono::milliseconds timeout,
                    std::int64_t* answer);

} // namespace cordon::proxy
