#include "kernel_proxy/resource_table.hpp"

#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/term_import.hpp"

namespace cordon::proxy {

ErlNifResourceType* ResourceTable::open_type(ErlNifEnv* env) {
    ErlNifResourceTypeInit callbacks{};
    callbacks.dtor = &ResourceTable::on_collected;
    return enif_open_resource_type_x(
        env, "cordon_resource", &callbacks,
        static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER), nullptr);
}

ERL_NIF_TERM ResourceTable::make_reference(ErlNifEnv* env, Host& host, std::uint64_t handle) {
    Library& library = host.library();
    const std::scoped_lock guard(lock_);
    ErlNifResourceType* type = library.resource_type();
    if (const auto found = entries_.find(handle); found != entries_.end()) {
        const std::string& encoded = found->second.encoded;
        ERL_NIF_TERM reference;
        void* object = nullptr;
        if (enif_binary_to_term(env, reinterpret_cast<const unsigned char*>(encoded.data()),
                                encoded.size(), &reference, 0) != 0 &&
            enif_get_resource(env, reference, type, &object) != 0 &&
            static_cast<ProxyResource*>(object)->serial == found->second.serial)
            return reference;
    }
    auto* proxy = static_cast<ProxyResource*>(enif_alloc_resource(type, sizeof(ProxyResource)));
    *proxy = {&library, host.generation(), handle, ++last_serial_};
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
    ResourceTable& table = proxy.library->resources();
    {
        const std::scoped_lock guard(table.lock_);
        const auto found = table.entries_.find(proxy.handle);
        if (found != table.entries_.end() && found->second.serial == proxy.serial)
            table.entries_.erase(found);
    }
    Host* host = proxy.library->current_host();
    if (host != nullptr && host->generation() == proxy.generation)
        static_cast<void>( // the next acquire ends a host that takes no events
            host->events().send(ipc::EventKind::Release, proxy.handle, proxy.generation));
} catch (const std::exception&) {
    // No memory for an event: the host's resource stays until the host goes.
}

} // namespace cordon::proxy
