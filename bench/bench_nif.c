/* The library that is measured: compiled twice, once per module, so that one VM has it both in its
 * own process (bench_native) and in a host (bench_isolated). Knows nothing of cordon. */
#include <erl_nif.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static ERL_NIF_TERM add(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    long a, b;
    if (argc != 2 || !enif_get_long(env, argv[0], &a) || !enif_get_long(env, argv[1], &b))
        return enif_make_badarg(env);
    return enif_make_long(env, a + b);
}

/* The process that runs the library. */
static ERL_NIF_TERM os_pid(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
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
static ERL_NIF_TERM crash(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
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

static ErlNifFunc functions[] = {
    {"add", 2, add, 0},
    {"add_dirty", 2, add, ERL_NIF_DIRTY_JOB_CPU_BOUND},
    {"os_pid", 0, os_pid, 0},
    {"crash", 1, crash, 0},
};

#define INIT(module) ERL_NIF_INIT(module, functions, NULL, NULL, NULL, NULL)
INIT(BENCH_MODULE)
