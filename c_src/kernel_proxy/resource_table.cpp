#include "kernel_proxy/resource_table.hpp"

#include "kernel_proxy/encoded_term.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/own_env.hpp"
#include "kernel_proxy/term_import.hpp"

#include <algorithm>

namespace cordon::proxy {
namespace {

// The VM has one reference more on the host's resource.
void acquire(Host& host, std::uint64_t handle) {
    if (!host.events().send(ipc::EventKind::Acquire, handle, host.generation()))
        throw ProtocolViolation("events_not_taken");
}

} // namespace

ErlNifResourceType* ResourceTable::open_type(ErlNifEnv* env) {
    ErlNifResourceTypeInit callbacks{};
    callbacks.dtor = &ResourceTable::on_collected;
    callbacks.down = &MonitorTable::on_down;
    return enif_open_resource_type_x(
        env, "cordon_resource", &callbacks,
        static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER), nullptr);
}

ErlNifResourceType* ResourceTable::set_type(const Library& library, ErlNifResourceType* type) {
    const std::scoped_lock guard(lock_);
    const auto found = std::find_if(types_.begin(), types_.end(),
                                    [&](const auto& known) { return known.first == &library; });
    ErlNifResourceType* before = nullptr;
    if (found != types_.end()) {
        before = found->second;
        if (type != nullptr)
            found->second = type;
        else
            types_.erase(found);
    } else if (type != nullptr) {
        types_.emplace_back(&library, type);
    }
    // Old and new code of a module have one type, taken over by the new.
    const bool only =
        !types_.empty() && std::all_of(types_.begin(), types_.end(), [this](const auto& known) {
            return known.second == types_.front().second;
        });
    only_type_.store(only ? types_.front().second : nullptr, std::memory_order_release);
    return before;
}

ProxyResource* ResourceTable::find_of_any_type(ErlNifEnv* env, ERL_NIF_TERM term) const {
    void* object = nullptr;
    for (const auto& [library, type] : types_)
        if (enif_get_resource(env, term, type, &object) != 0)
            return static_cast<ProxyResource*>(object);
    return nullptr;
}

const ProxyResource* ResourceTable::find_proxy(ErlNifEnv* env, ERL_NIF_TERM term) {
    if (ErlNifResourceType* only = only_type_.load(std::memory_order_acquire)) {
        void* object = nullptr;
        return enif_get_resource(env, term, only, &object) != 0
                   ? static_cast<const ProxyResource*>(object)
                   : nullptr;
    }
    const std::scoped_lock guard(lock_);
    return find_of_any_type(env, term);
}

ProxyResource* ResourceTable::revive_locked(ErlNifEnv* env, const std::string& encoded,
                                            std::uint64_t serial, ERL_NIF_TERM* reference) const {
    if (enif_binary_to_term(env, reinterpret_cast<const unsigned char*>(encoded.data()),
                            encoded.size(), reference, 0) == 0)
        return nullptr;
    ProxyResource* proxy = find_of_any_type(env, *reference);
    return proxy != nullptr && proxy->serial == serial ? proxy : nullptr;
}

ProxyResource* ResourceTable::revive(ErlNifEnv* env, const std::string& encoded,
                                     std::uint64_t serial) {
    const std::scoped_lock guard(lock_);
    ERL_NIF_TERM reference;
    return revive_locked(env, encoded, serial, &reference);
}

// The one that is there longest: a module that is just being loaded may be refused.
ErlNifResourceType* ResourceTable::oldest_type() const {
    if (types_.empty()) // its module is being unloaded; the VM may have freed the type
        throw ProtocolViolation("resource_without_module");
    return types_.front().second;
}

ResourceTable::Obtained ResourceTable::obtain(ErlNifEnv* env, Host& host, std::uint64_t handle) {
    const std::scoped_lock guard(lock_);
    if (const auto found = entries_.find(handle); found != entries_.end()) {
        const Entry& known = found->second;
        ERL_NIF_TERM reference;
        if (ProxyResource* proxy = revive_locked(env, known.encoded, known.serial, &reference))
            return {reference, proxy, false};
    }
    auto* proxy =
        static_cast<ProxyResource*>(enif_alloc_resource(oldest_type(), sizeof(ProxyResource)));
    *proxy = {&host.group(), host.generation(), handle, ++last_serial_};
    const ERL_NIF_TERM reference = enif_make_resource(env, proxy);
    enif_release_resource(proxy);
    acquire(host, handle);
    entries_[handle] = {proxy->serial, EncodedTerm(env, reference).text()};
    return {reference, proxy, true};
}

BinaryProxy* ResourceTable::allocate_binary(Host& host, std::uint64_t handle, std::uint64_t address,
                                            std::uint64_t size) {
    const std::scoped_lock guard(lock_);
    ErlNifResourceType* type = oldest_type();
    acquire(host, handle); // first: nobody frees the proxy of a host that is refused
    auto* proxy = static_cast<BinaryProxy*>(enif_alloc_resource(type, sizeof(BinaryProxy) + size));
    *proxy = {{&host.group(), host.generation(), handle, ++last_serial_, true}, address, size};
    has_binaries_.store(true, std::memory_order_relaxed);
    return proxy;
}

ERL_NIF_TERM ResourceTable::make_binary(ErlNifEnv* env, BinaryProxy* proxy) {
    const ERL_NIF_TERM binary = enif_make_resource_binary(env, proxy, proxy->bytes(), proxy->size);
    const OwnEnv own; // the caller's needs no reference
    std::string encoded = EncodedTerm(own.env, enif_make_resource(own.env, proxy)).text();
    {
        const std::scoped_lock guard(lock_);
        binaries_.emplace(proxy->serial, std::move(encoded));
    }
    enif_release_resource(proxy);
    return binary;
}

const BinaryProxy* ResourceTable::find_binary(ErlNifEnv* env, ERL_NIF_TERM binary) {
    if (!has_binaries_.load(std::memory_order_relaxed))
        return nullptr;
    const ProxyResource* proxy = find_proxy(env, binary);
    return proxy != nullptr && proxy->is_binary ? static_cast<const BinaryProxy*>(proxy) : nullptr;
}

ERL_NIF_TERM ResourceTable::binary_again(ErlNifEnv* env, const Host& host, std::uint64_t serial,
                                         std::uint64_t address, std::uint64_t size) {
    const OwnEnv own;
    ProxyResource* found = nullptr;
    {
        const std::scoped_lock guard(lock_);
        const auto known = binaries_.find(serial);
        ERL_NIF_TERM reference;
        if (known != binaries_.end())
            found = revive_locked(own.env, known->second, serial, &reference);
    }
    if (found == nullptr || found->generation != host.generation())
        return 0;
    auto* proxy = static_cast<BinaryProxy*>(found);
    const std::uint64_t offset = address - proxy->address;
    if (offset > proxy->size || size > proxy->size - offset)
        return 0;
    return enif_make_resource_binary(env, proxy, proxy->bytes() + offset, size);
}

void ResourceTable::clear() {
    const std::scoped_lock guard(lock_);
    entries_.clear();
}

// On a scheduler, as auxiliary work: never waits.
void ResourceTable::on_collected(ErlNifEnv*, void* object) try {
    const ProxyResource proxy = *static_cast<ProxyResource*>(object);
    ResourceTable& table = proxy.group->resources();
    {
        const std::scoped_lock guard(table.lock_);
        const auto found = table.entries_.find(proxy.handle);
        if (proxy.is_binary)
            table.binaries_.erase(proxy.serial);
        else if (found != table.entries_.end() && found->second.serial == proxy.serial)
            table.entries_.erase(found);
    }
    proxy.group->monitors().proxy_collected(proxy);
    Host* host = proxy.group->current_host();
    if (host != nullptr && host->generation() == proxy.generation)
        static_cast<void>( // the next acquire ends a host that takes no events
            host->events().send(ipc::EventKind::Release, proxy.handle, proxy.generation));
} catch (const std::exception&) {
    // No memory for an event: the host's resource stays until the host goes.
}

} // namespace cordon::proxy
