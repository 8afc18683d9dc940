// What all parts of a host process use: set up once after the fork, before the library is loaded.
#pragma once

#include "compat_ipc/pool_layout.hpp"
#include "shared_heap/atom_table.hpp"
#include "shared_heap/host_heap.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace cordon::host {

struct HostContext {
    const char* beam_window = nullptr; // kBeamWindowBytes of address space, read-only
    char* host_segment = nullptr;
    std::uint64_t host_segment_bytes = 0;
    std::optional<AtomTableView> atoms;
    std::unique_ptr<HostHeap> heap;
    std::uint64_t stack_bytes = 8ULL << 20; // of workers and callback thread
    bool check_lifetimes = false;           // lifetime_check
    std::vector<char> system_info;          // ErlNifSysInfo of the VM, then its two strings
    int doorbell = -1;                      // pipe: an upcall waits in a channel

    const ipc::BeamSegmentLayout& beam() const {
        return *reinterpret_cast<const ipc::BeamSegmentLayout*>(beam_window);
    }
    ipc::HostSegmentLayout& shared() const {
        return *reinterpret_cast<ipc::HostSegmentLayout*>(host_segment);
    }
    const ipc::RequestHalf& request(std::uint32_t slot) const { return beam().requests[slot]; }
    ipc::ResponseHalf& response(std::uint32_t slot) const { return shared().responses[slot]; }
};

// The one of this process. Not made on first use: every function of the API asks for it.
extern constinit HostContext the_context;
inline HostContext& context() {
    return the_context;
}

// Ends the host at once with this reason published; for what the C API has no error value for.
[[noreturn]] void end_host(ipc::EndKind end, std::uint32_t code);

// Ends the current call with error:{enif_unsupported, Name} and then the host (the library is in
// the middle of a function that can't be finished).
[[noreturn]] void end_unsupported(const char* function);

// Index of the slot that this thread serves a call of; -1 on other threads.
int current_slot();

} // namespace cordon::host
