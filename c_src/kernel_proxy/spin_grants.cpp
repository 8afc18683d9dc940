#include "kernel_proxy/spin_grants.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <string>
#include <thread>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto kTurn = 1ms;
// Not called for that long: it may not be called again.
constexpr auto kIdle = 20us;
// A call that takes longer has its worker at work, and the grant is of no use meanwhile. A shorter
// one may be what it takes to wake that worker: callers who then lost the grant to each other would
// never get to use it.
constexpr auto kLong = 300us;
// Called more often than that: its calls are short, and whoever disturbs it costs more calls than
// he makes. As long as it takes to wake a worker, or callers that have disturbed each other once
// would not be seen to make short calls again.
constexpr auto kHotInterval = 50us;
constexpr auto kLookAgain = 250us;

// 0 when no quota is set. cgroup v2 has "max 100000" or "50000 100000" in one file, v1 two files.
double cgroup_cpus() {
    std::string quota;
    double period = 0;
    if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period && quota != "max")
        return std::stod(quota) / period;
    double v1_quota = 0;
    std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (quota_file >> v1_quota && period_file >> period && v1_quota > 0 && period > 0)
        return v1_quota / period;
    return 0;
}

std::size_t available_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::size_t cpus = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = static_cast<std::size_t>(CPU_COUNT(&set));
    if (const double quota = cgroup_cpus(); quota > 0)
        cpus = std::min(cpus, static_cast<std::size_t>(std::max(1.0, std::floor(quota))));
    return cpus;
}

} // namespace

SpinGrants::SpinGrants() : holders_(available_cpus() / 2) {}

SpinGrants& SpinGrants::instance() {
    static SpinGrants* grants = new SpinGrants;
    return *grants;
}

void SpinGrants::drop(Holder& holder) {
    if (holder.held == nullptr)
        return;
    holder.request->spin.store(0, std::memory_order_relaxed);
    holder.held->store(false, std::memory_order_relaxed);
    holder = Holder{};
}

bool SpinGrants::gives_way(Holder& holder, Clock::time_point now) {
    if (holder.held == nullptr || now - holder.since > kTurn)
        return true;
    const std::uint32_t seq = holder.request->seq.load(std::memory_order_relaxed);
    const Clock::duration unseen = now - holder.seen_at;
    if (seq == holder.seen_seq)
        return unseen > (holder.busy->load(std::memory_order_relaxed) != 0 ? kLong : kIdle);
    holder.is_hot = ipc::count_between(holder.seen_seq, seq) * kHotInterval > unseen;
    holder.seen_seq = seq;
    holder.seen_at = now;
    return false;
}

SpinGrants::Answer SpinGrants::try_grant(const Claim& claim) {
    const std::scoped_lock guard(lock_);
    if (claim.held.load(std::memory_order_relaxed))
        return Answer::Granted;
    const Clock::time_point now = Clock::now();
    Holder& holder = holders_[next_];
    next_ = (next_ + 1) % holders_.size();
    if (!gives_way(holder, now))
        return holder.is_hot ? Answer::Hot : Answer::InUse;
    drop(holder);
    holder = {&claim.request,
              &claim.held,
              &claim.busy,
              now,
              claim.request.seq.load(std::memory_order_relaxed),
              now,
              false};
    claim.request.spin.store(1, std::memory_order_relaxed);
    claim.held.store(true, std::memory_order_relaxed);
    return Answer::Granted;
}

void SpinGrants::grant(const Claim& claim) {
    if (any())
        try_grant(claim);
}

void SpinGrants::await_turn(const Claim& claim) {
    if (!any())
        return;
    const Clock::time_point limit = Clock::now() + 2 * kTurn;
    while (try_grant(claim) == Answer::Hot && Clock::now() < limit)
        std::this_thread::sleep_for(kLookAgain);
}

void SpinGrants::revoke(std::atomic<bool>& held) {
    const std::scoped_lock guard(lock_);
    for (Holder& holder : holders_)
        if (holder.held == &held)
            drop(holder);
}

} // namespace cordon::proxy
