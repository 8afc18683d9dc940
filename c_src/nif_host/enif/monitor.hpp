// Monitors that resources have of processes. The VM does the monitoring; which monitors there are
// is decided here, under one lock: a monitor is active until its down callback is queued, the
// library has removed it, or its resource is destroyed, whichever is first. So a down callback
// runs once at most, and not at all after enif_demonitor_process has returned 0.
#pragma once

#include "nif_host/enif/resource.hpp"

#include <cstdint>

namespace cordon::host {

// The VM says that the process is gone. By whoever reads the event ring.
void monitor_down(std::uint64_t number);

// The library holds the resource from now on, as it was before Erlang alone may have: so that its
// monitors don't go when Erlang drops it.
void monitors_outlive_terms(Resource* resource);

// The VM's proxy of the resource is gone, and all its monitors with it: has the VM make those anew
// that are active. For the callback thread; takes over a reference.
void monitors_renew(std::uint64_t handle, void (*on_begun)());

// The resource is about to be destroyed.
void monitors_forget(Resource* resource);

} // namespace cordon::host
