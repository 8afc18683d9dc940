#include "nif_host/event_reader.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/monitor.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/host_context.hpp"

#include <chrono>
#include <mutex>
#include <thread>

namespace cordon::host {
namespace {

std::timed_mutex ring_lock; // one reader at a time
thread_local bool held_here = false;

bool events_wait() {
    return context().beam().events.tail.load(std::memory_order_seq_cst) !=
           context().shared().events_head.load(std::memory_order_relaxed);
}

// By who has the ring's lock.
void take_events() {
    const ipc::EventRing& ring = context().beam().events;
    auto& head_word = context().shared().events_head;
    const std::uint64_t tail = ring.tail.load(std::memory_order_acquire);
    for (std::uint64_t head = head_word.load(std::memory_order_relaxed); head != tail; ++head) {
        const ipc::Event event = ring.entries[head % ipc::kEventCapacity];
        switch (event.kind) {
        case ipc::EventKind::Acquire:
            resource_acquire(event.subject);
            break;
        case ipc::EventKind::Release:
            resource_release(event.subject);
            break;
        case ipc::EventKind::LetGo:
            resource_let_go(event.subject);
            break;
        case ipc::EventKind::AcquireBinary:
            binary_block_acquired(event.subject);
            break;
        case ipc::EventKind::ReleaseBinary:
            binary_block_released(event.subject);
            break;
        case ipc::EventKind::Down:
            monitor_down(event.subject);
            break;
        }
        head_word.store(head + 1, std::memory_order_release);
    }
}

void run_event_reader() {
    const auto& bell = context().beam().events.bell;
    auto& sleeping = context().shared().events_sleeping;
    for (;;) {
        consume_events();
        // Partner: the BEAM stores the tail, then looks at `sleeping` (both seq_cst), then
        // changes the bell.
        const std::uint32_t seen = bell.load(std::memory_order_seq_cst);
        sleeping.store(1, std::memory_order_seq_cst);
        if (!events_wait())
            ipc::futex_wait(bell, seen, std::chrono::hours(1));
        sleeping.store(0, std::memory_order_relaxed);
    }
}

} // namespace

EventsHeld::EventsHeld() {
    ring_lock.lock();
    held_here = true;
}

EventsHeld::~EventsHeld() {
    held_here = false;
    ring_lock.unlock();
}

bool EventsHeld::here() {
    return held_here;
}

void start_event_reader() {
    std::thread(run_event_reader).detach();
}

void consume_events() {
    if (held_here || !events_wait())
        return;
    const std::scoped_lock guard(ring_lock);
    take_events();
}

void consume_events_within(std::chrono::milliseconds limit) {
    if (held_here || !events_wait())
        return;
    const std::unique_lock guard(ring_lock, limit);
    if (guard)
        take_events();
}

} // namespace cordon::host
