#include "kernel_proxy/argument_arena.hpp"

#include <algorithm>

namespace cordon::proxy {
namespace {

// To write the rest takes about as long as to wake a worker.
constexpr std::uint64_t kMuch = 32 << 10;
constexpr std::uint64_t kFirstChunk = 64ULL << 20; // sparse: only what is written gets memory

} // namespace

void ArgumentArena::attach(char* local, std::uint64_t arena_offset, std::uint64_t window,
                           ChunkStore* chunks, std::function<void()> announce) {
    local_ = local;
    arena_offset_ = arena_offset;
    window_ = window;
    store_ = chunks;
    announce_ = std::move(announce);
    chunks_.clear();
    chunks_sent_ = 0;
    restart();
}

void ArgumentArena::restart() {
    current_ = next_ = local_;
    announcement_due_ = announce_ != nullptr;
    end_ = local_ + (announcement_due_ ? kMuch : ipc::kArenaBytes);
    delta_ = window_ + arena_offset_ - reinterpret_cast<Word>(local_);
    used_before_ = 0;
    held_.clear();
}

std::uint64_t ArgumentArena::used() const {
    return used_before_ + static_cast<std::uint64_t>(next_ - current_);
}

void ArgumentArena::make_room(std::uint64_t bytes) {
    if (announcement_due_) {
        announcement_due_ = false;
        end_ = local_ + ipc::kArenaBytes;
        announce_();
    }
    if (bytes > static_cast<std::uint64_t>(end_ - next_))
        add_chunk(bytes);
}

void ArgumentArena::add_chunk(std::uint64_t bytes) {
    // Each chunk is at least as large as all before it: few of them, whatever the size of the term.
    const std::uint64_t wanted = std::max({kFirstChunk, 2 * used(), ipc::round_to_page(bytes)});
    auto chunk = store_->create(wanted);
    if (!chunk)
        throw ArgumentsTooLarge("no room for an argument of more than " + std::to_string(used()) +
                                " bytes");
    used_before_ = used();
    chunks_sent_ = store_->sent();
    current_ = next_ = chunk->mapping.data();
    end_ = next_ + chunk->mapping.size();
    delta_ = window_ + ipc::chunk_offset(chunk->window) - reinterpret_cast<Word>(next_);
    chunks_.push_back(std::move(*chunk));
}

const char* ArgumentArena::locate(Word address, std::uint64_t bytes) const {
    const auto inside = [&](Word start, std::uint64_t size) {
        const Word offset = address - start;
        return offset <= size && bytes <= size - offset;
    };
    const Word arena = window_ + arena_offset_;
    if (inside(arena, ipc::kArenaBytes))
        return local_ + (address - arena);
    for (const Chunk& chunk : chunks_) {
        const Word start = window_ + ipc::chunk_offset(chunk.window);
        if (inside(start, chunk.mapping.size()))
            return chunk.mapping.data() + (address - start);
    }
    return nullptr;
}

} // namespace cordon::proxy
