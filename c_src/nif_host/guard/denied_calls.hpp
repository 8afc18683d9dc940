// What the filter of every host denies: a table to be read and added to. What a NIF library may use
// for its own process is not on it.
#pragma once

#include <array>
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>

namespace cordon::host {

struct DeniedCall {
    const char* name;
    int error;
    int number = 0; // where libseccomp may be older than the call; the same on all architectures
};

inline constexpr std::array kDeniedCalls = {
    // Memory, descriptors and threads of other processes. Landlock denies most of these too.
    DeniedCall{"ptrace", EPERM},
    DeniedCall{"process_vm_readv", EPERM},
    DeniedCall{"process_vm_writev", EPERM},
    DeniedCall{"process_madvise", EPERM, 440},
    DeniedCall{"process_mrelease", EPERM, 448},
    DeniedCall{"pidfd_getfd", EPERM, 438},
    DeniedCall{"kcmp", EPERM},
    DeniedCall{"perf_event_open", EPERM},
    // Parts of the kernel that have been ways out again and again. Where callers know another way,
    // they are told that the call doesn't exist.
    DeniedCall{"bpf", EPERM},
    DeniedCall{"userfaultfd", EPERM},
    DeniedCall{"io_uring_setup", ENOSYS, 425},
    DeniedCall{"io_uring_enter", ENOSYS, 426},
    DeniedCall{"io_uring_register", ENOSYS, 427},
    DeniedCall{"add_key", EPERM},
    DeniedCall{"request_key", EPERM},
    DeniedCall{"keyctl", EPERM},
    DeniedCall{"lookup_dcookie", EPERM},
    DeniedCall{"uselib", ENOSYS},
    // Mounts and namespaces. The flags of clone3 lie in memory, where no filter can look; the C
    // library uses clone when it is told that there is no clone3.
    DeniedCall{"clone3", ENOSYS, 435},
    DeniedCall{"setns", EPERM},
    DeniedCall{"mount", EPERM},
    DeniedCall{"umount2", EPERM},
    DeniedCall{"pivot_root", EPERM},
    DeniedCall{"open_tree", EPERM, 428},
    DeniedCall{"open_tree_attr", EPERM, 467},
    DeniedCall{"move_mount", EPERM, 429},
    DeniedCall{"fsopen", EPERM, 430},
    DeniedCall{"fsconfig", EPERM, 431},
    DeniedCall{"fsmount", EPERM, 432},
    DeniedCall{"fspick", EPERM, 433},
    DeniedCall{"mount_setattr", EPERM, 442},
    DeniedCall{"open_by_handle_at", EPERM},
    // The machine. Only root could; its host has no capability for it either.
    DeniedCall{"acct", EPERM},
    DeniedCall{"clock_settime", EPERM},
    DeniedCall{"settimeofday", EPERM},
    DeniedCall{"delete_module", EPERM},
    DeniedCall{"finit_module", EPERM},
    DeniedCall{"init_module", EPERM},
    DeniedCall{"ioperm", EPERM},
    DeniedCall{"iopl", EPERM},
    DeniedCall{"kexec_file_load", EPERM},
    DeniedCall{"kexec_load", EPERM},
    DeniedCall{"nfsservctl", ENOSYS},
    DeniedCall{"quotactl", EPERM},
    DeniedCall{"quotactl_fd", EPERM, 443},
    DeniedCall{"reboot", EPERM},
    DeniedCall{"sethostname", EPERM},
    DeniedCall{"setdomainname", EPERM},
    DeniedCall{"swapoff", EPERM},
    DeniedCall{"swapon", EPERM},
    DeniedCall{"syslog", EPERM},
    DeniedCall{"vhangup", EPERM},
};

inline constexpr std::uint64_t kNewTimeNamespace = 0x80; // CLONE_NEWTIME
inline constexpr std::array<std::uint64_t, 8> kNamespaceFlags = {
    CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS,     CLONE_NEWNET,
    CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, kNewTimeNamespace};

// REMOVE punches holes into shared memory; the other two take pages from everybody who maps them.
// POISON and OFFLINE need a capability, and are here for kernels that think otherwise.
inline constexpr std::array<std::uint64_t, 3> kDeniedAdvice = {MADV_REMOVE, MADV_HWPOISON,
                                                               101 /* MADV_SOFT_OFFLINE */};

// Typing into a terminal that the VM may have been started from.
inline constexpr std::array<std::uint64_t, 2> kDeniedIoctls = {TIOCSTI, TIOCLINUX};

// Their first argument is a process or thread, 0 the caller.
inline constexpr std::array kSchedulingCalls = {
    SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
    SCMP_SYS(sched_setattr),     SCMP_SYS(migrate_pages),      SCMP_SYS(move_pages)};
inline constexpr std::uint64_t kIoprioProcess = 1;
inline constexpr std::uint64_t kIoprioGroup = 2;
inline constexpr std::uint64_t kIoprioUser = 3;

// Their first argument is a process (of kill also a group, of tkill a thread).
inline constexpr std::array kSignalCalls = {SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill),
                                            SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo)};
// Who gets SIGIO.
inline constexpr std::uint64_t kSetOwner = F_SETOWN;
inline constexpr std::array<std::uint64_t, 1> kOwnerByMemory = {F_SETOWN_EX};
inline constexpr std::array<std::uint64_t, 2> kOwnerByIoctl = {FIOSETOWN, SIOCSPGRP};

} // namespace cordon::host
