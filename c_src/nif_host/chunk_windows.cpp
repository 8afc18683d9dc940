#include "nif_host/chunk_windows.hpp"

#include "nif_host/host_context.hpp"
#include "shared_heap/memory_segment.hpp"

#include <atomic>

namespace cordon::host {
namespace {

std::atomic<std::uint32_t> mapped{0}; // release by the control thread, acquire by workers

void* window_address(std::uint32_t window) {
    return const_cast<char*>(context().beam_window) + ipc::chunk_offset(window);
}

} // namespace

void map_chunk(std::uint32_t window, int fd, std::uint64_t bytes) {
    map_memory_at(window_address(window), fd, bytes, Access::ReadOnly);
    mapped.fetch_add(1, std::memory_order_release);
    mapped.notify_all();
}

void drop_chunk(std::uint32_t window, std::uint64_t bytes) {
    unmap_window(window_address(window), bytes);
}

void await_chunks(std::uint32_t count) {
    for (std::uint32_t seen = mapped.load(std::memory_order_acquire);
         static_cast<std::int32_t>(seen - count) < 0; seen = mapped.load(std::memory_order_acquire))
        mapped.wait(seen, std::memory_order_acquire);
}

} // namespace cordon::host
