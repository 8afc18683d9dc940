// A library that is open in this host, and the module instances that use it (old and new code of
// the same module have an instance each, with private data of their own).
#pragma once

#include "nif_host/enif/exported.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace cordon::host {

struct Library {
    std::string path;
    void* handle = nullptr; // of dlopen
    ErlNifEntry* (*init)() = nullptr;
    // What nif_init gave when the library was opened, for the first instance: as in the VM, it
    // runs once for each load_nif. nullptr when it was used.
    const ErlNifEntry* first_entry = nullptr;
};

struct Instance {
    std::uint32_t id = 0; // given by the BEAM
    Library* library = nullptr;
    const ErlNifEntry* entry = nullptr; // fields only as far as its API version has them
    std::vector<ErlNifFunc> functions;  // the entry's, in today's layout
    void* priv_data = nullptr;
    bool loading = false; // in load or upgrade
    // What enif_set_option has set there.
    bool delays_halt = false;
    void (*on_halt)(void* priv_data) = nullptr;
    void (*on_unload_thread)(void* priv_data) = nullptr;
    // Whether the callback thread has run that: destructors of the instance have run there.
    enum class Told { No, Soon, Yes };
    std::atomic<Told> callback_thread_told{Told::No};
};

} // namespace cordon::host
