#include "kernel_proxy/vm_threads.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace cordon::proxy {

int count_dirty_io_schedulers() {
    // "1_dirty_io_sche" up to OTP 25, "erts_dios_1" from 26 on.
    int count = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator thread("/proc/self/task", error), end;
         !error && thread != end; thread.increment(error)) {
        std::string name;
        std::getline(std::ifstream(thread->path() / "comm"), name);
        if (name.find("_dirty_io_") != name.npos || name.rfind("erts_dios_", 0) == 0)
            ++count;
    }
    return count;
}

} // namespace cordon::proxy
