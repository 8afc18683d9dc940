// Discovery: a host opens a library and tells what is in it, before any module loads it.
#pragma once

#include "kernel_proxy/sidecar.hpp"

#include <string>

namespace cordon::proxy {

struct Discovered {
    ipc::Opened manifest;
    // When nothing was found out: reason (as erlang:load_nif/2 has them, or nif_host) and text.
    std::string reason;
    std::string text;
};

// `wanted` names library, proxy and host program; its manifest is ignored.
Discovered discover(const Sidecar& wanted);

} // namespace cordon::proxy
