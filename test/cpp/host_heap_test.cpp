#include "shared_heap/host_heap.hpp"
#include "shared_heap/memory_segment.hpp"

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace cordon;

constexpr std::uint64_t kBytes = 64 << 20;

class HostHeapTest : public testing::Test {
  protected:
    Fd fd_ = create_memory("test_heap", kBytes);
    Mapping memory_ = map_memory(fd_.get(), kBytes, Access::ReadWrite);
    HostHeap heap_{memory_.data(), kBytes};
};

TEST_F(HostHeapTest, GivesAlignedBlocksInsideTheSegment) {
    for (const std::size_t bytes : {0UL, 1UL, 7UL, 100UL, 4096UL, 1UL << 20}) {
        auto* block = static_cast<char*>(heap_.allocate(bytes));
        EXPECT_EQ(0U, reinterpret_cast<std::uintptr_t>(block) % 16);
        EXPECT_GE(block, memory_.data());
        EXPECT_LE(block + bytes, memory_.data() + kBytes);
        std::memset(block, 1, bytes);
        heap_.deallocate(block);
    }
}

TEST_F(HostHeapTest, GetsAllBackThatWasFreed) {
    const std::uint64_t before = heap_.free_bytes();
    std::vector<void*> blocks;
    for (int i = 0; i < 1000; ++i)
        blocks.push_back(heap_.allocate(static_cast<std::size_t>(i) * 17));
    for (void* block : blocks)
        heap_.deallocate(block);
    EXPECT_EQ(before, heap_.free_bytes());
    heap_.deallocate(nullptr);
}

TEST_F(HostHeapTest, ReallocationKeepsTheBytes) {
    auto* block = static_cast<char*>(heap_.allocate(100));
    std::memset(block, 42, 100);
    void* fence = heap_.allocate(16); // so that it can't grow in place
    block = static_cast<char*>(heap_.reallocate(block, 100, 1 << 20));
    for (int i = 0; i < 100; ++i)
        ASSERT_EQ(42, block[i]);
    block = static_cast<char*>(heap_.reallocate(block, 1 << 20, 10));
    EXPECT_EQ(42, block[9]);
    heap_.deallocate(block);
    heap_.deallocate(fence);
}

TEST_F(HostHeapTest, ServesThreads) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([this, t] {
            for (int i = 0; i < 2000; ++i) {
                auto* block = static_cast<unsigned char*>(heap_.allocate(64));
                std::memset(block, t, 64);
                for (int j = 0; j < 64; ++j)
                    ASSERT_EQ(t, block[j]);
                heap_.deallocate(block);
            }
        });
    for (std::thread& thread : threads)
        thread.join();
}

TEST_F(HostHeapTest, CallsTheHandlerWhenFull) {
    heap_.set_exhausted_handler([](std::size_t) { _exit(17); });
    EXPECT_EXIT(heap_.allocate(2 * kBytes), testing::ExitedWithCode(17), "");
}

} // namespace
