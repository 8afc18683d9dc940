// What a library wants of the VM's halt (enif_set_option, OTP 26): the VM is asked for it in the
// name of the shim.
#pragma once

#include <cstdint>
#include <erl_nif.h>

namespace cordon::proxy {

// Within load or upgrade of the instance. `options`: ipc::LoadAnswer's.
void set_vm_options(ErlNifEnv* env, std::uint32_t options);

} // namespace cordon::proxy
