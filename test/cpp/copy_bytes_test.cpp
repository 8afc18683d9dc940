#include "shared_heap/copy_bytes.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace cordon {
namespace {

// Around the sizes and distances at which it does otherwise; what lies beside stays as it is.
void test_copy(void (*copy)(void*, const void*, std::size_t)) {
    constexpr std::size_t kRoom = 20'000;
    constexpr std::size_t kPage = 4096;
    std::vector<char> from(kRoom + kPage);
    for (std::size_t i = 0; i < from.size(); ++i)
        from[i] = static_cast<char>(i * 31 + i / 251);
    for (const std::size_t bytes :
         {0, 1, 511, 512, 2047, 2048, 2049, 4096, 5000, 8191, 8192, 8193, 16'384})
        for (const std::size_t shift : {0, 1, 8, 31, 63, 64, 100, 4095}) {
            std::vector<char> to(kRoom + 2 * kPage, 'x');
            const auto page = [](const char* at) {
                return reinterpret_cast<std::uintptr_t>(at) % kPage;
            };
            char* out = to.data() + (page(from.data()) + kPage - page(to.data())) % kPage + shift;
            copy(out, from.data(), bytes);
            ASSERT_EQ(std::string(from.data(), bytes), std::string(out, bytes))
                << bytes << " bytes, destination " << shift << " bytes further into its page";
            ASSERT_EQ('x', out[bytes]);
            if (out != to.data()) {
                ASSERT_EQ('x', out[-1]);
            }
        }
}

TEST(CopyBytes, CopiesAllAndNoMore) {
    test_copy(copy_bytes);
}

TEST(CopyBytes, CopiesAllAndNoMoreAway) {
    test_copy(copy_bytes_away);
}

} // namespace
} // namespace cordon
