#include "kernel_proxy/monitor_table.hpp"

#include "kernel_proxy/background.hpp"
#include "kernel_proxy/encoded_term.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/monitor_identity.hpp"
#include "kernel_proxy/own_env.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/upcall_service.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace cordon::proxy {
namespace {

// Of one host, and as many proxies that are kept for them: about a hundred megabytes.
constexpr std::size_t kMaxMonitors = 1 << 18;
// How many of a dead host's are undone before others have their turn.
constexpr std::size_t kUndoneAtOnce = 1000;
// A look at all monitors of a process takes milliseconds.
constexpr std::chrono::seconds kLookEnds{1};

std::array<term::Word, ipc::kAnswerWords> answer(ipc::MonitorAnswer kind,
                                                 const MonitorIdentity& identity) {
    return {static_cast<term::Word>(kind), identity.numbers[0], identity.numbers[1], identity.seal};
}

} // namespace

std::array<term::Word, ipc::kAnswerWords> MonitorTable::monitor(Host& host, ErlNifEnv* caller,
                                                                std::uint64_t handle,
                                                                const ErlNifPid& pid,
                                                                std::uint64_t number, bool anchor) {
    if (!host.events().are_taken()) // each monitor is an event more
        throw ProtocolViolation("events_not_taken");
    const OwnEnv own; // keeps the proxy until the lock is free again
    const ResourceTable::Obtained obtained = group_.resources().obtain(own.env, host, handle);
    ProxyResource* proxy = obtained.proxy;
    ErlNifMonitor vm{};
    auto kind = ipc::MonitorAnswer::Made;
    {
        const std::scoped_lock guard(lock_);
        Monitors& monitors = of(host);
        const auto known = monitors.by_number.find(number);
        if (known != monitors.by_number.end()) {
            vm = known->second.vm;
        } else {
            if (monitors.by_number.size() >= kMaxMonitors)
                throw QuotaUsedUp(ipc::QuotaKind::Monitors);
            std::string encoded = EncodedTerm(own.env, obtained.reference).text();
            // Under the lock: it may fire before this returns, and on_down has to find it.
            if (enif_monitor_process(caller, proxy, &pid, &vm) != 0)
                return {static_cast<term::Word>(ipc::MonitorAnswer::NoProcess)};
            monitors.by_number.emplace(number, Monitor{vm, proxy->serial});
            monitors.numbers.emplace(vm, number);
            Watching& watching = monitors.by_serial[proxy->serial];
            watching.encoded = std::move(encoded);
            watching.numbers.insert(number);
        }
        if ((obtained.is_new || anchor) && keep(monitors, handle, proxy))
            kind = ipc::MonitorAnswer::Anchored;
    }
    return answer(kind, identity_of(own.env, vm));
}

MonitorTable::Monitors& MonitorTable::of(const Host& host) {
    if (host.generation() <= ended_)
        throw ProtocolViolation("host_has_ended");
    return generations_[host.generation()];
}

// False when it is kept already.
bool MonitorTable::keep(Monitors& monitors, std::uint64_t handle, ProxyResource* proxy) {
    if (monitors.anchors.size() >= kMaxMonitors)
        throw QuotaUsedUp(ipc::QuotaKind::Monitors);
    if (!monitors.anchors.emplace(handle, proxy).second)
        return false;
    enif_keep_resource(proxy);
    return true;
}

std::array<term::Word, ipc::kAnswerWords> MonitorTable::anchor(Host& host, std::uint64_t handle) {
    const OwnEnv own; // keeps the proxy until the lock is free again
    ProxyResource* proxy = group_.resources().obtain(own.env, host, handle).proxy;
    const std::scoped_lock guard(lock_);
    const bool kept = keep(of(host), handle, proxy);
    return {
        static_cast<term::Word>(kept ? ipc::MonitorAnswer::Anchored : ipc::MonitorAnswer::Made)};
}

bool MonitorTable::remove(Monitors& monitors, std::uint64_t number, Removed* removed) {
    const auto found = monitors.by_number.find(number);
    if (found == monitors.by_number.end())
        return false;
    const Monitor& monitor = found->second;
    *removed = {monitor.vm, monitor.serial, {}};
    const auto watching = monitors.by_serial.find(monitor.serial);
    removed->encoded = watching->second.encoded;
    watching->second.numbers.erase(number);
    if (watching->second.numbers.empty())
        monitors.by_serial.erase(watching);
    monitors.numbers.erase(monitor.vm);
    monitors.by_number.erase(found);
    return true;
}

void MonitorTable::demonitor(Host& host, ErlNifEnv* caller, std::uint64_t number) {
    Removed removed;
    {
        const std::scoped_lock guard(lock_);
        const auto monitors = generations_.find(host.generation());
        if (monitors == generations_.end() || !remove(monitors->second, number, &removed))
            return;
    }
    // A proxy that is being collected takes its monitors along.
    const OwnEnv own;
    if (auto* proxy = group_.resources().revive(own.env, removed.encoded, removed.serial))
        enif_demonitor_process(caller, proxy, &removed.vm);
}

void MonitorTable::drop_anchor(Host& host, std::uint64_t handle) {
    ProxyResource* proxy = nullptr;
    {
        const std::scoped_lock guard(lock_);
        const auto monitors = generations_.find(host.generation());
        if (monitors == generations_.end())
            return;
        const auto found = monitors->second.anchors.find(handle);
        if (found == monitors->second.anchors.end())
            return;
        proxy = found->second;
        monitors->second.anchors.erase(found);
    }
    enif_release_resource(proxy);
}

void MonitorTable::on_down(ErlNifEnv*, void* object, ErlNifPid*, ErlNifMonitor* monitor) try {
    const ProxyResource proxy = *static_cast<ProxyResource*>(object);
    MonitorTable& table = proxy.group->monitors();
    std::uint64_t number = 0;
    {
        const std::scoped_lock guard(table.lock_);
        const auto monitors = table.generations_.find(proxy.generation);
        if (monitors == table.generations_.end())
            return;
        const auto found = monitors->second.numbers.find(*monitor);
        if (found == monitors->second.numbers.end())
            return;
        number = found->second;
        Removed removed;
        remove(monitors->second, number, &removed);
    }
    Host* host = proxy.group->current_host();
    if (host != nullptr && host->generation() == proxy.generation)
        static_cast<void>( // the next acquire ends a host that takes no events
            host->events().send(ipc::EventKind::Down, number, proxy.generation));
} catch (const std::exception&) {
    // No memory for an event: the library isn't told.
}

void MonitorTable::proxy_collected(const ProxyResource& proxy) {
    const std::scoped_lock guard(lock_);
    const auto of_host = generations_.find(proxy.generation);
    if (of_host == generations_.end())
        return;
    Monitors& monitors = of_host->second;
    const auto watching = monitors.by_serial.find(proxy.serial);
    if (watching == monitors.by_serial.end())
        return;
    for (const std::uint64_t number : watching->second.numbers) {
        const auto found = monitors.by_number.find(number);
        monitors.numbers.erase(found->second.vm);
        monitors.by_number.erase(found);
    }
    monitors.by_serial.erase(watching);
}

// Of a resource that is being destroyed while process_info(P, monitored_by) looks at it the VM
// makes a term, and crashes later (seen on OTP 25, natively too). So each monitor is removed first,
// and the proxies go when whoever was looking has done with it.
struct MonitorTable::Undoing {
    Undoing(ResourceTable& table, Monitors found) : resources(table), monitors(std::move(found)) {}
    ~Undoing() {
        for (const auto& [handle, proxy] : monitors.anchors)
            enif_release_resource(proxy);
    }
    Undoing(const Undoing&) = delete;
    Undoing& operator=(const Undoing&) = delete;
    ResourceTable& resources;
    Monitors monitors;
    OwnEnv proxies;
};

void MonitorTable::end_generation(std::uint64_t generation) {
    const std::scoped_lock guard(lock_);
    ended_ = std::max(ended_, generation);
    const auto found = generations_.find(generation);
    if (found == generations_.end())
        return;
    auto undoing = std::make_shared<Undoing>(group_.resources(), std::move(found->second));
    generations_.erase(found);
    boost::asio::post(housekeeping_thread(), [undoing] { undo(undoing); });
}

void MonitorTable::undo(const std::shared_ptr<Undoing>& undoing) {
    Monitors& monitors = undoing->monitors;
    for (std::size_t i = 0; i < kUndoneAtOnce && !monitors.by_number.empty(); ++i) {
        Removed removed;
        remove(monitors, monitors.by_number.begin()->first, &removed);
        if (auto* proxy =
                undoing->resources.revive(undoing->proxies.env, removed.encoded, removed.serial))
            enif_demonitor_process(nullptr, proxy, &removed.vm);
    }
    if (!monitors.by_number.empty())
        return boost::asio::post(housekeeping_thread(), [undoing] { undo(undoing); });
    auto timer = std::make_shared<boost::asio::steady_timer>(housekeeping_thread(), kLookEnds);
    timer->async_wait([timer, undoing](const auto&) {});
}

} // namespace cordon::proxy
