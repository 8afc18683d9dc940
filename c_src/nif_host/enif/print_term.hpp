// %T: a term as the VM's own printf writes it.
#pragma once

#include "shared_heap/term.hpp"

#include <string>
#include <string_view>

namespace cordon::host {

// Appends; at most about `limit` parts of the term, then "... ".
void print_term(std::string* out, term::Word term, long limit);

// An atom, quoted where it has to be.
void print_atom_text(std::string* out, std::string_view utf8);

} // namespace cordon::host
