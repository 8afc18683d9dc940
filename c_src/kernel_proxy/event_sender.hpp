// The BEAM's end of a host's event ring. Never blocks: what the ring has no room for is kept here,
// in order, until it has.
#pragma once

#include "compat_ipc/pool_layout.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

namespace cordon::proxy {

class EventSender {
  public:
    void attach(ipc::EventRing* ring, const ipc::HostSegmentLayout* host, std::uint64_t generation);
    void detach();

    // For that generation's host only: a later one knows nothing of the subject. False when the
    // host has not taken events for so long that it has to go. What has no callback in the library
    // (binaries) is left for the next call's worker to see; the bell is rung some time later.
    [[nodiscard]] bool send(ipc::EventKind kind, std::uint64_t subject, std::uint64_t generation);
    // False when it has to go for that.
    bool are_taken();
    // Moves what has waited for room; cheap when nothing has.
    void flush() {
        if (overflowing_.load(std::memory_order_relaxed))
            flush_overflow();
    }
    // Events that a call which begins now has to see done.
    std::uint64_t mark() const { return tail_.load(std::memory_order_relaxed); }

  private:
    void flush_overflow();
    void drain();
    void ring_bell();
    void ring_later();
    bool push(const ipc::Event& event);

    std::mutex lock_;
    ipc::EventRing* ring_ = nullptr;
    const ipc::HostSegmentLayout* host_ = nullptr;
    std::uint64_t generation_ = 0;
    std::deque<ipc::Event> overflow_;
    std::atomic<bool> overflowing_{false};
    std::atomic<std::uint64_t> tail_{0};
    bool rings_later_ = false; // under lock_
};

} // namespace cordon::proxy
