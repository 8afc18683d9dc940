/* The library whose calls are counted, as a user would build it: loaded into a real host for the
 * BEAM side, and into hot_path_costs itself for the host side. Its functions without arguments make
 * the terms whose transport is counted; walk/1 reads any of them. */
#include <erl_nif.h>

enum { LIST_LENGTH = 1000, MAP_KEYS = 30, TREE_DEPTH = 8 };

static ERL_NIF_TERM add(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    int a, b;
    if (argc != 2 || !enif_get_int(env, argv[0], &a) || !enif_get_int(env, argv[1], &b))
        return enif_make_badarg(env);
    return enif_make_int(env, a + b);
}

static ERL_NIF_TERM list(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc, (void)argv;
    ERL_NIF_TERM made = enif_make_list(env, 0);
    for (int i = LIST_LENGTH; i > 0; --i)
        made = enif_make_list_cell(env, enif_make_int(env, i), made);
    return made;
}

static ERL_NIF_TERM map(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc, (void)argv;
    static const char digits[] = "0123456789";
    ERL_NIF_TERM made = enif_make_new_map(env);
    for (int i = 0; i < MAP_KEYS; ++i) {
        const char name[] = {'k', 'e', 'y', digits[i / 10], digits[i % 10], 0};
        enif_make_map_put(env, made, enif_make_atom(env, name), enif_make_int(env, i), &made);
    }
    return made;
}

static ERL_NIF_TERM branch(ErlNifEnv* env, int depth) {
    if (depth == 0)
        return enif_make_int(env, depth);
    return enif_make_tuple2(env, branch(env, depth - 1), branch(env, depth - 1));
}

static ERL_NIF_TERM tree(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc, (void)argv;
    return branch(env, TREE_DEPTH);
}

/* The sum of the integers in a term. */
static long sum(ErlNifEnv* env, ERL_NIF_TERM term) {
    long value;
    if (enif_get_long(env, term, &value))
        return value;
    long total = 0;
    int arity;
    const ERL_NIF_TERM* elements;
    if (enif_get_tuple(env, term, &arity, &elements)) {
        for (int i = 0; i < arity; ++i)
            total += sum(env, elements[i]);
        return total;
    }
    ERL_NIF_TERM head, tail;
    if (enif_get_list_cell(env, term, &head, &tail)) {
        do
            total += sum(env, head);
        while (enif_get_list_cell(env, tail, &head, &tail));
        return total;
    }
    ErlNifMapIterator at;
    if (enif_map_iterator_create(env, term, &at, ERL_NIF_MAP_ITERATOR_FIRST)) {
        ERL_NIF_TERM key, part;
        for (; enif_map_iterator_get_pair(env, &at, &key, &part); enif_map_iterator_next(env, &at))
            total += sum(env, part);
        enif_map_iterator_destroy(env, &at);
    }
    return total;
}

static ERL_NIF_TERM walk(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    return argc == 1 ? enif_make_long(env, sum(env, argv[0])) : enif_make_badarg(env);
}

/* In the order of `Function` in hot_path.hpp. */
static ErlNifFunc functions[] = {
    {"add", 2, add, 0}, {"walk", 1, walk, 0}, {"list", 0, list, 0},
    {"map", 0, map, 0}, {"tree", 0, tree, 0},
};

ERL_NIF_INIT(hot_path_library, functions, NULL, NULL, NULL, NULL)
