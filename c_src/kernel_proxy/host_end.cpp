#include "kernel_proxy/host_end.hpp"

#include "kernel_proxy/own_env.hpp"
#include "shared_heap/wild.hpp"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>
#include <sys/wait.h>

namespace cordon::proxy {
namespace {

ERL_NIF_TERM atom(ErlNifEnv* env, const char* text) {
    return enif_make_atom(env, text);
}

const char* ending_name(std::int64_t code) {
    switch (static_cast<ipc::Ending>(code)) {
    case ipc::Ending::ClearEnv:
        return "enif_clear_env";
    case ipc::Ending::FreeEnv:
        return "enif_free_env";
    case ipc::Ending::Return:
        return "return";
    case ipc::Ending::ReleaseBinary:
        return "enif_release_binary";
    case ipc::Ending::LastReference:
        return "last_reference";
    }
    return "unknown";
}

ERL_NIF_TERM signal_name(ErlNifEnv* env, std::int64_t number) {
    const char* abbreviation = sigabbrev_np(static_cast<int>(number)); // "SEGV"
    if (abbreviation == nullptr)
        return enif_make_int64(env, number);
    std::string name = "sig";
    for (const char* c = abbreviation; *c != 0; ++c)
        name.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(*c))));
    return atom(env, name.c_str());
}

const char* quota_name(ipc::QuotaKind kind) {
    switch (kind) {
    case ipc::QuotaKind::Atoms:
        return "atoms";
    case ipc::QuotaKind::Monitors:
        return "monitors";
    default: // also what a host has made up
        return "memory";
    }
}

} // namespace

HostEnd HostEnd::from_record(const ipc::CrashRecord& record) {
    HostEnd end;
    const auto code = Wild<std::uint32_t>::read(&record.code).unchecked();
    switch (Wild<ipc::EndKind>::read(&record.end).unchecked()) {
    case ipc::EndKind::Signal:
        if (code == 0 || code >= static_cast<std::uint32_t>(SIGRTMAX))
            break;
        end.kind = Kind::Signal;
        end.code = code;
        end.fault_address = Wild<std::uint64_t>::read(&record.fault_address).unchecked();
        end.slot = Wild<std::uint32_t>::read(&record.slot).unchecked();
        break;
    case ipc::EndKind::Exit:
        end.kind = Kind::Exit;
        end.code = code & 0xFF;
        return end;
    case ipc::EndKind::Quota:
        end.kind = Kind::Quota;
        end.code = code;
        return end;
    case ipc::EndKind::Unsupported:
        end.kind = Kind::Unsupported;
        return end;
    case ipc::EndKind::LateUse:
        end.kind = Kind::LateUse;
        end.code = code;
        end.fault_address = Wild<std::uint64_t>::read(&record.fault_address).unchecked();
        end.slot = Wild<std::uint32_t>::read(&record.slot).unchecked();
        return end;
    case ipc::EndKind::None:
        break;
    }
    if (end.kind != Kind::Signal) {
        end.kind = Kind::Protocol;
        end.text = "invalid_crash_record";
    }
    return end;
}

std::vector<std::uint64_t> HostEnd::read_frames(const ipc::CrashRecord& record) {
    std::vector<std::uint64_t> frames;
    if (record.state.load(std::memory_order_acquire) != ipc::HostState::Dead)
        return frames;
    const auto count = Wild<std::uint32_t>::read(&record.frame_count).at_most(ipc::kMaxFrames);
    for (std::uint32_t i = 0; count && i < *count; ++i)
        frames.push_back(Wild<std::uint64_t>::read(&record.frames[i]).unchecked());
    return frames;
}

HostEnd HostEnd::from_status(int status) {
    HostEnd end;
    end.kind = WIFSIGNALED(status) ? Kind::Signal : Kind::Exit;
    end.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    return end;
}

ERL_NIF_TERM HostEnd::to_term(ErlNifEnv* env) const {
    const auto pair = [env](const char* tag, ERL_NIF_TERM value) {
        return enif_make_tuple2(env, enif_make_atom(env, tag), value);
    };
    switch (kind) {
    case Kind::Signal:
        return pair("signal", signal_name(env, code));
    case Kind::Exit:
        return pair("exit", enif_make_int64(env, code));
    case Kind::Quota:
        return pair("quota", atom(env, quota_name(static_cast<ipc::QuotaKind>(code))));
    case Kind::Timeout:
        return pair("timeout", enif_make_int64(env, code));
    case Kind::Protocol:
        return pair("protocol", atom(env, text.c_str()));
    case Kind::Unsupported:
        return atom(env, "enif_unsupported");
    case Kind::LateUse:
        return pair("used_after", atom(env, ending_name(code)));
    case Kind::Stopped:
        return atom(env, "stopped");
    case Kind::KeeperDown:
        return atom(env, "keeper_down");
    case Kind::Load:
        return pair("load", enif_make_int64(env, code));
    case Kind::StartFailed:
        return pair("start_failed", enif_make_string(env, text.c_str(), ERL_NIF_LATIN1));
    }
    return atom(env, "undefined");
}

std::string HostEnd::to_text() const {
    const OwnEnv own;
    char text[256];
    enif_snprintf(text, sizeof text, "%T", to_term(own.env));
    return text;
}

} // namespace cordon::proxy
