// erl_nif.h with its functions visible from the libraries: the build hides everything else.
#pragma once

#pragma GCC visibility push(default)
#include <erl_nif.h>
// The header makes these macros where long has 64 bits; the names are exported all the same.
#undef enif_get_int64
#undef enif_get_uint64
#undef enif_make_int64
#undef enif_make_uint64

extern "C" {
int enif_get_int64(ErlNifEnv* env, ERL_NIF_TERM term, ErlNifSInt64* value);
int enif_get_uint64(ErlNifEnv* env, ERL_NIF_TERM term, ErlNifUInt64* value);
ERL_NIF_TERM enif_make_int64(ErlNifEnv* env, ErlNifSInt64 value);
ERL_NIF_TERM enif_make_uint64(ErlNifEnv* env, ErlNifUInt64 value);

#if ERL_NIF_MINOR_VERSION < 17
typedef int ErlNifOption; // an enumeration there
#endif
// API 2.17 and 2.18, as the headers of OTP 26 and 29 declare them.
int enif_get_string_length(ErlNifEnv* env, ERL_NIF_TERM list, unsigned* length,
                           ErlNifCharEncoding encoding);
int enif_set_option(ErlNifEnv* env, ErlNifOption option, ...);
int enif_make_new_atom(ErlNifEnv* env, const char* name, ERL_NIF_TERM* atom,
                       ErlNifCharEncoding encoding);
int enif_make_new_atom_len(ErlNifEnv* env, const char* name, size_t length, ERL_NIF_TERM* atom,
                           ErlNifCharEncoding encoding);
}
#pragma GCC visibility pop
