// Destructors run on a thread of their own: a library's destructor may take a lock that a running
// call holds. The thread also consumes the event ring (what the VM acquires and releases), as does
// any worker that needs it to be up to date.
#pragma once

#include <cstdint>

namespace cordon::host {

void start_callback_thread();

// Takes in all events that are in the ring now. By any thread.
void consume_events();

// Waits until the destructors of all resources that were released before `event_mark` have begun,
// 10 ms at most.
void await_destructors(std::uint64_t event_mark);

} // namespace cordon::host
