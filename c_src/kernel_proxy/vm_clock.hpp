// The VM's clock, also for threads that the VM tells no time: it answers only schedulers. Callbacks
// of a library run on schedulers in process, so they must be told here too.
#pragma once

#include <erl_nif.h>

namespace cordon::proxy {

// On a scheduler, before any other thread asks.
void learn_time_offset();

ErlNifTime vm_monotonic_time(ErlNifTimeUnit unit);
ErlNifTime vm_time_offset(ErlNifTimeUnit unit);

} // namespace cordon::proxy
