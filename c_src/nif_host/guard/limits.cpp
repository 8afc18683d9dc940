#include "nif_host/guard/limits.hpp"

#include "shared_heap/memory_segment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cordon::host {
namespace {

constexpr int kOomScoreMax = 1000; // counts as much as all memory of the machine

} // namespace

std::string close_descriptors_except(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = STDERR_FILENO + 1;
    kept.push_back(-1);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const bool last = i + 1 == kept.size();
        if (!last && kept[i] < static_cast<int>(first))
            continue;
        const unsigned end = last ? ~0U : static_cast<unsigned>(kept[i]) - 1;
        if (first <= end && syscall(SYS_close_range, first, end, 0U) != 0)
            return std::string("close_range failed (") + std::strerror(errno) + ")";
        if (!last)
            first = static_cast<unsigned>(kept[i]) + 1;
    }
    return "";
}

std::string forbid_core_dumps() {
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_CORE, &none) == 0)
        return "";
    return std::string("setrlimit(RLIMIT_CORE) failed (") + std::strerror(errno) + ")";
}

std::string be_first_for_the_oom_killer(pid_t vm) {
    // Plain system calls: every start of a host waits for this, and streams take long.
    char path[48], text[16] = "";
    std::snprintf(path, sizeof path, "/proc/%d/oom_score_adj", vm);
    if (const Fd of_vm(open(path, O_RDONLY | O_CLOEXEC)); of_vm)
        text[std::max<ssize_t>(0, read(of_vm.get(), text, sizeof text - 1))] = '\0';
    const int score = std::min(kOomScoreMax, std::atoi(text) + kOomScoreMax);
    const int length = std::snprintf(text, sizeof text, "%d", score);
    const Fd own(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (own && write(own.get(), text, static_cast<std::size_t>(length)) == length)
        return "";
    return std::string("/proc/self/oom_score_adj can't be written (") + std::strerror(errno) +
           "); the kernel may end the VM for want of memory before this host";
}

} // namespace cordon::host
