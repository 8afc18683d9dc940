// Identity (=:=) and order of terms, as Erlang defines them. Terms may be nested to any depth.
#pragma once

#include "shared_heap/term.hpp"

namespace cordon::host {

bool terms_identical_slow(term::Word a, term::Word b);

inline bool terms_identical(term::Word a, term::Word b) {
    if (a == b)
        return true;
    if (term::is_immediate(a) || term::is_immediate(b))
        return false;
    return terms_identical_slow(a, b);
}

// < 0, 0, > 0. KeyOrder: an integer is less than any float, as in the order of map keys.
enum class Order { Standard, KeyOrder };
int compare_terms(term::Word a, term::Word b, Order order);

} // namespace cordon::host
