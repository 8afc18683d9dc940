// What a dying host says of its own end, in its own segment: written by its crash handler (async
// signal safe), read once and checked by the BEAM. Publication is `state`, stored with release
// after the rest; the BEAM loads it with acquire.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace cordon::ipc {

enum class HostState : std::uint32_t {
    Starting = 0,
    Running = 1,
    Dying = 2, // `end` is valid, frames may still be on their way
    Dead = 3,  // record complete
};

enum class EndKind : std::uint32_t {
    None = 0,
    Signal = 1,      // code = signal number
    Exit = 2,        // code = exit status; exit() or return from main
    Quota = 3,       // code = QuotaKind
    Unsupported = 4, // outside of a call one was called that can't be used in a host
    LateUse = 5,     // code = Ending; with frames
};

// What has ended the life of a term, a binary or an environment that was used after that.
enum class Ending : std::uint32_t {
    ClearEnv = 1,
    FreeEnv = 2,
    Return = 3, // of the call or callback
    ReleaseBinary = 4,
    LastReference = 5,
};

enum class QuotaKind : std::uint32_t { Memory = 1, Atoms = 2, Monitors = 3 };

inline constexpr std::size_t kMaxFrames = 32;

struct CrashRecord {
    std::atomic<HostState> state;
    EndKind end;
    std::uint32_t code;
    std::uint32_t slot; // that the dying thread served, ~0 if none
    std::uint64_t fault_address;
    std::uint64_t instruction;
    std::uint32_t frame_count;
    std::uint32_t padding;
    std::array<std::uint64_t, kMaxFrames> frames; // return addresses in the host
};

} // namespace cordon::ipc
