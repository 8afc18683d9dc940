// A library that is open in this host, and the module instances that use it (old and new code of
// the same module have an instance each, with private data of their own).
#pragma once

#include "nif_host/enif/exported.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cordon::host {

struct Library {
    std::string path;
    void* handle = nullptr; // of dlopen
    ErlNifEntry* (*init)() = nullptr;
};

struct Instance {
    std::uint32_t id = 0; // given by the BEAM
    Library* library = nullptr;
    const ErlNifEntry* entry = nullptr; // fields only as far as its API version has them
    std::vector<ErlNifFunc> functions;  // the entry's, in today's layout
    void* priv_data = nullptr;
};

} // namespace cordon::host
