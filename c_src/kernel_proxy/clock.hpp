// The clock that waits and deadlines are measured with.
#pragma once

#include <chrono>

namespace cordon::proxy {

using Clock = std::chrono::steady_clock;

} // namespace cordon::proxy
