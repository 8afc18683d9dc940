// The guard: what a host gives up for good before a byte of a library runs, so that a library that
// has gone wrong can't reach the VM, the keeper or another host by means of the kernel. It is on
// for every host. What the machine lacks of it is told by name, and the rest still holds. What each
// part closes, and what stays open: docs/design/guard.md.
#pragma once

#include "compat_ipc/control_message.hpp"
#include "nif_host/guard/landlock.hpp"
#include "nif_host/guard/seccomp_filter.hpp"
#include "shared_heap/memory_segment.hpp"

#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

namespace cordon::host {

struct GuardReport {
    std::vector<ipc::GuardItem> items; // one for each part
    std::uint64_t nanoseconds = 0;
};

// Made once by the keeper: everything that is the same for all hosts is prepared here, and forks
// inherit it.
class Guard {
  public:
    // `vm`: the process that is to be protected. `reach_channel`: what a host sends the listener of
    // its filter through (see ReachRequests).
    Guard(pid_t vm, int reach_channel);

    // In the host, while it has one thread. `kept`: the only descriptors beside 0 to 2 that stay.
    GuardReport confine(std::span<const int> kept) const;

  private:
    pid_t vm_;
    int reach_channel_;
    LandlockDomain landlock_;
    // The first asks the keeper whom a host may signal or schedule, the second is for kernels where
    // it can't be asked.
    struct Filters {
        SeccompFilter asking;
        SeccompFilter refusing;
    };
    Filters beside_landlock_;
    Filters without_landlock_; // these restrict signals too
};

} // namespace cordon::host
