#include "nif_host/enif/atoms.hpp"

#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/text.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/upcall_client.hpp"

#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace cordon::host {
namespace {

constexpr std::ptrdiff_t kMaxAtomCharacters = 255;

// Open addressing; readers take no lock. A cell holds an atom's index + 1 in its lower half and the
// upper half of the text's hash above it, so that a look-up reads the text of (almost) only its
// own.
class AtomIndex {
  public:
    Word find(std::string_view utf8) {
        const std::uint64_t hash = std::hash<std::string_view>{}(utf8);
        if (const Word atom = look_up(hash, utf8); atom != 0)
            return atom;
        if (context().atoms->count() == indexed_.load(std::memory_order_acquire))
            return 0;
        add_published();
        return look_up(hash, utf8);
    }

  private:
    struct Table {
        explicit Table(std::size_t size)
            : mask(size - 1), cells(std::make_unique<std::atomic<std::uint64_t>[]>(size)) {}
        std::size_t mask;
        std::unique_ptr<std::atomic<std::uint64_t>[]> cells;
    };

    Word look_up(std::uint64_t hash, std::string_view utf8) const {
        // Partner: the release stores of add_published.
        const Table* table = table_.load(std::memory_order_acquire);
        if (table == nullptr)
            return 0;
        for (std::size_t at = hash & table->mask;; at = (at + 1) & table->mask) {
            const std::uint64_t cell = table->cells[at].load(std::memory_order_acquire);
            if (cell == 0)
                return 0;
            const auto index = static_cast<std::uint32_t>(cell) - 1;
            if (cell >> 32 == hash >> 32 && context().atoms->text(index) == utf8)
                return term::make_atom(index);
        }
    }

    static void insert(Table& table, std::uint32_t index) {
        const std::uint64_t hash = std::hash<std::string_view>{}(context().atoms->text(index));
        std::size_t at = hash & table.mask;
        while (table.cells[at].load(std::memory_order_relaxed) != 0)
            at = (at + 1) & table.mask;
        table.cells[at].store((hash & ~std::uint64_t{UINT32_MAX}) | (index + 1),
                              std::memory_order_release);
    }

    void add_published() {
        const std::scoped_lock guard(lock_);
        const std::uint32_t count = context().atoms->count();
        std::uint32_t from = indexed_.load(std::memory_order_relaxed);
        Table* table = table_.load(std::memory_order_relaxed);
        if (table == nullptr || std::size_t{count} * 2 > table->mask) {
            // Readers may still be in the old one: it stays, all of them together are no larger.
            table = new Table(std::bit_ceil(std::size_t{count} * 4 + 1024));
            from = 0;
        }
        for (; from < count; ++from)
            insert(*table, from);
        table_.store(table, std::memory_order_release);
        indexed_.store(count, std::memory_order_release);
    }

    std::mutex lock_;
    std::atomic<Table*> table_{nullptr};
    std::atomic<std::uint32_t> indexed_{0};
};

AtomIndex& index_of_all() {
    static auto* index = new AtomIndex; // threads of the library may still run at exit
    return *index;
}

// 0 if the text isn't in the encoding.
Word atom_of_text(std::string_view text, ErlNifCharEncoding encoding, MakeAtom make) {
    if (vm_encoding(encoding) == kLatin1)
        return is_ascii(text) ? atom_of(text, make) : atom_of(latin1_to_utf8(text), make);
    return vm_encoding(encoding) == kUtf8 ? atom_of(text, make) : 0;
}

// -1: it has other characters.
int latin1_length(std::string_view utf8) {
    int count = 0;
    for (std::size_t at = 0; at < utf8.size(); ++count)
        if (utf8_next(utf8, &at) > 0xFF)
            return -1;
    return count;
}

// What doesn't fit leaves the buffer as it is.
int get_latin1(std::string_view utf8, char* buffer, unsigned size) {
    const int length = latin1_length(utf8);
    if (length < 0 || static_cast<unsigned>(length) >= size)
        return 0;
    for (std::size_t at = 0; at < utf8.size();)
        *buffer++ = static_cast<char>(utf8_next(utf8, &at));
    *buffer = '\0';
    return length + 1;
}

} // namespace

Word find_atom(std::string_view utf8) {
    return index_of_all().find(utf8);
}

Word atom_of(std::string_view utf8, MakeAtom make) {
    if (const Word atom = find_atom(utf8); atom != 0)
        return atom;
    const std::ptrdiff_t characters = utf8_length(utf8);
    if (characters < 0 || characters > kMaxAtomCharacters)
        return 0;
    const UpcallText text(utf8);
    if (make == MakeAtom::IfExists)
        return upcall(ipc::Upcall::ExistingAtom, {text.address(), text.bytes()});
    const Word atom = upcall(ipc::Upcall::MakeAtom, {text.address(), text.bytes()});
    if (atom == 0 && make == MakeAtom::Always)
        end_host(ipc::EndKind::Quota, static_cast<std::uint32_t>(ipc::QuotaKind::Atoms));
    return atom;
}

std::uint32_t atom_rank(Word atom) {
    return context().atoms->rank(static_cast<std::uint32_t>(term::atom_index(atom)));
}

bool vm_trait(VmTrait trait) {
    return context().atoms->has(trait);
}

std::string_view atom_text(Word atom) {
    return context().atoms->text(static_cast<std::uint32_t>(term::atom_index(atom)));
}

} // namespace cordon::host

using namespace cordon::host;
namespace term = cordon::term;

ERL_NIF_TERM enif_make_atom(ErlNifEnv* env, const char* name) {
    return enif_make_atom_len(env, name, std::strlen(name));
}

ERL_NIF_TERM enif_make_atom_len(ErlNifEnv* env, const char* name, std::size_t length) {
    const Word atom = atom_of_text({name, length}, ERL_NIF_LATIN1, MakeAtom::Always);
    return atom != 0 ? atom : env_badarg(env);
}

int enif_make_existing_atom(ErlNifEnv* env, const char* name, ERL_NIF_TERM* atom,
                            ErlNifCharEncoding encoding) {
    return enif_make_existing_atom_len(env, name, std::strlen(name), atom, encoding);
}

int enif_make_existing_atom_len(ErlNifEnv*, const char* name, std::size_t length,
                                ERL_NIF_TERM* atom, ErlNifCharEncoding encoding) {
    const Word found = atom_of_text({name, length}, encoding, MakeAtom::IfExists);
    if (found == 0)
        return 0;
    *atom = found;
    return 1;
}

int enif_make_new_atom(ErlNifEnv* env, const char* name, ERL_NIF_TERM* atom,
                       ErlNifCharEncoding encoding) {
    return enif_make_new_atom_len(env, name, std::strlen(name), atom, encoding);
}

int enif_make_new_atom_len(ErlNifEnv*, const char* name, std::size_t length, ERL_NIF_TERM* atom,
                           ErlNifCharEncoding encoding) {
    const Word made = atom_of_text({name, length}, encoding, MakeAtom::IfAllowed);
    if (made == 0)
        return 0;
    *atom = made;
    return 1;
}

int enif_get_atom(ErlNifEnv*, ERL_NIF_TERM atom, char* buffer, unsigned size,
                  ErlNifCharEncoding encoding) {
    if (!term::is_atom(atom) || size == 0)
        return 0;
    const std::string_view utf8 = atom_text(atom);
    if (vm_encoding(encoding) == kLatin1)
        return get_latin1(utf8, buffer, size);
    if (vm_encoding(encoding) != kUtf8 || utf8.size() + 1 > size)
        return 0;
    std::memcpy(buffer, utf8.data(), utf8.size());
    buffer[utf8.size()] = '\0';
    return static_cast<int>(utf8.size() + 1);
}

int enif_get_atom_length(ErlNifEnv*, ERL_NIF_TERM atom, unsigned* length,
                         ErlNifCharEncoding encoding) {
    if (!term::is_atom(atom))
        return 0;
    const std::string_view utf8 = atom_text(atom);
    if (vm_encoding(encoding) == kUtf8) {
        *length = static_cast<unsigned>(utf8.size());
        return 1;
    }
    if (vm_encoding(encoding) != kLatin1)
        return 0;
    const int characters = latin1_length(utf8);
    if (characters < 0)
        return 0;
    *length = static_cast<unsigned>(characters);
    return 1;
}
