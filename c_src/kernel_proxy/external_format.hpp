// External term format that the VM writes and reads for a host, and text that it prints.
#pragma once

#include "compat_ipc/call_slot.hpp"

#include <array>
#include <cstdint>
#include <erl_nif.h>
#include <string>

namespace cordon::proxy {

class ArgumentArena;
class Host;

// Both answer as the upcalls of those names do.
using Answer = std::array<term::Word, ipc::kAnswerWords>;

// `encoded` is a copy of the BEAM's own: what is checked is what is decoded. Throws FunRefused for
// a fun that the VM doesn't know, QuotaUsedUp for too many new atoms, and as export_term.
Answer decode_for_host(Host& host, ArgumentArena& arena, const std::string& encoded, bool safe);

// What enif_snprintf with "%T" makes of a term for a buffer with room for so many bytes; a
// `precision` below 0 is none.
Answer print_for_host(ErlNifEnv* env, ERL_NIF_TERM term, std::uint64_t room, int precision,
                      Host& host, ArgumentArena& arena);

} // namespace cordon::proxy
