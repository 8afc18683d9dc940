// The atom segment: one per BEAM, written by the BEAM, mapped read-only by every host.
//
// Layout: AtomTableHeader, then kMaxAtoms entries, then the text (UTF-8, not terminated).
// An atom has one index for good. The writer stores text and entry first and then publishes with a
// release store of `count`; a reader loads `count` with acquire and may then use all entries below
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace cordon {

inline constexpr std::uint32_t kMaxAtoms = 8U << 20; // the VM's default limit is 1 Mi
inline constexpr std::uint32_t kMaxAtomBytes = 255 * 4;

struct AtomEntry {
    std::uint32_t offset; // of the text, in bytes from the start of the text area
    std::uint16_t bytes;  // length of the text in UTF-8
    std::uint16_t chars;  // number of characters
    std::uint32_t rank;   // the VM's atoms sorted by their words; see VmTrait::AtomKeysByRank
};
static_assert(sizeof(AtomEntry) == 12);

// In which of several ways the VM that runs treats terms, as it was found out by trying.
enum class VmTrait : std::uint32_t {
    AtomKeysByRank = 1, // small maps keep atoms as keys by rank, not by text
    ZerosDiffer = 2,    // 0.0 =/= -0.0
};

struct AtomTableHeader {
    std::atomic<std::uint32_t> count; // published entries; pairs with readers' acquire load
    std::uint32_t traits;             // set of VmTrait, complete before the first reader
    std::uint64_t text_bytes;         // written by the writer only, for itself
    std::uint64_t reserved[6];
};
static_assert(sizeof(AtomTableHeader) == 64);

// Atoms that have a fixed index in every table, so that both sides can name them without a look-up.
enum class WellKnownAtom : std::uint32_t {
    Badarg = 0,
    Undefined = 1,
    True = 2,
    False = 3,
    Ok = 4,
    Error = 5,
    Select = 6,
    ReadyInput = 7,
    ReadyOutput = 8,
    ReadyError = 9,
    Count = 10,
};
std::string_view well_known_text(WellKnownAtom atom);

// Size of the whole segment in bytes (sparse).
std::uint64_t atom_segment_size();

// Read access, from either side.
class AtomTableView {
  public:
    explicit AtomTableView(const void* segment);
    std::uint32_t count() const { return header_->count.load(std::memory_order_acquire); }
    // UTF-8 text of a published index; the text stays where it is for good.
    std::string_view text(std::uint32_t index) const {
        const AtomEntry& entry = entries_[index];
        return {text_ + entry.offset, entry.bytes};
    }
    std::uint32_t chars(std::uint32_t index) const { return entries_[index].chars; }
    std::uint32_t rank(std::uint32_t index) const { return entries_[index].rank; }
    bool has(VmTrait trait) const {
        return (header_->traits & static_cast<std::uint32_t>(trait)) != 0;
    }

  private:
    const AtomTableHeader* header_;
    const AtomEntry* entries_;
    const char* text_;
};

// Write access: BEAM side only, one writer at a time (the caller holds its own lock).
class AtomTableWriter {
  public:
    // Lays the empty table out, with the well-known atoms in it.
    explicit AtomTableWriter(void* segment);
    // Appends; returns the new index, or kMaxAtoms when the table is full.
    std::uint32_t append(std::string_view utf8, std::uint32_t rank);
    void set_rank(WellKnownAtom atom, std::uint32_t rank) {
        entries_[static_cast<std::uint32_t>(atom)].rank = rank;
    }
    void set(VmTrait trait) { header_->traits |= static_cast<std::uint32_t>(trait); }

  private:
    AtomTableHeader* header_;
    AtomEntry* entries_;
    char* text_;
};

} // namespace cordon
