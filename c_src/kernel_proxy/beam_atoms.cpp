#include "kernel_proxy/beam_atoms.hpp"

#include <algorithm>
#include <cstring>

namespace cordon::proxy {
namespace {

constexpr std::size_t kFirstCapacity = 4096;

std::size_t hash_of(ERL_NIF_TERM atom) {
    return static_cast<std::size_t>((atom * 0x9E3779B97F4A7C15ULL) >> 20);
}

// External term format: version, SMALL_ATOM_UTF8_EXT (OTP 26 on) or ATOM_EXT / ATOM_UTF8_EXT.
constexpr unsigned char kVersion = 131;
constexpr unsigned char kAtomExt = 100;
constexpr unsigned char kAtomUtf8Ext = 118;
constexpr unsigned char kSmallAtomUtf8Ext = 119;
constexpr unsigned char kSmallAtomExt = 115;

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::string latin1_to_utf8(std::string_view latin1) {
    std::string utf8;
    for (const char c : latin1) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            utf8.push_back(c);
        } else {
            utf8.push_back(static_cast<char>(0xC0 | (byte >> 6)));
            utf8.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
        }
    }
    return utf8;
}

std::uint32_t rank_of(ERL_NIF_TERM atom) {
    return static_cast<std::uint32_t>(std::min<ERL_NIF_TERM>(atom, UINT32_MAX));
}

// A map's first key.
ERL_NIF_TERM first_key(ErlNifEnv* env, ERL_NIF_TERM map) {
    ErlNifMapIterator iterator;
    ERL_NIF_TERM key = 0;
    ERL_NIF_TERM value;
    if (enif_map_iterator_create(env, map, &iterator, ERL_NIF_MAP_ITERATOR_FIRST) != 0) {
        enif_map_iterator_get_pair(env, &iterator, &key, &value);
        enif_map_iterator_destroy(env, &iterator);
    }
    return key;
}

void learn_traits(ErlNifEnv* env, AtomTableWriter& writer) {
    if (enif_is_identical(enif_make_double(env, 0.0), enif_make_double(env, -0.0)) == 0)
        writer.set(VmTrait::ZerosDiffer);
    // Two atoms of which the one with the smaller text has the greater word: every VM has such.
    constexpr const char* kTexts[] = {"undefined", "true", "ok", "false", "error", "badarg"};
    for (const char* larger : kTexts)
        for (const char* smaller : kTexts) {
            ERL_NIF_TERM keys[] = {enif_make_atom(env, smaller), enif_make_atom(env, larger)};
            ERL_NIF_TERM map;
            if (std::string_view(smaller) < larger && keys[0] > keys[1] &&
                enif_make_map_from_arrays(env, keys, keys, 2, &map) != 0) {
                if (first_key(env, map) == keys[1])
                    writer.set(VmTrait::AtomKeysByRank);
                return;
            }
        }
}

} // namespace

BeamAtoms::Table::Table(std::size_t capacity)
    : mask(capacity - 1), entries(std::make_unique<Entry[]>(capacity)) {}

BeamAtoms& BeamAtoms::instance() {
    static BeamAtoms* atoms = new BeamAtoms; // outlives every thread of the VM
    return *atoms;
}

BeamAtoms::BeamAtoms()
    : fd_(create_memory("cordon_atoms", atom_segment_size())),
      mapping_(map_memory(fd_.get(), atom_segment_size(), Access::ReadWrite)),
      pages_(std::make_unique<std::atomic<ERL_NIF_TERM*>[]>(kMaxAtoms / kPageAtoms)) {
    seal_beam_memory(fd_.get());
    tables_.push_back(std::make_unique<Table>(kFirstCapacity));
    table_.store(tables_.back().get(), std::memory_order_release);
    ErlNifEnv* env = enif_alloc_env();
    writer_.emplace(mapping_.data());
    // The writer has laid the well-known atoms out at fixed indices: adopt them.
    pages_[0].store(new ERL_NIF_TERM[kPageAtoms]());
    constexpr auto known = static_cast<std::uint32_t>(WellKnownAtom::Count);
    for (std::uint32_t i = 0; i < known; ++i) {
        const std::string_view text = well_known_text(static_cast<WellKnownAtom>(i));
        const ERL_NIF_TERM atom = enif_make_atom_len(env, text.data(), text.size());
        pages_[0].load()[i] = atom;
        writer_->set_rank(static_cast<WellKnownAtom>(i), rank_of(atom));
        insert(*tables_.back(), atom, i);
    }
    learn_traits(env, *writer_);
    count_.store(known, std::memory_order_release);
    enif_free_env(env);
}

std::optional<std::uint32_t> BeamAtoms::find(const Table& table, ERL_NIF_TERM atom) const {
    for (std::size_t at = hash_of(atom);; ++at) {
        const Entry& entry = table.entries[at & table.mask];
        const ERL_NIF_TERM key = entry.key.load(std::memory_order_acquire);
        if (key == atom)
            return entry.index.load(std::memory_order_relaxed);
        if (key == 0)
            return std::nullopt;
    }
}

void BeamAtoms::insert(Table& table, ERL_NIF_TERM atom, std::uint32_t index) {
    std::size_t at = hash_of(atom);
    while (table.entries[at & table.mask].key.load(std::memory_order_relaxed) != 0)
        ++at;
    Entry& entry = table.entries[at & table.mask];
    entry.index.store(index, std::memory_order_relaxed);
    entry.key.store(atom, std::memory_order_release);
}

std::optional<std::uint32_t> BeamAtoms::add(ErlNifEnv* env, ERL_NIF_TERM atom) {
    const std::scoped_lock guard(write_lock_);
    if (const auto index = find(*table_.load(std::memory_order_relaxed), atom))
        return index; // another thread was faster
    const std::uint32_t index = writer_->append(text_of(env, atom), rank_of(atom));
    if (index >= kMaxAtoms)
        return std::nullopt;
    auto& page = pages_[index / kPageAtoms];
    if (page.load(std::memory_order_relaxed) == nullptr)
        page.store(new ERL_NIF_TERM[kPageAtoms](), std::memory_order_release);
    page.load(std::memory_order_relaxed)[index % kPageAtoms] = atom;
    count_.store(index + 1, std::memory_order_release);

    Table* table = table_.load(std::memory_order_relaxed);
    if (std::size_t{index} * 2 > table->mask) {
        auto larger = std::make_unique<Table>((table->mask + 1) * 2);
        for (std::size_t i = 0; i <= table->mask; ++i)
            if (const ERL_NIF_TERM key = table->entries[i].key.load(std::memory_order_relaxed))
                insert(*larger, key, table->entries[i].index.load(std::memory_order_relaxed));
        tables_.push_back(std::move(larger));
        table = tables_.back().get();
    }
    insert(*table, atom, index);
    table_.store(table, std::memory_order_release);
    return index;
}

term::Word BeamAtoms::word_of(ErlNifEnv* env, ERL_NIF_TERM atom) {
    auto index = find(*table_.load(std::memory_order_acquire), atom);
    if (!index)
        index = add(env, atom);
    return index ? term::make_atom(*index) : 0;
}

ERL_NIF_TERM BeamAtoms::term_of(term::Word word) const {
    const std::uint64_t index = term::atom_index(word);
    if (index >= count_.load(std::memory_order_acquire))
        return 0;
    return pages_[index / kPageAtoms].load(std::memory_order_acquire)[index % kPageAtoms];
}

std::string BeamAtoms::text_of(ErlNifEnv* env, ERL_NIF_TERM atom) {
    char text[256];
    const int length = enif_get_atom(env, atom, text, sizeof text, ERL_NIF_LATIN1);
    if (length > 0)
        return latin1_to_utf8({text, static_cast<std::size_t>(length) - 1});
    // Characters beyond latin1: the external format has them as UTF-8.
    ErlNifBinary encoded;
    std::string utf8;
    if (enif_term_to_binary(env, atom, &encoded) == 0)
        return utf8;
    if (encoded.size > 3) {
        const bool small = encoded.data[1] == kSmallAtomUtf8Ext || encoded.data[1] == kSmallAtomExt;
        const std::size_t header = small ? 3 : 4;
        utf8.assign(reinterpret_cast<const char*>(encoded.data) + header, encoded.size - header);
        if (encoded.data[1] == kAtomExt || encoded.data[1] == kSmallAtomExt)
            utf8 = latin1_to_utf8(utf8);
    }
    enif_release_binary(&encoded);
    return utf8;
}

ERL_NIF_TERM BeamAtoms::from_text(ErlNifEnv* env, std::string_view utf8, bool create) {
    if (utf8.size() > kMaxAtomBytes)
        return 0;
    ERL_NIF_TERM atom = 0;
    if (is_ascii(utf8)) {
        if (create)
            return utf8.size() > 255 ? 0 : enif_make_atom_len(env, utf8.data(), utf8.size());
        return enif_make_existing_atom_len(env, utf8.data(), utf8.size(), &atom, ERL_NIF_LATIN1) !=
                       0
                   ? atom
                   : 0;
    }
    std::string encoded;
    encoded.push_back(static_cast<char>(kVersion));
    encoded.push_back(static_cast<char>(kAtomUtf8Ext));
    encoded.push_back(static_cast<char>(utf8.size() >> 8));
    encoded.push_back(static_cast<char>(utf8.size() & 0xFF));
    encoded.append(utf8);
    // Malformed UTF-8 or more than 255 characters is refused by the decoder.
    if (enif_binary_to_term(env, reinterpret_cast<const unsigned char*>(encoded.data()),
                            encoded.size(), &atom, create ? 0 : ERL_NIF_BIN2TERM_SAFE) == 0)
        return 0;
    return enif_is_atom(env, atom) != 0 ? atom : 0;
}

} // namespace cordon::proxy
