// What is inherited and what is left behind: descriptors, core dumps, the place before the OOM
// killer. Each returns nothing, or what is missing.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace cordon::host {

// 0 to 2 stay too; negative numbers are no descriptors.
std::string close_descriptors_except(std::vector<int> kept);

// A host's end is told by its crash record. A dump of it would take as long as its memory is large,
// with its successor waiting.
std::string forbid_core_dumps();

// The kernel takes this host (and what it starts) before the VM, whatever the VM's size.
std::string be_first_for_the_oom_killer(pid_t vm);

} // namespace cordon::host
