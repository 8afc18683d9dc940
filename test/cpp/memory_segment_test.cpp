// Sealed memory: what neither side can do to the other, root or not.
#include "shared_heap/memory_segment.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace {

using namespace cordon;

constexpr std::uint64_t kBytes = 1 << 20;

Fd reopen(int fd) {
    return Fd(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
}

TEST(MemorySegment, BeamMemoryCannotBeMappedWritableOnceSealed) {
    const Fd fd = create_memory("test_beam", kBytes);
    const Mapping writer = map_memory(fd.get(), kBytes, Access::ReadWrite);
    seal_beam_memory(fd.get());
    EXPECT_THROW(map_memory(fd.get(), kBytes, Access::ReadWrite), std::system_error);
    const Fd again = reopen(fd.get());
    EXPECT_EQ(MAP_FAILED,
              mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0));

    Mapping reader = map_memory(fd.get(), kBytes, Access::ReadOnly);
    EXPECT_EQ(-1, mprotect(reader.data(), kBytes, PROT_READ | PROT_WRITE));
    writer.data()[5] = 7; // the mapping of before stays writable
    EXPECT_EQ(7, reader.data()[5]);
}

TEST(MemorySegment, BeamMemoryCannotBeWrittenCutOrPunched) {
    const Fd fd = create_memory("test_beam", kBytes);
    const Mapping writer = map_memory(fd.get(), kBytes, Access::ReadWrite);
    seal_beam_memory(fd.get());
    EXPECT_EQ(-1, pwrite(fd.get(), "x", 1, 0));
    EXPECT_EQ(-1, ftruncate(fd.get(), 0));
    EXPECT_EQ(-1, ftruncate(fd.get(), 2 * kBytes));
    EXPECT_EQ(-1, fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

TEST(MemorySegment, HostMemoryKeepsItsSizeAndStaysWritable) {
    const Fd fd = create_memory("test_host", kBytes);
    seal_host_memory(fd.get());
    EXPECT_EQ(-1, ftruncate(fd.get(), 0));
    EXPECT_EQ(-1, ftruncate(fd.get(), 2 * kBytes));
    EXPECT_EQ(-1, fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE)) << "no further seal can be added";
    const Mapping writer = map_memory(fd.get(), kBytes, Access::ReadWrite);
    writer.data()[0] = 1;
    EXPECT_EQ(0, fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    EXPECT_EQ(0, writer.data()[0]);
}

TEST(MemorySegment, TellsHolesAndGivesThemNoPages) {
    const Fd fd = create_memory("test_host", kBytes);
    const Mapping writer = map_memory(fd.get(), kBytes, Access::ReadWrite);
    EXPECT_FALSE(is_resident(writer.data(), kBytes));
    EXPECT_EQ(0U, physical_bytes(fd.get()));
    std::memset(writer.data(), 1, kBytes / 2);
    EXPECT_TRUE(is_resident(writer.data(), kBytes / 2));
    EXPECT_TRUE(is_resident(writer.data() + 5000, 1));
    EXPECT_FALSE(is_resident(writer.data() + kBytes / 2 - 1, 2));
    EXPECT_EQ(kBytes / 2, physical_bytes(fd.get()));
}

TEST(MemorySegment, SparseMemoryCostsWhatIsTouched) {
    constexpr std::uint64_t kLarge = 64ULL << 30;
    const Fd fd = create_memory("test_sparse", kLarge);
    const Mapping writer = map_memory(fd.get(), kLarge, Access::ReadWrite);
    EXPECT_EQ(0U, physical_bytes(fd.get()));
    writer.data()[kLarge / 2] = 1;
    EXPECT_LE(physical_bytes(fd.get()), 2U << 20); // one page, a huge one at most
    EXPECT_GT(physical_bytes(fd.get()), 0U);
}

TEST(MemorySegment, WindowTakesAndGivesBackChunks) {
    const Mapping window = reserve_window(1 << 30);
    const Fd fd = create_memory("test_chunk", kBytes);
    std::memset(map_memory(fd.get(), kBytes, Access::ReadWrite).data(), 3, kBytes);
    map_memory_at(window.data() + (1 << 20), fd.get(), kBytes, Access::ReadOnly);
    EXPECT_EQ(3, window.data()[(1 << 20) + 17]);
    unmap_window(window.data() + (1 << 20), kBytes);
    EXPECT_DEATH( // by the signal, or by a sanitizer that reports it
        {
            volatile char byte = window.data()[1 << 20];
            static_cast<void>(byte);
        },
        "");
}

} // namespace
