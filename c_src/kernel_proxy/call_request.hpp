// Hop 2: filling in the request half of a slot, and giving the slot back after the call.
#pragma once

#include "kernel_proxy/host.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// Everything but the doorbell. Throws StaleResource, ArgumentsTooLarge, std::bad_alloc.
void write_request(ErlNifEnv* env, Host& host, Slot& slot, std::uint8_t thread_type,
                   std::uint32_t instance, std::uint32_t function, int argc,
                   const ERL_NIF_TERM* argv);

// Its argument memory too.
void release_slot(Host& host, Slot& slot);

} // namespace cordon::proxy
