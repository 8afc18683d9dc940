// By which the content of a file is known again.
#pragma once

#include <erl_nif.h>

namespace cordon::proxy {

// cordon_nif:digest/1
ERL_NIF_TERM digest_file(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]);

} // namespace cordon::proxy
