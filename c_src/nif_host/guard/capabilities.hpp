// The capabilities that a host gives up. Those about files, users and the network stay: a library's
// files must be as natively.
#pragma once

#include <string>

namespace cordon::host {

// From the effective, permitted, inheritable, ambient and bounding sets. Nothing to do for a user
// who has none. Empty, or what is missing.
std::string drop_capabilities();

} // namespace cordon::host
