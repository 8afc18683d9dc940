// Binaries of a host's term, and those over the memory of its resources.
#pragma once

#include "kernel_proxy/import_budget.hpp"

#include <map>

namespace cordon::proxy {

class BinaryImport {
  public:
    // Of one term. When `sharing`, what is part of a binary that it has already shares its bytes.
    BinaryImport(ErlNifEnv* env, Host& host, const ArgumentArena& arena, ImportBudget& budget,
                 bool sharing)
        : env_(env), host_(host), arena_(arena), budget_(budget), sharing_(sharing) {}

    ERL_NIF_TERM copy(term::Word address, std::uint64_t bytes);

    // What a BinaryRef says. In place, if that is allowed and it will be kept; else a copy.
    ERL_NIF_TERM of_block(term::Word address, term::Word owner, std::uint64_t bytes, bool kept);

    // As the host has written it.
    struct OfResource {
        term::Word in_library; // address of the bytes there
        term::Word handle;
        term::Word number; // by which the VM knows it; or 0
        term::Word copy;   // address of the bytes in the host segment
    };
    // The VM's own object where it has one; else one is made of the copy, if it will be kept.
    ERL_NIF_TERM of_resource(const OfResource& named, std::uint64_t bytes, bool kept);

  private:
    ERL_NIF_TERM part_of_known(term::Word address, std::uint64_t bytes) const;
    ERL_NIF_TERM copy_claimed(term::Word address, std::uint64_t bytes);
    void claim_bytes(term::Word address, std::uint64_t bytes);
    void fill(term::Word address, std::uint64_t bytes, char* to) const;

    struct Known {
        std::uint64_t bytes;
        ERL_NIF_TERM term;
    };

    ErlNifEnv* env_;
    Host& host_;
    const ArgumentArena& arena_;
    ImportBudget& budget_;
    const bool sharing_;
    std::map<term::Word, Known> known_; // by address, when sharing
};

} // namespace cordon::proxy
