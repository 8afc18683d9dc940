#include "nif_host/guard/capabilities.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/capability.h>
#include <sys/prctl.h>

namespace cordon::host {
namespace {

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

// With these a process changes the machine, or processes that are not its own. Without SYS_NICE and
// any one capability less than the VM's, the kernel refuses to schedule the VM anew; without
// SYS_RESOURCE the host can't take back its place before the OOM killer.
constexpr std::array<cap_value_t, 21> kDropped = {
    CAP_SYS_PTRACE,   CAP_SYS_ADMIN,  CAP_SYS_MODULE,         CAP_SYS_RAWIO,  CAP_SYS_BOOT,
    CAP_SYS_TIME,     CAP_SYS_NICE,   CAP_SYS_RESOURCE,       CAP_SYS_PACCT,  CAP_SYS_TTY_CONFIG,
    CAP_SYSLOG,       CAP_MKNOD,      CAP_AUDIT_CONTROL,      CAP_AUDIT_READ, CAP_MAC_ADMIN,
    CAP_MAC_OVERRIDE, CAP_WAKE_ALARM, CAP_CHECKPOINT_RESTORE, CAP_PERFMON,    CAP_BPF,
    CAP_BLOCK_SUSPEND};

} // namespace

std::string drop_capabilities() {
    const std::unique_ptr<_cap_struct, int (*)(void*)> own(cap_get_proc(), cap_free);
    if (!own)
        return std::string("cap_get_proc failed (") + std::strerror(errno) + ")";
    const std::unique_ptr<_cap_struct, int (*)(void*)> none(cap_init(), cap_free);
    if (none && cap_compare(own.get(), none.get()) == 0)
        return "";
    for (const cap_value_t capability : kDropped) {
        // Needs CAP_SETPCAP. Without it no_new_privs keeps an exec from giving it back.
        cap_drop_bound(capability);
        for (const cap_flag_t set : {CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE})
            if (cap_set_flag(own.get(), set, 1, &capability, CAP_CLEAR) != 0 && errno != EINVAL)
                return std::string("cap_set_flag failed (") + std::strerror(errno) + ")";
    }
    if (cap_set_proc(own.get()) != 0)
        return std::string("cap_set_proc failed (") + std::strerror(errno) + ")";
    return "";
}

} // namespace cordon::host
