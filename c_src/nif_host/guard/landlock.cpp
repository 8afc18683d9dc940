#include "nif_host/guard/landlock.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cordon::host {
namespace {

// As <linux/landlock.h> has it from ABI 6 on. A kernel that knows less is given less.
struct RulesetAttributes {
    std::uint64_t handled_access_fs = 0;
    std::uint64_t handled_access_net = 0;
    std::uint64_t scoped = 0;
};
constexpr std::uint64_t kScopeSignal = 1U << 1;
constexpr std::uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
#ifdef LANDLOCK_ACCESS_FS_REFER
constexpr std::uint64_t kRefer = LANDLOCK_ACCESS_FS_REFER;
#else
constexpr std::uint64_t kRefer = 1U << 13;
#endif

int create_ruleset(const RulesetAttributes* attributes, std::size_t bytes, unsigned flags) {
    return static_cast<int>(syscall(SYS_landlock_create_ruleset, attributes, bytes, flags));
}

// Everything below the root, as without Landlock.
bool allow_everywhere(int ruleset, std::uint64_t access) {
    const Fd root(open("/", O_PATH | O_CLOEXEC));
    const landlock_path_beneath_attr rule{access, root.get()};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U) == 0;
}

} // namespace

LandlockDomain::LandlockDomain() {
    abi_ = create_ruleset(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    RulesetAttributes attributes;
    std::uint64_t allowed = 0;
    std::size_t bytes = sizeof attributes.handled_access_fs;
    if (abi_ >= 6) {
        attributes.scoped = kScopeSignal;
        bytes = sizeof attributes;
    } else if (abi_ >= 2) {
        // A ruleset must handle something. Renames between directories are refused unless this is
        // handled and allowed.
        attributes.handled_access_fs = allowed = kRefer;
    } else if (abi_ == 1) {
        // Here such renames are refused (EXDEV) whatever one says.
        attributes.handled_access_fs = allowed = kExecute;
    }
    if (abi_ >= 1)
        ruleset_ = Fd(create_ruleset(&attributes, bytes, 0));
    if (ruleset_ && allowed != 0 && !allow_everywhere(ruleset_.get(), allowed)) {
        missing_ = std::string("landlock_add_rule failed (") + std::strerror(errno) + ")";
        ruleset_.reset();
    } else if (!ruleset_) {
        missing_ = std::string("landlock_create_ruleset failed (") + std::strerror(errno) +
                   "): the kernel is older than 5.13, has Landlock switched off, or a container "
                   "forbids it";
    }
}

std::string LandlockDomain::enter() const {
    if (!ruleset_)
        return missing_;
    if (syscall(SYS_landlock_restrict_self, ruleset_.get(), 0U) != 0)
        return std::string("landlock_restrict_self failed (") + std::strerror(errno) + ")";
    return "";
}

} // namespace cordon::host
