// Hops 4 to 6 of a call: the thread that serves one slot.
#pragma once

#include <cstdint>

namespace cordon::host {

// Starts the thread of this slot, once. By the control thread.
void start_worker(std::uint32_t slot);

// For an upcall from a call that this thread serves: hands the response half (already filled in) to
// the BEAM and returns when the request half holds the answer.
void exchange_on_current_slot();

} // namespace cordon::host
