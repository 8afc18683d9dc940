// Which processes a host may signal or schedule: itself and what it has started. A seccomp filter
// sees numbers only, so it asks the keeper about all but the plainest, and the keeper looks whether
// the number belongs to the host's session or descends from it. Only arguments that lie in
// registers are judged, so what was judged is what the kernel then does.
//
// Whoever begins a session of its own (setsid) is asked about too: the filter tells whose process
// that is, also when its parents are gone. So the keeper can end all that a host has started.
#pragma once

#include "shared_heap/memory_segment.hpp"

#include <cstdint>
#include <poll.h>
#include <sys/types.h>
#include <vector>

struct seccomp_notif;
struct seccomp_notif_resp;

namespace cordon::host {

// In the host: gives the listener of its filter to the keeper.
bool hand_over_listener(int reach_channel, int listener);

// Whether `target` (process or thread; a group when negative) belongs to the host.
bool belongs_to(pid_t host, pid_t target);

// A host and what it has started.
struct HostTree {
    pid_t host = 0;
    Fd listener;                 // none before the host has handed it over, or where it can't
    std::vector<pid_t> sessions; // that its descendants have begun
    std::size_t prune_at = 0;    // number of sessions
    bool ended = false;

    bool has_session(pid_t session) const;
};

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
    void host_started(pid_t host);
    // Ends what it has started. What isn't a child of the keeper yet becomes one when its parent
    // ends.
    void host_ended(pid_t host);
    // To be called whenever a child of the keeper has ended.
    void end_descendants();
    // In a fork: what belongs to the keeper goes.
    void forget();

  private:
    void accept_listener();
    bool answer(HostTree& tree);
    void note_session(HostTree& tree, pid_t session);

    Fd keeper_end_;
    Fd host_end_;
    std::vector<HostTree> trees_;
    seccomp_notif* request_ = nullptr;
    seccomp_notif_resp* response_ = nullptr;
};

} // namespace cordon::host
