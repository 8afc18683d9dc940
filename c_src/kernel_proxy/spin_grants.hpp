// Which workers may spin while they wait: one for each two CPUs, for its caller needs the other.
//
// Who is called gets the grant of one that isn't called any more. While all are called again and
// again, callers take turns of a millisecond: if they took the grant from each other with
// every call, all of them would have to wake sleepers; and if who has none called all the same, its
// threads would take the CPUs from the others. Two callers on two CPUs make 30 times as many calls
// this way.
#pragma once

#include "compat_ipc/call_slot.hpp"
#include "kernel_proxy/clock.hpp"

#include <atomic>
#include <mutex>
#include <vector>

namespace cordon::proxy {

class SpinGrants {
  public:
    static SpinGrants& instance();

    // CPUs that this process may use: affinity and cgroup quota.
    bool any() const { return !holders_.empty(); }

    // Of one slot; all outlive its grant.
    struct Claim {
        ipc::RequestHalf& request;
        std::atomic<bool>& held; // written under the lock only
        const std::atomic<std::uint32_t>& busy;
    };
    // If it can be had.
    void grant(const Claim& claim);
    // The same for who is about to call, and waits for its turn if there are others now.
    void await_turn(const Claim& claim);
    // Before the segment of `request` is unmapped.
    void revoke(std::atomic<bool>& held);

  private:
    struct Holder {
        ipc::RequestHalf* request = nullptr;
        std::atomic<bool>* held = nullptr;
        const std::atomic<std::uint32_t>* busy = nullptr;
        Clock::time_point since{};
        // As somebody who wanted the grant has seen it last.
        std::uint32_t seen_seq = 0;
        Clock::time_point seen_at{};
        bool is_hot = false;
    };
    enum class Answer { Granted, InUse, Hot };
    Answer try_grant(const Claim& claim);
    static bool gives_way(Holder& holder, Clock::time_point now);
    SpinGrants();
    void drop(Holder& holder);

    std::mutex lock_;
    std::vector<Holder> holders_;
    std::size_t next_ = 0;
};

} // namespace cordon::proxy
