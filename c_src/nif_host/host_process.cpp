#include "nif_host/host_process.hpp"

#include "compat_ipc/packet_socket.hpp"
#include "nif_host/callback_thread.hpp"
#include "nif_host/chunk_windows.hpp"
#include "nif_host/control_channel.hpp"
#include "nif_host/crash_handler.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <unistd.h>

namespace cordon::host {
namespace {

// The descriptors of the segments are closed here, before a byte of the library runs.
void map_pool(const ipc::Setup& setup, std::vector<Fd>& fds) {
    HostContext& host = context();
    Mapping window = reserve_window(ipc::kBeamWindowBytes);
    map_memory_at(window.data(), fds[ipc::kBeamFd].get(), ipc::kBeamSegmentBytes, Access::ReadOnly);
    Mapping segment =
        map_memory(fds[ipc::kHostFd].get(), setup.host_segment_bytes, Access::ReadWrite);
    Mapping atoms = map_memory(fds[ipc::kAtomFd].get(), setup.atom_segment_bytes, Access::ReadOnly);
    fds[ipc::kBeamFd].reset();
    fds[ipc::kHostFd].reset();
    fds[ipc::kAtomFd].reset();
    host.host_segment_bytes = setup.host_segment_bytes;
    host.beam_window = window.data();
    host.host_segment = segment.data();
    host.atoms.emplace(atoms.data());
    host.heap = std::make_unique<HostHeap>(segment.data() + ipc::kHostHeapOffset,
                                           setup.host_segment_bytes - ipc::kHostHeapOffset);
    host.heap->set_exhausted_handler([](std::size_t) {
        end_host(ipc::EndKind::Quota, static_cast<std::uint32_t>(ipc::QuotaKind::Memory));
    });
    host.stack_bytes = setup.stack_bytes;
    host.check_lifetimes = setup.check_lifetimes;
    host.system_info = setup.system_info;
    host.doorbell = fds[ipc::kDoorbellFd].release();
    // They live as long as the process.
    new Mapping(std::move(window));
    new Mapping(std::move(segment));
    new Mapping(std::move(atoms));
}

} // namespace

constinit HostContext the_context;

void run_host(std::vector<Fd>& fds, const Guard& guard) {
    try {
        const int control = fds[ipc::kControlFd].get();
        auto packet = ipc::receive_packet(control, 0, ipc::Wait::Yes);
        if (!packet)
            _exit(0);
        map_pool(ipc::Packet(packet->bytes).as<ipc::Setup>(), fds);
        // While there is one thread: all others inherit it.
        const std::array kept = {control, context().doorbell};
        GuardReport guarded = guard.confine(kept);
        install_crash_handler();
        start_callback_thread();
        start_event_reader();
        context().shared().crash.state.store(ipc::HostState::Running, std::memory_order_release);
        ipc::Ready ready;
        ready.beam_window = reinterpret_cast<std::uint64_t>(context().beam_window);
        ready.host_segment = reinterpret_cast<std::uint64_t>(context().host_segment);
        ready.guard = std::move(guarded.items);
        ready.guard_ns = guarded.nanoseconds;
        if (ipc::send_message(control, ready))
            serve_control(control);
        _exit(0); // the VM has closed the socket: no destructors of the library run, as at its halt
    } catch (const std::exception& error) {
        std::fprintf(stderr, "nif_host: %s\n", error.what());
        _exit(1);
    }
}

} // namespace cordon::host
