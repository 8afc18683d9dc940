// The seal of an External term: a keyed hash that only this VM can make, so that external term
// format which comes back from a host is what the VM itself has sent out.
#pragma once

#include "shared_heap/term.hpp"

#include <cstdint>
#include <span>

namespace cordon::proxy {

std::uint64_t make_seal(term::ExternalType type, std::span<const unsigned char> bytes);

} // namespace cordon::proxy
