#include "kernel_proxy/event_sender.hpp"

#include "compat_ipc/futex.hpp"
#include "kernel_proxy/background.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

namespace cordon::proxy {
namespace {

constexpr std::size_t kMaxOverflow = 1 << 20;
constexpr std::chrono::milliseconds kBellDelay{20};

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
    if (kind == ipc::EventKind::AcquireBinary || kind == ipc::EventKind::ReleaseBinary)
        ring_later();
    else
        ring_bell();
    return overflow_.size() <= kMaxOverflow;
}

bool EventSender::are_taken() {
    const std::scoped_lock guard(lock_);
    return overflow_.size() <= kMaxOverflow;
}

void EventSender::flush_overflow() {
    const std::scoped_lock guard(lock_);
    if (ring_ != nullptr) {
        drain();
        ring_bell();
    }
}

void EventSender::drain() {
    while (!overflow_.empty() && push(overflow_.front()))
        overflow_.pop_front();
    overflowing_.store(!overflow_.empty(), std::memory_order_relaxed);
}

void EventSender::ring_bell() {
    // Partner: the event reader sets `events_sleeping`, then looks at the tail (both seq_cst).
    if (host_->events_sleeping.load(std::memory_order_seq_cst) != 0) {
        ring_->bell.fetch_add(1, std::memory_order_seq_cst);
        ipc::futex_wake_all(ring_->bell);
    }
}

void EventSender::ring_later() {
    if (rings_later_)
        return;
    rings_later_ = true;
    boost::asio::post(housekeeping_thread(), [this] {
        auto timer = std::make_shared<boost::asio::steady_timer>(housekeeping_thread(), kBellDelay);
        timer->async_wait([this, timer](const auto&) {
            const std::scoped_lock guard(lock_);
            rings_later_ = false;
            if (ring_ != nullptr)
                ring_bell();
        });
    });
}

} // namespace cordon::proxy
