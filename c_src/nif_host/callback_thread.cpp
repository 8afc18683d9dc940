#include "nif_host/callback_thread.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/host_context.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <sched.h>

namespace cordon::host {
namespace {

constexpr std::chrono::milliseconds kDestructorWait{10};

std::mutex ring_lock; // one consumer at a time
std::mutex queue_lock;
std::condition_variable begun_changed;
std::deque<std::uint64_t> to_destroy;
std::atomic<std::uint64_t> queued{0}; // destructors ever queued, and begun
std::atomic<std::uint64_t> begun{0};

// The thread sleeps on a word that only the BEAM can change, so a wake of ours may come a moment
// too early: repeated until the thread is up, or has been up for what was queued as `number` (by the
// time that we look it may sleep again).
void wake_callback_thread(std::uint64_t number) {
    const auto& bell = context().beam().events.bell;
    while (begun.load(std::memory_order_acquire) < number &&
           context().shared().events_sleeping.load(std::memory_order_seq_cst) != 0) {
        ipc::futex_wake_all(bell);
        sched_yield();
    }
}

bool run_next_destructor() {
    std::uint64_t handle;
    {
        const std::scoped_lock guard(queue_lock);
        if (to_destroy.empty())
            return false;
        handle = to_destroy.front();
        to_destroy.pop_front();
        begun.fetch_add(1, std::memory_order_release);
    }
    begun_changed.notify_all();
    resource_destroy(handle);
    return true;
}

bool events_wait() {
    return context().beam().events.tail.load(std::memory_order_seq_cst) !=
           context().shared().events_head.load(std::memory_order_relaxed);
}

void* run_callbacks(void*) {
    auto& sleeping = context().shared().events_sleeping;
    for (;;) {
        consume_events();
        if (run_next_destructor())
            continue;
        // Partner: the BEAM stores the tail, then looks at `sleeping` (both seq_cst), then
        // changes the bell.
        const auto& bell = context().beam().events.bell;
        const std::uint32_t seen = bell.load(std::memory_order_seq_cst);
        sleeping.store(1, std::memory_order_seq_cst);
        if (!events_wait() &&
            queued.load(std::memory_order_seq_cst) == begun.load(std::memory_order_relaxed))
            ipc::futex_wait(bell, seen, std::chrono::hours(1));
        sleeping.store(0, std::memory_order_relaxed);
    }
    return nullptr;
}

} // namespace

void start_callback_thread() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, context().stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    pthread_create(&thread, &attributes, run_callbacks, nullptr);
    pthread_attr_destroy(&attributes);
}

void consume_events() {
    if (!events_wait())
        return;
    const std::scoped_lock guard(ring_lock);
    const ipc::EventRing& ring = context().beam().events;
    auto& head_word = context().shared().events_head;
    const std::uint64_t tail = ring.tail.load(std::memory_order_acquire);
    for (std::uint64_t head = head_word.load(std::memory_order_relaxed); head != tail; ++head) {
        const ipc::Event event = ring.entries[head % ipc::kEventCapacity];
        if (event.kind == ipc::EventKind::Acquire)
            resource_acquire(event.handle);
        else if (resource_release(event.handle))
            defer_destroy(event.handle);
        head_word.store(head + 1, std::memory_order_release);
    }
}

void defer_destroy(std::uint64_t handle) {
    std::uint64_t number;
    {
        const std::scoped_lock guard(queue_lock);
        to_destroy.push_back(handle);
        number = queued.fetch_add(1, std::memory_order_seq_cst) + 1;
    }
    wake_callback_thread(number);
}

void await_destructors(std::uint64_t event_mark) {
    if (context().shared().events_head.load(std::memory_order_acquire) < event_mark)
        consume_events();
    const std::uint64_t target = queued.load(std::memory_order_acquire);
    if (begun.load(std::memory_order_acquire) >= target)
        return;
    std::unique_lock guard(queue_lock);
    begun_changed.wait_for(guard, kDestructorWait,
                           [target] { return begun.load(std::memory_order_relaxed) >= target; });
}

} // namespace cordon::host
