#include "kernel_proxy/import_budget.hpp"

#include "kernel_proxy/host.hpp"

#include <algorithm>

namespace cordon::proxy {
namespace {

// Binaries of a result may overlap: up to this many times what the host can have written.
constexpr std::uint64_t kOverlap = 8;

} // namespace

// What can have been written, asked for once: what we read ourselves must not raise it.
std::uint64_t ImportBudget::most() {
    if (most_ == 0)
        most_ = host_.physical_words() + arena_.used() / sizeof(term::Word) + kFree;
    return most_;
}

void ImportBudget::raise_limit() {
    if (spent_ <= most())
        limit_ = most();
    else if (sharing_)
        throw ProtocolViolation("endless_term");
    else
        throw SharingWanted{};
}

void ImportBudget::check_binaries() {
    if (!sharing_ && binary_ > most())
        throw SharingWanted{};
    if (binary_ > kOverlap * most())
        throw ProtocolViolation("binaries_too_large");
}

// The VM has those bytes once, however often they are in a term; but a walk meets them each time.
// One of them may have any size.
void ImportBudget::count_known(std::uint64_t words) {
    known_ += words;
    largest_known_ = std::max(largest_known_, words);
    check_walk(known_ - largest_known_);
}

std::uint64_t ImportBudget::count_external(std::uint64_t words) {
    if (use_ != Use::Print)
        return words;
    check_walk(words);
    printed_ += words * words;
    check_walk(printed_);
    return words * words;
}

} // namespace cordon::proxy
