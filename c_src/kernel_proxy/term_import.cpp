#include "kernel_proxy/term_import.hpp"

#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/binary_import.hpp"
#include "kernel_proxy/external_import.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/import_budget.hpp"
#include "kernel_proxy/vm_words.hpp"
#include "shared_heap/wild.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <vector>

namespace cordon::proxy {
namespace {

using term::Kind;

// No real term has that many words.
constexpr std::uint64_t kEndless = std::uint64_t{1} << 60;
// enif_make_list_from_array counts in 32 bits.
constexpr std::size_t kMaxListLength = (std::size_t{1} << 32) - 2;

[[gnu::noinline]] void pid_or_port(ErlNifEnv* env, Word word, ERL_NIF_TERM* term) {
    ErlNifPid pid;
    ErlNifPort port;
    if (pid_from_word(word, &pid))
        *term = enif_make_pid(env, &pid);
    else if (port_from_word(word, &port))
        *term = port.port_id;
    else
        throw ProtocolViolation("invalid_term");
}

// What is all in its word; false for what lies in memory. Inlined: a list may be made of nothing
// else.
[[gnu::always_inline]] inline bool immediate(ErlNifEnv* env, Word word, ERL_NIF_TERM* term) {
    if (term::is_small(word)) {
        *term = small_words_agree ? word : enif_make_int64(env, term::small_value(word));
        return true;
    }
    if (term::is_atom(word)) {
        *term = BeamAtoms::instance().term_of(word);
        if (*term == 0)
            throw ProtocolViolation("unknown_atom");
        return true;
    }
    if (term::is_nil(word)) {
        *term = enif_make_list(env, 0);
        return true;
    }
    if (term::is_cons(word) || term::is_boxed(word))
        return false;
    pid_or_port(env, word, term);
    return true;
}

class Importer {
  public:
    Importer(ErlNifEnv* env, Host& host, const ArgumentArena& arena, Use use, bool sharing)
        : env_(env), host_(host), arena_(arena), use_(use), sharing_(sharing),
          budget_(host, arena, use, sharing), binaries_(env, host, arena, budget_, sharing) {}

    // Not inlined, so that all of its loop is.
    [[gnu::noinline]] ERL_NIF_TERM run(Word word) {
        ERL_NIF_TERM term;
        if (leaf(word, &term))
            return term;
        enter(word);
        while (!frames_.empty())
            step();
        if (sharing_)
            budget_.check_walk(expanded_.back());
        return values_.back();
    }

  private:
    enum class Shape { Tuple, List, FlatMap, HashMap, MapNode, Pair };

    // A compound that is being built. Its finished parts lie on values_ from `base` on.
    struct Frame {
        Shape shape;
        Word next;               // List: the next cell or tail
        const Word* parts;       // the next to look at; List: unused
        std::uint64_t remaining; // of them; List: 1 when the tail has been built
        std::size_t base;
        std::uint64_t size; // arity, pairs
        Word key;           // word of the whole, for sharing
    };

    // What is only walked nobody keeps.
    bool is_kept() const { return use_ == Use::Keep || use_ == Use::Copy; }

    // Of the host, who may change it at any time: each word is read once.
    static Word read(const Word* word) { return Wild<Word>::read(word).unchecked(); }

    // Where `words` words that the host has at that address are mapped here; counts them.
    const Word* claim(Word address, std::uint64_t words) {
        if (address % sizeof(Word) != 0)
            throw ProtocolViolation("misaligned_term");
        if (words > (std::uint64_t{1} << 50))
            throw ProtocolViolation("term_out_of_bounds");
        const char* local = host_bytes(host_, arena_, address, words * sizeof(Word));
        budget_.spend(words);
        return reinterpret_cast<const Word*>(local);
    }

    void push(ERL_NIF_TERM term, std::uint64_t expanded = 1) {
        values_.push_back(term);
        if (sharing_) {
            expanded_.push_back(expanded);
            cells_.push_back(0);
        }
    }

    // What needs no parts to be built first: immediates, boxed leaves, and when sharing all that
    // was built before. Pushes it; false for a compound that is still to be built.
    bool push_ready(Word word);
    bool leaf(Word word, ERL_NIF_TERM* term);
    bool boxed_leaf(Word word, ERL_NIF_TERM* term);
    ERL_NIF_TERM resource_binary(Word address, std::uint64_t bytes);
    ERL_NIF_TERM external(Word address, std::uint64_t bytes);
    void enter(Word word);
    void step();
    void step_list(std::size_t frame);
    void finish_list(std::size_t base, bool proper);
    void step_shared_list(std::size_t frame);
    void finish_shared_list(std::size_t base);
    void finish(ERL_NIF_TERM term);
    ERL_NIF_TERM make_map(std::size_t base, std::uint64_t pairs, bool interleaved);

    ErlNifEnv* env_;
    Host& host_;
    const ArgumentArena& arena_;
    const Use use_;
    const bool sharing_;
    ImportBudget budget_;
    BinaryImport binaries_;
    std::uint64_t leaf_words_ = 1; // of the last leaf, as a tree
    std::vector<Frame> frames_;
    std::vector<ERL_NIF_TERM> values_;
    // When sharing: of each value, how many words it has as a tree. The VM walks map keys, and
    // terms that it compares, hashes or encodes, as trees.
    std::vector<std::uint64_t> expanded_;
    std::vector<Word> cells_; // when sharing: the cell that a value is the head of
    struct Built {
        ERL_NIF_TERM term = 0;
        std::uint64_t expanded = 0;
    };
    // By host word; no term while it is being built: to meet that again is a cycle.
    std::unordered_map<Word, Built> seen_;
};

bool Importer::leaf(Word word, ERL_NIF_TERM* term) {
    if (immediate(env_, word, term))
        return true;
    return term::is_boxed(word) && boxed_leaf(word, term);
}

bool Importer::boxed_leaf(Word word, ERL_NIF_TERM* term) {
    const Word address = term::address_of(word);
    const Word header = read(claim(address, 1));
    const std::uint64_t size = term::header_size(header);
    switch (term::header_kind(header)) {
    case Kind::Tuple:
        if (size == 0) {
            *term = enif_make_tuple(env_, 0);
            return true;
        }
        return false;
    case Kind::FlatMap:
    case Kind::HashMap:
        if (size == 0) {
            *term = enif_make_new_map(env_);
            return true;
        }
        return false;
    case Kind::Float: {
        const Word bits = read(claim(address + 8, 1));
        double value;
        std::memcpy(&value, &bits, sizeof value);
        if (!std::isfinite(value))
            throw ProtocolViolation("float_not_finite");
        *term = enif_make_double(env_, value);
        return true;
    }
    case Kind::Int64:
        *term = enif_make_int64(env_, static_cast<ErlNifSInt64>(read(claim(address + 8, 1))));
        return true;
    case Kind::Uint64:
        *term = enif_make_uint64(env_, read(claim(address + 8, 1)));
        return true;
    case Kind::Binary:
        leaf_words_ = 1 + term::bytes_to_words(size);
        *term = binaries_.copy(address + 8, size);
        return true;
    case Kind::BinaryRef: {
        leaf_words_ = 1 + term::bytes_to_words(size);
        const Word* words = claim(address + 8, 2);
        *term = binaries_.of_block(read(words), read(words + 1), size, is_kept());
        return true;
    }
    case Kind::Resource:
        *term = host_.group().resources().make_reference(env_, host_, read(claim(address + 8, 1)));
        return true;
    case Kind::External:
        *term = external(address + 8, size);
        return true;
    case Kind::ResourceBinary:
        *term = resource_binary(address + 8, size);
        return true;
    case Kind::MapNode:
        break;
    }
    throw ProtocolViolation("invalid_header");
}

ERL_NIF_TERM Importer::resource_binary(Word address, std::uint64_t bytes) {
    const Word* words = claim(address, 4);
    const BinaryImport::OfResource named{read(words), read(words + 1), read(words + 2),
                                         read(words + 3)};
    leaf_words_ = 1 + term::bytes_to_words(bytes);
    return binaries_.of_resource(named, bytes, is_kept());
}

ERL_NIF_TERM Importer::external(Word address, std::uint64_t bytes) {
    const std::uint64_t words = 1 + term::bytes_to_words(bytes);
    claim(address, words);
    leaf_words_ = budget_.count_external(words);
    return import_external(env_, address, bytes, host_, arena_);
}

bool Importer::push_ready(Word word) {
    if (sharing_ && !term::is_immediate(word)) {
        if (const auto known = seen_.find(word); known != seen_.end()) {
            if (known->second.term == 0)
                throw ProtocolViolation("cyclic_term");
            push(known->second.term, known->second.expanded);
            return true;
        }
    }
    ERL_NIF_TERM term;
    leaf_words_ = 1;
    if (!leaf(word, &term))
        return false;
    push(term, leaf_words_);
    if (sharing_ && !term::is_immediate(word))
        seen_.emplace(word, Built{term, leaf_words_});
    return true;
}

void Importer::enter(Word word) {
    if (sharing_)
        seen_.emplace(word, Built{}); // push_ready has found it unknown
    const Word address = term::address_of(word);
    if (term::is_cons(word)) {
        frames_.push_back({Shape::List, word, nullptr, 0, values_.size(), 0, word});
        return;
    }
    // boxed_leaf has looked at the header already and counted it, but the host may have changed it
    // since.
    const Word header =
        read(reinterpret_cast<const Word*>(host_bytes(host_, arena_, address, sizeof(Word))));
    const std::uint64_t size = term::header_size(header);
    switch (term::header_kind(header)) {
    case Kind::Tuple:
        if (size == 0 || size > term::kMaxTupleArity)
            throw ProtocolViolation("invalid_tuple");
        frames_.push_back(
            {Shape::Tuple, 0, claim(address + 8, size), size, values_.size(), size, word});
        return;
    case Kind::FlatMap:
        if (size == 0 || size > (std::uint64_t{1} << 40))
            throw ProtocolViolation("invalid_map");
        frames_.push_back({Shape::FlatMap, 0, claim(address + 8, 2 * size), 2 * size,
                           values_.size(), size, word});
        return;
    case Kind::HashMap:
        frames_.push_back(
            {Shape::HashMap, 0, claim(address + 8, 1), 1, values_.size(), size, word});
        return;
    default:
        throw ProtocolViolation("invalid_header");
    }
}

// A compound is complete: its parts make way for it.
void Importer::finish(ERL_NIF_TERM term) {
    const Frame& frame = frames_.back();
    std::uint64_t expanded = 1;
    if (sharing_) {
        for (std::size_t i = frame.base; i < expanded_.size(); ++i)
            expanded = std::min(expanded + expanded_[i] + 1, kEndless);
        expanded_.resize(frame.base);
        cells_.resize(frame.base);
        seen_[frame.key] = {term, expanded};
    }
    values_.resize(frame.base);
    frames_.pop_back();
    push(term, expanded);
}

void Importer::step() {
    const std::size_t at = frames_.size() - 1;
    if (frames_[at].shape == Shape::List)
        return sharing_ ? step_shared_list(at) : step_list(at);
    while (frames_[at].remaining > 0) {
        Frame& frame = frames_[at];
        const Word word = read(frame.parts++);
        --frame.remaining;
        if (frame.shape == Shape::HashMap || frame.shape == Shape::MapNode) {
            // Below a map: nodes, and pairs in the form of cons cells.
            const Word address = term::address_of(word);
            if (term::is_cons(word)) {
                frames_.push_back({Shape::Pair, 0, claim(address, 2), 2, values_.size(), 0, 0});
            } else if (term::is_boxed(word)) {
                const Word header = read(claim(address, 2));
                const std::uint64_t children = term::header_size(header);
                if (term::header_kind(header) != Kind::MapNode)
                    throw ProtocolViolation("invalid_map");
                frames_.push_back({Shape::MapNode, 0, claim(address + 16, children), children,
                                   values_.size(), 0, 0});
            } else {
                throw ProtocolViolation("invalid_map");
            }
            return;
        }
        ERL_NIF_TERM term;
        if (!sharing_ && immediate(env_, word, &term)) {
            values_.push_back(term);
        } else if (!push_ready(word)) {
            enter(word);
            return; // its parts come first
        }
    }
    const Frame& frame = frames_[at];
    switch (frame.shape) {
    case Shape::Tuple:
        finish(enif_make_tuple_from_array(env_, &values_[frame.base],
                                          static_cast<unsigned>(frame.size)));
        break;
    case Shape::FlatMap:
        finish(make_map(frame.base, frame.size, false));
        break;
    case Shape::HashMap:
        if (values_.size() - frame.base != 2 * frame.size)
            throw ProtocolViolation("invalid_map");
        finish(make_map(frame.base, frame.size, true));
        break;
    case Shape::MapNode: // its pairs stay on values_, for the map
    case Shape::Pair:
        frames_.pop_back();
        break;
    case Shape::List:
        break;
    }
}

void Importer::step_list(std::size_t at) {
    if (frames_[at].remaining != 0) // the tail lies on values_, on top of the heads
        return finish_list(frames_[at].base, false);
    const std::size_t base = frames_[at].base;
    Word next = frames_[at].next;
    while (term::is_cons(next)) {
        const Word* cell = claim(term::address_of(next), 2);
        const Word head = read(cell);
        next = read(cell + 1);
        if (values_.size() - base >= kMaxListLength)
            throw ProtocolViolation("list_too_long");
        ERL_NIF_TERM term;
        if (immediate(env_, head, &term)) {
            values_.push_back(term);
        } else if (!push_ready(head)) {
            frames_[at].next = next;
            return enter(head);
        }
    }
    if (!push_ready(next)) {
        frames_[at].remaining = 1;
        return enter(next);
    }
    finish_list(base, term::is_nil(next));
}

void Importer::step_shared_list(std::size_t at) {
    for (;;) {
        Frame& frame = frames_[at];
        const Word word = frame.next;
        const bool tail_built = frame.remaining != 0;
        const bool begun = values_.size() > frame.base;
        if (begun && !tail_built)
            cells_.back() = frame.size; // of the head that has just been built
        // A tail that is known ends the walk, as [] does.
        if (tail_built || !term::is_cons(word) || (begun && seen_.contains(word))) {
            if (!tail_built && !push_ready(word)) {
                frame.remaining = 1;
                return enter(word);
            }
            return finish_shared_list(frame.base);
        }
        const Word* cell = claim(term::address_of(word), 2);
        const Word head = read(cell);
        frame.next = read(cell + 1);
        frame.size = word;
        if (values_.size() - frame.base >= kMaxListLength)
            throw ProtocolViolation("list_too_long");
        if (!push_ready(head))
            return enter(head);
    }
}

void Importer::finish_list(std::size_t base, bool proper) {
    ERL_NIF_TERM tail = values_.back();
    values_.pop_back();
    if (proper)
        return finish(enif_make_list_from_array(env_, values_.data() + base,
                                                static_cast<unsigned>(values_.size() - base)));
    for (std::size_t i = values_.size(); i > base; --i)
        tail = enif_make_list_cell(env_, values_[i - 1], tail);
    finish(tail);
}

// Each cell may be the tail of another list.
void Importer::finish_shared_list(std::size_t base) {
    ERL_NIF_TERM tail = values_.back();
    values_.pop_back();
    std::uint64_t expanded = expanded_.back();
    for (std::size_t i = values_.size(); i > base; --i) {
        tail = enif_make_list_cell(env_, values_[i - 1], tail);
        expanded = std::min(expanded + expanded_[i - 1] + 1, kEndless);
        seen_[cells_[i - 1]] = {tail, expanded};
    }
    values_.resize(base);
    expanded_.resize(base);
    cells_.resize(base);
    frames_.pop_back();
    push(tail, expanded);
}

ERL_NIF_TERM Importer::make_map(std::size_t base, std::uint64_t pairs, bool interleaved) {
    std::vector<ERL_NIF_TERM> sorted;
    for (std::uint64_t i = 0; sharing_ && i < pairs; ++i)
        if (expanded_[base + (interleaved ? 2 * i : i)] > kMaxWalk)
            throw ProtocolViolation("map_key_too_large");
    ERL_NIF_TERM* keys = values_.data() + base;
    ERL_NIF_TERM* values = keys + pairs;
    if (interleaved) {
        sorted.resize(2 * pairs);
        for (std::uint64_t i = 0; i < pairs; ++i) {
            sorted[i] = keys[2 * i];
            sorted[pairs + i] = keys[2 * i + 1];
        }
        keys = sorted.data();
        values = keys + pairs;
    }
    ERL_NIF_TERM map;
    if (enif_make_map_from_arrays(env_, keys, values, pairs, &map) == 0)
        throw ProtocolViolation("duplicate_map_key");
    return map;
}

} // namespace

const char* host_bytes(const Host& host, const ArgumentArena& arena, Word address,
                       std::uint64_t bytes) {
    const char* local = host.locate(address, bytes);
    if (local == nullptr)
        local = arena.locate(address, bytes);
    if (local == nullptr)
        throw ProtocolViolation("term_out_of_bounds");
    return local;
}

ERL_NIF_TERM import_term(ErlNifEnv* env, Word word, Host& host, const ArgumentArena& arena,
                         Use use) {
    ERL_NIF_TERM term;
    if (immediate(env, word, &term)) // most results
        return term;
    try {
        return Importer(env, host, arena, use, false).run(word);
    } catch (const SharingWanted&) {
        return Importer(env, host, arena, use, true).run(word);
    }
}

} // namespace cordon::proxy
