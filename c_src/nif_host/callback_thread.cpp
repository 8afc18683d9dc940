#include "nif_host/callback_thread.hpp"

#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>

namespace cordon::host {
namespace {

// Never destroyed: the thread goes on while the library calls exit, and to destroy a condition
// variable is to wait for those who wait on it.
std::mutex queue_lock;
auto& queue_changed = *new std::condition_variable;
auto& begun_changed = *new std::condition_variable;
auto& queue = *new std::deque<Callback>;
std::atomic<std::uint64_t> queued{0}; // callbacks ever queued, and begun; written under the lock
std::atomic<std::uint64_t> begun{0};

void* run_callbacks(void*) {
    std::unique_lock guard(queue_lock);
    for (;;) {
        queue_changed.wait(guard, [] { return !queue.empty(); });
        const Callback callback = queue.front();
        queue.pop_front();
        guard.unlock();
        callback.run(callback.subject, [] {
            const std::scoped_lock begun_guard(queue_lock);
            begun.fetch_add(1, std::memory_order_release);
            begun_changed.notify_all();
        });
        guard.lock();
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

void defer_callback(Callback callback) {
    {
        const std::scoped_lock guard(queue_lock);
        queue.push_back(callback);
        queued.fetch_add(1, std::memory_order_release);
    }
    queue_changed.notify_one();
}

void await_callbacks(std::uint64_t event_mark, std::chrono::milliseconds limit) {
    if (context().shared().events_head.load(std::memory_order_acquire) < event_mark)
        consume_events_within(limit);
    const std::uint64_t target = queued.load(std::memory_order_acquire);
    if (begun.load(std::memory_order_acquire) >= target)
        return;
    std::unique_lock guard(queue_lock);
    begun_changed.wait_for(guard, limit,
                           [target] { return begun.load(std::memory_order_relaxed) >= target; });
}

} // namespace cordon::host
