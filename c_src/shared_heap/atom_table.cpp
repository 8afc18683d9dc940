#include "shared_heap/atom_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace cordon {
namespace {

constexpr std::uint64_t kEntriesOffset = sizeof(AtomTableHeader);
constexpr std::uint64_t kTextOffset = kEntriesOffset + std::uint64_t{kMaxAtoms} * sizeof(AtomEntry);
constexpr std::uint64_t kTextCapacity = std::uint64_t{4} << 30; // what a 32-bit offset reaches

std::uint16_t count_chars(std::string_view utf8) {
    return static_cast<std::uint16_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

} // namespace

std::string_view well_known_text(WellKnownAtom atom) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(WellKnownAtom::Count)>
        kTexts = {"badarg", "undefined", "true",        "false",        "ok",
                  "error",  "select",    "ready_input", "ready_output", "ready_error"};
    return kTexts[static_cast<std::size_t>(atom)];
}

std::uint64_t atom_segment_size() {
    return kTextOffset + kTextCapacity;
}

AtomTableView::AtomTableView(const void* segment)
    : header_(static_cast<const AtomTableHeader*>(segment)),
      entries_(
          reinterpret_cast<const AtomEntry*>(static_cast<const char*>(segment) + kEntriesOffset)),
      text_(static_cast<const char*>(segment) + kTextOffset) {}

AtomTableWriter::AtomTableWriter(void* segment)
    : header_(static_cast<AtomTableHeader*>(segment)),
      entries_(reinterpret_cast<AtomEntry*>(static_cast<char*>(segment) + kEntriesOffset)),
      text_(static_cast<char*>(segment) + kTextOffset) {
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(WellKnownAtom::Count); ++i)
        append(well_known_text(static_cast<WellKnownAtom>(i)), 0);
}

std::uint32_t AtomTableWriter::append(std::string_view utf8, std::uint32_t rank) {
    const std::uint32_t index = header_->count.load(std::memory_order_relaxed);
    if (index >= kMaxAtoms || utf8.size() > kMaxAtomBytes ||
        header_->text_bytes + utf8.size() > kTextCapacity)
        return kMaxAtoms;
    std::memcpy(text_ + header_->text_bytes, utf8.data(), utf8.size());
    entries_[index] = {static_cast<std::uint32_t>(header_->text_bytes),
                       static_cast<std::uint16_t>(utf8.size()), count_chars(utf8), rank};
    header_->text_bytes += utf8.size();
    header_->count.store(index + 1, std::memory_order_release);
    return index;
}

} // namespace cordon
