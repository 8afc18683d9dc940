// The VM's working directory, which hosts follow: a relative path means the same file in a host as
// it does in the VM.
//
// A call must find out whether the directory has changed, and asking the kernel takes longer than
// the call. The VM changes it (file:set_cwd/1) through the C library's chdir; so the proxy puts a
// function that counts in chdir's place.
#pragma once

#include "shared_heap/memory_segment.hpp"

#include <atomic>
#include <cstdint>

namespace cordon::proxy {

class VmDirectory {
  public:
    // Counts from now on. Where the VM's chdir can't be replaced, version() asks the kernel.
    static void watch();

    // Another number after each change, never 0.
    static std::uint64_t version() {
        return counting_.load(std::memory_order_relaxed)
                   ? version_.load(std::memory_order_acquire) // partner: the counting chdir
                   : ask_kernel();
    }

    // The directory itself, to be passed on; none when this process has no right to it. Throws
    // std::system_error when there is no descriptor left.
    static Fd open();

  private:
    static int count_chdir(const char* path);
    static std::uint64_t ask_kernel();

    static std::atomic<bool> counting_;
    static std::atomic<std::uint64_t> version_;
};

} // namespace cordon::proxy
