// Maps. Small ones are flat, in key order as the VM keeps them. One with more pairs than
// kFlatMapLimit becomes a hash trie (HashMap) when it is changed, so that building a map of n pairs
// one by one is O(n log n); a big flat one of the BEAM that is only read gets a look-up table,
// which the environment keeps.
//
// Trie: five bits of the key's internal hash choose the child at each level; after twelve levels
// the hash is taken anew with another salt. A leaf is a cons cell [Key|Value].
#pragma once

#include "nif_host/enif/env.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cordon::host {

struct MapPair {
    Word key;
    Word value;
};

bool is_map(Word word);
std::uint64_t map_size(Word map);

// In iteration order.
std::vector<MapPair> map_pairs(Word map);

// nullptr if the key isn't there. `env` may be nullptr: then no table is kept.
const Word* map_find(ErlNifEnv* env, Word map, Word key);

// The same for many look-ups without an environment.
class MapLookup {
  public:
    explicit MapLookup(Word map);
    const Word* find(Word key) const;

  private:
    Word map_;
    std::vector<Word> index_; // memory of a MapIndex, empty if none is needed
};

Word map_put(ErlNifEnv* env, Word map, Word key, Word value);
Word map_remove(ErlNifEnv* env, Word map, Word key);

// 0 if a key is there twice and there are at most kFlatMapLimit pairs, as the VM decides it.
Word map_from_pairs(ErlNifEnv* env, std::vector<MapPair> pairs);

} // namespace cordon::host
