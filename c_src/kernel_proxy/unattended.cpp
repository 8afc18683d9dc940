#include "kernel_proxy/unattended.hpp"

#include "compat_ipc/futex.hpp"
#include "kernel_proxy/background.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/own_env.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/upcall_service.hpp"
#include "shared_heap/wild.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

namespace cordon::proxy {
namespace {

// False when the host has broken a rule and was killed for it.
bool serve_guarded(Host& host, const ipc::ResponseHalf& response, ipc::RequestHalf& request,
                   ArgumentArena& arena) {
    const OwnEnv own;
    UpcallContext context{own.env, nullptr};
    try {
        serve_upcall(host, response, request, arena, context);
        return true;
    } catch (const std::exception& error) {
        host.kill(end_of(error));
        return false;
    }
}

void answer_and_ring(ipc::RequestHalf& request, const ipc::ResponseHalf& response,
                     std::uint32_t seq) {
    request.seq.store(seq, std::memory_order_seq_cst);
    if (response.parked.load(std::memory_order_seq_cst) != 0)
        ipc::futex_wake_all(request.seq);
}

struct Orphan {
    Host* host;
    Slot* slot;
    std::int64_t timeout; // ms, as the options say
    Clock::time_point deadline;
};

// Never destroyed: the thread goes on while the VM exits.
auto& orphans = *new std::vector<Orphan>;
bool polling = false;

void poll_orphans();

void poll_later() {
    using namespace std::chrono_literals;
    if (polling || orphans.empty())
        return;
    polling = true;
    auto timer = std::make_shared<boost::asio::steady_timer>(upcall_thread(), 2ms);
    timer->async_wait([timer](const auto&) {
        polling = false;
        poll_orphans();
    });
}

// True when it has come to its end.
bool advance(const Orphan& orphan) {
    Host& host = *orphan.host;
    Slot& slot = *orphan.slot;
    const ipc::ResponseHalf& response = host.response(slot);
    ipc::RequestHalf& request = host.request(slot);
    if (!host.ended() && Clock::now() >= orphan.deadline)
        host.kill({HostEnd::Kind::Timeout, orphan.timeout});
    if (!host.ended()) {
        if (host.adopt_crash_record() || response.seq.load(std::memory_order_acquire) == slot.seq) {
            const auto status = Wild<ipc::ResponseStatus>::read(&response.status).unchecked();
            if (!host.ended() && status == ipc::ResponseStatus::Upcall) {
                if (serve_guarded(host, response, request, slot.arena)) {
                    ring_doorbell(host, slot, ipc::RequestKind::Answer);
                    return false;
                }
            } else if (!host.ended()) {
                ring_doorbell(host, slot, ipc::RequestKind::Abandon);
            }
        } else {
            return false;
        }
    }
    release_slot(host, slot);
    return true;
}

void poll_orphans() {
    std::erase_if(orphans, advance);
    poll_later();
}

} // namespace

bool serve_channels(Host& host) {
    bool served = false;
    for (std::uint32_t i = 0; i < ipc::kChannels && host.accepts_calls(); ++i) {
        const ipc::ResponseHalf& response = host.channel_response(i);
        ipc::RequestHalf& request = host.channel_request(i);
        const std::uint32_t asked = response.seq.load(std::memory_order_acquire) & ipc::kSeqMask;
        if (asked == request.seq.load(std::memory_order_relaxed))
            continue;
        ArgumentArena& arena = host.channel_arena(i);
        for (Chunk& chunk : arena.take_chunks())
            host.chunks()->drop(std::move(chunk)); // of the channel's last answer
        arena.restart();
        served = true;
        if (serve_guarded(host, response, request, arena))
            answer_and_ring(request, response, asked);
    }
    return served;
}

void adopt_orphan(const ActiveCall& call) {
    // Its module may be gone already: a library is kept for good, an instance isn't.
    const FunctionState* called = call.slot->called.load(std::memory_order_relaxed);
    const std::int64_t timeout = called->library->options().call_timeout;
    const Orphan orphan{call.host, call.slot, timeout, deadline_after(Clock::now(), timeout)};
    // Partner: the host's acquire load, in enif_is_current_process_alive.
    call.host->request(*call.slot).caller_gone.store(1, std::memory_order_release);
    boost::asio::post(upcall_thread(), [orphan] {
        orphans.push_back(orphan);
        poll_orphans();
    });
}

} // namespace cordon::proxy
