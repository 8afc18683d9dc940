#include "kernel_proxy/response_wait.hpp"

#include "compat_ipc/futex.hpp"
#include "kernel_proxy/spin_grants.hpp"

#include <algorithm>
#include <optional>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// Takes 1 to 3 us; a hot call needs a tenth of these.
constexpr int kChecksAtOnce = 64;
constexpr int kChecksPerClockRead = 64;
// A sleeper looks at the host's end that often even if every wake were lost.
constexpr std::chrono::nanoseconds kSleepSlice = 10ms;

bool responded(const ipc::ResponseHalf& response, const Slot& slot) {
    return response.seq.load(std::memory_order_acquire) == slot.seq;
}

} // namespace

void announce_request(Host& host, Slot& slot) {
    if (!SpinGrants::instance().any())
        return;
    ipc::RequestHalf& request = host.request(slot);
    SpinGrants::instance().grant({request, slot.spin_granted, slot.busy});
    slot.announced = true;
    // Its partner is who wakes up in the host. A wake that comes too early for a worker which is
    // about to park is no loss: the doorbell wakes it then.
    request.coming.store(1, std::memory_order_seq_cst);
    if (host.response(slot).parked.load(std::memory_order_seq_cst) != 0)
        ipc::futex_wake_all(request.seq);
}

bool ring_doorbell(Host& host, Slot& slot, ipc::RequestKind kind) {
    ipc::RequestHalf& request = host.request(slot);
    slot.seq = ipc::next_seq(slot.seq, kind);
    if (slot.announced) {
        slot.announced = false;
        request.coming.store(0, std::memory_order_relaxed);
    }
    if (!slot.spin_granted.load(std::memory_order_relaxed))
        SpinGrants::instance().grant({request, slot.spin_granted, slot.busy});
    // Partner: the worker sets `parked`, then looks at seq (both seq_cst).
    request.seq.store(slot.seq, std::memory_order_seq_cst);
    if (host.response(slot).parked.load(std::memory_order_seq_cst) == 0)
        return SpinGrants::instance().any();
    // Before the wake: a worker on this very core may have done all of the call when it returns.
    const Clock::time_point now = Clock::now();
    if (slot.turn_started == Clock::time_point{})
        slot.turn_started = now;
    request.rung_at.store(static_cast<std::uint32_t>(now.time_since_epoch().count()),
                          std::memory_order_relaxed);
    ipc::futex_wake_all(request.seq);
    return false; // a spinning caller may keep the woken worker off this very core
}

bool response_came_at_once(const Host& host, const Slot& slot) {
    const ipc::ResponseHalf& response = host.response(slot);
    for (int i = 0; i < kChecksAtOnce; ++i) {
        if (responded(response, slot))
            return true;
        ipc::cpu_relax();
    }
    return false;
}

Waited await_response(Host& host, Slot& slot, Clock::duration spin, Clock::time_point limit) {
    const ipc::ResponseHalf& response = host.response(slot);
    if (spin > 0ns) {
        const Clock::time_point until = std::min(limit, Clock::now() + spin);
        do {
            for (int i = 0; i < kChecksPerClockRead; ++i) {
                if (responded(response, slot))
                    return Waited::Response;
                ipc::cpu_relax();
            }
        } while (Clock::now() < until);
    }
    auto& waiting = host.request(slot).waiting;
    waiting.store(1, std::memory_order_seq_cst); // partner: wake_if_waiting in the host
    host.begin_wait();
    std::optional<Waited> result;
    while (!result) {
        const std::uint32_t seen = response.seq.load(std::memory_order_seq_cst);
        if (seen == slot.seq) {
            result = Waited::Response;
        } else if (host.ended() || host.crash_published()) {
            result = Waited::HostEnded;
        } else if (const auto left = limit - Clock::now(); left <= 0ns) {
            result = Waited::LimitReached;
        } else {
            ipc::futex_wait(response.seq, seen,
                            std::min<std::chrono::nanoseconds>(left, kSleepSlice));
        }
    }
    host.finish_wait();
    waiting.store(0, std::memory_order_relaxed);
    if (result == Waited::HostEnded)
        host.adopt_crash_record(); // wakes the others; this thread is no waiter any more
    return *result;
}

} // namespace cordon::proxy
