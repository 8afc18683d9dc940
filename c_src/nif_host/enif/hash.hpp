// The host's own hash of terms: equal (=:=) terms have equal hashes under the same salt. It starts
// from a random seed of this process, so that nobody can choose keys that collide.
#pragma once

#include "shared_heap/term.hpp"

#include <cstdint>

namespace cordon::host {

std::uint64_t internal_hash(term::Word term, std::uint64_t salt);

} // namespace cordon::host
