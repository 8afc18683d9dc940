#include "nif_host/request_wait.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/host_context.hpp"

#include <algorithm>
#include <optional>

namespace cordon::host {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kSpinMin = 5us;
// What a spin may cost where a wake is cheap, and where it is dear: on some virtual machines it
// takes 50 us to start an idle CPU.
constexpr std::chrono::nanoseconds kSpinMax = 50us;
constexpr std::chrono::nanoseconds kSpinMaxDear = 200us;
// For a request that is being written: the copy of a megabyte of arguments.
constexpr std::chrono::nanoseconds kSpinAnnounced = 200us;
constexpr int kChecksPerClockRead = 64;

} // namespace

std::uint32_t RequestWait::spin(std::uint32_t last, std::chrono::nanoseconds limit) const {
    const ipc::RequestHalf& request = context().request(slot_);
    // The clock is read only when the first checks have not seen anything: not on a hot call.
    std::optional<Clock::time_point> start;
    for (;;) {
        for (int i = 0; i < kChecksPerClockRead; ++i) {
            if (const std::uint32_t seq = request.seq.load(std::memory_order_acquire); seq != last)
                return seq;
            ipc::cpu_relax();
        }
        if (request.spin.load(std::memory_order_relaxed) == 0)
            return last;
        const bool announced = request.coming.load(std::memory_order_relaxed) != 0;
        const Clock::time_point now = Clock::now();
        if (!start)
            start = now;
        else if (now - *start > (announced ? std::max(limit, kSpinAnnounced) : limit))
            return last;
    }
}

std::uint32_t RequestWait::next(std::uint32_t last) {
    if (!cold_) {
        // As long as it pays no clock is read for it.
        if (const std::uint32_t seq = spin(last, spin_limit_); seq != last)
            return seq;
    }
    return park(last);
}

// Partner: the BEAM stores seq, then loads `parked` (both seq_cst). Either it sees us parked and
// wakes us, or we see its seq here. It wakes us too when it has announced a request.
std::uint32_t RequestWait::park(std::uint32_t last) {
    const ipc::RequestHalf& request = context().request(slot_);
    auto& parked = context().response(slot_).parked;
    const Clock::time_point parked_at = Clock::now();
    std::uint32_t seq;
    for (bool has_spun = false;;) {
        parked.store(1, std::memory_order_seq_cst);
        seq = request.seq.load(std::memory_order_seq_cst);
        if (seq != last)
            break;
        if (!has_spun && request.coming.load(std::memory_order_relaxed) != 0) {
            has_spun = true; // once: who announces may never call
            parked.store(0, std::memory_order_relaxed);
            seq = spin(last, kSpinAnnounced);
            if (seq != last)
                break;
        } else {
            ipc::futex_wait(request.seq, last, 3600s);
        }
    }
    parked.store(0, std::memory_order_relaxed);
    learn(parked_at, request.rung_at.load(std::memory_order_relaxed));
    return seq;
}

// How long a spin would have had to be, and what the sleep has cost the caller.
void RequestWait::learn(Clock::time_point parked_at, std::uint32_t rung_at) {
    const std::chrono::nanoseconds slept = Clock::now() - parked_at;
    std::chrono::nanoseconds before_bell{
        rung_at - static_cast<std::uint32_t>(parked_at.time_since_epoch().count())};
    if (before_bell <= slept)
        wake_cost_ = (wake_cost_ + slept - before_bell) / 2;
    else
        before_bell = slept; // no bell for this request: it came before we slept
    // After a sleep the caller has slept too, and comes back as late as we: neither would ever
    // spin again if that were too long.
    const std::chrono::nanoseconds most = std::clamp(3 * wake_cost_, kSpinMax, kSpinMaxDear);
    const std::chrono::nanoseconds needed = (cold_ ? 0ns : spin_limit_) + before_bell;
    cold_ = needed > most;
    spin_limit_ = cold_ ? kSpinMin : std::min(2 * needed, most);
}

} // namespace cordon::host
