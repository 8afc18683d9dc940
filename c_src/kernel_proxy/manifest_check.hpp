// Whether a library is still the one that its manifest was made of. The VM calls functions by their
// index in the manifest, so a library that has changed on disk must not be called at all.
#pragma once

#include "kernel_proxy/sidecar.hpp"

#include <string>

namespace cordon::proxy {

// Zeros when there is no such file.
FileIdentity identity_of(const std::string& path);

// In nif_init: the file is there, and has not become another library. Throws std::runtime_error.
// A file that was touched is opened in a host and compared.
void check_library_file(const Sidecar& sidecar);

// At the start of a host: why what it has opened can't be used; empty when it can.
std::string opening_fault(const Sidecar& sidecar, const ipc::Opened& opened);

} // namespace cordon::proxy
