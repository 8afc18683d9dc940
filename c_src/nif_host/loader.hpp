// Opens the library and keeps its module instances.
#pragma once

#include "compat_ipc/control_message.hpp"
#include "nif_host/instance.hpp"

#include <cstdint>

namespace cordon::host {

// dlopen as the VM does it (RTLD_NOW, local), nif_init, and what it returns.
ipc::Opened open_library(const std::string& path);

// A new instance of the open library (nif_init runs again, as for every load_nif); nullptr when no
// library is open or nif_init gives nothing.
Instance* create_instance(std::uint32_t id);
Instance* find_instance(std::uint32_t id); // nullptr if there is none
// Forgets it; the last one unmaps the library.
void destroy_instance(Instance* instance);

} // namespace cordon::host
