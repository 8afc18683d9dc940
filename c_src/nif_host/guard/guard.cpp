#include "nif_host/guard/guard.hpp"

#include "nif_host/guard/capabilities.hpp"
#include "nif_host/guard/limits.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace cordon::host {
namespace {

using ipc::GuardPart;

constexpr char kSignalsOfChildren[] =
    "neither Landlock (ABI 6, Linux 6.12) nor seccomp notifications (Linux 5.5, and no other "
    "listener) are there; libraries can signal their own process only, not their children";
constexpr char kSignalsOpen[] =
    "neither Landlock (ABI 6, Linux 6.12) nor seccomp is there; libraries can signal the VM";

std::string failed(const char* call, int error) {
    return std::string(call) + " failed (" + std::strerror(error) + ")";
}

// Whether the one thing that only Landlock closes for every user is open: others' memory as a file.
std::string memory_without_landlock(pid_t vm) {
    const std::string path = "/proc/" + std::to_string(vm) + "/mem";
    const Fd memory(open(path.c_str(), O_RDWR | O_CLOEXEC));
    return memory ? "a library that means to can write the memory of the VM through /proc/<pid>/mem"
                  : "the memory of the VM is still out of reach, for another reason (" +
                        std::string(std::strerror(errno)) + ")";
}

} // namespace

Guard::Guard(pid_t vm, int reach_channel)
    : vm_(vm), reach_channel_(reach_channel),
      beside_landlock_{SeccompFilter({.restrict_signals = false, .ask = true}),
                       SeccompFilter({.restrict_signals = false, .ask = false})},
      without_landlock_{SeccompFilter({.restrict_signals = true, .ask = true}),
                        SeccompFilter({.restrict_signals = true, .ask = false})} {}

GuardReport Guard::confine(std::span<const int> kept) const {
    const auto begun = std::chrono::steady_clock::now();
    GuardReport report;
    const auto note = [&report](GuardPart part, std::string missing) {
        report.items.push_back({static_cast<std::uint32_t>(part), std::move(missing)});
    };
    std::vector<int> still_needed(kept.begin(), kept.end());
    still_needed.push_back(reach_channel_);
    still_needed.push_back(landlock_.descriptor());
    note(GuardPart::Descriptors, close_descriptors_except(still_needed));
    note(GuardPart::CoreDumps, forbid_core_dumps());
    note(GuardPart::OomScore, be_first_for_the_oom_killer(vm_));
    const bool no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    note(GuardPart::NoNewPrivs, no_new_privs ? "" : failed("prctl(PR_SET_NO_NEW_PRIVS)", errno));
    note(GuardPart::Capabilities, drop_capabilities());

    const std::string without_landlock = landlock_.enter();
    note(GuardPart::Landlock,
         without_landlock.empty() ? "" : without_landlock + "; " + memory_without_landlock(vm_));

    // Last: it forbids what the others need. The channel and the ruleset are closed by it or here.
    const bool landlock_signals = without_landlock.empty() && landlock_.covers_signals();
    const Filters& filters = landlock_signals ? beside_landlock_ : without_landlock_;
    int error = filters.asking.load(reach_channel_);
    const bool asks = error == 0;
    if (!asks)
        error = filters.refusing.load(-1);
    close(reach_channel_);
    if (landlock_.descriptor() >= 0)
        close(landlock_.descriptor());
    const bool filtered = error == 0;
    note(GuardPart::SystemCalls, filtered ? ""
                                          : failed("seccomp(SECCOMP_SET_MODE_FILTER)", error) +
                                                "; no system call is denied to libraries");
    note(GuardPart::Signals, landlock_signals || asks ? ""
                             : filtered               ? kSignalsOfChildren
                                                      : kSignalsOpen);
    note(GuardPart::Scheduling, asks ? ""
                                     : "seccomp notifications (Linux 5.5, and no other listener) "
                                       "are not there; libraries can "
                                       "change the priority, CPUs and limits of the VM");
    report.nanoseconds = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - begun).count());
    return report;
}

} // namespace cordon::host
