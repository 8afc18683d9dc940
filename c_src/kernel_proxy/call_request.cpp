#include "kernel_proxy/call_request.hpp"

#include "kernel_proxy/background.hpp"
#include "kernel_proxy/vm_words.hpp"

#include <boost/asio/post.hpp>
#include <memory>
#include <vector>

namespace cordon::proxy {
namespace {

// Chunks are unmapped elsewhere: that can take milliseconds.
void drop_chunks(Host& host, Slot& slot) {
    if (!slot.arena.has_chunks())
        return;
    const auto store = host.chunks();
    auto chunks = std::make_shared<std::vector<Chunk>>(slot.arena.take_chunks());
    std::erase_if(*chunks, [&](Chunk& chunk) { return store->keep(chunk); });
    if (chunks->empty())
        return;
    boost::asio::post(housekeeping_thread(), [store, chunks] {
        for (Chunk& chunk : *chunks)
            store->drop(std::move(chunk));
    });
}

} // namespace

void hold_arguments(Host& host, Slot& slot) {
    if (!slot.held.empty())
        return;
    slot.held = slot.arena.take_held();
    bool taken = true;
    for (const HeldInHost& held : slot.held)
        taken &=
            host.events().send(held.kind == HeldInHost::Kind::Binary ? ipc::EventKind::AcquireBinary
                                                                     : ipc::EventKind::Acquire,
                               held.subject, host.generation());
    if (!taken) // else what waits for a host that answers but takes no events grows without end
        host.kill({HostEnd::Kind::Protocol, 0, "events_not_taken"});
}

void release_slot(Host& host, Slot& slot) {
    for (const HeldInHost& held : slot.held)
        static_cast<void>(host.events().send(held.kind == HeldInHost::Kind::Binary
                                                 ? ipc::EventKind::ReleaseBinary
                                                 : ipc::EventKind::LetGo,
                                             held.subject, host.generation()));
    slot.held.clear();
    drop_chunks(host, slot);
    host.give_back(slot);
}

void write_request(ErlNifEnv* env, Host& host, Slot& slot, std::uint8_t thread_type,
                   std::uint32_t instance, std::uint32_t function, int argc,
                   const ERL_NIF_TERM* argv, Large large) {
    ipc::RequestHalf& request = host.request(slot);
    slot.arena.restart();
    slot.instance.store(instance, std::memory_order_relaxed);
    slot.started = {};
    slot.turn_started = {};
    const auto count = static_cast<std::size_t>(argc);
    Word* arguments = request.args.data();
    if (count > ipc::kInlineArguments) {
        const auto block = slot.arena.allocate(count);
        arguments = block.local;
        request.args_address = block.address;
    }
    for (std::size_t i = 0; i < count; ++i)
        arguments[i] = export_term(env, argv[i], host, slot.arena, Stale::Throw, Funs::OfVm, large);
    request.caller_gone.store(0, std::memory_order_relaxed);
    request.thread_type = thread_type;
    request.argc = static_cast<std::uint16_t>(argc);
    request.function = function;
    request.instance = instance;
    ErlNifPid self;
    request.caller = enif_self(env, &self) != nullptr ? pid_word(self) : 0;
    host.events().flush();
    request.event_mark = host.events().mark();
    // The second cache line is written only when it changes: a hot worker keeps its copy.
    if (request.chunks != slot.arena.chunks_sent())
        request.chunks = slot.arena.chunks_sent();
}

} // namespace cordon::proxy
