// Binaries whose bytes outlive one environment: a counted block in the host's heap.
//
// The owner word of a BinaryRef is one of: 0 (the bytes lie in the BEAM segment), the address of a
// BinaryBlock, or the word of the Binary in the same environment that the bytes belong to, with
// term::kBaseOwner set. The VM may hold references to a block too (option zero_copy).
#pragma once

#include "nif_host/enif/env.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cordon::host {

struct alignas(16) BinaryBlock {
    std::atomic<std::size_t> references;
    std::size_t capacity;
    std::size_t size; // as the last enif_alloc_binary or enif_realloc_binary said
    std::size_t reserved;
    unsigned char* bytes() { return reinterpret_cast<unsigned char*>(this + 1); }
};
static_assert(sizeof(BinaryBlock) == 32);

// Behind the bytes of a binary that a library may write. The VM has as many ("chicken pad"), and
// libraries live from them: sprintf of the last digits writes a zero behind the end.
inline constexpr std::size_t kSlackBytes = 8;

using term::kBaseOwner;
inline constexpr std::size_t kInlineBinaryBytes = 512; // larger ones get a block of their own

BinaryBlock* binary_block_create(std::size_t bytes); // with one reference
inline void binary_block_keep(BinaryBlock* block) {
    block->references.fetch_add(1, std::memory_order_relaxed);
}
// Events of the VM; `address` is that of a block.
void binary_block_acquired(std::uint64_t address);
void binary_block_released(std::uint64_t address);
void binary_block_release(BinaryBlock* block, ipc::Ending how = ipc::Ending::LastReference);

// Terms.
Word make_inline_binary(ErlNifEnv* env, const void* data, std::size_t size); // data may be nullptr
Word make_copied_binary(ErlNifEnv* env, const void* data, std::size_t size);
// Takes over one reference to the block.
Word make_block_binary(ErlNifEnv* env, BinaryBlock* block, const void* data, std::size_t size);

} // namespace cordon::host
