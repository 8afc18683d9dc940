// A Landlock domain of the host's own. Files stay as they are; membership alone is what is wanted:
// the kernel lets no process of a domain trace one outside of it, nor read or write its memory,
// descriptors and the like in /proc, whatever its user and capabilities. From ABI 6 on, signals to
// processes outside of it are refused too.
#pragma once

#include "shared_heap/memory_segment.hpp"

#include <string>

namespace cordon::host {

class LandlockDomain {
  public:
    // Makes the ruleset. Where that fails, enter() says so.
    LandlockDomain();

    bool covers_signals() const { return ruleset_ && abi_ >= 6; }
    // To be closed after enter(); -1 when there is none.
    int descriptor() const { return ruleset_.get(); }

    // Needs no_new_privs. For this thread and what it starts. Empty, or what is missing.
    std::string enter() const;

  private:
    int abi_ = 0;
    std::string missing_;
    Fd ruleset_;
};

} // namespace cordon::host
