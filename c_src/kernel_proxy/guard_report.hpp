// What hosts have said of their guard (c_src/nif_host/guard): kept for cordon:info/0, and told once
// in the life of the VM for each part that is missing.
#pragma once

#include "compat_ipc/control_message.hpp"

#include <cstdint>
#include <erl_nif.h>
#include <vector>

namespace cordon::proxy {

// From each host, before a library runs in it.
void note_guard(const std::vector<ipc::GuardItem>& items, std::uint64_t nanoseconds);

// #{holds := [Part], missing := [{Part, Text}], confined_ns := Nanoseconds}, of the host that
// started last; all empty before the first one.
ERL_NIF_TERM guard_term(ErlNifEnv* env);

} // namespace cordon::proxy
