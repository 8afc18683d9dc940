#include "kernel_proxy/chunk_store.hpp"

#include "compat_ipc/packet_socket.hpp"
#include "kernel_proxy/background.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <system_error>
#include <utility>

namespace cordon::proxy {
namespace {

constexpr std::uint64_t kSpareBytes = 64ULL << 20;
constexpr std::chrono::seconds kSpareTime{1};

} // namespace

std::optional<Chunk> ChunkStore::create(std::uint64_t bytes) {
    const std::scoped_lock guard(lock_);
    if (spare_ && spare_->mapping.size() >= bytes)
        return std::exchange(spare_, std::nullopt);
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

bool ChunkStore::keep(Chunk& chunk) {
    const std::scoped_lock guard(lock_);
    if (spare_ || chunk.mapping.size() > kSpareBytes)
        return false;
    spare_ = std::move(chunk);
    const std::uint64_t number = ++spares_;
    boost::asio::post(housekeeping_thread(), [self = shared_from_this(), number] {
        auto timer = std::make_shared<boost::asio::steady_timer>(housekeeping_thread(), kSpareTime);
        timer->async_wait([self, timer, number](const auto&) { self->drop_spare(number); });
    });
    return true;
}

void ChunkStore::drop_spare(std::uint64_t number) {
    std::optional<Chunk> unused;
    {
        const std::scoped_lock guard(lock_);
        if (number == spares_)
            unused = std::exchange(spare_, std::nullopt);
    }
    if (unused)
        drop(std::move(*unused));
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
