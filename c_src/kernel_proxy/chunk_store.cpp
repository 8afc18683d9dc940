#include "kernel_proxy/chunk_store.hpp"

#include "compat_ipc/packet_socket.hpp"

#include <system_error>

namespace cordon::proxy {

std::optional<Chunk> ChunkStore::create(std::uint64_t bytes) {
    const std::scoped_lock guard(lock_);
    std::uint32_t window = 0;
    while (window < ipc::kChunkWindows && used_[window])
        ++window;
    if (window == ipc::kChunkWindows || bytes > ipc::kChunkWindowBytes)
        return std::nullopt;
    try {
        const Fd fd = create_memory("cordon_chunk", bytes);
        Mapping mapping = map_memory(fd.get(), bytes, Access::ReadWrite);
        seal_beam_memory(fd.get());
        if (!ipc::send_message(control_.get(), ipc::MapChunk{window, bytes}, {fd.get()}))
            return std::nullopt;
        used_.set(window);
        ++sent_;
        return Chunk{std::move(mapping), window};
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

void ChunkStore::drop(Chunk chunk) {
    const std::uint64_t bytes = chunk.mapping.size();
    chunk.mapping.reset();
    const std::scoped_lock guard(lock_);
    ipc::send_message(control_.get(), ipc::DropChunk{chunk.window, bytes});
    used_.reset(chunk.window);
}

std::uint32_t ChunkStore::sent() {
    const std::scoped_lock guard(lock_);
    return sent_;
}

} // namespace cordon::proxy
