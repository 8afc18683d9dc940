#include "cordon_requirements.h" /* what this library asks of cordon; optional */

#include <erl_nif.h>
#include <unistd.h>

CORDON_REQUIREMENTS(.flags = CORDON_STATELESS, .stack_size = 1 << 20);

static ERL_NIF_TERM sum(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc;
    ERL_NIF_TERM rest = argv[0];
    ERL_NIF_TERM head;
    long total = 0;
    while (enif_get_list_cell(env, rest, &head, &rest)) {
        long number;
        if (!enif_get_long(env, head, &number))
            return enif_make_badarg(env);
        total += number;
    }
    return enif_is_empty_list(env, rest) ? enif_make_long(env, total) : enif_make_badarg(env);
}

static ERL_NIF_TERM crash(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc, (void)argv;
    volatile int* nothing = NULL;
    *nothing = 1;
    return enif_make_atom(env, "still_here");
}

static ERL_NIF_TERM process(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc, (void)argv;
    return enif_make_int(env, getpid());
}

static ErlNifFunc functions[] = {
    {"sum", 1, sum, 0}, {"crash", 0, crash, 0}, {"process", 0, process, 0}};

ERL_NIF_INIT(shaky, functions, NULL, NULL, NULL, NULL)
