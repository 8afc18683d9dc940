// Seals: keyed hashes that only this VM can make, so that external term format, or the identity of
// a monitor, which comes back from a host is what the VM itself has sent out.
#pragma once

#include "shared_heap/term.hpp"

#include <cstdint>
#include <span>

namespace cordon::proxy {

std::uint64_t make_seal(term::ExternalType type, std::span<const unsigned char> bytes);
std::uint64_t make_monitor_seal(std::span<const unsigned char> identity);

} // namespace cordon::proxy
