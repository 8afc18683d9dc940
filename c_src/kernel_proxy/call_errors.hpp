// The exceptions that a call can end with because it is isolated.
#pragma once

#include "kernel_proxy/host_end.hpp"

#include <cstdint>
#include <erl_nif.h>
#include <string_view>

namespace cordon::proxy {

class Library;

// error:{nif_host_down, #{module, function, arity, reason, generation}}
ERL_NIF_TERM raise_host_down(ErlNifEnv* env, const Library& library, std::uint32_t function,
                             std::uint64_t generation, const HostEnd& end);
// error:{stale_resource, #{module, function, arity, generation, current}}
ERL_NIF_TERM raise_stale_resource(ErlNifEnv* env, const Library& library, std::uint32_t function,
                                  std::uint64_t generation, std::uint64_t current);
// error:{nif_overload, #{module, function, arity, limit}}: `limit` says which
ERL_NIF_TERM raise_overload(ErlNifEnv* env, const Library& library, std::uint32_t function,
                            std::string_view limit);

} // namespace cordon::proxy
