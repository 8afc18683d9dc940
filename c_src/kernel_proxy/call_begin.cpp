// Hops 1 and 2: a call gets a host and a slot, and its arguments are written there.
#include "kernel_proxy/call.hpp"
#include "kernel_proxy/call_errors.hpp"
#include "kernel_proxy/call_hop.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/spin_grants.hpp"
#include "kernel_proxy/term_export.hpp"
#include "kernel_proxy/trampoline.hpp"
#include "kernel_proxy/vm_directory.hpp"

#include <thread>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;
using ipc::RequestKind;

// After so many slow calls in a row a function starts on a dirty scheduler at once.
constexpr std::uint32_t kSlowCalls = 4;

struct DirtyReservation {
    DirtyReservation() : held(reserve_dirty_scheduler()) {}
    ~DirtyReservation() {
        if (held)
            release_dirty_scheduler();
    }
    DirtyReservation(const DirtyReservation&) = delete;
    DirtyReservation& operator=(const DirtyReservation&) = delete;
    const bool held;
};

// The host in which `instance` is loaded, in the VM's working directory; or nullptr: then it takes
// a start, or a message at least.
Host* ready_host(Library& library, const ModuleInstance& instance) {
    Host* host = library.current_host();
    return host != nullptr && host->accepts_calls() &&
                   instance.loaded_generation.load(std::memory_order_acquire) ==
                       host->generation() &&
                   host->directory_version() == VmDirectory::version()
               ? host
               : nullptr;
}

} // namespace

std::uint8_t thread_type_of_flags(std::uint32_t flags) {
    switch (flags) {
    case ERL_NIF_DIRTY_JOB_CPU_BOUND:
        return ERL_NIF_THR_DIRTY_CPU_SCHEDULER;
    case ERL_NIF_DIRTY_JOB_IO_BOUND:
        return ERL_NIF_THR_DIRTY_IO_SCHEDULER;
    default:
        return ERL_NIF_THR_NORMAL_SCHEDULER;
    }
}

ERL_NIF_TERM begin_call(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[], std::uint32_t function,
                        Place place) try {
    auto& instance = *static_cast<ModuleInstance*>(enif_priv_data(env));
    Library& library = *instance.library;
    const ipc::FunctionRecord& record = library.function(function);
    Host* host = ready_host(library, instance);
    const auto begin_dirty = [&] {
        return enif_schedule_nif(env, record.name.c_str(), ERL_NIF_DIRTY_JOB_IO_BOUND,
                                 dirty_trampoline(function), argc, argv);
    };
    const auto& state = library.function_state(function);
    const bool slow = state.slow.load(std::memory_order_relaxed) >= kSlowCalls &&
                      !state.cooperates.load(std::memory_order_relaxed);
    if (place == Place::Normal && (host == nullptr || slow))
        return begin_dirty();
    for (int attempt = 0;; ++attempt) {
        if (host == nullptr) {
            // Whoever waits for a start holds a dirty scheduler: not the last ones.
            const DirtyReservation reservation;
            if (!reservation.held) {
                std::this_thread::sleep_for(1ms);
                return enif_schedule_nif(env, record.name.c_str(), 0, trampoline(function, 0), argc,
                                         argv);
            }
            HostEnd why;
            std::uint64_t generation = 0;
            host = library.ensure_loaded(env, instance, &why, &generation);
            if (host == nullptr)
                return raise_host_down(env, library, function, generation, why);
        }
        Slot* slot = place == Place::Normal ? host->take_slot() : host->take_recent_slot();
        if (slot == nullptr && host->accepts_calls())
            return raise_overload(env, library, function, "concurrent calls");
        // The Host object may serve another generation by now.
        if (slot != nullptr && instance.loaded_generation.load() != host->generation()) {
            host->give_back(*slot);
            slot = nullptr;
        }
        if (slot == nullptr) {
            if (attempt < 3 && place == Place::Dirty) {
                host = nullptr;
                continue;
            }
            if (place == Place::Normal)
                return begin_dirty();
            return raise_host_down(env, library, function, host->generation(), host->end());
        }
        ActiveCall call{&instance, host, slot, host->generation(), function, false};
        if (place == Place::Dirty && record.flags == 0)
            call.reserved = reserve_dirty_scheduler();
        const auto give_up = [&] {
            if (call.reserved)
                release_dirty_scheduler();
            release_slot(*host, *slot);
        };
        if (!slot->spin_granted.load(std::memory_order_relaxed))
            SpinGrants::instance().await_turn(
                {host->request(*slot), slot->spin_granted, slot->busy});
        try {
            write_request(env, *host, *slot, thread_type_of_flags(record.flags), instance.id,
                          function, argc, argv,
                          place == Place::Normal ? Large::Throw : Large::Export);
        } catch (const LargeArgument&) {
            give_up();
            return begin_dirty();
        } catch (const StaleResource& stale) {
            give_up();
            return raise_stale_resource(env, library, function, stale.generation, call.generation);
        } catch (const ArgumentsTooLarge&) {
            give_up();
            return raise_overload(env, library, function, "argument memory");
        } catch (...) {
            give_up();
            throw;
        }
        slot->called.store(&library.function_state(function), std::memory_order_relaxed);
        if (!host->ensure_worker(*slot))
            host->kill({HostEnd::Kind::Protocol, 0, "control_socket"});
        return drive_call(env, call, place, ring_doorbell(*host, *slot, RequestKind::Call));
    }
} catch (const std::exception&) {
    return enif_raise_exception(env, enif_make_atom(env, "system_limit"));
}

} // namespace cordon::proxy
