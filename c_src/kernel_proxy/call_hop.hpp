// A call that moves to another scheduler. What is under way stays with its slot; the VM carries
// only the slot's address from one scheduler to the other, as an integer: a resource would be
// garbage on the caller's heap later, and would put off the module's unload until that is
// collected.
#pragma once

#include "kernel_proxy/call.hpp"

namespace cordon::proxy {

// The call goes on waiting, on a dirty I/O scheduler when cordon may take one more of them, else on
// a normal one, a bounded time at each turn.
ERL_NIF_TERM hop(ErlNifEnv* env, ActiveCall call);

// For what only a normal scheduler can do; the response that asks for it stays where it is.
ERL_NIF_TERM hop_to_normal(ErlNifEnv* env, ActiveCall call);

// The library has asked for a next step with these flags of enif_schedule_nif.
ERL_NIF_TERM schedule_step(ErlNifEnv* env, ActiveCall call, int flags);

// cordon leaves some dirty I/O schedulers to others: files use the same ones.
bool reserve_dirty_scheduler();
void release_dirty_scheduler();
void set_dirty_io_schedulers(int count);
// For shims that are loaded before anything of cordon's Erlang side.
void learn_dirty_io_schedulers();

} // namespace cordon::proxy
