// What the import of one term may cost, however the host has made it.
#pragma once

#include "kernel_proxy/term_import.hpp"

#include <cstdint>

namespace cordon::proxy {

// A term seems larger than what the host can have written: it has to be imported once more, with
// its sharing kept.
struct SharingWanted {};

// What the VM may be made to walk as a tree because of one import; in words.
inline constexpr std::uint64_t kMaxWalk = 1 << 24;

class ImportBudget {
  public:
    ImportBudget(const Host& host, const ArgumentArena& arena, Use use, bool sharing)
        : host_(host), arena_(arena), use_(use), sharing_(sharing) {}

    // Words that are read.
    void spend(std::uint64_t words) {
        spent_ += words;
        if (spent_ > limit_)
            raise_limit();
    }
    // Words of bytes that are copied.
    void spend_binary(std::uint64_t words) {
        binary_ += words;
        if (binary_ > limit_)
            check_binaries();
    }
    // Words of a binary that the VM has already.
    void count_known(std::uint64_t words);
    // Words of an external term; returns what they count for in a walk: to print an integer takes
    // the square of its length.
    std::uint64_t count_external(std::uint64_t words);
    // Words of the whole as a tree.
    void check_walk(std::uint64_t words) const {
        if (use_ != Use::Keep && words > kMaxWalk)
            throw TermTooLarge();
    }

  private:
    // Below this many words a term needs no look at the kernel's count of what the host has
    // written.
    static constexpr std::uint64_t kFree = 1 << 16;

    void raise_limit();
    void check_binaries();
    std::uint64_t most();

    const Host& host_;
    const ArgumentArena& arena_;
    const Use use_;
    const bool sharing_;
    std::uint64_t limit_ = kFree;
    std::uint64_t most_ = 0;
    std::uint64_t spent_ = 0;
    std::uint64_t binary_ = 0;
    std::uint64_t known_ = 0;
    std::uint64_t largest_known_ = 0;
    std::uint64_t printed_ = 0;
};

} // namespace cordon::proxy
