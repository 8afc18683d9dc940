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

class Host;
class Library;

void set_observer(const ErlNifPid& pid);

void report_host_started(const Host& host);
struct HostDown {
    std::uint64_t host;
    pid_t os_pid;
    std::uint64_t generation;
    std::chrono::milliseconds age;
    std::vector<std::uint32_t> calls;  // functions in flight, the one that ended it first
    std::vector<std::uint64_t> frames; // see HostEnd::read_frames
};
void report_host_down(const Library& library, const HostDown& down, const HostEnd& end);
// True when somebody takes it and will acknowledge; false when it has been dealt with.
bool report_output(const Library& library, std::uint64_t host, std::string_view bytes);
// `name`: an atom.
void report_unsupported(const Host& host, std::uint32_t function, ERL_NIF_TERM name);
void report_keeper_down();

} // namespace cordon::proxy
