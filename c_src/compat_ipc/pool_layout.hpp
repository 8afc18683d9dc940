// Where things lie in the two segments of a pool, and how many there are. Both sides are built with
// the same numbers (the build id in the handshake says so).
#pragma once

#include "compat_ipc/call_slot.hpp"
#include "compat_ipc/crash_record.hpp"
#include "compat_ipc/event_ring.hpp"

#include <cstddef>
#include <cstdint>

namespace cordon::ipc {

// Slots 0..kCallSlots-1 carry calls, one per BEAM thread that calls at the same time; the rest are
// channels that host threads without a call use for upcalls.
inline constexpr std::uint32_t kCallSlots = 480;
inline constexpr std::uint32_t kChannels = 32;
inline constexpr std::uint32_t kSlots = kCallSlots + kChannels;

inline constexpr std::uint64_t kArenaBytes = 8ULL << 20; // of one slot, in the BEAM segment
// Larger arguments go to chunks: memfds of their own, mapped by the host into fixed windows behind
// the BEAM segment, dropped whole after the call.
inline constexpr std::uint32_t kChunkWindows = 32;
inline constexpr std::uint64_t kChunkWindowBytes = 64ULL << 30;

struct BeamSegmentLayout {
    alignas(64) EventRing events;
    alignas(4096) RequestHalf requests[kSlots];
    // arenas follow at kArenasOffset
};

struct HostSegmentLayout {
    alignas(64) CrashRecord crash;
    alignas(64) std::atomic<std::uint64_t> events_head; // entries of the event ring consumed
    std::atomic<std::uint32_t> events_sleeping;         // 1: the event reader waits for its bell
    alignas(4096) ResponseHalf responses[kSlots];
    // the host's heap follows at kHostHeapOffset
};

inline constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t round_to_page(std::uint64_t n) {
    return (n + kPage - 1) & ~(kPage - 1);
}

inline constexpr std::uint64_t kArenasOffset = round_to_page(sizeof(BeamSegmentLayout));
inline constexpr std::uint64_t kBeamSegmentBytes = kArenasOffset + kSlots * kArenaBytes;
inline constexpr std::uint64_t kHostHeapOffset = round_to_page(sizeof(HostSegmentLayout));

// The host reserves one window of address space: BEAM segment first, chunk windows behind it.
inline constexpr std::uint64_t kChunksOffset =
    (kBeamSegmentBytes + (1ULL << 30) - 1) & ~((1ULL << 30) - 1);
inline constexpr std::uint64_t kBeamWindowBytes = kChunksOffset + kChunkWindows * kChunkWindowBytes;

constexpr std::uint64_t arena_offset(std::uint32_t slot) {
    return kArenasOffset + slot * kArenaBytes;
}
constexpr std::uint64_t chunk_offset(std::uint32_t window) {
    return kChunksOffset + window * kChunkWindowBytes;
}

} // namespace cordon::ipc
