// Callbacks that the library doesn't run in a call of its own (destructors, stops that had to be
// put off) run on a thread of their own: they may take a lock that a running call holds.
#pragma once

#include <chrono>
#include <cstdint>

namespace cordon::host {

void start_callback_thread();

// What is to be run there, once, in the order of the queue. It calls `on_begun` when it is sure to
// run to its end, or has nothing to do.
struct Callback {
    void (*run)(std::uint64_t subject, void (*on_begun)());
    std::uint64_t subject;
};
void defer_callback(Callback callback);

// Waits until the callbacks for all that was released before `event_mark` have begun.
void await_callbacks(std::uint64_t event_mark, std::chrono::milliseconds limit);

} // namespace cordon::host
