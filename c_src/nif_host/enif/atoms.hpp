// From text to atom. The table in the atom segment goes from index to text; the way back is an
// index of the host's own, over all atoms that are published so far.
#pragma once

#include "shared_heap/atom_table.hpp"
#include "shared_heap/term.hpp"

#include <cstdint>
#include <string_view>

namespace cordon::host {

// The atom of this UTF-8 text, or 0 if the segment has none (the VM may have it all the same).
term::Word find_atom(std::string_view utf8);

enum class MakeAtom { IfExists, IfAllowed, Always };
// Asks the VM where the segment doesn't know. 0: it doesn't exist, or is longer than 255
// characters. When the VM's quota for the host is used up, IfAllowed gives 0 too, and with Always
// the host ends.
term::Word atom_of(std::string_view utf8, MakeAtom make);

std::string_view atom_text(term::Word atom);
// The VM's atoms sorted by age, more or less: for VmTrait::AtomKeysByRank.
std::uint32_t atom_rank(term::Word atom);
bool vm_trait(VmTrait trait);

} // namespace cordon::host
