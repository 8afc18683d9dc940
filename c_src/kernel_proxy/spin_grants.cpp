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
// Called more often than that: whoever disturbs it costs more calls than he makes.
constexpr auto kHotInterval = 5us;
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
        return unseen > kIdle;
    holder.is_hot = ipc::count_between(holder.seen_seq, seq) * kHotInterval > unseen;
    holder.seen_seq = seq;
    holder.seen_at = now;
    return false;
}

SpinGrants::Answer SpinGrants::try_grant(ipc::RequestHalf& request, std::atomic<bool>& held) {
    const std::scoped_lock guard(lock_);
    if (held.load(std::memory_order_relaxed))
        return Answer::Granted;
    const Clock::time_point now = Clock::now();
    Holder& holder = holders_[next_];
    next_ = (next_ + 1) % holders_.size();
    if (!gives_way(holder, now))
        return holder.is_hot ? Answer::Hot : Answer::InUse;
    drop(holder);
    holder = {&request, &held, now, request.seq.load(std::memory_order_relaxed), now, false};
    request.spin.store(1, std::memory_order_relaxed);
    held.store(true, std::memory_order_relaxed);
    return Answer::Granted;
}

void SpinGrants::grant(ipc::RequestHalf& request, std::atomic<bool>& held) {
    if (any())
        try_grant(request, held);
}

void SpinGrants::await_turn(ipc::RequestHalf& request, std::atomic<bool>& held) {
    if (!any())
        return;
    const Clock::time_point limit = Clock::now() + 2 * kTurn;
    while (try_grant(request, held) == Answer::Hot && Clock::now() < limit)
        std::this_thread::sleep_for(kLookAgain);
}

void SpinGrants::revoke(std::atomic<bool>& held) {
    const std::scoped_lock guard(lock_);
    for (Holder& holder : holders_)
        if (holder.held == &held)
            drop(holder);
}

} // namespace cordon::proxy
