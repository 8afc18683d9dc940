#include "nif_host/enif/monitor.hpp"

#include "nif_host/callback_thread.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/upcall_client.hpp"

#include <array>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace cordon::host {
namespace {

// What an ErlNifMonitor holds. The numbers are those of the VM's reference, with its seal.
struct Identity {
    std::uint64_t number; // 0 is none
    std::array<Word, 2> reference;
    Word seal;
};
static_assert(sizeof(Identity) == sizeof(ErlNifMonitor));

struct Monitor {
    Resource* resource;
    Word pid;
    Identity identity; // known when the VM has answered
    bool answered = false;
    bool is_down = false; // before that
};

// Never destroyed: other threads go on while the library calls exit.
std::mutex monitors_lock;
std::uint64_t last_number = 0;
auto& active = *new std::unordered_map<std::uint64_t, Monitor>;
auto& fired = *new std::unordered_map<std::uint64_t, Monitor>; // whose callback is queued
auto& by_resource = *new std::unordered_map<Resource*, std::unordered_set<std::uint64_t>>;

// Under the lock.
void erase(std::unordered_map<std::uint64_t, Monitor>::iterator monitor) {
    Resource* resource = monitor->second.resource;
    const auto of_resource = by_resource.find(resource);
    of_resource->second.erase(monitor->first);
    if (of_resource->second.empty())
        by_resource.erase(of_resource);
    resource->monitors.fetch_sub(1, std::memory_order_release);
    active.erase(monitor);
}

// Of a monitor that has fired; it comes with a reference to the resource.
void run_down(std::uint64_t number, void (*on_begun)()) {
    const Monitor monitor = [number] {
        const std::scoped_lock guard(monitors_lock);
        return fired.extract(number).mapped();
    }();
    {
        TypeInUse type(monitor.resource->type);
        on_begun();
        ErlNifPid pid{monitor.pid};
        ErlNifMonitor identity;
        std::memcpy(&identity, &monitor.identity, sizeof identity);
        if (auto* down = type.callbacks().down; down != nullptr) {
            const std::uint8_t before = current_thread_type;
            current_thread_type = ERL_NIF_THR_NORMAL_SCHEDULER; // as in the VM
            down(type.env(), monitor.resource->data(), &pid, &identity);
            current_thread_type = before;
        }
    }
    resource_drop(monitor.resource);
}

// Under the lock: it fires. Whoever has had it down knows that the resource is alive.
void fire(std::unordered_map<std::uint64_t, Monitor>::iterator found) {
    Monitor& monitor = found->second;
    if (!monitor.answered) {
        monitor.is_down = true; // fires when the callback can be told which monitor it is
        return;
    }
    resource_keep(monitor.resource);
    fired.emplace(found->first, monitor);
    defer_callback({run_down, found->first});
    erase(found);
}

bool is_active(std::uint64_t number) {
    const std::scoped_lock guard(monitors_lock);
    return active.contains(number);
}

bool held_by_library(const Resource* resource) {
    return resource->references.load(std::memory_order_acquire) >
           resource->vm_references.load(std::memory_order_acquire);
}

// What is anchored must be held meanwhile: if nobody else does any more, dropping that drops the
// anchor.
void note_anchor(Resource* resource, Word answer) {
    if (static_cast<ipc::MonitorAnswer>(answer) == ipc::MonitorAnswer::Anchored)
        resource->anchored.store(true, std::memory_order_release);
}

// Asks the VM. False when the process is not alive.
bool ask(Resource* resource, Word pid, std::uint64_t number, Identity* identity) {
    const Word anchor = held_by_library(resource) ? 1 : 0;
    resource_keep(resource);
    const UpcallAnswer answer(ipc::Upcall::Monitor, {resource->handle(), pid, number, anchor});
    note_anchor(resource, answer.word());
    resource_drop(resource);
    if (static_cast<ipc::MonitorAnswer>(answer.word()) == ipc::MonitorAnswer::NoProcess)
        return false;
    *identity = {number, {answer.word(1), answer.word(2)}, answer.word(3)};
    return true;
}

void renew(Resource* resource) {
    std::vector<std::pair<std::uint64_t, Word>> lost;
    {
        const std::scoped_lock guard(monitors_lock);
        if (const auto found = by_resource.find(resource); found != by_resource.end())
            for (const std::uint64_t number : found->second)
                lost.emplace_back(number, active.at(number).pid);
    }
    for (const auto& [number, pid] : lost) {
        Identity another; // the library has the first one
        if (!is_active(number))
            continue;
        if (!ask(resource, pid, number, &another))
            monitor_down(number);
        else if (!is_active(number)) // removed meanwhile, when the VM had none to remove
            upcall(ipc::Upcall::Demonitor, {number});
    }
}

} // namespace

void monitor_down(std::uint64_t number) {
    const std::scoped_lock guard(monitors_lock);
    if (const auto found = active.find(number); found != active.end())
        fire(found);
}

void monitors_outlive_terms(Resource* resource) {
    if (resource->monitors.load(std::memory_order_acquire) != 0 &&
        !resource->anchored.load(std::memory_order_acquire) && !EventsHeld::here())
        note_anchor(resource, upcall(ipc::Upcall::Anchor, {resource->handle()}));
}

void monitors_renew(std::uint64_t handle, void (*on_begun)()) {
    Resource* resource = Resource::of_handle(handle);
    on_begun();
    if (resource->references.load(std::memory_order_acquire) > 1) // else there is nobody left
        renew(resource);
    resource_drop(resource);
}

void monitors_forget(Resource* resource) {
    if (resource->monitors.load(std::memory_order_acquire) == 0)
        return;
    const std::scoped_lock guard(monitors_lock);
    const auto found = by_resource.find(resource);
    if (found == by_resource.end())
        return;
    for (const std::uint64_t number : found->second)
        active.erase(number);
    by_resource.erase(found);
}

} // namespace cordon::host

using namespace cordon::host;
namespace ipc = cordon::ipc;
namespace term = cordon::term;

int enif_monitor_process(ErlNifEnv*, void* data, const ErlNifPid* pid, ErlNifMonitor* monitor) {
    Resource* resource = Resource::of(data);
    if (!resource->can_monitor)
        return -1;
    if (!term::is_local_pid(pid->pid))
        return 1;
    std::uint64_t number;
    {
        const std::scoped_lock guard(monitors_lock);
        number = ++last_number;
        active.emplace(number, Monitor{resource, pid->pid, {}});
        by_resource[resource].insert(number);
        resource->monitors.fetch_add(1, std::memory_order_release);
    }
    Identity identity{};
    const bool alive = ask(resource, pid->pid, number, &identity);
    const std::scoped_lock guard(monitors_lock);
    const auto found = active.find(number);
    if (!alive) {
        erase(found);
        return 1;
    }
    found->second.identity = identity;
    found->second.answered = true;
    if (found->second.is_down)
        fire(found);
    if (monitor != nullptr)
        std::memcpy(monitor, &identity, sizeof identity);
    return 0;
}

int enif_demonitor_process(ErlNifEnv*, void* data, const ErlNifMonitor* monitor) {
    Identity identity;
    std::memcpy(&identity, monitor, sizeof identity);
    {
        const std::scoped_lock guard(monitors_lock);
        const auto found = active.find(identity.number);
        if (found == active.end() || found->second.resource != Resource::of(data) ||
            std::memcmp(&found->second.identity, &identity, sizeof identity) != 0)
            return 1;
        erase(found);
    }
    upcall(ipc::Upcall::Demonitor, {identity.number});
    return 0;
}

int enif_compare_monitors(const ErlNifMonitor* a, const ErlNifMonitor* b) {
    return std::memcmp(a, b, sizeof *a);
}

ERL_NIF_TERM enif_make_monitor_term(ErlNifEnv* env, const ErlNifMonitor* monitor) {
    Identity identity;
    std::memcpy(&identity, monitor, sizeof identity);
    const UpcallAnswer answer(ipc::Upcall::MonitorTerm,
                              {identity.reference[0], identity.reference[1], identity.seal});
    return answer.word() == 0 ? env_badarg(env) : copy_term(env, answer.word());
}
