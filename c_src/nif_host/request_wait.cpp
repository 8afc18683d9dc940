#include "nif_host/request_wait.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/host_context.hpp"

#include <algorithm>
#include <optional>

namespace cordon::host {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A park and wake costs about 10 us: spinning much longer than that can't pay, and when it did not
// pay last time it is tried for less.
constexpr std::chrono::nanoseconds kSpinMin = 5us;
constexpr std::chrono::nanoseconds kSpinMax = 50us;
constexpr int kChecksPerClockRead = 64;

} // namespace

std::uint32_t RequestWait::next(std::uint32_t last) {
    const ipc::RequestHalf& request = context().request(slot_);
    auto arrived = [&] { return request.seq.load(std::memory_order_acquire); };

    // The clock is read only when the first checks have not seen anything: not on a hot call.
    std::optional<Clock::time_point> start;
    const bool spin = !cold_;
    while (spin) {
        for (int i = 0; i < kChecksPerClockRead; ++i) {
            if (const std::uint32_t seq = arrived(); seq != last) {
                spin_limit_ = std::min(spin_limit_ * 2, kSpinMax);
                return seq;
            }
            ipc::cpu_relax();
        }
        if (request.spin.load(std::memory_order_relaxed) == 0)
            break;
        const Clock::time_point now = Clock::now();
        if (!start)
            start = now;
        else if (now - *start > spin_limit_)
            break;
    }
    if (spin)
        spin_limit_ = std::max(spin_limit_ / 2, kSpinMin);

    // Partner: the BEAM stores seq, then loads `parked` (both seq_cst). Either it sees us parked
    // and wakes us, or we see its seq here.
    auto& parked = context().response(slot_).parked;
    const Clock::time_point parked_at = Clock::now();
    parked.store(1, std::memory_order_seq_cst);
    std::uint32_t seq;
    while ((seq = request.seq.load(std::memory_order_seq_cst)) == last)
        ipc::futex_wait(request.seq, last, 3600s);
    parked.store(0, std::memory_order_relaxed);
    cold_ = Clock::now() - parked_at > kSpinMax;
    return seq;
}

} // namespace cordon::host
