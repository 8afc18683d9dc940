// Discovery: a host opens a library and tells what is in it, before any module loads it.
#pragma once

#include "kernel_proxy/sidecar.hpp"

#include <string>

namespace cordon::proxy {

struct Discovered {
    ipc::Opened manifest;
    Requirements requirements;
    FileIdentity file;
    // When nothing was found out: reason (as erlang:load_nif/2 has them, nif_host, or
    // requirements) and text.
    std::string reason;
    std::string text;
};

// `wanted` names library, proxy and host program; what it says of the
// library itself is ignored.
Discovered discover(const Sidecar& wanted);

} // namespace cordon::proxy
