// Binaries of the VM whose bytes stay where the host has put them (option zero_copy): resource
// binaries over the VM's own mapping of the host segment. Each stands for one reference that the VM
// has on the host's block: an acquire event when it is made, a release event when it is collected.
// The segment stays mapped as long as there is one, whatever becomes of the host.
//
// The host can still change those bytes: that is what the option trusts it with.
#pragma once

#include "shared_heap/term.hpp"

#include <cstdint>
#include <erl_nif.h>

namespace cordon::proxy {

class Host;

// Smaller ones are copied: that costs less than a resource and two events.
inline constexpr std::uint64_t kInPlaceBytes = 16 << 10;

// Of cordon_nif's load or upgrade. Without that module in the VM all binaries are copied.
void open_host_binary_type(ErlNifEnv* env);

// The `size` bytes of `block` at `address` of the host, which lie in its segment, as a binary; or 0
// when they have to be copied. Throws ProtocolViolation, std::bad_alloc.
ERL_NIF_TERM make_host_binary(ErlNifEnv* env, Host& host, term::Word block, term::Word address,
                              std::uint64_t size);

} // namespace cordon::proxy
