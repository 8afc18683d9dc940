// Argument memory beyond a slot's arena: memfds of their own, one per window, dropped whole after
// the call. One is kept for a second in case another call needs it: to touch new memory takes ten
// times as long as to copy there. (The BEAM segment itself can't give pages back: its seal forbids
// punching to everybody.)
#pragma once

#include "compat_ipc/pool_layout.hpp"
#include "shared_heap/memory_segment.hpp"

#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace cordon::proxy {

struct Chunk {
    Mapping mapping;
    std::uint32_t window = 0;
};

// One per host process: a chunk may be dropped after that process has gone.
class ChunkStore : public std::enable_shared_from_this<ChunkStore> {
  public:
    // `control`: a duplicate of the host's control socket.
    explicit ChunkStore(Fd control) : control_(std::move(control)) {}
    // nullopt when all windows are in use, memory or the host is gone.
    std::optional<Chunk> create(std::uint64_t bytes);
    // True when it was taken, to be used again or dropped soon.
    bool keep(Chunk& chunk);
    // Tells the host and unmaps.
    void drop(Chunk chunk);
    // Chunk messages sent so far; a request that needs a chunk carries this.
    std::uint32_t sent();

  private:
    void drop_spare(std::uint64_t number);

    std::mutex lock_;
    std::optional<Chunk> spare_;
    std::uint64_t spares_ = 0; // ever
    const Fd control_;
    std::bitset<ipc::kChunkWindows> used_;
    std::uint32_t sent_ = 0;
};

} // namespace cordon::proxy
