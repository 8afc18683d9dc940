// What a library has put into its environment (erl_drv_putenv). Natively that changes the VM's, and
// with it what programs the VM starts; a host must not have such a hand in them, so it stays here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cordon::host {

void put_own_environment(std::string_view key, std::string_view value);
std::optional<std::string> own_environment(std::string_view key);

} // namespace cordon::host
