// The text of terms that the host itself only knows as a word or in external term format. Nodes
// other than the VM's own have a number there that the host can't know: they are printed as 0.
#pragma once

#include "shared_heap/term.hpp"

#include <string>

namespace cordon::host {

std::string local_pid_text(term::Word pid);
std::string local_port_text(term::Word port);
std::string external_text(term::Word boxed); // a Resource or an External

} // namespace cordon::host
