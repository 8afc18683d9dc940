// Maps. Small ones are flat, in key order as the VM keeps them. One with more pairs than
// kFlatMapLimit becomes a hash trie (HashMap) when it is changed, so that building a map of n pairs
// one by one is O(n log n); a big flat one of the BEAM that is only read gets a look-up table,
// which the environment keeps.
//
// Invariant: a flat map's pairs lie in the order in which the VM iterates it.
//
// Trie: four bits of the key's internal hash choose the child at each level; after 15 levels the
// hash is taken anew with another salt. A leaf is a cons cell [Key|Value].
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

// In an order of ours; for a flat map it is the VM's.
std::vector<MapPair> map_pairs(Word map);

// The same map, flat, with its pairs in the order in which the VM iterates them. For a hash trie it
// asks the VM, whose order can't be known here; the environment remembers that.
Word map_in_vm_order(ErlNifEnv* env, Word map);

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
