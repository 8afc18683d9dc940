// load, upgrade, unload and their like: a call that stays on its thread to the end.
#include "kernel_proxy/call.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/upcall_service.hpp"
#include "shared_heap/wild.hpp"

namespace cordon::proxy {

using ipc::RequestKind;
using ipc::ResponseStatus;

bool call_inline(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance, Host& host,
                 RequestKind kind, ERL_NIF_TERM info, std::uint32_t old_instance,
                 std::chrono::milliseconds timeout, std::int64_t* answer) {
    Slot* slot = host.take_slot();
    return slot != nullptr && call_inline_in(*slot, env, caller, instance, host, kind, info,
                                             old_instance, timeout, answer);
}

bool call_inline_in(Slot& slot, ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance,
                    Host& host, RequestKind kind, ERL_NIF_TERM info, std::uint32_t old_instance,
                    std::chrono::milliseconds timeout, std::int64_t* answer) {
    const Clock::time_point deadline = Clock::now() + timeout;
    bool done = false;
    try {
        write_request(env, host, slot, ERL_NIF_THR_NORMAL_SCHEDULER, instance.id,
                      instance.library->number(), 1, &info);
        host.request(slot).old_instance = old_instance;
        if (!host.ensure_worker(slot))
            throw ProtocolViolation("control_socket");
        bool spin = ring_doorbell(host, slot, kind);
        for (;;) {
            const Waited waited =
                Clock::now() >= deadline
                    ? Waited::LimitReached
                    : await_response(host, slot, spin ? kShortSpin : Clock::duration{}, deadline);
            if (waited == Waited::LimitReached)
                host.kill({HostEnd::Kind::Timeout, timeout.count(), ""});
            if (waited != Waited::Response)
                break;
            const ipc::ResponseHalf& response = host.response(slot);
            const auto status = Wild<ResponseStatus>::read(&response.status).unchecked();
            if (status == ResponseStatus::Upcall) {
                UpcallContext context{env, caller};
                serve_upcall(host, response, host.request(slot), slot.arena, context);
                spin = ring_doorbell(host, slot, RequestKind::Answer);
                continue;
            }
            if (status == ResponseStatus::Unsupported) {
                host.kill({HostEnd::Kind::Unsupported});
                break;
            }
            const Word word = Wild<Word>::read(&response.term).unchecked();
            if (status != ResponseStatus::Ok || !term::is_small(word))
                throw ProtocolViolation("invalid_response");
            *answer = term::small_value(word);
            done = true;
            break;
        }
    } catch (const std::exception& error) {
        host.kill(end_of(error));
    }
    release_slot(host, slot);
    return done;
}

} // namespace cordon::proxy
