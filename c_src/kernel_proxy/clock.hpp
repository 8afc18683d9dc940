// The clock that waits and deadlines are measured with.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace cordon::proxy {

using Clock = std::chrono::steady_clock;

// An option in milliseconds as a duration that can be added to any time without overflow, whatever
// number was configured.
inline std::chrono::milliseconds duration_of(std::int64_t milliseconds) {
    constexpr std::int64_t kLongest = 365LL * 24 * 3600 * 1000;
    return std::chrono::milliseconds(std::min(milliseconds, kLongest));
}

// The same from then on; negative is no deadline.
inline Clock::time_point deadline_after(Clock::time_point start, std::int64_t milliseconds) {
    return milliseconds < 0 ? Clock::time_point::max() : start + duration_of(milliseconds);
}

} // namespace cordon::proxy
