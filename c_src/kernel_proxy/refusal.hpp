// How a shim refuses: erlang:load_nif/2 has no way for nif_init to say why it fails, but shows the
// name of a library that is not for the module that asks. So the reason is put in the place of the
// name, and the module gets {error, {bad_lib, "Library module name 'cordon: ...' does not match
// ..."}}. Used by the shim too, which has no C++ run time.
#pragma once

#include <cstdio>
#include <erl_nif.h>

namespace cordon::proxy {

inline ErlNifEntry* refuse_load(const char* shim, const char* text) {
    // nif_init runs under the VM's lock for loading code.
    static char reason[16384];
    static ErlNifEntry entry;
    std::snprintf(reason, sizeof reason, "cordon: %s (shim %s)", text, shim);
    entry.major = ERL_NIF_MAJOR_VERSION;
    entry.minor = 14; // the first that has all fields, and that every VM takes
    entry.name = reason;
    entry.vm_variant = ERL_NIF_VM_VARIANT;
    entry.min_erts = "erts-12.0";
    return &entry;
}

} // namespace cordon::proxy
