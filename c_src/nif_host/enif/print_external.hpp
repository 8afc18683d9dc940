// The text of terms that the host itself only knows as a word or in external term format. Nodes
// other than the VM's own have a number there that the host can't know: they are printed as 0.
#pragma once

#include "nif_host/enif/print_term.hpp"

namespace cordon::host {

// A pid, a port, a Resource or an External.
void print_external(Output* out, term::Word word);

} // namespace cordon::host
