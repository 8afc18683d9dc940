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
    void attach(ipc::EventRing* ring, const ipc::HostSegmentLayout* host);
    void detach();

    void send(ipc::EventKind kind, std::uint64_t handle);
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
    bool push(const ipc::Event& event);

    std::mutex lock_;
    ipc::EventRing* ring_ = nullptr;
    const ipc::HostSegmentLayout* host_ = nullptr;
    std::deque<ipc::Event> overflow_;
    std::atomic<bool> overflowing_{false};
    std::atomic<std::uint64_t> tail_{0};
};

} // namespace cordon::proxy
