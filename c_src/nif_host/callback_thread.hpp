// Destructors run on a thread of their own: a library's destructor may take a lock that a running
// call holds.
#pragma once

#include <chrono>
#include <cstdint>

namespace cordon::host {

void start_callback_thread();

// Has the destructor of this resource run there; nobody holds the resource any more.
void defer_destroy(std::uint64_t handle);

// Waits until the destructors of all resources that were released before `event_mark` have begun.
void await_destructors(std::uint64_t event_mark, std::chrono::milliseconds limit);

} // namespace cordon::host
