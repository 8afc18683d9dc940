// The life of a host process after the fork: map, be guarded, report ready, serve the control
// socket.
#pragma once

#include "nif_host/guard/guard.hpp"
#include "shared_heap/memory_segment.hpp"

#include <vector>

namespace cordon::host {

// `fds` as ipc::SpawnFd says. Ends the process.
[[noreturn]] void run_host(std::vector<Fd>& fds, const Guard& guard);

} // namespace cordon::host
