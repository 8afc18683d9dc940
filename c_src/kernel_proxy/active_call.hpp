// A call that is under way: everything but the scheduler it is on, which may change.
#pragma once

#include <atomic>
#include <cstdint>
#include <erl_nif.h>

namespace cordon::proxy {

class Host;
struct ModuleInstance;
struct Slot;

struct ActiveCall {
    ModuleInstance* instance = nullptr;
    Host* host = nullptr;
    Slot* slot = nullptr;
    std::uint64_t generation = 0;
    std::uint32_t function = 0;
    // It holds one of the dirty I/O schedulers that cordon may occupy.
    bool reserved = false;
    // What the library has asked for can be done on a normal scheduler only: no moving away before.
    bool needs_normal = false;
};

// A call on its way from one scheduler to the next; lives in its slot. Whoever changes `state` from
// UnderWay to Settled goes on with the call: the scheduler that it has come to, or the upcall
// thread when its process was killed on the way.
struct Move {
    enum class State { Settled, UnderWay };
    std::atomic<State> state{State::Settled};
    ActiveCall call{};
    bool mid_chain = false; // the next thing to do is to send Continue
    ErlNifPid caller{};
};

} // namespace cordon::proxy
