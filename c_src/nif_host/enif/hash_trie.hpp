// The trie of a HashMap; see map.hpp for its shape. Nodes are never changed once they are made.
#pragma once

#include "nif_host/enif/map.hpp"

#include <vector>

namespace cordon::host {

const Word* trie_find(Word root, Word key);

// The root with the pair in it; *added tells whether the key is new.
Word trie_put(ErlNifEnv* env, Word root, Word key, Word value, bool* added);
// The key must be there.
Word trie_remove(ErlNifEnv* env, Word root, Word key);

// 0 if a key is there twice. There must be at least one pair.
Word trie_build(ErlNifEnv* env, const std::vector<MapPair>& pairs);

void trie_pairs(Word root, std::vector<MapPair>* pairs);

} // namespace cordon::host
