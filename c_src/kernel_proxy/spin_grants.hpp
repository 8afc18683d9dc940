// Which workers may spin while they wait: as many as there are CPUs beyond the one that their
// caller needs. The worker called last gets the grant; the one that had it parks.
#pragma once

#include "compat_ipc/call_slot.hpp"

#include <atomic>
#include <mutex>
#include <vector>

namespace cordon::proxy {

class SpinGrants {
  public:
    static SpinGrants& instance();

    // CPUs that this process may use: affinity and cgroup quota.
    bool any() const { return !holders_.empty(); }

    // `held` belongs to the slot of `request`; only under the lock is it written.
    void grant(ipc::RequestHalf& request, std::atomic<bool>& held);
    // Before the segment of `request` is unmapped.
    void revoke(std::atomic<bool>& held);

  private:
    struct Holder {
        ipc::RequestHalf* request = nullptr;
        std::atomic<bool>* held = nullptr;
    };
    SpinGrants();
    void drop(Holder& holder);

    std::mutex lock_;
    std::vector<Holder> holders_;
    std::size_t next_ = 0;
};

} // namespace cordon::proxy
