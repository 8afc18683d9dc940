// The BEAM's end of the atom segment: which index an atom of the VM has there, and back.
//
// An atom gets its index when it first crosses the border and keeps it for good; atom terms of the
// VM are immediates that never change. Look-ups take no lock: a table that only grows, published by
// its pointer; entries are published by their key.
#pragma once

#include "shared_heap/atom_table.hpp"
#include "shared_heap/memory_segment.hpp"
#include "shared_heap/term.hpp"

#include <atomic>
#include <cstdint>
#include <erl_nif.h>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::proxy {

class BeamAtoms {
  public:
    // The one of this VM; made at first use, never destroyed. Throws std::system_error then.
    static BeamAtoms& instance();

    // Host word of a VM atom; makes its index if it has none. 0 when the segment is full.
    term::Word word_of(ErlNifEnv* env, ERL_NIF_TERM atom);
    // VM atom of a host word; 0 when no such index was ever given out.
    ERL_NIF_TERM term_of(term::Word word) const;
    // UTF-8 text of a VM atom.
    static std::string text_of(ErlNifEnv* env, ERL_NIF_TERM atom);
    // The VM's atom of that text, made when `create`; 0 when there is none or it can't be made.
    static ERL_NIF_TERM from_text(ErlNifEnv* env, std::string_view utf8, bool create);

    // How many have an index.
    std::uint32_t count() const { return count_.load(std::memory_order_acquire); }
    int segment_fd() const { return fd_.get(); }

  private:
    struct Entry {
        std::atomic<ERL_NIF_TERM> key;    // 0: free. Stored with release after the index
        std::atomic<std::uint32_t> index; // partner: the acquire load of key
    };
    struct Table {
        explicit Table(std::size_t capacity);
        std::size_t mask;
        std::unique_ptr<Entry[]> entries;
    };

    BeamAtoms();
    std::optional<std::uint32_t> find(const Table& table, ERL_NIF_TERM atom) const;
    static void insert(Table& table, ERL_NIF_TERM atom, std::uint32_t index);
    std::optional<std::uint32_t> add(ErlNifEnv* env, ERL_NIF_TERM atom);

    Fd fd_;
    Mapping mapping_;
    std::mutex write_lock_;
    std::optional<AtomTableWriter> writer_;
    std::vector<std::unique_ptr<Table>> tables_; // old ones stay: a reader may be in one
    std::atomic<Table*> table_{nullptr};
    // index -> VM atom, in pages that never move
    static constexpr std::uint32_t kPageAtoms = 4096;
    std::unique_ptr<std::atomic<ERL_NIF_TERM*>[]> pages_;
    std::atomic<std::uint32_t> count_{0}; // release after the page entry; acquire in term_of
};

} // namespace cordon::proxy
