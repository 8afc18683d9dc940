// How a host came to its end, as a reason term.
#pragma once

#include "compat_ipc/crash_record.hpp"

#include <cstdint>
#include <erl_nif.h>
#include <string>
#include <vector>

namespace cordon::proxy {

struct HostEnd {
    enum class Kind {
        Signal,      // code = number
        Exit,        // code = status
        Quota,       // code = ipc::QuotaKind
        Timeout,     // code = ms
        Protocol,    // text = what it did
        Unsupported, // outside of a call it called what can't be used in a host
        LateUse,     // code = ipc::Ending
        Stopped,     // by request
        KeeperDown,
        Load,        // code = what the library's load returned when the host was started again
        StartFailed, // text = why
    };
    Kind kind = Kind::Exit;
    std::int64_t code = 0;
    std::string text{};
    std::uint64_t fault_address = 0;
    std::uint32_t slot = ~0U; // whose call the dying thread served, as it says

    // The C stack of the thread that died, return addresses in the host; empty when it left none.
    static std::vector<std::uint64_t> read_frames(const ipc::CrashRecord& record);
    // From what the host has published (wild: checked here), or from waitpid's status.
    static HostEnd from_record(const ipc::CrashRecord& record);
    static HostEnd from_status(int status);

    ERL_NIF_TERM to_term(ErlNifEnv* env) const;
    // The same as text, "{signal,sigsegv}".
    std::string to_text() const;
};

} // namespace cordon::proxy
