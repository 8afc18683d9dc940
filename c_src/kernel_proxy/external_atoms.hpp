// Atoms that external term format of a host names and that the VM doesn't have: to decode it makes
// them, also where no atom is seen in the term afterwards (the node of a pid, what a fun has), and
// where the decoding fails in the end.
#pragma once

#include <cstddef>
#include <erl_nif.h>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace cordon::proxy {

enum class AtomEncoding { Latin1, Utf8 };
using AtomNames = std::set<std::pair<AtomEncoding, std::string>>;

enum class AtomsWanted { All, New };

// More than that are not counted.
inline constexpr std::size_t kMostAtoms = 1 << 20;

// Of bytes that aren't compressed. Nothing when the VM doesn't decode them either.
std::optional<AtomNames> atoms_in(ErlNifEnv* env, std::span<const unsigned char> encoded,
                                  AtomsWanted wanted);
// How many of them the VM has by now.
std::size_t count_existing(ErlNifEnv* env, const AtomNames& names);

} // namespace cordon::proxy
