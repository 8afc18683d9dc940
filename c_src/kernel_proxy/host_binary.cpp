#include "kernel_proxy/host_binary.hpp"

#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/term_import.hpp"

#include <atomic>
#include <memory>
#include <new>
#include <utility>

namespace cordon::proxy {
namespace {

std::atomic<ErlNifResourceType*> type{nullptr};

struct HostBinary {
    std::shared_ptr<HostSegment> segment;
    Group* group;
    std::uint64_t generation;
    term::Word block;
    std::uint64_t size;
};

// On a scheduler, as auxiliary work: never waits.
void on_collected(ErlNifEnv*, void* object) try {
    auto* collected = static_cast<HostBinary*>(object);
    const HostBinary binary = std::move(*collected); // lets go of the segment, whatever is thrown
    std::destroy_at(collected);
    binary.segment->let_go(binary.block, binary.size);
    Host* host = binary.group->current_host();
    if (host != nullptr && host->generation() == binary.generation)
        static_cast<void>( // the next acquire ends a host that takes no events
            host->events().send(ipc::EventKind::ReleaseBinary, binary.block, binary.generation));
} catch (const std::exception&) {
    // No memory for an event: the host's block stays until the host goes.
}

} // namespace

void open_host_binary_type(ErlNifEnv* env) {
    type.store(enif_open_resource_type(
                   env, nullptr, "cordon_host_binary", &on_collected,
                   static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER),
                   nullptr),
               std::memory_order_release);
}

ERL_NIF_TERM make_host_binary(ErlNifEnv* env, Host& host, term::Word block, term::Word address,
                              std::uint64_t size) {
    ErlNifResourceType* opened = type.load(std::memory_order_acquire);
    const char* bytes = host.locate(address, size);
    if (opened == nullptr || bytes == nullptr || !host.segment()->hold(block, size))
        return 0;
    // First: nobody takes the proxy of a host that is refused.
    if (!host.events().send(ipc::EventKind::AcquireBinary, block, host.generation())) {
        host.segment()->let_go(block, size);
        throw ProtocolViolation("events_not_taken");
    }
    void* memory = enif_alloc_resource(opened, sizeof(HostBinary));
    auto* binary =
        new (memory) HostBinary{host.segment(), &host.group(), host.generation(), block, size};
    const ERL_NIF_TERM term = enif_make_resource_binary(env, binary, bytes, size);
    enif_release_resource(binary);
    return term;
}

} // namespace cordon::proxy
