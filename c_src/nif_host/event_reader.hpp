// Reads the event ring: which resources the VM has acquired and released. A thread of its own does,
// and any worker that needs to be up to date.
#pragma once

namespace cordon::host {

void start_event_reader();

// Takes in all events that are in the ring now. By any thread.
void consume_events();

} // namespace cordon::host
