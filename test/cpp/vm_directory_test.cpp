#include "kernel_proxy/imported_function.hpp"
#include "kernel_proxy/vm_directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

using cordon::proxy::replace_imported_function;
using cordon::proxy::VmDirectory;

namespace {

// This program is the VM here: it changes its directory with the chdir that it imports.
class VmDirectoryTest : public testing::Test {
  protected:
    VmDirectoryTest() : before_(std::filesystem::current_path()) {
        std::string name = testing::TempDir() + "cordon_XXXXXX";
        other_ = mkdtemp(name.data());
    }
    ~VmDirectoryTest() override {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(other_);
    }

    void expect_that_changes_are_seen() {
        const std::uint64_t first = VmDirectory::version();
        EXPECT_NE(first, 0U);
        EXPECT_EQ(VmDirectory::version(), first);
        ASSERT_EQ(chdir(other_.c_str()), 0);
        const std::uint64_t second = VmDirectory::version();
        EXPECT_NE(second, first);
        EXPECT_EQ(VmDirectory::version(), second);
        ASSERT_EQ(chdir(before_.c_str()), 0);
        EXPECT_NE(VmDirectory::version(), second);
        EXPECT_NE(VmDirectory::version(), first);
    }

    std::filesystem::path before_;
    std::filesystem::path other_;
};

TEST_F(VmDirectoryTest, ChangesAreSeenWithAndWithoutCounting) {
    expect_that_changes_are_seen(); // as where chdir can't be replaced: the kernel is asked
    VmDirectory::watch();
    VmDirectory::watch();
    expect_that_changes_are_seen();
    const std::uint64_t before = VmDirectory::version();
    std::filesystem::current_path(other_); // not the program's own call, but libstdc++'s
    EXPECT_EQ(VmDirectory::version(), before) << "the kernel is still asked";
}

TEST_F(VmDirectoryTest, OpensTheDirectoryOfNow) {
    ASSERT_EQ(chdir(other_.c_str()), 0);
    const cordon::Fd directory = VmDirectory::open();
    ASSERT_EQ(chdir(before_.c_str()), 0);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(directory.get())),
              other_);
}

int pid_of_nobody() {
    return -7;
}

TEST(ImportedFunction, IsReplacedInTheProgramAndBack) {
    const pid_t pid = getppid();
    const auto before = replace_imported_function(
        "getppid", reinterpret_cast<cordon::proxy::Function>(&pid_of_nobody));
    ASSERT_NE(before, nullptr);
    EXPECT_EQ(getppid(), -7);
    EXPECT_EQ(reinterpret_cast<pid_t (*)()>(before)(), pid);
    ASSERT_NE(replace_imported_function("getppid", before), nullptr);
    EXPECT_EQ(getppid(), pid);
}

TEST(ImportedFunction, OneThatIsNotImportedIsLeftAlone) {
    EXPECT_EQ(replace_imported_function("cordon_no_such_function", nullptr), nullptr);
}

} // namespace
