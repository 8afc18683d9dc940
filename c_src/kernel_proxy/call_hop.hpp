// A call that moves to another scheduler: what is under way travels as a resource, so that it is
// not lost when its process is killed in between.
#pragma once

#include "kernel_proxy/call.hpp"

namespace cordon::proxy {

// Of a module instance's load or upgrade.
ErlNifResourceType* open_pending_call_type(ErlNifEnv* env);

// The call goes on waiting, on a dirty I/O scheduler when cordon may take one more of them, else on
// a normal one, a bounded time at each turn.
ERL_NIF_TERM hop(ErlNifEnv* env, ActiveCall call);

// The library has asked for a next step with these flags of enif_schedule_nif.
ERL_NIF_TERM schedule_step(ErlNifEnv* env, ActiveCall call, int flags);

// cordon leaves some dirty I/O schedulers to others: files use the same ones.
bool reserve_dirty_scheduler();
void release_dirty_scheduler();
void set_dirty_io_schedulers(int count);

} // namespace cordon::proxy
