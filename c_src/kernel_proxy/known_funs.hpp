// Funs with code and free variables of their own that the VM has made itself.
//
// A fun whose external format was forged can crash the VM when it is called: the VM believes arity,
// number and types of its free variables. So each such fun that is exported to a host is remembered
// by a keyed hash of what makes it that fun (all of its format but who created it), and of those
// that a host has the VM decode from bytes only remembered ones are given to it.
//
// The memory is bounded, at about kKnownFuns different ones: then new ones take the place of old
// ones, and what was forgotten counts as unknown. Any thread, no lock.
#pragma once

#include <cstddef>
#include <span>

namespace cordon::proxy {

inline constexpr std::size_t kKnownFuns = 1 << 16;

// External term format, with its version byte. The name of a function (fun M:F/A) is no such fun.
bool is_name_of_function(std::span<const unsigned char> encoded);
void remember_fun(std::span<const unsigned char> encoded);
bool is_known_fun(std::span<const unsigned char> encoded);

} // namespace cordon::proxy
