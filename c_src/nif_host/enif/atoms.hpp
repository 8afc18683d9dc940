// From text to atom. The table in the atom segment goes from index to text; the way back is an
// index of the host's own, over all atoms that are published so far.
#pragma once

#include "shared_heap/term.hpp"

#include <string_view>

namespace cordon::host {

// The atom of this UTF-8 text, or 0 if the segment has none (the VM may have it all the same).
term::Word find_atom(std::string_view utf8);

enum class MakeAtom { IfExists, Always };
// Asks the VM where the segment doesn't know. 0: it doesn't exist, or is longer than 255
// characters. With Always the host ends when the VM's quota for it is used up.
term::Word atom_of(std::string_view utf8, MakeAtom make);

std::string_view atom_text(term::Word atom);

} // namespace cordon::host
