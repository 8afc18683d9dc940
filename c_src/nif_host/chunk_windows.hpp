// Chunks: argument memory beyond a slot's arena, each a memfd of its own, mapped read-only into its
// window behind the BEAM segment.
#pragma once

#include <cstdint>

namespace cordon::host {

// By the control thread.
void map_chunk(std::uint32_t window, int fd, std::uint64_t bytes);
void drop_chunk(std::uint32_t window, std::uint64_t bytes);

// By a worker: returns when this many chunks have been mapped since the start. The message travels
// ahead of the call, so the wait is short.
void await_chunks(std::uint32_t count);

} // namespace cordon::host
