// Hop 3 to 7: waiting for the response half of a slot. Every wait has an end: the response, the
// host's end, the limit of the caller.
#pragma once

#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/host.hpp"

namespace cordon::proxy {

enum class Waited { Response, HostEnded, LimitReached };

// A request is being written, and that will take a while: the worker is woken, or stays awake.
void announce_request(Host& host, Slot& slot);

// Rings the doorbell for a request of this kind, its fields written. True when the worker was
// awake: then it pays to spin for the response.
bool ring_doorbell(Host& host, Slot& slot, ipc::RequestKind kind);

// Spins first, that long; sleeps until `limit` at most.
Waited await_response(Host& host, Slot& slot, Clock::duration spin, Clock::time_point limit);

// Longer than that no response is worth a core that may be another's.
inline constexpr std::chrono::microseconds kShortSpin{15};

// A first try that takes no clock: true when the response came while a hot caller would spin
// anyway.
bool response_came_at_once(const Host& host, const Slot& slot);

} // namespace cordon::proxy
