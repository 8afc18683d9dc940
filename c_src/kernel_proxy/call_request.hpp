// Hop 2: filling in the request half of a slot, and giving the slot back after the call.
#pragma once

#include "kernel_proxy/host.hpp"
#include "kernel_proxy/term_export.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// Everything but the doorbell. Throws StaleResource, ArgumentsTooLarge, std::bad_alloc, and
// LargeArgument where it was told to.
void write_request(ErlNifEnv* env, Host& host, Slot& slot, std::uint8_t thread_type,
                   std::uint32_t instance, std::uint32_t function, int argc,
                   const ERL_NIF_TERM* argv, Large large = Large::Export);

// Has the host keep the resources among the arguments until the slot is given back: the caller may
// be killed before the call ends, and then Erlang has them no more.
void hold_arguments(Host& host, Slot& slot);

// Its argument memory too.
void release_slot(Host& host, Slot& slot);

} // namespace cordon::proxy
