// The words of local pids and ports of this VM, to and from a host's.
//
// They are immediates: a tag in the low 4 bits and 60 bits of identity. Which tag, is learnt from
// real ones; a word that a host gives is put together from its identity bits and the learnt tag, so
// that it can be nothing but such an immediate whatever the host wrote (one that names nobody, at
// worst).
#pragma once

#include "shared_heap/term.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// Word for the host of a real local pid or port of the VM (which also teaches the tag).
term::Word pid_word(const ErlNifPid& pid);
term::Word port_word(const ErlNifPort& port);

// What a host's word stands for. False when no such word has ever been sent out.
bool pid_from_word(term::Word word, ErlNifPid* pid);
bool port_from_word(term::Word word, ErlNifPort* port);

} // namespace cordon::proxy
