// Ring of events from the BEAM to one host, about resources: the VM has a new proxy of a host
// resource (acquire) or has dropped one (release), or a process that a resource monitors is gone
// (down); and about the host's binaries that the VM holds in place. Written by the BEAM only; what
// the host has consumed it says in its own segment.
//
// Order: `tail` is stored with release after the entry; the host loads it with acquire. The host
// stores its `head` with release after it has read the entries; the BEAM's acquire load of it tells
// which entries it may overwrite. The BEAM checks that head <= tail and tail - head <= capacity: a
// host that lies gets no events or loses some, its own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace cordon::ipc {

enum class EventKind : std::uint64_t {
    Acquire = 1,       // handle
    Release = 2,       // handle
    Down = 3,          // the host's number of the monitor
    LetGo = 4,         // handle: a call that has moved kept it by an Acquire, and is over
    AcquireBinary = 5, // address of the block, as the owner word of a BinaryRef has it
    ReleaseBinary = 6, // the same
};

struct Event {
    EventKind kind;
    std::uint64_t subject;
};

inline constexpr std::uint64_t kEventCapacity = 32768;

struct EventRing {
    alignas(64) std::atomic<std::uint64_t> tail; // entries ever written
    std::atomic<std::uint32_t> bell;             // changes with the tail; futex word of the host
    std::uint32_t padding[13];
    std::array<Event, kEventCapacity> entries;
};
static_assert(sizeof(EventRing) == 64 + kEventCapacity * sizeof(Event));

} // namespace cordon::ipc
