// What no BEAM thread waits for: upcalls of host threads without a call, and calls whose caller has
// gone. All of it is the upcall thread's.
#pragma once

#include "kernel_proxy/host.hpp"

namespace cordon::proxy {

// By the upcall thread: all channels of the host that hold a request. False when none did.
bool serve_channels(Host& host);

// By the upcall thread from now on: a call whose caller has gone runs to its end, its upcalls are
// served, its result is dropped and its slot given back.
void adopt_orphan(const ActiveCall& call);

} // namespace cordon::proxy
