// Terms that a host can't take apart: it has them as the VM has encoded and sealed them.
#pragma once

#include "kernel_proxy/term_import.hpp"

namespace cordon::proxy {

// At the address is its type, then `bytes` bytes: seal and external term format. Throws
// ProtocolViolation when the VM has not written them so.
ERL_NIF_TERM import_external(ErlNifEnv* env, term::Word address, std::uint64_t bytes,
                             const Host& host, const ArgumentArena& arena);

} // namespace cordon::proxy
