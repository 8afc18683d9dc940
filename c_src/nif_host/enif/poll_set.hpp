// The epoll set of the host and the thread that waits for it, both made when they are first needed:
// most hosts never are.
#pragma once

#include <cstdint>

namespace cordon::host {

enum class PollOp { Add, Change, Remove };
enum class Arming : std::uint8_t {
    Once,  // one report, then silence until the next Change
    Edges, // a report for each new event: nothing is said again of a state that stays
};
enum class PollResult {
    Done,
    NotTaken, // what an epoll set doesn't take: a regular file, a descriptor that isn't open
    Failed,
};

// `events` are those of enif_select; errors are always reported.
PollResult poll_control(PollOp op, int fd, std::uint32_t generation, unsigned events,
                        Arming arming);

// What enif_select calls what epoll and poll report: hang-ups are errors.
unsigned select_events(std::uint32_t ready);

} // namespace cordon::host
