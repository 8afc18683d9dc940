#include "kernel_proxy/term_export.hpp"

#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/encoded_term.hpp"
#include "kernel_proxy/exported_terms.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/host_binary.hpp"
#include "kernel_proxy/known_funs.hpp"
#include "kernel_proxy/seal.hpp"
#include "kernel_proxy/vm_words.hpp"
#include "shared_heap/copy_bytes.hpp"

#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace cordon::proxy {
namespace {

using term::ExternalType;
using term::Kind;

// In words written. Up to here a term is written as a tree, then again from the start with sharing.
constexpr std::uint64_t kSharingThreshold = 1 << 20;

struct SharingWanted {};

class Exporter {
  public:
    Exporter(ErlNifEnv* env, Host& host, ArgumentArena& arena, Stale stale, Funs funs, bool sharing)
        : env_(env), host_(host), arena_(arena), stale_(stale), funs_(funs), sharing_(sharing) {
        if (sharing)
            seen_.emplace();
    }

    Word run(ERL_NIF_TERM term) {
        Word result = 0;
        put(term, &result);
        while (!todo_.empty()) {
            const Todo next = todo_.back();
            todo_.pop_back();
            *next.destination = compound(next.term, next.type);
        }
        return result;
    }

  private:
    struct Todo {
        ERL_NIF_TERM term;
        ErlNifTermType type;
        Word* destination;
    };

    ArgumentArena::Block allocate(std::uint64_t words) {
        written_ += words;
        if (!sharing_ && written_ > kSharingThreshold)
            throw SharingWanted{};
        return arena_.allocate(words);
    }

    // A tuple, a list or a map waits for its turn; everything else is written at once.
    void put(ERL_NIF_TERM term, Word* destination) {
        if (is_own_word(term)) {
            *destination = term;
            return;
        }
        const ErlNifTermType type = enif_term_type(env_, term);
        if (const Word word = leaf(term, type); word != 0)
            *destination = word;
        else
            todo_.push_back({term, type, destination});
    }

    Word leaf(ERL_NIF_TERM term, ErlNifTermType type);
    Word compound(ERL_NIF_TERM term, ErlNifTermType type);
    Word integer(ERL_NIF_TERM term);
    Word bitstring(ERL_NIF_TERM term);
    Word resource_binary(const BinaryProxy& proxy, const ErlNifBinary& binary);
    Word binary_in_place(Word address, Word held, std::uint64_t size);
    Word reference(ERL_NIF_TERM term);
    bool admit_fun(std::span<const unsigned char> encoded) const;
    Word external(ERL_NIF_TERM term, ExternalType type);
    Word list(ERL_NIF_TERM term);
    Word tuple(ERL_NIF_TERM term);
    Word map(ERL_NIF_TERM term);
    Word float_word(ERL_NIF_TERM term);

    ErlNifEnv* env_;
    Host& host_;
    ArgumentArena& arena_;
    const Stale stale_;
    const Funs funs_;
    const bool sharing_;
    std::uint64_t written_ = 0;
    std::vector<Todo> todo_;
    std::optional<ExportedTerms> seen_; // when sharing
};

Word Exporter::leaf(ERL_NIF_TERM term, ErlNifTermType type) {
    switch (type) {
    case ERL_NIF_TERM_TYPE_INTEGER:
        return integer(term);
    case ERL_NIF_TERM_TYPE_ATOM: {
        const Word word = BeamAtoms::instance().word_of(env_, term);
        if (word == 0)
            throw ArgumentsTooLarge("the atom segment is full");
        return word;
    }
    case ERL_NIF_TERM_TYPE_BITSTRING:
        return bitstring(term);
    case ERL_NIF_TERM_TYPE_LIST:
        return enif_is_empty_list(env_, term) != 0 ? term::kNil : 0;
    case ERL_NIF_TERM_TYPE_TUPLE:
    case ERL_NIF_TERM_TYPE_MAP:
        return 0;
    case ERL_NIF_TERM_TYPE_FLOAT:
        return float_word(term);
    case ERL_NIF_TERM_TYPE_PID: {
        ErlNifPid pid;
        return enif_get_local_pid(env_, term, &pid) != 0 ? pid_word(pid)
                                                         : external(term, ExternalType::Pid);
    }
    case ERL_NIF_TERM_TYPE_PORT: {
        ErlNifPort port;
        return enif_get_local_port(env_, term, &port) != 0 ? port_word(port)
                                                           : external(term, ExternalType::Port);
    }
    case ERL_NIF_TERM_TYPE_REFERENCE:
        return reference(term);
    case ERL_NIF_TERM_TYPE_FUN:
        return external(term, ExternalType::Fun);
    default:
        throw ArgumentsTooLarge("a kind of term that this version of cordon does not know");
    }
}

Word Exporter::integer(ERL_NIF_TERM term) {
    ErlNifSInt64 value;
    ErlNifUInt64 large;
    Kind kind = Kind::Int64;
    if (enif_get_int64(env_, term, &value) != 0) {
        if (term::fits_small(value))
            return term::make_small(value);
        large = static_cast<ErlNifUInt64>(value);
    } else if (enif_get_uint64(env_, term, &large) != 0) {
        kind = Kind::Uint64;
    } else {
        return external(term, ExternalType::Integer);
    }
    const auto block = allocate(2);
    block.local[0] = term::make_header(kind, 1);
    block.local[1] = large;
    return term::make_boxed(block.address);
}

Word Exporter::float_word(ERL_NIF_TERM term) {
    double value = 0;
    enif_get_double(env_, term, &value);
    const auto block = allocate(2);
    block.local[0] = term::make_header(Kind::Float, 1);
    std::memcpy(&block.local[1], &value, sizeof value);
    return term::make_boxed(block.address);
}

Word Exporter::bitstring(ERL_NIF_TERM term) {
    if (enif_is_binary(env_, term) == 0)
        return external(term, ExternalType::Bitstring);
    ErlNifBinary binary;
    if (enif_inspect_binary(env_, term, &binary) == 0)
        throw std::bad_alloc();
    if (sharing_)
        if (const Word known = seen_->find(term); known != 0)
            return known;
    if (const BinaryProxy* proxy = host_.group().resources().find_binary(env_, term);
        proxy != nullptr && proxy->group == &host_.group() &&
        proxy->generation == host_.generation())
        return resource_binary(*proxy, binary);
    if (binary.size >= kInPlaceBytes)
        if (const Word address = host_.address_of(binary.data); address != 0)
            if (const Word held = host_.segment()->held_at(address); held != 0)
                return binary_in_place(address, held, binary.size);
    const auto block = allocate(1 + term::bytes_to_words(binary.size));
    block.local[0] = term::make_header(Kind::Binary, binary.size);
    copy_bytes_away(&block.local[1], binary.data, binary.size);
    const Word word = term::make_boxed(block.address);
    if (sharing_)
        seen_->add(term, word);
    return word;
}

// The host has the bytes.
Word Exporter::resource_binary(const BinaryProxy& proxy, const ErlNifBinary& binary) {
    const auto offset =
        static_cast<std::uint64_t>(reinterpret_cast<const char*>(binary.data) - proxy.bytes());
    arena_.note({HeldInHost::Kind::Resource, proxy.handle});
    const auto block = allocate(5);
    block.local[0] = term::make_header(Kind::ResourceBinary, binary.size);
    block.local[1] = proxy.address + offset;
    block.local[2] = proxy.handle;
    block.local[3] = proxy.serial;
    block.local[4] = 0;
    return term::make_boxed(block.address);
}

// The host has them already, in a block that the VM holds.
Word Exporter::binary_in_place(Word address, Word held, std::uint64_t size) {
    arena_.note({HeldInHost::Kind::Binary, held});
    const auto block = allocate(3);
    block.local[0] = term::make_header(Kind::BinaryRef, size);
    block.local[1] = address;
    block.local[2] = held;
    return term::make_boxed(block.address);
}

Word Exporter::reference(ERL_NIF_TERM term) {
    const ProxyResource* proxy = host_.group().resources().find_proxy(env_, term);
    if (proxy == nullptr || proxy->group != &host_.group())
        return external(term, ExternalType::Reference);
    if (proxy->generation != host_.generation()) {
        if (stale_ == Stale::Throw)
            throw StaleResource(proxy->generation);
        return external(term, ExternalType::Reference);
    }
    arena_.note({HeldInHost::Kind::Resource, proxy->handle});
    const auto block = allocate(2);
    block.local[0] = term::make_header(Kind::Resource, 1);
    block.local[1] = proxy->handle;
    return term::make_boxed(block.address);
}

bool Exporter::admit_fun(std::span<const unsigned char> encoded) const {
    if (is_name_of_function(encoded))
        return true;
    if (funs_ == Funs::OfHost)
        return is_known_fun(encoded);
    if (funs_ == Funs::OfVm)
        remember_fun(encoded);
    return true;
}

Word Exporter::external(ERL_NIF_TERM term, ExternalType type) {
    const EncodedTerm whole(env_, term);
    const auto encoded = whole.bytes();
    if (type == ExternalType::Fun && !admit_fun(encoded))
        throw FunRefused{};
    const std::uint64_t bytes = term::kSealBytes + encoded.size();
    const auto block = allocate(2 + term::bytes_to_words(bytes));
    block.local[0] = term::make_header(Kind::External, bytes);
    block.local[1] = static_cast<Word>(type);
    block.local[2] = make_seal(type, encoded);
    std::memcpy(&block.local[3], encoded.data(), encoded.size());
    return term::make_boxed(block.address);
}

Word Exporter::compound(ERL_NIF_TERM term, ErlNifTermType type) {
    if (sharing_)
        if (const Word known = seen_->find(term); known != 0)
            return known;
    if (type == ERL_NIF_TERM_TYPE_TUPLE)
        return tuple(term);
    if (type == ERL_NIF_TERM_TYPE_LIST)
        return list(term);
    return map(term);
}

Word Exporter::tuple(ERL_NIF_TERM term) {
    int arity = 0;
    const ERL_NIF_TERM* elements = nullptr;
    enif_get_tuple(env_, term, &arity, &elements);
    const auto count = static_cast<std::uint64_t>(arity);
    const auto block = allocate(1 + count);
    const Word word = term::make_boxed(block.address);
    if (sharing_)
        seen_->add(term, word);
    block.local[0] = term::make_header(Kind::Tuple, count);
    for (std::uint64_t i = 0; i < count; ++i)
        put(elements[i], &block.local[1 + i]);
    return word;
}

// Cell after cell without a detour over the work list. What a cell leads to that is known already
// is not written again, so lists that share tails stay linear too.
Word Exporter::list(ERL_NIF_TERM term) {
    auto block = allocate(2);
    const Word word = term::make_cons(block.address);
    if (sharing_)
        seen_->add(term, word);
    ERL_NIF_TERM head;
    ERL_NIF_TERM tail;
    enif_get_list_cell(env_, term, &head, &tail);
    for (;;) {
        put(head, &block.local[0]);
        if (sharing_)
            if (const Word known = seen_->find(tail); known != 0) {
                block.local[1] = known;
                return word;
            }
        const ERL_NIF_TERM cell = tail;
        if (enif_get_list_cell(env_, cell, &head, &tail) == 0) {
            put(cell, &block.local[1]);
            return word;
        }
        const auto next = allocate(2);
        const Word next_word = term::make_cons(next.address);
        block.local[1] = next_word;
        if (sharing_)
            seen_->add(cell, next_word);
        block = next;
    }
}

Word Exporter::map(ERL_NIF_TERM term) {
    std::size_t pairs = 0;
    enif_get_map_size(env_, term, &pairs);
    const auto block = allocate(1 + 2 * pairs);
    const Word word = term::make_boxed(block.address);
    if (sharing_)
        seen_->add(term, word);
    block.local[0] = term::make_header(Kind::FlatMap, pairs);
    ErlNifMapIterator iterator;
    if (enif_map_iterator_create(env_, term, &iterator, ERL_NIF_MAP_ITERATOR_FIRST) == 0)
        throw std::bad_alloc();
    ERL_NIF_TERM key;
    ERL_NIF_TERM value;
    for (std::size_t i = 0;
         i < pairs && enif_map_iterator_get_pair(env_, &iterator, &key, &value) != 0; ++i) {
        put(key, &block.local[1 + i]);
        put(value, &block.local[1 + pairs + i]);
        enif_map_iterator_next(env_, &iterator);
    }
    enif_map_iterator_destroy(env_, &iterator);
    return word;
}

} // namespace

Word export_term(ErlNifEnv* env, ERL_NIF_TERM term, Host& host, ArgumentArena& arena, Stale stale,
                 Funs funs, Large large) {
    if (is_own_word(term))
        return term;
    try {
        return Exporter(env, host, arena, stale, funs, false).run(term);
    } catch (const SharingWanted&) {
        if (large == Large::Throw)
            throw LargeArgument{};
        return Exporter(env, host, arena, stale, funs, true).run(term);
    }
}

} // namespace cordon::proxy
