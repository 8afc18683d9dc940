// What a library's ErlNifMonitor says of the VM's monitor: the numbers of the reference that
// enif_make_monitor_term gives, and a seal. A library keeps them and may ask for the reference at
// any time, long after the monitor is gone; without the seal a host could have a reference of its
// choice made, and so revive another library's resource.
#pragma once

#include "shared_heap/term.hpp"

#include <array>
#include <erl_nif.h>

namespace cordon::proxy {

struct MonitorIdentity {
    std::array<term::Word, 2> numbers;
    term::Word seal;
};

MonitorIdentity identity_of(ErlNifEnv* env, const ErlNifMonitor& monitor);

// The reference of a monitor that was given this identity; 0 when the VM has given it to none.
ERL_NIF_TERM monitor_reference(ErlNifEnv* env, const std::array<term::Word, 3>& words);

} // namespace cordon::proxy
