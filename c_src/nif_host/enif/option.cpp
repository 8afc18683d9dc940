// enif_set_option: how a module instance wants the VM's halt and its own unloading to be. Noted
// here; the answer to Load and Upgrade tells the BEAM side, which asks the VM for it.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/vm_release.hpp"

#include <cerrno>
#include <cstdarg>
#include <utility>

using namespace cordon::host;

namespace {

// As in erl_nif.h; no header that this is built with need have all of them.
constexpr int kDelayHalt = 1;
constexpr int kOnHalt = 2;
constexpr int kOnUnloadThread = 3;

using Callback = void (*)(void*);

// The options came with a release each, the API's version tells them not apart.
bool vm_has(int option) {
    return vm_release() >= (option == kOnUnloadThread ? 27 : 26);
}

bool set_once(Callback& place, Callback callback) {
    if (place != nullptr || callback == nullptr)
        return false;
    place = callback;
    return true;
}

bool delay_halt(Instance& instance) {
    return !std::exchange(instance.delays_halt, true);
}

} // namespace

int enif_set_option(ErlNifEnv* env, ErlNifOption option, ...) {
    Instance* instance = env->instance;
    if (instance == nullptr || !instance->loading || !vm_has(option))
        return EINVAL;
    if (option == kDelayHalt)
        return delay_halt(*instance) ? 0 : EINVAL;
    if (option != kOnHalt && option != kOnUnloadThread)
        return EINVAL;
    va_list arguments;
    va_start(arguments, option);
    const auto callback = va_arg(arguments, Callback);
    va_end(arguments);
    Callback& place = option == kOnHalt ? instance->on_halt : instance->on_unload_thread;
    return set_once(place, callback) ? 0 : EINVAL;
}
