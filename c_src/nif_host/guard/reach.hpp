// Which processes a host may signal or schedule: itself and what it has started. A seccomp filter
// sees numbers only, so it asks the keeper about all but the plainest, and the keeper looks whether
// the number belongs to the host's session or descends from it. Only arguments that lie in
// registers are judged, so what was judged is what the kernel then does.
#pragma once

#include "shared_heap/memory_segment.hpp"

#include <cstdint>
#include <poll.h>
#include <sys/types.h>
#include <utility>
#include <vector>

struct seccomp_notif;
struct seccomp_notif_resp;

namespace cordon::host {

// In the host: gives the listener of its filter to the keeper.
bool hand_over_listener(int reach_channel, int listener);

// Whether `target` (process or thread; a group when negative) belongs to the host.
bool belongs_to(pid_t host, pid_t target);

// In the keeper.
class ReachRequests {
  public:
    ReachRequests();
    ~ReachRequests();
    ReachRequests(const ReachRequests&) = delete;
    ReachRequests& operator=(const ReachRequests&) = delete;

    // The end that hosts inherit.
    int host_end() const { return host_end_.get(); }
    // Descriptors to be polled beside the keeper's own, and what poll said of them.
    void append_to(std::vector<pollfd>& polled) const;
    void serve(const pollfd* polled, std::size_t count);
    // In a fork: what belongs to the keeper goes.
    void forget();

  private:
    void accept_listener();
    bool answer(int listener, pid_t host);

    Fd keeper_end_;
    Fd host_end_;
    std::vector<std::pair<Fd, pid_t>> listeners_;
    seccomp_notif* request_ = nullptr;
    seccomp_notif_resp* response_ = nullptr;
};

} // namespace cordon::host
