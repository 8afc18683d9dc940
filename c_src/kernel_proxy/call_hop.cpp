#include "kernel_proxy/call_hop.hpp"

#include <atomic>

namespace cordon::proxy {
namespace {

constexpr int kLeftToOthers = 2;

std::atomic<int> dirty_limit{10 - kLeftToOthers};
std::atomic<int> dirty_taken{0};

struct PendingCall {
    ActiveCall call;
    bool mid_chain; // the next thing to do is to send Continue
    bool taken;     // somebody goes on with it: nothing is left to do for the destructor
};

void on_dropped(ErlNifEnv*, void* object) {
    const PendingCall& pending = *static_cast<PendingCall*>(object);
    if (pending.taken)
        return;
    if (pending.call.reserved)
        release_dirty_scheduler();
    abandon_call(pending.call, pending.mid_chain);
}

ERL_NIF_TERM resume(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    const auto* instance = static_cast<ModuleInstance*>(enif_priv_data(env));
    void* object = nullptr;
    if (enif_get_resource(env, argv[0], instance->pending_calls, &object) == 0)
        return enif_make_badarg(env);
    auto& pending = *static_cast<PendingCall*>(object);
    pending.taken = true;
    const Place place =
        enif_thread_type() == ERL_NIF_THR_NORMAL_SCHEDULER ? Place::Normal : Place::Dirty;
    if (pending.mid_chain)
        return continue_call(env, pending.call, place);
    if (place == Place::Normal && reserve_dirty_scheduler()) { // room has come up meanwhile
        release_dirty_scheduler();
        return hop(env, pending.call);
    }
    return drive_call(env, pending.call, place, false);
}

ERL_NIF_TERM schedule(ErlNifEnv* env, const ActiveCall& call, bool mid_chain, int flags) {
    void* object = enif_alloc_resource(call.instance->pending_calls, sizeof(PendingCall));
    *static_cast<PendingCall*>(object) = {call, mid_chain, false};
    const ERL_NIF_TERM argument = enif_make_resource(env, object);
    enif_release_resource(object);
    const std::string& name = call.instance->library->function(call.function).name;
    return enif_schedule_nif(env, name.c_str(), flags, &resume, 1, &argument);
}

} // namespace

ErlNifResourceType* open_pending_call_type(ErlNifEnv* env) {
    ErlNifResourceTypeInit callbacks{};
    callbacks.dtor = &on_dropped;
    return enif_open_resource_type_x(
        env, "cordon_call", &callbacks,
        static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER), nullptr);
}

ERL_NIF_TERM hop(ErlNifEnv* env, ActiveCall call) {
    if (!call.reserved)
        call.reserved = reserve_dirty_scheduler();
    return schedule(env, call, false, call.reserved ? ERL_NIF_DIRTY_JOB_IO_BOUND : 0);
}

ERL_NIF_TERM schedule_step(ErlNifEnv* env, ActiveCall call, int flags) {
    if (call.reserved)
        release_dirty_scheduler();
    call.reserved = false;
    return schedule(env, call, true, flags);
}

bool reserve_dirty_scheduler() {
    if (dirty_taken.fetch_add(1, std::memory_order_relaxed) <
        dirty_limit.load(std::memory_order_relaxed))
        return true;
    release_dirty_scheduler();
    return false;
}

void release_dirty_scheduler() {
    dirty_taken.fetch_sub(1, std::memory_order_relaxed);
}

void set_dirty_io_schedulers(int count) {
    dirty_limit.store(count > kLeftToOthers ? count - kLeftToOthers : 1, std::memory_order_relaxed);
}

} // namespace cordon::proxy
