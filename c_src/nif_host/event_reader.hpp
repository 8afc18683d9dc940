// Reads the event ring: which resources the VM has acquired and released, which monitors have
// fired. A thread of its own does, and any worker that needs to be up to date.
#pragma once

#include <chrono>

namespace cordon::host {

void start_event_reader();

// Takes in all events that are in the ring now. By any thread.
void consume_events();
// The same, if nobody keeps events back for longer.
void consume_events_within(std::chrono::milliseconds limit);

// While this lives no event is taken in: what a term from the VM names, which nobody here holds
// yet, is not released meanwhile.
class EventsHeld {
  public:
    EventsHeld();
    ~EventsHeld();
    EventsHeld(const EventsHeld&) = delete;
    EventsHeld& operator=(const EventsHeld&) = delete;
    static bool here(); // by this thread
};

} // namespace cordon::host
