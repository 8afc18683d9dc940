#include "shared_heap/atom_table.hpp"
#include "shared_heap/memory_segment.hpp"

#include <gtest/gtest.h>
#include <string>
#include <thread>

namespace {

using namespace cordon;

class AtomTable : public testing::Test {
  protected:
    Fd fd_ = create_memory("test_atoms", atom_segment_size());
    Mapping memory_ = map_memory(fd_.get(), atom_segment_size(), Access::ReadWrite);
    Mapping read_only_ = map_memory(fd_.get(), atom_segment_size(), Access::ReadOnly);
    AtomTableWriter writer_{memory_.data()};
    AtomTableView view_{read_only_.data()};
};

TEST_F(AtomTable, HasTheWellKnownAtomsAtTheirPlaces) {
    EXPECT_EQ("badarg", view_.text(static_cast<std::uint32_t>(WellKnownAtom::Badarg)));
    EXPECT_EQ("undefined", view_.text(static_cast<std::uint32_t>(WellKnownAtom::Undefined)));
    EXPECT_EQ(static_cast<std::uint32_t>(WellKnownAtom::Count), view_.count());
}

TEST_F(AtomTable, KeepsTextAndCountsCharacters) {
    const std::uint32_t plain = writer_.append("hello", 7);
    const std::uint32_t accented = writer_.append("h\xC3\xA9llo\xCE\xBB", 3);
    const std::uint32_t empty = writer_.append("", 0);
    EXPECT_EQ("hello", view_.text(plain));
    EXPECT_EQ(5U, view_.chars(plain));
    EXPECT_EQ("h\xC3\xA9llo\xCE\xBB", view_.text(accented));
    EXPECT_EQ(6U, view_.chars(accented));
    EXPECT_EQ("", view_.text(empty));
}

TEST_F(AtomTable, RefusesTextThatNoAtomHas) {
    const std::uint32_t before = view_.count();
    EXPECT_EQ(kMaxAtoms, writer_.append(std::string(kMaxAtomBytes + 1, 'a'), 0));
    EXPECT_EQ(before, view_.count());
}

TEST_F(AtomTable, PublishedEntriesAreCompleteForAConcurrentReader) {
    constexpr std::uint32_t kAtoms = 20'000;
    std::thread reader([this] {
        std::uint32_t seen = static_cast<std::uint32_t>(WellKnownAtom::Count);
        const std::uint32_t first = seen;
        while (seen < first + kAtoms) {
            const std::uint32_t count = view_.count();
            for (; seen < count; ++seen)
                ASSERT_EQ("atom_" + std::to_string(seen - first), view_.text(seen));
        }
    });
    for (std::uint32_t i = 0; i < kAtoms; ++i)
        writer_.append("atom_" + std::to_string(i), 0);
    reader.join();
}

} // namespace
