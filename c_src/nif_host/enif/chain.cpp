#include "nif_host/enif/chain.hpp"

#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/enif/resource_binary.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/host_context.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cordon::host {
namespace {

// In the old blocks an object that was moved says where to: boxed ones in their header, cons cells
// by a head that is no term.
constexpr Word kMovedKind = 0xFF;
constexpr Word kMovedHead = 0;

class Compactor {
  public:
    explicit Compactor(ErlNifEnv* env) : env_(env) {
        add_block(env->first);
        for (EnvBlock* block = env->others; block != nullptr; block = block->next)
            add_block(block);
        std::sort(ranges_.begin(), ranges_.end());
    }

    void run();

  private:
    struct Pending {
        Word* words;
        std::size_t count;
    };

    void add_block(EnvBlock* block) {
        if (block != nullptr)
            ranges_.emplace_back(block->begin(), block->end);
    }
    bool is_own(const Word* object) const;
    void move_all();
    Word* move_cons(Word* slot);
    void move_boxed(Word* slot);
    Word move_binary_ref(const Word* old);
    void push(Word* words, std::size_t count) {
        if (count != 0)
            pending_.push_back({words, count});
    }

    ErlNifEnv* env_;
    std::vector<std::pair<const char*, const char*>> ranges_;
    std::vector<Pending> pending_;
};

bool Compactor::is_own(const Word* object) const {
    const auto* at = reinterpret_cast<const char*>(object);
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), at,
                                  [](const char* p, const auto& range) { return p < range.first; });
    return after != ranges_.begin() && at < std::prev(after)->second;
}

// Moves the cell that the slot refers to; the slot of its tail is what comes next.
Word* Compactor::move_cons(Word* slot) {
    Word* old = cons_cell(*slot);
    if (!is_own(old))
        return nullptr;
    if (old[0] == kMovedHead) {
        *slot = old[1];
        return nullptr;
    }
    Word* cell = env_words(env_, 2);
    cell[0] = old[0];
    cell[1] = old[1];
    *slot = cons_word(cell);
    old[0] = kMovedHead;
    old[1] = *slot;
    if (!term::is_immediate(cell[0]))
        push(cell, 1);
    return cell + 1;
}

// The base of a sub-binary is moved with it.
Word Compactor::move_binary_ref(const Word* old) {
    Word* copy = env_words(env_, 3);
    copy[0] = old[0];
    copy[1] = old[1];
    copy[2] = old[2];
    if ((old[2] & kBaseOwner) != 0) {
        Word base = old[2] - kBaseOwner;
        const Word offset = old[1] - base;
        move_boxed(&base); // an inline Binary: moves by itself, goes no deeper
        copy[1] = base + offset;
        copy[2] = base + kBaseOwner;
    } else if (old[2] != 0) {
        auto* block = reinterpret_cast<BinaryBlock*>(old[2]);
        binary_block_keep(block);
        env_hold(env_, block);
    }
    return boxed_word(copy);
}

void Compactor::move_boxed(Word* slot) {
    Word* old = object(*slot);
    if (!is_own(old))
        return;
    const Word header = old[0];
    if ((header & 0xFF) == kMovedKind) {
        *slot = header >> 8;
        return;
    }
    const Word size = term::header_size(header);
    std::size_t words = 2;   // of the object
    std::size_t terms = 0;   // among them, to be moved too
    std::size_t skipped = 1; // words before those
    switch (term::header_kind(header)) {
    case Kind::Tuple:
        words = size + 1;
        terms = size;
        break;
    case Kind::FlatMap:
        words = 2 * size + 1;
        terms = 2 * size;
        break;
    case Kind::HashMap:
        terms = 1;
        break;
    case Kind::MapNode:
        words = size + 2;
        terms = size;
        skipped = 2;
        break;
    case Kind::Binary:
        words = 1 + term::bytes_to_words(size);
        break;
    case Kind::External:
        words = 2 + term::bytes_to_words(size);
        break;
    case Kind::BinaryRef:
        *slot = move_binary_ref(old);
        old[0] = (*slot << 8) | kMovedKind;
        return;
    case Kind::ResourceBinary:
        *slot = copy_resource_binary(env_, old);
        old[0] = (*slot << 8) | kMovedKind;
        return;
    case Kind::Resource: {
        auto* resource = Resource::of_handle(old[1]);
        if (resource != nullptr) {
            resource_keep(resource);
            env_hold(env_, resource);
        }
        break;
    }
    case Kind::Float:
    case Kind::Int64:
    case Kind::Uint64:
        break;
    }
    Word* copy = env_words(env_, words);
    std::memcpy(copy, old, words * sizeof(Word));
    *slot = boxed_word(copy);
    old[0] = (*slot << 8) | kMovedKind;
    push(copy + skipped, terms);
}

void Compactor::move_all() {
    while (!pending_.empty()) {
        Pending& last = pending_.back();
        Word* slot = last.words;
        if (--last.count == 0)
            pending_.pop_back();
        else
            ++last.words;
        while (slot != nullptr) {
            if (term::is_cons(*slot)) {
                slot = move_cons(slot);
            } else {
                if (term::is_boxed(*slot))
                    move_boxed(slot);
                slot = nullptr;
            }
        }
    }
}

void Compactor::run() {
    const auto argc = static_cast<std::size_t>(env_->scheduled.argc);
    EnvBlock* old_first = std::exchange(env_->first, nullptr);
    EnvBlock* old_others = std::exchange(env_->others, nullptr);
    EnvReference* old_references = std::exchange(env_->references, nullptr);
    env_->top = env_->end = nullptr;
    env_->other_bytes = 0;
    env_->held_bytes = 0;
    env_->big_flat_maps.reset();
    env_->map_orders.reset();
    Word* argv = env_words(env_, argc);
    std::copy_n(env_->scheduled.argv, argc, argv);
    push(argv, argc);
    move_all();
    env_->scheduled.argv = argv;
    drop_references(old_references, ipc::Ending::Return);
    if (old_first != nullptr) {
        old_first->next = old_others;
        drop_blocks(old_first, ipc::Ending::Return);
    }
    env_->compact_at = std::max(kCompactMinimum, 2 * (env_->other_bytes + env_->held_bytes));
}

} // namespace

void compact(ErlNifEnv* env) {
    Compactor(env).run();
}

} // namespace cordon::host

using namespace cordon::host;

ERL_NIF_TERM enif_schedule_nif(ErlNifEnv* env, const char* name, int flags,
                               ERL_NIF_TERM (*function)(ErlNifEnv*, int, const ERL_NIF_TERM[]),
                               int argc, const ERL_NIF_TERM argv[]) {
    constexpr int kMaxArguments = 255;
    constexpr std::size_t kMaxName = 255;
    constexpr int kBoth = ERL_NIF_DIRTY_JOB_CPU_BOUND | ERL_NIF_DIRTY_JOB_IO_BOUND;
    if (argc < 0 || argc > kMaxArguments || (flags & ~kBoth) != 0 || std::strlen(name) > kMaxName)
        return env_badarg(env);
    if (flags == kBoth)
        flags = ERL_NIF_DIRTY_JOB_IO_BOUND;
    if (env->exception != 0) {
        // As in the VM: a dirty scheduler looks for an exception first, a normal one for a step.
        if (env->thread_type != ERL_NIF_THR_NORMAL_SCHEDULER)
            return 0;
        env->exception = 0;
    }
    // The caller's array may be the one of the step before, or on its stack.
    Word* copy = env_words(env, static_cast<std::size_t>(argc));
    std::copy_n(argv, argc, copy);
    env->scheduled = {function, flags, argc, copy};
    env->has_scheduled = true;
    return 0;
}
