// The functions that cordon does not have yet, made from the table: libraries that name them load,
// a call of one ends with {enif_unsupported, Name}.
#include "nif_host/host_context.hpp"

#define STUB_Done(name)
#define STUB_Unsupported(name)                                                                     \
    extern "C" __attribute__((visibility("default"))) void* name() {                               \
        cordon::host::end_unsupported(#name);                                                      \
    }
#define ENIF(name, since, kind, state) STUB_##state(name)
#include "nif_host/enif/api_table.def"
