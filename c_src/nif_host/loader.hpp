// Opens libraries and keeps their module instances.
#pragma once

#include "compat_ipc/control_message.hpp"
#include "nif_host/instance.hpp"

#include <cstdint>

namespace cordon::host {

// dlopen as the VM does it (RTLD_NOW, local), nif_init, and what it returns. `number` is the
// library's from now on.
ipc::Opened open_library(std::uint32_t number, const std::string& path);

// A new instance of an open library (nif_init runs again, as for every load_nif); nullptr when the
// library is not open or nif_init gives nothing.
Instance* create_instance(std::uint32_t id, std::uint32_t library);
Instance* find_instance(std::uint32_t id); // nullptr if there is none
// How many have been destroyed: while it stays the same, what find_instance gave is still there.
std::uint32_t instances_destroyed();
// Forgets it; the last one of its library unmaps the library.
void destroy_instance(Instance* instance);

} // namespace cordon::host
