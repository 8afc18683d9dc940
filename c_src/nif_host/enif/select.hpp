// Descriptors that a library waits for with enif_select, each with the resource that contains it.
//
// One table entry per descriptor, guarded by one lock that nobody holds while a message is sent, a
// callback runs or a reference is dropped. The states are those that libraries see in the VM, also
// where a library errs (a descriptor closed before it was stopped): `events` is what was asked for
// and has not come, `active` what of it the poll set knows.
#pragma once

#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/poll_set.hpp"
#include "shared_heap/term.hpp"

#include <array>
#include <cstdint>
#include <memory>

namespace cordon::host {

struct Resource; // resource.hpp

// Whom to tell when an event comes, and what.
struct Notice {
    bool wanted = false;
    bool custom = false; // `message` is all of the message; else it is the Ref in {select,...}
    term::Word pid = 0;
    term::Word message = 0;
    std::shared_ptr<ErlNifEnv> holds; // what `message` lies in
};

enum class Relation : std::uint8_t {
    None,
    Selected, // contained in `resource`, which has a reference more for it
    Stopping, // so too, and its stop callback is queued
};

inline constexpr std::array<unsigned, 3> kEventBits = {ERL_NIF_SELECT_ERROR, ERL_NIF_SELECT_READ,
                                                       ERL_NIF_SELECT_WRITE}; // as they are told

struct SelectedFd {
    Relation relation = Relation::None;
    bool wants_errors = false; // an error was selected since the relation began: then it is told as
                               // such, else as whatever was selected
    bool unpollable = false;   // no poll set takes it: always ready (files), or not open
    Arming arming = Arming::Once;
    std::uint32_t generation = 0; // of the relation: events of one before mean nothing
    unsigned events = 0;
    unsigned active = 0;
    Resource* resource = nullptr;
    std::array<Notice, kEventBits.size()> notices; // in the order of kEventBits
};

// By the poll thread: `ready` are epoll's bits.
void select_ready(int fd, std::uint32_t generation, std::uint32_t ready);

} // namespace cordon::host
