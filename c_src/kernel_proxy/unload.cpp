// The end of a module instance.
//
// The VM unloads a shim when the module is purged and nothing of it that the VM knows of is in use.
// Two things it doesn't know of: calls that go on in the host though their callers were killed, and
// resources of types that new code of the module has not taken over (to the VM all proxies are of
// one type, which it has). Until they have ended the instance stays in the host, as natively.
#include "kernel_proxy/call.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/own_env.hpp"

#include <algorithm>
#include <thread>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto kUnloadTimeout = 5s;
// How often it is looked whether an instance is still in use.
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{100};

} // namespace

// Each worker that may have run code of it, once (enif_set_option, ERL_NIF_OPT_ON_UNLOAD_THREAD).
// False when one was busy, or they took so long that the others have to wait for the next time: the
// VM may stand still meanwhile.
bool Library::unload_threads(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance,
                             Host& host) {
    bool all = true;
    const Clock::time_point until = Clock::now() + kUnloadTimeout;
    instance.unloaded_slots.resize(ipc::kCallSlots);
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i) {
        if (instance.unloaded_slots[i] || !host.has_worker(i))
            continue;
        if (Clock::now() >= until)
            return false;
        std::int64_t answer = 0;
        Slot* slot = host.take_slot_at(i);
        const bool done =
            slot != nullptr &&
            call_inline_in(*slot, env, caller, instance, host, ipc::RequestKind::UnloadThread,
                           enif_make_list(env, 0), 0, kUnloadTimeout, &answer);
        instance.unloaded_slots[i] = done;
        all = all && done;
    }
    return all;
}

// False when it is still in use. For who holds the group's start lock.
bool Library::try_unload(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance) {
    Host* host = current_host();
    if (host == nullptr || !host->accepts_calls() ||
        instance.loaded_generation.load() != host->generation())
        return true;
    if (host->serves(instance.id))
        return false;
    if ((instance.options & ipc::LoadAnswer::kOnUnloadThread) != 0 &&
        !unload_threads(env, caller, instance, *host) && host->accepts_calls())
        return false;
    std::int64_t answer = 0;
    return !call_inline(env, caller, instance, *host, ipc::RequestKind::Unload,
                        enif_make_list(env, 0), 0, kUnloadTimeout, &answer) ||
           answer != ipc::kStillInUse;
}

void Library::unload_instance(ErlNifEnv* env, ModuleInstance* instance) {
    const std::unique_lock guard(group_->start_lock(), kUnloadTimeout);
    const bool done = guard && try_unload(env, env, *instance);
    bool last;
    {
        const std::scoped_lock instances_guard(instances_lock_);
        std::erase(instances_, instance);
        ++unloading_;
        last = instances_.empty();
    }
    if (last)
        group_->resources().set_type(*this, nullptr); // the VM frees it now
    if (done)
        return forget(instance);
    Group::LateUnloads& late = group_->late_unloads();
    const std::scoped_lock late_guard(late.lock);
    late.waiting.push_back({this, instance});
    if (!late.watched)
        std::thread([group = group_] { watch_late_unloads(*group); }).detach();
    late.watched = true;
}

// Unloads what can be unloaded by now. False when nothing is left. `pause`: until the next time.
bool Library::unload_late(Group& group, std::chrono::milliseconds* pause, std::size_t* left) {
    Group::LateUnloads& late = group.late_unloads();
    const std::unique_lock guard(group.start_lock(), kUnloadTimeout);
    std::vector<Group::Unloading> waiting;
    {
        const std::scoped_lock late_guard(late.lock);
        waiting = late.waiting;
    }
    std::vector<ModuleInstance*> done;
    for (const Group::Unloading& unloading : waiting)
        if (guard && unloading.library->try_unload_late(unloading.instance))
            done.push_back(unloading.instance);
    const bool is_new = waiting.size() > *left;
    *pause = is_new ? kFirstPause : std::min(2 * *pause, kLongestPause);
    *left = waiting.size() - done.size();
    const std::scoped_lock late_guard(late.lock);
    std::erase_if(late.waiting, [&](const Group::Unloading& unloading) {
        return std::find(done.begin(), done.end(), unloading.instance) != done.end();
    });
    late.watched = !late.waiting.empty();
    return late.watched;
}

// A thread of the group, as long as there is something to wait for: what a library does in unload
// may take seconds, and that is no other group's business.
void Library::watch_late_unloads(Group& group) {
    std::chrono::milliseconds pause = kFirstPause;
    std::size_t left = 0;
    for (bool goes_on = true; goes_on;) {
        std::this_thread::sleep_for(pause);
        try {
            goes_on = unload_late(group, &pause, &left);
        } catch (const std::exception&) {
            pause = kLongestPause; // no memory: later
        }
    }
}

bool Library::try_unload_late(ModuleInstance* instance) {
    const OwnEnv own;
    if (!try_unload(own.env, nullptr, *instance))
        return false;
    forget(instance);
    return true;
}

// For who holds the group's start lock.
void Library::forget(ModuleInstance* instance) {
    {
        const std::scoped_lock guard(instances_lock_);
        --unloading_;
    }
    opened_in_ = 0; // closed, unless another instance is loaded in the same host
    leave_if_unused();
    Host* host = current_host();
    if (group_->instance_unloaded() && host != nullptr)
        host->kill({HostEnd::Kind::Stopped}); // statics start anew with the next load
    enif_free_env(instance->info_env);
    delete instance;
}

} // namespace cordon::proxy
