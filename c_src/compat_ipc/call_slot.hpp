// The place through which one call at a time travels.
//
// Every slot has a request half (in the BEAM segment: only the BEAM writes it) and a response half
// (in the host segment: only the host writes it). The two sides alternate strictly:
//
//   BEAM: writes the request, then request.seq = s          (release; partner: worker's acquire)
//   host: serves it, writes the response, response.seq = s  (release; partner: BEAM's acquire)
//
// A sequence word carries the kind of the request beside its count, so that both arrive at once. A
// response is either final (Ok, Raise, ...) or an upcall; the BEAM answers an upcall with the next
// request (kind Answer) and goes on waiting. After a final response whose term lies in memory the
// BEAM sends Done once it has imported the term: until then the host keeps the call's environment.
// Done and Abandon have no response: the next request may overtake them, so they consist of the
// sequence word alone, and a Call implies them.
//
// The upper bit of response.seq is set by a dying host, so that a waiter can't miss its death.
// Host-initiated channels (library threads, callbacks) use the same two halves: the host writes an
// upcall and rings the doorbell of the pool, the BEAM's upcall thread answers with kind Answer.
#pragma once

#include "shared_heap/term.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace cordon::ipc {

using term::Word;

enum class RequestKind : std::uint8_t {
    None = 0,
    Call = 1,    // function = index in the library's table
    Load = 2,    // function = number of the library, args[0] = load info -> Ok with LoadAnswer
    Upgrade = 3, // as Load; `old_instance` is the one that is replaced
    Unload = 4,  // the instance is forgotten; the last one unmaps the library -> Ok with 0, or with
                 // kStillInUse: nothing was done
    Continue = 5,      // next step of an enif_schedule_nif chain
    Answer = 6,        // to the upcall that the response half holds
    Done = 7,          // the final response has been imported
    Abandon = 8,       // a chain's next step will never be asked for: forget it (as Done)
    OnHalt = 9,        // the VM halts: what the instance has set for that -> Ok with 0
    UnloadThread = 10, // the instance is about to be unloaded: what it has set for each thread ->
                       // Ok with 0
};

// To Load and Upgrade, as a small integer: what the library's function has returned, and what it
// has set by enif_set_option.
struct LoadAnswer {
    static constexpr std::uint32_t kDelayHalt = 1;
    static constexpr std::uint32_t kOnHalt = 2;
    static constexpr std::uint32_t kOnUnloadThread = 4;

    std::int32_t code = 0;
    std::uint32_t options = 0;

    constexpr std::int64_t to_small() const {
        return static_cast<std::int64_t>(options) << 32 | static_cast<std::uint32_t>(code);
    }
    static constexpr LoadAnswer of_small(std::int64_t value) {
        return {static_cast<std::int32_t>(value),
                static_cast<std::uint32_t>(value >> 32) & (kDelayHalt | kOnHalt | kOnUnloadThread)};
    }
};

// To Unload: there are resources that its callbacks are for, or one of them runs.
inline constexpr int kStillInUse = 1;

enum class ResponseStatus : std::uint32_t {
    None = 0,
    Ok = 1,          // term: the result
    Raise = 2,       // term: the reason of an error exception
    Upcall = 3,      // upcall_op, upcall_args
    Reschedule = 4,  // enif_schedule_nif; term: small integer, the flags given to it
    Unsupported = 5, // term: atom, a function that can't be used in a host, which ends
};

// What calls an enif_* makes of the VM while it runs. Arguments are words; text is (address in the
// host segment, length). Answers are in RequestHalf::answer.
enum class Upcall : std::uint32_t {
    MakeAtom = 1,             // (address, bytes of UTF-8) -> atom or 0 when the quota is used up
    ExistingAtom = 2,         // (address, bytes of UTF-8) -> atom or 0
    MakeRef = 3,              // () -> term
    Send = 4,                 // (pid, term, has a message environment) -> 0 | 1
    ConsumeTimeslice = 5,     // (percent) -> 0 | 1
    IsProcessAlive = 6,       // (pid) -> 0 | 1
    IsPortAlive = 7,          // (port) -> 0 | 1
    WhereisPid = 8,           // (atom) -> pid or 0
    WhereisPort = 9,          // (atom) -> port or 0
    MonotonicTime = 10,       // (unit) -> time
    TimeOffset = 11,          // (unit) -> time
    NowTime = 12,             // () -> term
    UniqueInteger = 13,       // (properties) -> term
    TermToBinary = 14,        // (term) -> Binary term or 0
    BinaryToTerm = 15,        // (address, bytes, options) -> term or 0, bytes consumed
    Hash = 16,                // (type, salt, term) -> hash
    Compare = 17,             // (term, term) -> signed number: <0, 0, >0
    Print = 41,               // (term, room, precision or -1) -> Binary term, what snprintf says
    MapOrder = 42,            // (map of key => number) -> Binary term: the numbers, 32 bits each
    PortCommand = 18,         // (port, term) -> 0 | 1
    CurrentProcessAlive = 19, // () -> 0 | 1
    GetEnv = 20,              // (address, bytes of name) -> Binary term or 0
    // Monitors: the number of one is the host's. A number that is monitored already stays so.
    Monitor = 21,     // (handle, pid, number, 1: anchor) -> MonitorAnswer, identity (2 words), seal
    Demonitor = 22,   // (number) -> 0
    MonitorTerm = 23, // (identity (2 words), its seal) -> reference, or 0
    Anchor = 24,      // (handle) -> MonitorAnswer
    DropAnchor = 25,  // (handle) -> 0
};

// To Upcall::Monitor and Upcall::Anchor.
enum class MonitorAnswer : std::uint64_t {
    Made = 0,
    Anchored = 1, // and from now on the VM's proxy is kept, whether or not Erlang has a term of it
    NoProcess = 2,
};

inline constexpr std::size_t kInlineArguments = 4;
inline constexpr std::size_t kUpcallArguments = 4;
inline constexpr std::size_t kAnswerWords = 4;

// Written by the BEAM only.
struct alignas(64) RequestHalf {
    std::atomic<std::uint32_t> seq;        // doorbell; the worker parks on it
    std::atomic<std::uint8_t> caller_gone; // 1: the calling process has died during the call
    std::uint8_t thread_type; // as enif_thread_type(): 1 normal, 2 dirty CPU, 3 dirty I/O
    std::uint16_t argc;
    std::uint32_t function;
    std::uint32_t instance; // module instance, counted by the BEAM
    std::uint64_t caller;   // pid word, 0 where there is no calling process
    std::array<Word, kInlineArguments> args;
    std::uint64_t event_mark; // the worker first lets the event ring get this far (destructors)
    // second cache line: seldom written during hot calls
    Word args_address;               // host address of the arguments when argc > kInlineArguments
    std::atomic<std::uint32_t> spin; // 1: the worker may spin for its next request, 0: park
    std::uint32_t chunks;            // how many chunk messages the host must have handled before
    std::uint32_t old_instance;      // Upgrade only
    std::atomic<std::uint32_t> waiting; // 1: a BEAM thread sleeps on response.seq and wants a wake
    std::array<Word, kAnswerWords> answer;
    std::atomic<std::uint32_t> coming; // 1: a request with much to it is being written
    // When a parked worker was woken: steady clock in ns, the lower bits.
    std::atomic<std::uint32_t> rung_at;
};
static_assert(sizeof(RequestHalf) == 128);
static_assert(sizeof(std::atomic<std::uint32_t>) == 4 &&
              std::atomic<std::uint32_t>::is_always_lock_free);

inline constexpr std::uint32_t kDeadBit = 0x8000'0000;
inline constexpr std::uint32_t kSeqMask = 0x7FFF'FFFF;

// Sequence word: count in bits 4 to 30, kind in bits 0 to 3.
constexpr std::uint32_t next_seq(std::uint32_t last, RequestKind kind) {
    return (((last >> 4) + 1) << 4 | static_cast<std::uint32_t>(kind)) & kSeqMask;
}
// How many requests lie between two of them.
constexpr std::uint32_t count_between(std::uint32_t earlier, std::uint32_t later) {
    return (((later >> 4) - (earlier >> 4)) << 4 & kSeqMask) >> 4;
}
constexpr RequestKind kind_of(std::uint32_t seq) {
    return static_cast<RequestKind>(seq & 0xF);
}

// Written by the host only. The BEAM reads every field once and trusts none.
struct alignas(64) ResponseHalf {
    std::atomic<std::uint32_t> seq; // echo of the request's; a waiting BEAM thread sleeps on it
    ResponseStatus status;
    Word term;
    std::uint32_t needs_done; // 1: the host keeps the environment until Done
    Upcall upcall;
    std::array<Word, kUpcallArguments> upcall_args;
    std::uint64_t reserved_line;
    // second cache line: written when the worker parks only, so that a hot caller's copy stays
    // valid
    std::atomic<std::uint32_t> parked; // 1: the worker sleeps on request.seq and wants a wake
    std::uint32_t padding;
    std::uint64_t reserved[7];
};
static_assert(sizeof(ResponseHalf) == 128);

} // namespace cordon::ipc
