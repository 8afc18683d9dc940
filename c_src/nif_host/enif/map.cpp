#include "nif_host/enif/map.hpp"

#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/compare.hpp"
#include "nif_host/enif/hash.hpp"
#include "nif_host/enif/hash_trie.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/upcall_client.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace cordon::host {

// Open addressing over the keys of a big flat map: a cell is the pair's number + 1.
struct MapIndex {
    std::uint64_t mask;
    std::uint32_t* cells() { return reinterpret_cast<std::uint32_t*>(this + 1); }
    const std::uint32_t* cells() const { return reinterpret_cast<const std::uint32_t*>(this + 1); }
};

namespace {

struct Flat {
    explicit Flat(Word map) : words(object(map)) {}
    std::size_t size() const { return term::header_size(words[0]); }
    Word* keys() const { return words + 1; }
    Word* values() const { return words + 1 + size(); }
    Word* words;
};

bool is_flat(Word map) {
    return kind_of(map) == Kind::FlatMap;
}
Word root_of(Word hash_map) {
    return object(hash_map)[1];
}

Flat new_flat(ErlNifEnv* env, std::size_t size) {
    Word* words = env_words(env, 2 * size + 1);
    words[0] = term::make_header(Kind::FlatMap, size);
    return Flat(boxed_word(words));
}

Word new_hash_map(ErlNifEnv* env, std::uint64_t size, Word root) {
    Word* words = env_words(env, 2);
    words[0] = term::make_header(Kind::HashMap, size);
    words[1] = root;
    return boxed_word(words);
}

// As the VM keeps the keys of small maps: some releases have atoms by their age.
bool key_less(Word a, Word b) {
    if (term::is_atom(a) && term::is_atom(b) && vm_trait(VmTrait::AtomKeysByRank))
        return atom_rank(a) < atom_rank(b);
    return compare_terms(a, b, Order::KeyOrder) < 0;
}

Word sorted_flat(ErlNifEnv* env, std::vector<MapPair>& pairs) {
    std::sort(pairs.begin(), pairs.end(),
              [](const MapPair& a, const MapPair& b) { return key_less(a.key, b.key); });
    const Flat flat = new_flat(env, pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        flat.keys()[i] = pairs[i].key;
        flat.values()[i] = pairs[i].value;
    }
    return boxed_word(flat.words);
}

std::size_t index_cells(std::size_t pairs) {
    return std::bit_ceil(2 * pairs);
}

void fill_index(MapIndex* index, Flat flat) {
    const std::size_t count = index_cells(flat.size());
    index->mask = count - 1;
    std::memset(index->cells(), 0, count * sizeof(std::uint32_t));
    for (std::size_t i = 0; i < flat.size(); ++i) {
        std::size_t at = internal_hash(flat.keys()[i], 0) & index->mask;
        while (index->cells()[at] != 0)
            at = (at + 1) & index->mask;
        index->cells()[at] = static_cast<std::uint32_t>(i + 1);
    }
}

std::optional<std::size_t> find_indexed(const MapIndex* index, Flat flat, Word key) {
    for (std::size_t at = internal_hash(key, 0) & index->mask; index->cells()[at] != 0;
         at = (at + 1) & index->mask) {
        const std::size_t i = index->cells()[at] - 1;
        if (terms_identical(flat.keys()[i], key))
            return i;
    }
    return std::nullopt;
}

std::optional<std::size_t> find_linear(Flat flat, Word key) {
    const Word* const begin = flat.keys();
    const Word* const end = begin + flat.size();
    const Word* found =
        term::is_immediate(key)
            ? std::find(begin, end, key)
            : std::find_if(begin, end, [key](Word other) { return terms_identical(other, key); });
    if (found == end)
        return std::nullopt;
    return static_cast<std::size_t>(found - begin);
}

std::size_t index_words(std::size_t pairs) {
    return term::bytes_to_words(sizeof(MapIndex) + index_cells(pairs) * sizeof(std::uint32_t));
}

BigFlatMap& big_flat_map(ErlNifEnv* env, Word map) {
    if (env->big_flat_maps == nullptr)
        env->big_flat_maps = std::make_unique<std::unordered_map<Word, BigFlatMap>>();
    return (*env->big_flat_maps)[map];
}

MapIndex* index_of(ErlNifEnv* env, Word map) {
    MapIndex*& index = big_flat_map(env, map).index;
    if (index == nullptr) {
        const Flat flat(map);
        index = reinterpret_cast<MapIndex*>(env_words(env, index_words(flat.size())));
        fill_index(index, flat);
    }
    return index;
}

std::optional<std::size_t> find_flat(ErlNifEnv* env, Word map, Word key) {
    const Flat flat(map);
    if (flat.size() <= term::kFlatMapLimit || env == nullptr)
        return find_linear(flat, key);
    return find_indexed(index_of(env, map), flat, key);
}

Word flat_with_value(ErlNifEnv* env, Flat flat, std::size_t at, Word value) {
    const Flat copy = new_flat(env, flat.size());
    std::copy_n(flat.keys(), 2 * flat.size(), copy.keys());
    copy.values()[at] = value;
    return boxed_word(copy.words);
}

Word flat_with_pair(ErlNifEnv* env, Flat flat, Word key, Word value) {
    const std::size_t size = flat.size();
    const Word* const place = std::lower_bound(flat.keys(), flat.keys() + size, key, key_less);
    const auto at = static_cast<std::size_t>(place - flat.keys());
    const Flat copy = new_flat(env, size + 1);
    const auto insert = [&](const Word* from, Word* to, Word word) {
        std::copy_n(from, at, to);
        to[at] = word;
        std::copy(from + at, from + size, to + at + 1);
    };
    insert(flat.keys(), copy.keys(), key);
    insert(flat.values(), copy.values(), value);
    return boxed_word(copy.words);
}

Word flat_without(ErlNifEnv* env, Flat flat, std::size_t at) {
    const std::size_t size = flat.size();
    const Flat copy = new_flat(env, size - 1);
    const auto erase = [&](const Word* from, Word* to) {
        std::copy_n(from, at, to);
        std::copy(from + at + 1, from + size, to + at);
    };
    erase(flat.keys(), copy.keys());
    erase(flat.values(), copy.values());
    return boxed_word(copy.words);
}

// Numbers of the pairs in the VM's order.
std::vector<std::uint32_t> vm_order(const std::vector<MapPair>& pairs) {
    const std::size_t size = pairs.size();
    HostHeap& heap = *context().heap; // the VM reads there
    auto* words = static_cast<Word*>(heap.allocate((2 * size + 1) * sizeof(Word)));
    words[0] = term::make_header(Kind::FlatMap, size);
    for (std::size_t i = 0; i < size; ++i) {
        words[1 + i] = pairs[i].key;
        words[1 + size + i] = term::make_small(static_cast<std::int64_t>(i));
    }
    std::vector<std::uint32_t> numbers(size);
    {
        const UpcallAnswer answer(ipc::Upcall::MapOrder, {boxed_word(words)});
        const Bytes bytes = binary_bytes(answer.word());
        std::memcpy(numbers.data(), bytes.data, std::min(bytes.size, 4 * size));
    }
    heap.deallocate(words);
    return numbers;
}

Word to_hash_map(ErlNifEnv* env, Word map) {
    if (!is_flat(map))
        return map;
    if (map_size(map) <= term::kFlatMapLimit)
        return new_hash_map(env, map_size(map), trie_build(env, map_pairs(map)));
    // Made once: the library may change the same argument again and again.
    Word& made = big_flat_map(env, map).hash_map;
    if (made == 0)
        made = new_hash_map(env, map_size(map), trie_build(env, map_pairs(map)));
    return made;
}

} // namespace

bool is_map(Word word) {
    return is_kind(word, Kind::FlatMap) || is_kind(word, Kind::HashMap);
}
std::uint64_t map_size(Word map) {
    return size_of(map);
}

std::vector<MapPair> map_pairs(Word map) {
    std::vector<MapPair> pairs;
    pairs.reserve(map_size(map));
    if (is_flat(map)) {
        const Flat flat(map);
        for (std::size_t i = 0; i < flat.size(); ++i)
            pairs.push_back({flat.keys()[i], flat.values()[i]});
    } else {
        trie_pairs(root_of(map), &pairs);
    }
    return pairs;
}

Word map_in_vm_order(ErlNifEnv* env, Word map) {
    if (is_flat(map))
        return map;
    if (env->map_orders == nullptr)
        env->map_orders = std::make_unique<std::unordered_map<Word, Word>>();
    Word& ordered = (*env->map_orders)[map];
    if (ordered == 0) {
        const auto pairs = map_pairs(map);
        const Flat flat = new_flat(env, pairs.size());
        std::size_t i = 0;
        for (const std::uint32_t number : vm_order(pairs)) {
            flat.keys()[i] = pairs[number].key;
            flat.values()[i++] = pairs[number].value;
        }
        ordered = boxed_word(flat.words);
    }
    return ordered;
}

const Word* map_find(ErlNifEnv* env, Word map, Word key) {
    if (!is_flat(map))
        return trie_find(root_of(map), key);
    const auto at = find_flat(env, map, key);
    return at ? Flat(map).values() + *at : nullptr;
}

MapLookup::MapLookup(Word map) : map_(map) {
    if (!is_flat(map) || map_size(map) <= term::kFlatMapLimit)
        return;
    index_.resize(index_words(map_size(map)));
    fill_index(reinterpret_cast<MapIndex*>(index_.data()), Flat(map));
}

const Word* MapLookup::find(Word key) const {
    if (index_.empty())
        return map_find(nullptr, map_, key);
    const Flat flat(map_);
    const auto at = find_indexed(reinterpret_cast<const MapIndex*>(index_.data()), flat, key);
    return at ? flat.values() + *at : nullptr;
}

Word map_put(ErlNifEnv* env, Word map, Word key, Word value) {
    if (is_flat(map) && map_size(map) <= term::kFlatMapLimit) {
        const Flat flat(map);
        if (const auto at = find_linear(flat, key))
            return flat.values()[*at] == value ? map : flat_with_value(env, flat, *at, value);
        if (flat.size() < term::kFlatMapLimit)
            return flat_with_pair(env, flat, key, value);
    }
    map = to_hash_map(env, map);
    bool added = false;
    const Word root = trie_put(env, root_of(map), key, value, &added);
    return new_hash_map(env, map_size(map) + (added ? 1 : 0), root);
}

Word map_remove(ErlNifEnv* env, Word map, Word key) {
    if (is_flat(map) && map_size(map) <= term::kFlatMapLimit) {
        const auto at = find_linear(Flat(map), key);
        return at ? flat_without(env, Flat(map), *at) : map;
    }
    if (map_find(env, map, key) == nullptr)
        return map;
    map = to_hash_map(env, map);
    const Word smaller = new_hash_map(env, map_size(map) - 1, trie_remove(env, root_of(map), key));
    if (map_size(smaller) > term::kFlatMapLimit)
        return smaller;
    auto pairs = map_pairs(smaller);
    return sorted_flat(env, pairs);
}

Word map_from_pairs(ErlNifEnv* env, std::vector<MapPair> pairs) {
    if (pairs.size() > term::kFlatMapLimit) {
        if (const Word root = trie_build(env, pairs); root != 0)
            return new_hash_map(env, pairs.size(), root);
        // A key is there twice. The VM refuses that in a small map only; in a big one the last
        // wins.
        Word map = boxed_word(new_flat(env, 0).words);
        for (const MapPair& pair : pairs)
            map = map_put(env, map, pair.key, pair.value);
        return map;
    }
    const Word map = sorted_flat(env, pairs);
    const Flat flat(map);
    for (std::size_t i = 1; i < flat.size(); ++i)
        if (terms_identical(flat.keys()[i - 1], flat.keys()[i]))
            return 0;
    return map;
}

} // namespace cordon::host
