// Puts another function in the place of one that the running program imports from a shared library:
// in its table of jump slots, where the dynamic linker has put the address of the first.
#pragma once

namespace cordon::proxy {

using Function = void (*)();

// From now on the program (not the libraries that it has loaded) calls `replacement` for `name`.
// Returns what it called before, or nullptr when the program imports no function of that name (it
// is linked statically, or never calls it): then nothing has changed. Threads may be calling it
// meanwhile.
Function replace_imported_function(const char* name, Function replacement);

} // namespace cordon::proxy
