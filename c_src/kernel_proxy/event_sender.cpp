#include "kernel_proxy/event_sender.hpp"

#include "compat_ipc/futex.hpp"

namespace cordon::proxy {
namespace {

constexpr std::size_t kMaxOverflow = 1 << 20;

} // namespace

void EventSender::attach(ipc::EventRing* ring, const ipc::HostSegmentLayout* host,
                         std::uint64_t generation) {
    const std::scoped_lock guard(lock_);
    ring_ = ring;
    host_ = host;
    generation_ = generation;
    overflow_.clear();
    overflowing_.store(false, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
}

void EventSender::detach() {
    const std::scoped_lock guard(lock_);
    ring_ = nullptr;
    overflow_.clear();
}

bool EventSender::push(const ipc::Event& event) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    // Wild: a head beyond the tail or far behind it makes the difference large, and the ring full.
    const std::uint64_t head = host_->events_head.load(std::memory_order_acquire);
    if (tail - head >= ipc::kEventCapacity)
        return false;
    ring_->entries[tail % ipc::kEventCapacity] = event;
    ring_->tail.store(tail + 1, std::memory_order_seq_cst);
    tail_.store(tail + 1, std::memory_order_relaxed);
    return true;
}

bool EventSender::send(ipc::EventKind kind, std::uint64_t subject, std::uint64_t generation) {
    const std::scoped_lock guard(lock_);
    if (ring_ == nullptr || generation != generation_)
        return true;
    overflow_.push_back({kind, subject});
    drain();
    return overflow_.size() <= kMaxOverflow;
}

bool EventSender::are_taken() {
    const std::scoped_lock guard(lock_);
    return overflow_.size() <= kMaxOverflow;
}

void EventSender::flush_overflow() {
    const std::scoped_lock guard(lock_);
    if (ring_ != nullptr)
        drain();
}

void EventSender::drain() {
    while (!overflow_.empty() && push(overflow_.front()))
        overflow_.pop_front();
    overflowing_.store(!overflow_.empty(), std::memory_order_relaxed);
    // Partner: the event reader sets `events_sleeping`, then looks at the tail (both seq_cst).
    if (host_->events_sleeping.load(std::memory_order_seq_cst) != 0) {
        ring_->bell.fetch_add(1, std::memory_order_seq_cst);
        ipc::futex_wake_all(ring_->bell);
    }
}

} // namespace cordon::proxy
