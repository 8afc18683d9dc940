/* What a NIF library asks of whoever isolates it: one record that the library may carry.
 *
 *     #include "cordon_requirements.h"
 *     CORDON_REQUIREMENTS(.flags = CORDON_STATELESS | CORDON_NEEDS_THREADS,
 *                         .stack_size = 64 << 20, .call_timeout = 5000);
 *
 * at file scope, once in the library, in C (C99) or C++ (C++20, fields in the order of the struct).
 * This header is all that is needed, at no time does the library link or load anything of cordon;
 * without cordon the record is a constant that nobody reads. In Rust, or without the macro: export
 * a constant symbol `cordon_requirements` that has this layout.
 *
 * cordon reads the record when it finds out what is in the library, and shows it (`cordon
 * inspect`). What a configuration says, and what a shim's sidecar says explicitly, goes before it;
 * what it does not say (0) is cordon's default. Each option is decided by itself.
 *
 * Layout: only ever appended to. `size` is how much of it the library knows, `version` the revision
 * of this header. A cordon that is older reads the part that it knows; one that is newer takes what
 * the library has not got as 0. Flags that it does not know it reports by their number and ignores.
 * All numbers are those of the machine (little-endian). */
#ifndef CORDON_REQUIREMENTS_H
#define CORDON_REQUIREMENTS_H

#include <stdint.h>

#define CORDON_REQUIREMENTS_MAGIC UINT64_C(0x0051526e6f64726f) /* the bytes "ordonRQ\0" */
#define CORDON_REQUIREMENTS_VERSION 1

/* flags. Recorded and shown; nothing follows from them yet. */
#define CORDON_STATELESS (UINT64_C(1) << 0)         /* keeps nothing from one call to the next */
#define CORDON_NEEDS_FILES_READ (UINT64_C(1) << 1)  /* opens files to read them */
#define CORDON_NEEDS_FILES_WRITE (UINT64_C(1) << 2) /* makes or changes files */
#define CORDON_NEEDS_NETWORK (UINT64_C(1) << 3)     /* uses sockets */
#define CORDON_NEEDS_THREADS (UINT64_C(1) << 4)     /* starts threads of its own */
#define CORDON_NEEDS_PROCESSES (UINT64_C(1) << 5)   /* starts processes */

/* minimum_profile: confinement that the library's users must be able to count on. One that cordon
 * can't give makes it refuse the library. */
#define CORDON_PROFILE_UNSPECIFIED 0
#define CORDON_PROFILE_NONE 1
#define CORDON_PROFILE_DEFAULT 2
#define CORDON_PROFILE_STRICT 3

#ifdef __cplusplus
#define CORDON_ZERO                                                                                \
    {}
#define CORDON_LINKAGE extern "C"
#else
#define CORDON_ZERO
#define CORDON_LINKAGE extern
#endif

/* In every field 0, or an empty string, means: unspecified. */
struct cordon_requirements_record {
    uint64_t magic CORDON_ZERO;   /* CORDON_REQUIREMENTS_MAGIC */
    uint32_t size CORDON_ZERO;    /* of the struct as the library knows it */
    uint32_t version CORDON_ZERO; /* CORDON_REQUIREMENTS_VERSION */

    /* CORDON_STATELESS ... */
    uint64_t flags CORDON_ZERO;

    /* Bytes that the library needs at most: of memory, of address space. Recorded, not enforced. */
    uint64_t memory CORDON_ZERO;
    uint64_t address_space CORDON_ZERO;

    /* As cordon's options of these names: bytes, milliseconds, a count. More than cordon's default
     * of load_timeout, upgrade_timeout and atom_limit only a configuration can give. */
    uint64_t pool_size CORDON_ZERO;
    uint64_t stack_size CORDON_ZERO;
    uint32_t call_timeout CORDON_ZERO;
    uint32_t load_timeout CORDON_ZERO;
    uint32_t upgrade_timeout CORDON_ZERO;
    uint32_t atom_limit CORDON_ZERO;

    /* CORDON_PROFILE_... */
    uint32_t minimum_profile CORDON_ZERO;
    uint32_t reserved CORDON_ZERO;

    /* Libraries that must share one host name the same group: letters, digits, '_', '-', '.',
     * then a 0. It is shown to who configures them; that alone puts them into one host. */
    char group[64] CORDON_ZERO;
};

#define CORDON_REQUIREMENTS(...)                                                                   \
    CORDON_LINKAGE __attribute__((visibility("default")))                                          \
    const struct cordon_requirements_record cordon_requirements;                                   \
    const struct cordon_requirements_record cordon_requirements = {                                \
        .magic = CORDON_REQUIREMENTS_MAGIC,                                                        \
        .size = (uint32_t)sizeof(struct cordon_requirements_record),                               \
        .version = CORDON_REQUIREMENTS_VERSION,                                                    \
        __VA_ARGS__}

#endif
