#include "kernel_proxy/vm_directory.hpp"

#include "kernel_proxy/imported_function.hpp"

#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace cordon::proxy {
namespace {

using Chdir = int (*)(const char*);

// What the program called before: the C library's, or another copy of this proxy, which counts too.
std::atomic<Chdir> real_chdir{&::chdir};

} // namespace

std::atomic<bool> VmDirectory::counting_{false};
std::atomic<std::uint64_t> VmDirectory::version_{1};

void VmDirectory::watch() {
    static std::once_flag once; // what is replaced a second time would call itself
    std::call_once(once, [] {
        const auto counted = reinterpret_cast<Function>(&VmDirectory::count_chdir);
        if (Function before = replace_imported_function("chdir", counted)) {
            real_chdir.store(reinterpret_cast<Chdir>(before), std::memory_order_relaxed);
            counting_.store(true, std::memory_order_release);
        }
    });
}

int VmDirectory::count_chdir(const char* path) {
    const int result = real_chdir.load(std::memory_order_relaxed)(path);
    // Whoever learns of the change after chdir's return sees the new number.
    version_.fetch_add(1, std::memory_order_release);
    return result;
}

std::uint64_t VmDirectory::ask_kernel() {
    static std::mutex lock;
    static struct stat last {};
    struct stat now {};
    const std::scoped_lock guard(lock);
    if (stat(".", &now) != 0 || now.st_ino != last.st_ino || now.st_dev != last.st_dev) {
        last = now;
        version_.fetch_add(1, std::memory_order_release);
    }
    return version_.load(std::memory_order_relaxed);
}

Fd VmDirectory::open() {
    Fd directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory && errno != EACCES)
        throw std::system_error(errno, std::generic_category(),
                                "cannot open the VM's working directory");
    return directory;
}

} // namespace cordon::proxy
