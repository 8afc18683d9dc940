// Sidecars and manifests as Erlang terms: the NIFs that read and change a sidecar.
#pragma once

#include "kernel_proxy/sidecar.hpp"

#include <erl_nif.h>

namespace cordon::proxy {

// All options must be there (cordon_options:options()).
bool get_options(ErlNifEnv* env, ERL_NIF_TERM map, LibraryOptions* options);
// cordon_nif:manifest()
ERL_NIF_TERM make_manifest(ErlNifEnv* env, const Sidecar& sidecar);

// cordon_nif:read_sidecar/1, edit_sidecar/2
ERL_NIF_TERM read_sidecar_file(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]);
ERL_NIF_TERM edit_sidecar(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]);

} // namespace cordon::proxy
