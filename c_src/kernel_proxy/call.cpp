#include "kernel_proxy/call.hpp"

#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/call_errors.hpp"
#include "kernel_proxy/call_hop.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/observer.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/unattended.hpp"
#include "kernel_proxy/upcall_service.hpp"
#include "shared_heap/wild.hpp"

#include <algorithm>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;
using ipc::RequestKind;
using ipc::ResponseStatus;

// How long a normal scheduler may wait: then the call moves. Longer than it takes to wake a worker
// on a busy machine: a move costs both sides more than that.
constexpr auto kSchedulerBound = 200us;
// How long a caller spins at most: what natively would keep its scheduler from others too.
constexpr auto kLongSpin = 100us;
// For a call that has moved already and found no dirty scheduler free.
constexpr auto kNextTurnBound = 50us;
// A library that tells the VM itself what it uses may go on longer between two such calls.
constexpr auto kCooperativeBound = 5ms;
// On a dirty scheduler: how soon a killed caller is noticed.
constexpr auto kAliveCheck = 10ms;
// A library that tells what it uses is believed while that is one part in so many of the time that
// it takes.
constexpr int kUntold = 10;
// What a percent of a timeslice is worth when a library tells it: 1 ms is a whole one (erl_nif(3)).
constexpr auto kPercent = 10us;
// And of time that a call has waited: a process that does nothing but reductions has them used up
// in a few tenths of a millisecond, and the others of its scheduler count on that.
constexpr auto kWaitedPercent = 4us;
// So many hot calls are a percent. The VM counts one reduction for each, and each takes as long as
// several.
constexpr std::uint32_t kHotCalls = 16;

// What is less than a percent stays a debt of the thread: calls of 3 us each would take a scheduler
// for 12 ms otherwise.
void charge(ErlNifEnv* env, Clock::duration waited) {
    thread_local Clock::duration debt{};
    debt += std::min<Clock::duration>(waited, 100 * kWaitedPercent);
    const auto percent = debt / kWaitedPercent;
    if (percent == 0)
        return;
    debt %= kWaitedPercent;
    enif_consume_timeslice(env, static_cast<int>(std::min<long>(percent, 100)));
}

void charge_hot(ErlNifEnv* env) {
    thread_local constinit std::uint32_t calls = 0;
    if (++calls % kHotCalls == 0)
        enif_consume_timeslice(env, 1);
}

class Call {
  public:
    Call(ErlNifEnv* env, const ActiveCall& call, Place place)
        : env_(env), call_(call), place_(place), host_(*call.host), slot_(*call.slot),
          library_(*call.instance->library) {}

    ERL_NIF_TERM drive(bool spin);

  private:
    Waited wait(bool spin);
    void begin_turn(Clock::time_point now);
    bool turn_is_over();
    bool asks_for_normal() const;
    bool tells_enough(Clock::time_point now) const;
    FunctionState& function() const { return library_.function_state(call_.function); }
    Clock::time_point limit() const;
    Clock::time_point deadline() const;
    bool serve();
    ERL_NIF_TERM finish(ResponseStatus status);
    ERL_NIF_TERM finish_unsupported();
    ERL_NIF_TERM raise_unsupported(ERL_NIF_TERM name);
    ERL_NIF_TERM ended();
    ERL_NIF_TERM violated(const char* what);
    void account();
    bool bounded() const { return place_ == Place::Normal || (!call_.reserved && flags() == 0); }
    std::uint32_t flags() const { return library_.function(call_.function).flags; }

    ErlNifEnv* env_;
    ActiveCall call_;
    const Place place_;
    Host& host_;
    Slot& slot_;
    Library& library_;
    Clock::time_point bound_{};    // of this turn on a normal scheduler
    Clock::time_point turn_end_{}; // of this turn on a dirty one
    Clock::duration told_{};       // by the library in this turn: what it uses
};

Clock::time_point Call::deadline() const {
    return deadline_after(slot_.started, library_.options().call_timeout);
}

Clock::time_point Call::limit() const {
    return std::min(deadline(), bounded() ? bound_ : Clock::now() + kAliveCheck);
}

// The clock runs from the doorbell of a parked worker, else from the first time that somebody looks
// at it.
void Call::begin_turn(Clock::time_point now) {
    if (bound_ != Clock::time_point{})
        return;
    const bool is_first = slot_.started == Clock::time_point{};
    if (slot_.turn_started == Clock::time_point{})
        slot_.turn_started = now;
    if (is_first)
        slot_.started = slot_.turn_started;
    bound_ = now + (function().cooperates.load(std::memory_order_relaxed) ? kCooperativeBound
                    : is_first                                            ? kSchedulerBound
                                                                          : kNextTurnBound);
}

bool Call::tells_enough(Clock::time_point now) const {
    return told_ != Clock::duration{} &&
           now - slot_.turn_started < kCooperativeBound + kUntold * told_;
}

// What only a normal scheduler can do. The VM crashes when a port is closed and the command comes
// from a dirty one, and it counts no reductions there.
bool Call::asks_for_normal() const {
    const auto upcall = Wild<ipc::Upcall>::read(&host_.response(slot_).upcall);
    return upcall.equals(ipc::Upcall::PortCommand) ||
           (flags() == 0 && upcall.equals(ipc::Upcall::ConsumeTimeslice));
}

// A function whose responses came soon lately has its callers spin as long as twice that; a sleep
// would cost them more. One that takes longer lets them sleep, for then it costs little.
Waited Call::wait(bool spin) {
    if (spin && response_came_at_once(host_, slot_))
        return Waited::Response;
    const Clock::time_point begun = Clock::now();
    begin_turn(begun);
    if (!spin)
        return await_response(host_, slot_, {}, limit());
    auto& best = function().spin;
    const Waited waited = await_response(
        host_, slot_, std::chrono::nanoseconds(best.load(std::memory_order_relaxed)), limit());
    const Clock::duration took = Clock::now() - begun;
    const Clock::duration next = took < kLongSpin
                                     ? std::clamp<Clock::duration>(2 * took, kShortSpin, kLongSpin)
                                     : kShortSpin;
    best.store(static_cast<std::uint32_t>(next.count()), std::memory_order_relaxed);
    return waited;
}

// A host that asks for upcalls without end gets answers, but no more time than one that is silent.
bool Call::turn_is_over() {
    const Clock::time_point now = Clock::now();
    begin_turn(now);
    if (turn_end_ == Clock::time_point{})
        turn_end_ = now + kAliveCheck;
    if (now < std::min(deadline(), bounded() ? bound_ : turn_end_))
        return false;
    turn_end_ = {};
    return true;
}

ERL_NIF_TERM Call::drive(bool spin) {
    for (;;) {
        switch (wait(spin)) {
        case Waited::Response: {
            const ipc::ResponseHalf& response = host_.response(slot_);
            const auto status = Wild<ResponseStatus>::read(&response.status).unchecked();
            if (status == ResponseStatus::Upcall) {
                if (place_ == Place::Dirty && asks_for_normal())
                    return hop_to_normal(env_, call_);
                call_.needs_normal = false;
                try {
                    if (!serve())
                        return ended();
                } catch (const FunRefused&) {
                    return raise_unsupported(enif_make_atom(env_, "enif_binary_to_term"));
                }
                spin = ring_doorbell(host_, slot_, RequestKind::Answer);
                if (!turn_is_over())
                    continue;
                break;
            }
            return finish(status);
        }
        case Waited::HostEnded:
            return ended();
        case Waited::LimitReached:
            break;
        }
        if (Clock::now() >= deadline()) {
            host_.kill({HostEnd::Kind::Timeout, library_.options().call_timeout, ""});
            return ended();
        }
        if (bounded()) {
            if (place_ == Place::Normal && told_ == Clock::duration{})
                charge(env_, 100 * kWaitedPercent);
            if (flags() == 0)
                library_.function_state(call_.function)
                    .slow.fetch_add(1, std::memory_order_relaxed);
            return hop(env_, call_);
        }
        if (enif_is_current_process_alive(env_) == 0) {
            if (call_.reserved)
                release_dirty_scheduler();
            hold_arguments(host_, slot_);
            adopt_orphan(call_);
            return enif_make_badarg(env_); // nobody gets it
        }
        spin = false;
    }
}

// False when the host was killed for what it asked.
bool Call::serve() {
    UpcallContext context{env_, env_};
    ipc::RequestHalf& request = host_.request(slot_);
    try {
        serve_upcall(host_, host_.response(slot_), request, slot_.arena, context);
    } catch (const FunRefused&) {
        throw; // not its fault, but nothing that can be done for it
    } catch (const std::exception& error) {
        host_.kill(end_of(error));
        return false;
    }
    if (context.timeslice_percent != 0) {
        told_ += context.timeslice_percent * kPercent;
        function().cooperates.store(true, std::memory_order_relaxed);
        if (!context.timeslice_used) {
            const Clock::time_point now = Clock::now();
            begin_turn(now);
            if (tells_enough(now))
                bound_ = now + kCooperativeBound;
        }
    }
    return true;
}

// Reductions, and what is learnt of the function's speed.
void Call::account() {
    if (call_.reserved)
        release_dirty_scheduler();
    auto& slow = library_.function_state(call_.function).slow;
    const std::uint32_t seen = slow.load(std::memory_order_relaxed);
    if (slot_.started == Clock::time_point{}) {
        if (seen != 0)
            slow.store(0, std::memory_order_relaxed);
        if (place_ == Place::Normal && told_ == Clock::duration{})
            charge_hot(env_);
        return;
    }
    const Clock::time_point now = Clock::now();
    if (place_ == Place::Normal && !tells_enough(now))
        charge(env_, now - slot_.turn_started);
    if (seen != 0 && now - slot_.started < kSchedulerBound)
        slow.store(seen - 1, std::memory_order_relaxed);
}

ERL_NIF_TERM Call::finish(ResponseStatus status) {
    const ipc::ResponseHalf& response = host_.response(slot_);
    const Word word = Wild<Word>::read(&response.term).unchecked();
    const bool needs_done = Wild<std::uint32_t>::read(&response.needs_done).unchecked() != 0;
    if (status == ResponseStatus::Unsupported)
        return finish_unsupported();
    if (status == ResponseStatus::Reschedule) {
        const std::int64_t flags = term::is_small(word) ? term::small_value(word) : -1;
        if (flags != 0 && flags != ERL_NIF_DIRTY_JOB_CPU_BOUND &&
            flags != ERL_NIF_DIRTY_JOB_IO_BOUND)
            return violated("invalid_schedule_flags");
        return schedule_step(env_, call_, static_cast<int>(flags));
    }
    if (status != ResponseStatus::Ok && status != ResponseStatus::Raise)
        return violated("invalid_response");
    ERL_NIF_TERM result;
    try {
        result = import_term(env_, word, host_, slot_.arena);
    } catch (const ProtocolViolation& violation) {
        return violated(violation.what());
    } catch (const std::exception&) {
        return violated("import_failed");
    }
    account();
    if (needs_done)
        ring_doorbell(host_, slot_, RequestKind::Done);
    release_slot(host_, slot_);
    if (status == ResponseStatus::Ok)
        return result;
    const bool badarg = word == term::make_atom(static_cast<std::uint32_t>(WellKnownAtom::Badarg));
    return badarg ? enif_make_badarg(env_) : enif_raise_exception(env_, result);
}

ERL_NIF_TERM Call::finish_unsupported() {
    ERL_NIF_TERM name =
        BeamAtoms::instance().term_of(Wild<Word>::read(&host_.response(slot_).term).unchecked());
    if (name == 0)
        name = enif_make_atom(env_, "unknown");
    return raise_unsupported(name);
}

ERL_NIF_TERM Call::raise_unsupported(ERL_NIF_TERM name) {
    report_unsupported(host_, library_, call_.function, name);
    host_.kill({HostEnd::Kind::Unsupported});
    account();
    release_slot(host_, slot_);
    return enif_raise_exception(
        env_, enif_make_tuple2(env_, enif_make_atom(env_, "enif_unsupported"), name));
}

ERL_NIF_TERM Call::violated(const char* what) {
    host_.kill({HostEnd::Kind::Protocol, 0, what});
    return ended();
}

ERL_NIF_TERM Call::ended() {
    const HostEnd end = host_.end();
    account();
    release_slot(host_, slot_);
    return raise_host_down(env_, library_, call_.function, call_.generation, end);
}

} // namespace

ERL_NIF_TERM drive_call(ErlNifEnv* env, ActiveCall call, Place place, bool spin) {
    return Call(env, call, place).drive(spin);
}

ERL_NIF_TERM continue_call(ErlNifEnv* env, ActiveCall call, Place place) {
    ipc::RequestHalf& request = call.host->request(*call.slot);
    request.thread_type = static_cast<std::uint8_t>(enif_thread_type());
    call.slot->started = {};
    call.slot->turn_started = {};
    return drive_call(env, call, place,
                      ring_doorbell(*call.host, *call.slot, RequestKind::Continue));
}

void abandon_call(const ActiveCall& call, bool mid_chain) {
    if (!mid_chain)
        return adopt_orphan(call);
    if (!call.host->ended())
        ring_doorbell(*call.host, *call.slot, RequestKind::Abandon);
    release_slot(*call.host, *call.slot);
}

} // namespace cordon::proxy
