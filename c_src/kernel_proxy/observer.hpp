// Events for the Erlang side: {cordon_event, Name, Map} messages to the process that asked for
// them. Without one, events go nowhere and what hosts print goes to the VM's standard error.
#pragma once

#include "kernel_proxy/host_end.hpp"

#include <chrono>
#include <cstdint>
#include <erl_nif.h>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::proxy {

struct FunctionState;
class Group;
class Host;
class Library;

void set_observer(const ErlNifPid& pid);

// Whose host it is, as events and cordon_nif:hosts/0 tell: `module` and `library` of the first one
// loaded, `modules` of all, `group` when it has a name.
void put_group(ErlNifEnv* env, const Group& group, ERL_NIF_TERM* map);

void report_host_started(const Host& host);
struct HostDown {
    std::uint64_t host;
    pid_t os_pid;
    std::uint64_t generation;
    std::chrono::milliseconds age;
    std::vector<const FunctionState*> calls; // in flight, the one that ended it first
    std::vector<std::uint64_t> frames;       // see HostEnd::read_frames
};
void report_host_down(const Group& group, const HostDown& down, const HostEnd& end);
// True when somebody takes it and will acknowledge; false when it has been dealt with.
bool report_output(const Group& group, std::uint64_t host, std::string_view bytes);
// `name`: an atom.
void report_unsupported(const Host& host, const Library& library, std::uint32_t function,
                        ERL_NIF_TERM name);
void report_keeper_down();
// A part of the guard that this machine lacks. False when nobody took it.
bool report_guard_missing(const char* part, const std::string& text);

} // namespace cordon::proxy
