// The words of small integers, local pids and local ports of this VM, to and from a host's.
//
// Small integers: when the VM has the same words for them as hosts have (as OTP 25 and 27), they
// cross as they are; that was found out by trying, at load.
//
// Pids and ports are immediates: a tag in the low 4 bits and 60 bits of identity. A word that a
// host gives is not believed: the VM uses some of the identity bits as an index without a check
// (is_process_alive/1 of an arbitrary one is a segmentation fault, seen on OTP 25). What has been
// sent out lately is known by a small cache; anything else is put through external term format,
// from which the VM makes only pids and ports that are in order, and must come back as the same
// word.
#pragma once

#include "shared_heap/term.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// False until learn_small_words has found that it is so.
extern bool small_words_agree;
void learn_small_words(ErlNifEnv* env);
inline bool is_own_word(ERL_NIF_TERM term) {
    return small_words_agree && term::is_small(term);
}

// Word for the host of a real local pid or port of the VM (which also teaches the tag).
term::Word pid_word(const ErlNifPid& pid);
term::Word port_word(const ErlNifPort& port);

// What a host's word stands for. False when it can be no pid or port of this VM.
bool pid_from_word(term::Word word, ErlNifPid* pid);
bool port_from_word(term::Word word, ErlNifPort* port);

} // namespace cordon::proxy
