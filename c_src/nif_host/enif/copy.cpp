// Deep copies of terms, without recursion. Sharing inside the term isn't kept, as in the VM, unless
// that is asked for; bytes of big binaries are shared always, they are counted.
#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/monitor.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/enif/resource_binary.hpp"
#include "nif_host/enif/term_access.hpp"

#include <cstring>
#include <unordered_map>
#include <vector>

namespace cordon::host {
namespace {

// Smaller ones are copied, even if they could be shared: they would keep a big block alive.
constexpr std::uint64_t kSharedBinaryBytes = 64;

enum class Sharing { Dropped, Kept };

class Copier {
  public:
    Copier(ErlNifEnv* to, bool share_beam_segment, Sharing sharing = Sharing::Dropped)
        : env_(to), share_(share_beam_segment), sharing_(sharing) {}

    Word copy(Word root) {
        Word result = root;
        copy_slot(&result);
        while (!pending_.empty()) {
            Pending& last = pending_.back();
            Word* slot = last.words;
            if (--last.count == 0)
                pending_.pop_back();
            else
                ++last.words;
            copy_slot(slot);
        }
        return result;
    }

  private:
    struct Pending { // words of the copy that still refer to the original
        Word* words;
        std::size_t count;
    };

    bool stays(const Word* original) const { return share_ && in_beam_segment(env_, original); }

    // The slot holds an original's word and gets the copy's; along a list it goes on to the tail.
    void copy_slot(Word* slot) {
        while (term::is_cons(*slot)) {
            const Word* from = cons_cell(*slot);
            if (stays(from) || copied_before(slot))
                return;
            Word* cell = env_words(env_, 2);
            cell[0] = from[0];
            cell[1] = from[1];
            replace(slot, cons_word(cell));
            if (!term::is_immediate(cell[0]))
                pending_.push_back({cell, 1});
            slot = cell + 1;
        }
        if (term::is_boxed(*slot) && !stays(object(*slot)) && !copied_before(slot))
            replace(slot, copy_boxed(*slot));
    }

    bool copied_before(Word* slot) const {
        if (sharing_ == Sharing::Dropped)
            return false;
        const auto found = copies_.find(*slot);
        if (found == copies_.end())
            return false;
        *slot = found->second;
        return true;
    }

    void replace(Word* slot, Word copy) {
        if (sharing_ == Sharing::Kept)
            copies_.emplace(*slot, copy);
        *slot = copy;
    }

    // `words` of an object, of which the last `terms` are terms.
    Word copy_words(const Word* from, std::size_t words, std::size_t terms) {
        Word* copy = env_words(env_, words);
        std::memcpy(copy, from, words * sizeof(Word));
        if (terms != 0)
            pending_.push_back({copy + words - terms, terms});
        return boxed_word(copy);
    }

    Word copy_binary_ref(const Word* from, std::uint64_t size) {
        const auto* data = reinterpret_cast<const void*>(from[1]);
        const Word owner = from[2];
        if (owner == 0 || (owner & kBaseOwner) != 0 || size <= kSharedBinaryBytes)
            return make_copied_binary(env_, data, size);
        auto* block = reinterpret_cast<BinaryBlock*>(owner);
        binary_block_keep(block);
        return make_block_binary(env_, block, data, size);
    }

    Word copy_boxed(Word boxed) {
        const Word* from = object(boxed);
        const std::uint64_t size = term::header_size(from[0]);
        switch (term::header_kind(from[0])) {
        case Kind::Tuple:
            return copy_words(from, size + 1, size);
        case Kind::FlatMap:
            return copy_words(from, 2 * size + 1, 2 * size);
        case Kind::HashMap:
            return copy_words(from, 2, 1);
        case Kind::MapNode:
            return copy_words(from, size + 2, size);
        case Kind::Binary:
            return make_copied_binary(env_, from + 1, size);
        case Kind::BinaryRef:
            return copy_binary_ref(from, size);
        case Kind::ResourceBinary:
            return copy_resource_binary(env_, from);
        case Kind::External:
            return copy_words(from, 2 + term::bytes_to_words(size), 0);
        case Kind::Resource:
            if (auto* resource = Resource::of_handle(from[1]); resource != nullptr) {
                resource_keep(resource);
                env_hold(env_, resource);
                if (env_->kind == EnvKind::Independent)
                    monitors_outlive_terms(resource);
            }
            return copy_words(from, 2, 0);
        case Kind::Float:
        case Kind::Int64:
        case Kind::Uint64:
            break;
        }
        return copy_words(from, 2, 0);
    }

    ErlNifEnv* env_;
    bool share_;
    Sharing sharing_;
    std::unordered_map<Word, Word> copies_; // when sharing is kept
    std::vector<Pending> pending_;
};

} // namespace

Word copy_term(ErlNifEnv* destination, Word term) {
    return term::is_immediate(term) ? term : Copier(destination, false).copy(term);
}

Word copy_keeping_sharing(ErlNifEnv* destination, Word term) {
    return term::is_immediate(term) ? term : Copier(destination, false, Sharing::Kept).copy(term);
}

Word copy_term_sharing(ErlNifEnv* destination, Word term) {
    if (term::is_immediate(term))
        return term;
    return Copier(destination, destination->kind == EnvKind::Call).copy(term);
}

} // namespace cordon::host
