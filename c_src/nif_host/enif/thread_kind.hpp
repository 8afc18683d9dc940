// What enif_thread_type answers: it has no environment to look at.
#pragma once

#include <cstdint>

namespace cordon::host {

// 0 on threads of the library's own.
extern constinit thread_local std::uint8_t current_thread_type
    __attribute__((tls_model("initial-exec")));

} // namespace cordon::host
