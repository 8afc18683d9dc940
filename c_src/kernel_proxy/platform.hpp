// Whether hosts can run on this machine: found out by trying, not by version numbers.
#pragma once

#include <string>

namespace cordon::proxy {

// What is missing, and what to do; empty when a host can be started. Starts the keeper.
std::string platform_fault(const std::string& nif_host);

} // namespace cordon::proxy
