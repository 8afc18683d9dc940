// Argument memory beyond a slot's arena: memfds of their own, one per window, dropped whole after
// the call. (The BEAM segment itself can't give pages back: its seal forbids punching to
// everybody.)
#pragma once

#include "compat_ipc/pool_layout.hpp"
#include "shared_heap/memory_segment.hpp"

#include <bitset>
#include <cstdint>
#include <mutex>
#include <optional>

namespace cordon::proxy {

struct Chunk {
    Mapping mapping;
    std::uint32_t window = 0;
};

class ChunkStore {
  public:
    // For a new host: `control` is its control socket, which must outlive the use of this.
    void reset(int control);
    // nullopt when all windows are in use, memory or the host is gone.
    std::optional<Chunk> create(std::uint64_t bytes);
    // Tells the host and unmaps.
    void drop(Chunk chunk);
    // Chunk messages sent so far; a request that needs a chunk carries this.
    std::uint32_t sent();

  private:
    std::mutex lock_;
    int control_ = -1;
    std::bitset<ipc::kChunkWindows> used_;
    std::uint32_t sent_ = 0;
};

} // namespace cordon::proxy
