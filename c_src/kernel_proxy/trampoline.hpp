// Hop 1: which function was called can only be told by the function pointer that the VM has called,
// so there is one trampoline per index; the library comes from the private data.
#pragma once

#include <cstdint>
#include <erl_nif.h>

namespace cordon::proxy {

inline constexpr std::uint32_t kMaxFunctions = 1024;

using NifFunction = ERL_NIF_TERM (*)(ErlNifEnv*, int, const ERL_NIF_TERM[]);

// For the entry: as the library's flags say where it runs.
NifFunction trampoline(std::uint32_t function, std::uint32_t flags);
// For enif_schedule_nif: the call begins on a dirty scheduler.
NifFunction dirty_trampoline(std::uint32_t function);

} // namespace cordon::proxy
