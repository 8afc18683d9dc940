// Binaries over the memory of a resource (enif_make_resource_binary). The library sees its own
// bytes; what crosses the border is a copy in the host segment, made with the term. What comes back
// from the VM has no such copy until it is to outlive the call.
#pragma once

#include "nif_host/enif/env.hpp"

namespace cordon::host {

// In another environment, or in another place of the same one.
Word copy_resource_binary(ErlNifEnv* destination, const Word* original);

Word make_part_of_resource_binary(ErlNifEnv* env, const Word* whole, std::size_t position,
                                  std::size_t size);

} // namespace cordon::host
