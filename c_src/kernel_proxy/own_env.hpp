// An environment of our own, for terms that no process has.
#pragma once

#include <erl_nif.h>

namespace cordon::proxy {

struct OwnEnv {
    OwnEnv() : env(enif_alloc_env()) {}
    ~OwnEnv() { enif_free_env(env); }
    OwnEnv(const OwnEnv&) = delete;
    OwnEnv& operator=(const OwnEnv&) = delete;
    ErlNifEnv* env;
};

} // namespace cordon::proxy
