#include "nif_host/guard/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <linux/close_range.h>
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
    int score_of_vm = 0;
    std::ifstream("/proc/" + std::to_string(vm) + "/oom_score_adj") >> score_of_vm;
    std::ofstream own("/proc/self/oom_score_adj");
    own << std::min(kOomScoreMax, score_of_vm + kOomScoreMax) << std::flush;
    if (own)
        return "";
    return std::string("/proc/self/oom_score_adj can't be written (") + std::strerror(errno) +
           "); the kernel may end the VM for want of memory before this host";
}

} // namespace cordon::host
