/* The library that is measured: compiled once per module, so that one VM has it both in its own
 * process (bench_native) and in a host (bench_isolated). Knows nothing of cordon. */
#include "work.h"

#include <erl_nif.h>
#include <fcntl.h>
#include <sodium/crypto_generichash.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define NIF(name) static ERL_NIF_TERM name(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[])

NIF(add) {
    long a, b;
    if (argc != 2 || !enif_get_long(env, argv[0], &a) || !enif_get_long(env, argv[1], &b))
        return enif_make_badarg(env);
    return enif_make_long(env, a + b);
}

/* The process that runs the library. */
NIF(os_pid) {
    (void)argc, (void)argv;
    return enif_make_int(env, getpid());
}

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* crash(File): leaves the time in File, eight bytes as the machine has them, and writes to a null
 * pointer. */
NIF(crash) {
    char file[1024];
    if (argc != 1 || enif_get_string(env, argv[0], file, sizeof file, ERL_NIF_LATIN1) <= 0)
        return enif_make_badarg(env);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int64_t now = clock_ns();
    if (fd < 0 || write(fd, &now, sizeof now) != sizeof now)
        return enif_make_badarg(env);
    *(volatile int*)0 = 1;
    return enif_make_int(env, 0);
}

/* Reads every byte. */
NIF(sum) {
    (void)argc;
    ErlNifBinary bytes;
    if (!enif_inspect_binary(env, argv[0], &bytes))
        return enif_make_badarg(env);
    return enif_make_uint64(env, sum_bytes(bytes.data, bytes.size));
}

/* A binary of so many bytes. */
NIF(fill) {
    (void)argc;
    unsigned long size;
    if (!enif_get_ulong(env, argv[0], &size))
        return enif_make_badarg(env);
    ERL_NIF_TERM result;
    memset(enif_make_new_binary(env, size, &result), 7, size);
    return result;
}

/* --- terms: all of them looked at, and built anew --- */

static size_t walk_term(ErlNifEnv* env, ERL_NIF_TERM term) {
    ErlNifSInt64 integer;
    double real;
    ErlNifBinary bytes;
    const ERL_NIF_TERM* elements;
    int arity;
    size_t seen = 1;
    switch (enif_term_type(env, term)) {
    case ERL_NIF_TERM_TYPE_INTEGER:
        enif_get_int64(env, term, &integer);
        break;
    case ERL_NIF_TERM_TYPE_FLOAT:
        enif_get_double(env, term, &real);
        break;
    case ERL_NIF_TERM_TYPE_BITSTRING:
        enif_inspect_binary(env, term, &bytes);
        break;
    case ERL_NIF_TERM_TYPE_LIST: {
        ERL_NIF_TERM head;
        while (enif_get_list_cell(env, term, &head, &term))
            seen += walk_term(env, head);
        break;
    }
    case ERL_NIF_TERM_TYPE_TUPLE:
        enif_get_tuple(env, term, &arity, &elements);
        for (int i = 0; i < arity; ++i)
            seen += walk_term(env, elements[i]);
        break;
    case ERL_NIF_TERM_TYPE_MAP: {
        ErlNifMapIterator at;
        ERL_NIF_TERM key, value;
        enif_map_iterator_create(env, term, &at, ERL_NIF_MAP_ITERATOR_FIRST);
        for (; enif_map_iterator_get_pair(env, &at, &key, &value); enif_map_iterator_next(env, &at))
            seen += walk_term(env, key) + walk_term(env, value);
        enif_map_iterator_destroy(env, &at);
        break;
    }
    default:
        break;
    }
    return seen;
}

static ERL_NIF_TERM build_term(ErlNifEnv* env, ERL_NIF_TERM term) {
    ErlNifSInt64 integer;
    double real;
    ErlNifBinary bytes;
    const ERL_NIF_TERM* elements;
    int arity;
    switch (enif_term_type(env, term)) {
    case ERL_NIF_TERM_TYPE_INTEGER:
        return enif_get_int64(env, term, &integer) ? enif_make_int64(env, integer) : term;
    case ERL_NIF_TERM_TYPE_FLOAT:
        enif_get_double(env, term, &real);
        return enif_make_double(env, real);
    case ERL_NIF_TERM_TYPE_BITSTRING: {
        ERL_NIF_TERM made;
        if (!enif_inspect_binary(env, term, &bytes))
            return term;
        memcpy(enif_make_new_binary(env, bytes.size, &made), bytes.data, bytes.size);
        return made;
    }
    case ERL_NIF_TERM_TYPE_LIST: {
        unsigned length;
        if (!enif_get_list_length(env, term, &length) || length == 0)
            return term;
        ERL_NIF_TERM* parts = malloc(length * sizeof *parts);
        for (unsigned i = 0; i < length; ++i) {
            enif_get_list_cell(env, term, &parts[i], &term);
            parts[i] = build_term(env, parts[i]);
        }
        const ERL_NIF_TERM list = enif_make_list_from_array(env, parts, length);
        free(parts);
        return list;
    }
    case ERL_NIF_TERM_TYPE_TUPLE: {
        ERL_NIF_TERM parts[255];
        if (!enif_get_tuple(env, term, &arity, &elements) || arity > 255)
            return term;
        for (int i = 0; i < arity; ++i)
            parts[i] = build_term(env, elements[i]);
        return enif_make_tuple_from_array(env, parts, (unsigned)arity);
    }
    case ERL_NIF_TERM_TYPE_MAP: {
        size_t size, count = 0;
        ErlNifMapIterator at;
        ERL_NIF_TERM map;
        enif_get_map_size(env, term, &size);
        ERL_NIF_TERM* keys = malloc((2 * size + 1) * sizeof *keys);
        ERL_NIF_TERM* values = keys + size;
        enif_map_iterator_create(env, term, &at, ERL_NIF_MAP_ITERATOR_FIRST);
        for (; enif_map_iterator_get_pair(env, &at, &keys[count], &values[count]); ++count) {
            keys[count] = build_term(env, keys[count]);
            values[count] = build_term(env, values[count]);
            enif_map_iterator_next(env, &at);
        }
        enif_map_iterator_destroy(env, &at);
        enif_make_map_from_arrays(env, keys, values, count, &map);
        free(keys);
        return map;
    }
    default:
        return term;
    }
}

/* Takes a term and does nothing with it. */
NIF(take) {
    (void)argc, (void)argv;
    return enif_make_int(env, 0);
}

/* {Ns, Seen}: what the last of so many walks took. */
NIF(walk) {
    (void)argc;
    int times;
    if (!enif_get_int(env, argv[1], &times))
        return enif_make_badarg(env);
    int64_t start = 0;
    size_t seen = 0;
    for (int i = 0; i < times; ++i) {
        start = clock_ns();
        seen = walk_term(env, argv[0]);
    }
    return enif_make_tuple2(env, enif_make_int64(env, clock_ns() - start),
                            enif_make_uint64(env, seen));
}

/* {Ns, Copy}: what it took to look at it and build it anew, and the copy. */
NIF(build) {
    (void)argc;
    const int64_t start = clock_ns();
    const ERL_NIF_TERM copy = build_term(env, argv[0]);
    return enif_make_tuple2(env, enif_make_int64(env, clock_ns() - start), copy);
}

/* --- work --- */

NIF(deflate_all) {
    (void)argc;
    ErlNifBinary bytes, packed;
    if (!enif_inspect_binary(env, argv[0], &bytes) ||
        !enif_alloc_binary(compressBound(bytes.size), &packed))
        return enif_make_badarg(env);
    uLongf size = packed.size;
    if (compress2(packed.data, &size, bytes.data, bytes.size, 6) != Z_OK ||
        !enif_realloc_binary(&packed, size))
        return enif_make_badarg(env);
    return enif_make_binary(env, &packed);
}

NIF(hash) {
    (void)argc;
    ErlNifBinary bytes;
    ERL_NIF_TERM result;
    if (!enif_inspect_binary(env, argv[0], &bytes))
        return enif_make_badarg(env);
    crypto_generichash(enif_make_new_binary(env, 32, &result), 32, bytes.data, bytes.size, NULL, 0);
    return result;
}

/* Ends only with its process. */
NIF(hang) {
    (void)argc, (void)argv;
    for (;;)
        pause();
    return enif_make_int(env, 0);
}

static ErlNifFunc functions[] = {
    {"add", 2, add, 0},       {"add_dirty", 2, add, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"os_pid", 0, os_pid, 0}, {"crash", 1, crash, 0},
    {"sum", 1, sum, 0},       {"sum_dirty", 1, sum, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"fill", 1, fill, 0},     {"fill_dirty", 1, fill, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"take", 1, take, 0},     {"walk", 2, walk, 0},
    {"build", 1, build, 0},   {"deflate", 1, deflate_all, 0},
    {"hash", 1, hash, 0},     {"hang", 0, hang, 0},
};

#define INIT(module) ERL_NIF_INIT(module, functions, NULL, NULL, NULL, NULL)
INIT(BENCH_MODULE)
