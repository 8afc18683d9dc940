// The VM's OTP release, for the few things that a library can see releases do differently.
#pragma once

#include "nif_host/enif/exported.hpp"

#include <cstdlib>

namespace cordon::host {

// 0 without a VM.
inline int vm_release() {
    static const int release = [] {
        ErlNifSysInfo info{};
        enif_system_info(&info, sizeof info);
        return std::atoi(info.otp_release);
    }();
    return release;
}

} // namespace cordon::host
