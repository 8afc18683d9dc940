// Order of numbers: exact, also between integers and floats of any size.
#pragma once

#include "nif_host/enif/term_access.hpp"

namespace cordon::host {

bool is_number(Word word);

// < 0, 0, > 0. kUnknownOrder: only the VM can tell (a float and an integer that are both beyond 64
// bits).
inline constexpr int kUnknownOrder = 2;
int compare_numbers(Word a, Word b);

} // namespace cordon::host
