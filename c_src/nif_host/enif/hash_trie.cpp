#include "nif_host/enif/hash_trie.hpp"

#include "nif_host/enif/compare.hpp"
#include "nif_host/enif/hash.hpp"
#include "nif_host/enif/term_access.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace cordon::host {
namespace {

// Narrow nodes: a change copies one node of each level.
constexpr unsigned kBitsPerLevel = 4;
constexpr unsigned kLevelsPerHash = 15;

// The way of a key from the root down.
class Path {
  public:
    explicit Path(Word key, unsigned level = 0)
        : key_(key), level_(level), hash_(internal_hash(key, level / kLevelsPerHash)) {}
    Word bit() const {
        const unsigned shift = level_ % kLevelsPerHash * kBitsPerLevel;
        return Word{1} << ((hash_ >> shift) & ((1U << kBitsPerLevel) - 1));
    }
    void down() {
        ++level_;
        if (level_ % kLevelsPerHash == 0)
            hash_ = internal_hash(key_, level_ / kLevelsPerHash);
    }
    unsigned level() const { return level_; }

  private:
    Word key_;
    unsigned level_;
    std::uint64_t hash_;
};

struct Node {
    explicit Node(Word boxed) : words(object(boxed)) {}
    Word bitmap() const { return words[1]; }
    std::size_t size() const { return term::header_size(words[0]); }
    Word* children() const { return words + 2; }
    std::size_t position(Word bit) const {
        return static_cast<std::size_t>(std::popcount(bitmap() & (bit - 1)));
    }
    Word* words;
};

Node new_node(ErlNifEnv* env, Word bitmap, std::size_t size) {
    Word* words = env_words(env, size + 2);
    words[0] = term::make_header(Kind::MapNode, size);
    words[1] = bitmap;
    return Node(boxed_word(words));
}

Word make_leaf(ErlNifEnv* env, Word key, Word value) {
    Word* cell = env_words(env, 2);
    cell[0] = key;
    cell[1] = value;
    return cons_word(cell);
}

Word with_replaced(ErlNifEnv* env, Node node, std::size_t at, Word child) {
    const Node copy = new_node(env, node.bitmap(), node.size());
    std::copy_n(node.children(), node.size(), copy.children());
    copy.children()[at] = child;
    return boxed_word(copy.words);
}

Word with_inserted(ErlNifEnv* env, Node node, Word bit, Word child) {
    const std::size_t at = node.position(bit);
    const Node copy = new_node(env, node.bitmap() | bit, node.size() + 1);
    std::copy_n(node.children(), at, copy.children());
    copy.children()[at] = child;
    std::copy(node.children() + at, node.children() + node.size(), copy.children() + at + 1);
    return boxed_word(copy.words);
}

Word with_erased(ErlNifEnv* env, Node node, Word bit) {
    const std::size_t at = node.position(bit);
    const Node copy = new_node(env, node.bitmap() & ~bit, node.size() - 1);
    std::copy_n(node.children(), at, copy.children());
    std::copy(node.children() + at + 1, node.children() + node.size(), copy.children() + at);
    return boxed_word(copy.words);
}

// Two leaves with different keys that meet at this level.
Word split(ErlNifEnv* env, Word old_leaf, Word new_leaf, unsigned level) {
    Path old_path(cons_cell(old_leaf)[0], level);
    Path new_path(cons_cell(new_leaf)[0], level);
    std::vector<Word> above; // bits of the levels at which they are still together
    for (; old_path.bit() == new_path.bit(); old_path.down(), new_path.down())
        above.push_back(old_path.bit());
    const Node last = new_node(env, old_path.bit() | new_path.bit(), 2);
    const bool old_first = old_path.bit() < new_path.bit();
    last.children()[0] = old_first ? old_leaf : new_leaf;
    last.children()[1] = old_first ? new_leaf : old_leaf;
    Word result = boxed_word(last.words);
    for (; !above.empty(); above.pop_back()) {
        const Node node = new_node(env, above.back(), 1);
        node.children()[0] = result;
        result = boxed_word(node.words);
    }
    return result;
}

struct Entry {
    std::uint64_t hash;
    MapPair pair;
};

// Sorted by hash with its digits in trie order, a subtree's entries lie together. False: a key
// twice.
bool build_node(ErlNifEnv* env, std::span<Entry> entries, unsigned level, Word* result) {
    if (entries.size() == 1) {
        *result = make_leaf(env, entries[0].pair.key, entries[0].pair.value);
        return true;
    }
    if (level != 0 && level % kLevelsPerHash == 0) {
        // A whole hash is used up: the same key, or (never in practice) two that collide.
        for (std::size_t i = 1; i < entries.size(); ++i)
            if (terms_identical(entries[0].pair.key, entries[i].pair.key))
                return false;
        for (Entry& entry : entries)
            entry.hash = internal_hash(entry.pair.key, level / kLevelsPerHash);
    }
    const unsigned shift = level % kLevelsPerHash * kBitsPerLevel;
    const auto digit = [shift](const Entry& entry) {
        return (entry.hash >> shift) & ((1U << kBitsPerLevel) - 1);
    };
    std::sort(entries.begin(), entries.end(),
              [&](const Entry& a, const Entry& b) { return digit(a) < digit(b); });
    Word children[1 << kBitsPerLevel];
    std::size_t count = 0;
    Word bitmap = 0;
    for (std::size_t from = 0; from < entries.size();) {
        std::size_t to = from + 1;
        while (to < entries.size() && digit(entries[to]) == digit(entries[from]))
            ++to;
        bitmap |= Word{1} << digit(entries[from]);
        if (!build_node(env, entries.subspan(from, to - from), level + 1, &children[count++]))
            return false;
        from = to;
    }
    const Node node = new_node(env, bitmap, count);
    std::copy_n(children, count, node.children());
    *result = boxed_word(node.words);
    return true;
}

} // namespace

const Word* trie_find(Word root, Word key) {
    Path path(key);
    for (Word at = root; term::is_boxed(at); path.down()) {
        const Node node(at);
        if ((node.bitmap() & path.bit()) == 0)
            return nullptr;
        at = node.children()[node.position(path.bit())];
        if (term::is_cons(at)) {
            const Word* leaf = cons_cell(at);
            return terms_identical(leaf[0], key) ? leaf + 1 : nullptr;
        }
    }
    return nullptr;
}

Word trie_put(ErlNifEnv* env, Word root, Word key, Word value, bool* added) {
    struct Step {
        Node node;
        std::size_t at;
    };
    std::vector<Step> above;
    Path path(key);
    *added = true;
    Word result = 0;
    for (Word at = root; result == 0; path.down()) {
        const Node node(at);
        const std::size_t position = node.position(path.bit());
        if ((node.bitmap() & path.bit()) == 0) {
            result = with_inserted(env, node, path.bit(), make_leaf(env, key, value));
            break;
        }
        above.push_back({node, position});
        at = node.children()[position];
        if (term::is_cons(at)) {
            *added = !terms_identical(cons_cell(at)[0], key);
            // As in the VM the new one of two keys that are equal but not the same word stays,
            // unless nothing changes.
            const bool same = !*added && cons_cell(at)[1] == value;
            const Word leaf = same ? at : make_leaf(env, key, value);
            result = *added ? split(env, at, leaf, path.level() + 1) : leaf;
        }
    }
    for (; !above.empty(); above.pop_back())
        result = with_replaced(env, above.back().node, above.back().at, result);
    return result;
}

Word trie_remove(ErlNifEnv* env, Word root, Word key) {
    struct Step {
        Node node;
        Word bit;
    };
    std::vector<Step> above;
    Path path(key);
    for (Word at = root; term::is_boxed(at); path.down()) {
        above.push_back({Node(at), path.bit()});
        at = above.back().node.children()[above.back().node.position(path.bit())];
    }
    Word result = 0; // what takes the place of the child below; 0 is nothing
    for (; !above.empty(); above.pop_back()) {
        const Node node = above.back().node;
        const Word bit = above.back().bit;
        if (result != 0)
            result = with_replaced(env, node, node.position(bit), result);
        else if (node.size() > 1)
            result = with_erased(env, node, bit);
    }
    return result;
}

Word trie_build(ErlNifEnv* env, const std::vector<MapPair>& pairs) {
    std::vector<Entry> entries;
    entries.reserve(pairs.size());
    for (const MapPair& pair : pairs)
        entries.push_back({internal_hash(pair.key, 0), pair});
    Word root = 0;
    return build_node(env, entries, 0, &root) ? root : 0;
}

void trie_pairs(Word root, std::vector<MapPair>* pairs) {
    std::vector<Word> pending{root};
    while (!pending.empty()) {
        const Word at = pending.back();
        pending.pop_back();
        if (term::is_cons(at)) {
            pairs->push_back({cons_cell(at)[0], cons_cell(at)[1]});
            continue;
        }
        const Node node(at);
        for (std::size_t i = node.size(); i > 0; --i)
            pending.push_back(node.children()[i - 1]);
    }
}

} // namespace cordon::host
