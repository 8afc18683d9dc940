// Where the arguments of one call are written: the slot's arena in the BEAM segment first, then
// chunks. What is written carries addresses of the host's address space.
#pragma once

#include "kernel_proxy/chunk_store.hpp"
#include "shared_heap/term.hpp"

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace cordon::proxy {

using term::Word;

// The argument is larger than what a call can carry.
struct ArgumentsTooLarge : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct HeldInHost {
    enum class Kind { Resource, Binary };
    Kind kind;
    std::uint64_t subject; // handle; address of a block
};

class ArgumentArena {
  public:
    // `local`: the slot's arena as the BEAM maps it; `window`: the host's address of the BEAM
    // segment.
    // `announce` is called when much has been written since a restart, and more will be.
    void attach(char* local, std::uint64_t arena_offset, std::uint64_t window, ChunkStore* chunks,
                std::function<void()> announce = {});

    // For the next call; chunks of the last one must have been taken.
    void restart();
    std::vector<Chunk> take_chunks() { return std::move(chunks_); }
    bool has_chunks() const { return !chunks_.empty(); }
    std::uint32_t chunks_sent() const { return chunks_sent_; }

    struct Block {
        Word* local;  // to write to
        Word address; // of the same in the host
    };
    // Room for an object; throws ArgumentsTooLarge.
    Block allocate(std::uint64_t words) {
        const std::uint64_t bytes = words * sizeof(Word);
        if (bytes > static_cast<std::uint64_t>(end_ - next_))
            make_room(bytes);
        auto* local = reinterpret_cast<Word*>(next_);
        next_ += bytes;
        return {local, reinterpret_cast<Word>(local) + delta_};
    }

    // What of the host's is in what was written since the restart: the VM keeps that for the
    // caller.
    void note(const HeldInHost& held) { held_.push_back(held); }
    std::vector<HeldInHost> take_held() { return std::exchange(held_, {}); }

    // Bytes written since the restart.
    std::uint64_t used() const;

    // A range of host addresses that the host may name in a result: as the BEAM maps it, or
    // nullptr.
    const char* locate(Word address, std::uint64_t bytes) const;

  private:
    void make_room(std::uint64_t bytes);
    void add_chunk(std::uint64_t bytes);

    char* local_ = nullptr;
    char* next_ = nullptr;
    char* end_ = nullptr;     // or where the announcement is due
    char* current_ = nullptr; // start of the arena or chunk that next_ is in
    Word delta_ = 0;          // host address - local address, there
    Word window_ = 0;
    std::uint64_t arena_offset_ = 0;
    std::uint64_t used_before_ = 0; // in earlier chunks and the arena
    std::uint32_t chunks_sent_ = 0;
    bool announcement_due_ = false;
    std::function<void()> announce_;
    ChunkStore* store_ = nullptr;
    std::vector<Chunk> chunks_;
    std::vector<HeldInHost> held_;
};

} // namespace cordon::proxy
