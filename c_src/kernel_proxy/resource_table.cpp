#include "kernel_proxy/resource_table.hpp"

#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/term_import.hpp"

#include <algorithm>

namespace cordon::proxy {

ErlNifResourceType* ResourceTable::open_type(ErlNifEnv* env) {
    ErlNifResourceTypeInit callbacks{};
    callbacks.dtor = &ResourceTable::on_collected;
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

const ProxyResource* ResourceTable::find_of_any_type(ErlNifEnv* env, ERL_NIF_TERM term) const {
    void* object = nullptr;
    for (const auto& [library, type] : types_)
        if (enif_get_resource(env, term, type, &object) != 0)
            return static_cast<const ProxyResource*>(object);
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

ERL_NIF_TERM ResourceTable::make_reference(ErlNifEnv* env, Host& host, std::uint64_t handle) {
    const std::scoped_lock guard(lock_);
    if (types_.empty()) // its module is being unloaded; the VM may have freed the type
        throw ProtocolViolation("resource_without_module");
    if (const auto found = entries_.find(handle); found != entries_.end()) {
        const std::string& encoded = found->second.encoded;
        ERL_NIF_TERM reference;
        if (enif_binary_to_term(env, reinterpret_cast<const unsigned char*>(encoded.data()),
                                encoded.size(), &reference, 0) != 0) {
            const ProxyResource* proxy = find_of_any_type(env, reference);
            if (proxy != nullptr && proxy->serial == found->second.serial)
                return reference;
        }
    }
    // The type that is there longest: a module that is just being loaded may be refused.
    ErlNifResourceType* type = types_.front().second;
    auto* proxy = static_cast<ProxyResource*>(enif_alloc_resource(type, sizeof(ProxyResource)));
    *proxy = {&host.group(), host.generation(), handle, ++last_serial_};
    const ERL_NIF_TERM reference = enif_make_resource(env, proxy);
    enif_release_resource(proxy);
    ErlNifBinary encoded;
    if (enif_term_to_binary(env, reference, &encoded) != 0) {
        entries_[handle] = {proxy->serial,
                            {reinterpret_cast<const char*>(encoded.data), encoded.size}};
        enif_release_binary(&encoded);
    }
    if (!host.events().send(ipc::EventKind::Acquire, handle, host.generation()))
        throw ProtocolViolation("events_not_taken");
    return reference;
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
        if (found != table.entries_.end() && found->second.serial == proxy.serial)
            table.entries_.erase(found);
    }
    Host* host = proxy.group->current_host();
    if (host != nullptr && host->generation() == proxy.generation)
        static_cast<void>( // the next acquire ends a host that takes no events
            host->events().send(ipc::EventKind::Release, proxy.handle, proxy.generation));
} catch (const std::exception&) {
    // No memory for an event: the host's resource stays until the host goes.
}

} // namespace cordon::proxy
