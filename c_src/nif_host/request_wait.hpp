// How a host thread waits for the next request of its slot: it spins for a bounded, adaptive time
// while the BEAM grants that, then parks on the request's sequence word.
#pragma once

#include <chrono>
#include <cstdint>

namespace cordon::host {

class RequestWait {
  public:
    explicit RequestWait(std::uint32_t slot) : slot_(slot) {}

    // Returns the sequence number of the next request, different from `last`.
    std::uint32_t next(std::uint32_t last);

  private:
    // Both return the next request's; spin also `last`, when none came.
    std::uint32_t spin(std::uint32_t last, std::chrono::nanoseconds limit) const;
    std::uint32_t park(std::uint32_t last);
    void learn(std::chrono::steady_clock::time_point parked_at, std::uint32_t rung_at);

    std::uint32_t slot_;
    std::chrono::nanoseconds spin_limit_{20'000};
    std::chrono::nanoseconds wake_cost_{10'000};
    // The last wait was a long one: nobody is calling in a row, and a spin would only keep the
    // caller that we have just woken off this core.
    bool cold_ = true;
};

} // namespace cordon::host
