// The list of system calls that no library needs for its own process and that reach others, or the
// machine. Everything that isn't on it is allowed. A denied call fails with an error number, as on
// a machine where it isn't permitted, so that libraries that probe go on working.
#pragma once

#include <linux/filter.h>
#include <string>
#include <vector>

namespace cordon::host {

struct FilterForm {
    bool restrict_signals = false; // where Landlock doesn't
    bool ask = false;              // the keeper decides about other processes (ReachRequests)
};

class SeccompFilter {
  public:
    // Compiled here, once. Where that fails, load() says so.
    explicit SeccompFilter(FilterForm form);

    // For this thread and what it starts. With `reach_channel` a descriptor that answers for calls
    // which ask goes there. 0, or an error number.
    int load(int reach_channel) const;

  private:
    bool ask_;
    int error_ = 0;
    std::vector<sock_filter> program_;
};

} // namespace cordon::host
