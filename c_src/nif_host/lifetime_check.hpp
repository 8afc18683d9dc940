// The memory of terms, and the check of its lifetimes (option `check_lifetimes`): what ends keeps
// its pages, but nobody may touch them any more. So a library that uses a term, a binary or an
// environment after its end is stopped at that very instruction, with the backtraces of the use
// and of the end, where in the VM it would read what the memory holds by then.
//
// Without the option this is the host's heap, and one look at a bool.
#pragma once

#include "compat_ipc/crash_record.hpp"
#include "nif_host/host_context.hpp"

#include <cstddef>
#include <cstdint>

namespace cordon::host {

using ipc::Ending;

inline bool lifetimes_checked() {
    return context().check_lifetimes;
}

// 16-byte aligned memory of the host's heap; when lifetimes are checked, pages of its own.
void* watched_allocate(std::size_t bytes);
// `how` says what ends it. When lifetimes are checked its pages are closed, and given back when
// many others have ended after it.
void watched_end(void* memory, Ending how);

// --- for the crash handler; async-signal-safe ---------------------------------------------------

// True when that address lies in memory that has ended; *how is then what ended it, and stderr has
// both backtraces.
bool explain_late_use(std::uint64_t address, Ending* how);

} // namespace cordon::host
