// The map functions of the C API. An iterator is the caller's memory and holds a number: pairs are
// addressed by position, 0 before the first, size + 1 behind the last.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"

using namespace cordon::host;
namespace term = cordon::term;

int enif_get_map_size(ErlNifEnv*, ERL_NIF_TERM map, std::size_t* size) {
    if (!is_map(map))
        return 0;
    *size = map_size(map);
    return 1;
}

ERL_NIF_TERM enif_make_new_map(ErlNifEnv* env) {
    Word* words = env_words(env, 1);
    words[0] = term::make_header(Kind::FlatMap, 0);
    return boxed_word(words);
}

int enif_make_map_put(ErlNifEnv* env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM value,
                      ERL_NIF_TERM* result) {
    if (!is_map(map))
        return 0;
    *result = map_put(env, map, key, value);
    return 1;
}

int enif_get_map_value(ErlNifEnv* env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM* value) {
    const Word* found = is_map(map) ? map_find(env, map, key) : nullptr;
    if (found == nullptr)
        return 0;
    *value = *found;
    return 1;
}

int enif_make_map_update(ErlNifEnv* env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM value,
                         ERL_NIF_TERM* result) {
    if (!is_map(map) || map_find(env, map, key) == nullptr)
        return 0;
    *result = map_put(env, map, key, value);
    return 1;
}

int enif_make_map_remove(ErlNifEnv* env, ERL_NIF_TERM map, ERL_NIF_TERM key, ERL_NIF_TERM* result) {
    if (!is_map(map))
        return 0;
    *result = map_remove(env, map, key);
    return 1;
}

int enif_make_map_from_arrays(ErlNifEnv* env, ERL_NIF_TERM keys[], ERL_NIF_TERM values[],
                              std::size_t count, ERL_NIF_TERM* result) {
    std::vector<MapPair> pairs(count);
    for (std::size_t i = 0; i < count; ++i)
        pairs[i] = {keys[i], values[i]};
    const Word map = map_from_pairs(env, std::move(pairs));
    if (map == 0)
        return 0;
    *result = map;
    return 1;
}

int enif_map_iterator_create(ErlNifEnv* env, ERL_NIF_TERM map, ErlNifMapIterator* iterator,
                             ErlNifMapIteratorEntry entry) {
    if (!is_map(map) || (entry != ERL_NIF_MAP_ITERATOR_FIRST && entry != ERL_NIF_MAP_ITERATOR_LAST))
        return 0;
    const std::uint64_t size = map_size(map);
    iterator->map = map;
    iterator->size = size;
    iterator->idx = entry == ERL_NIF_MAP_ITERATOR_FIRST ? 1 : size;
    const Word* pairs = object(map_in_vm_order(env, map)) + 1;
    iterator->u.flat.ks = const_cast<Word*>(pairs);
    iterator->u.flat.vs = const_cast<Word*>(pairs) + size;
    return 1;
}

void enif_map_iterator_destroy(ErlNifEnv*, ErlNifMapIterator*) {} // owns nothing

int enif_map_iterator_is_head(ErlNifEnv*, ErlNifMapIterator* iterator) {
    return iterator->idx == 0 || iterator->size == 0;
}

int enif_map_iterator_is_tail(ErlNifEnv*, ErlNifMapIterator* iterator) {
    return iterator->idx > iterator->size || iterator->size == 0;
}

int enif_map_iterator_next(ErlNifEnv*, ErlNifMapIterator* iterator) {
    if (iterator->idx <= iterator->size)
        ++iterator->idx;
    return iterator->idx <= iterator->size;
}

int enif_map_iterator_prev(ErlNifEnv*, ErlNifMapIterator* iterator) {
    if (iterator->idx > 0)
        --iterator->idx;
    return iterator->idx > 0;
}

int enif_map_iterator_get_pair(ErlNifEnv*, ErlNifMapIterator* iterator, ERL_NIF_TERM* key,
                               ERL_NIF_TERM* value) {
    if (iterator->idx == 0 || iterator->idx > iterator->size)
        return 0;
    *key = iterator->u.flat.ks[iterator->idx - 1];
    *value = iterator->u.flat.vs[iterator->idx - 1];
    return 1;
}
