#include "kernel_proxy/platform.hpp"

#include "kernel_proxy/keeper_client.hpp"
#include "shared_heap/memory_segment.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cordon::proxy {
namespace {

constexpr std::uint64_t kProbeBytes = 65536;

// As for a host: memory files that can be sealed, and futexes in them.
std::string memory_fault() try {
    const Fd fd = create_memory("cordon_probe", kProbeBytes);
    const Mapping mapping = map_memory(fd.get(), kProbeBytes, Access::ReadWrite);
    seal_beam_memory(fd.get());
    if (syscall(SYS_futex, mapping.data(), FUTEX_WAKE, 1, nullptr, nullptr, 0) < 0)
        return std::string("futexes don't work in shared memory (") + std::strerror(errno) + ")";
    return "";
} catch (const std::exception& error) {
    return error.what();
}

} // namespace

std::string platform_fault(const std::string& nif_host) {
    if (const std::string wrong = memory_fault(); !wrong.empty())
        return "no host can run on this machine: " + wrong +
               "; expected Linux with memfd_create, seals and futexes";
    return KeeperClient::instance().ensure_running(nif_host);
}

} // namespace cordon::proxy
