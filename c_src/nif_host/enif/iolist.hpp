// Walks an iolist: lists of bytes, binaries and iolists, nested to any depth.
#pragma once

#include "nif_host/enif/term_access.hpp"

#include <vector>

namespace cordon::host {

// Calls on_byte(unsigned char) and on_bytes(Bytes) in order. False if it is no iolist.
template <class OnByte, class OnBytes> bool walk_iolist(Word at, OnByte on_byte, OnBytes on_bytes) {
    std::vector<Word> tails; // of the lists that we are inside of
    for (;;) {
        if (term::is_cons(at)) {
            const Word* cell = cons_cell(at);
            const Word head = cell[0];
            at = cell[1];
            if (term::is_small(head)) {
                const std::int64_t value = term::small_value(head);
                if (value < 0 || value > 0xFF)
                    return false;
                on_byte(static_cast<unsigned char>(value));
            } else if (term::is_cons(head)) {
                if (!term::is_nil(at))
                    tails.push_back(at);
                at = head;
            } else if (is_whole_binary(head)) {
                on_bytes(binary_bytes(head));
            } else if (!term::is_nil(head)) {
                return false;
            }
            continue;
        }
        if (is_whole_binary(at))
            on_bytes(binary_bytes(at));
        else if (!term::is_nil(at))
            return false;
        if (tails.empty())
            return true;
        at = tails.back();
        tails.pop_back();
    }
}

} // namespace cordon::host
