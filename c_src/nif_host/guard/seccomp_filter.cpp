#include "nif_host/guard/seccomp_filter.hpp"

#include "nif_host/guard/denied_calls.hpp"
#include "nif_host/guard/reach.hpp"
#include "shared_heap/memory_segment.hpp"

#include <cerrno>
#include <linux/seccomp.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace cordon::host {
namespace {

// Stands for the host's own process id until it is known: no process can have this one.
constexpr std::uint32_t kOwnPid = 0x7AC0FFEE;
constexpr scmp_datum_t kAllBits = 0xFFFFFFFF; // the kernel looks at half of the register only

class Rules {
  public:
    Rules() : context_(seccomp_init(SCMP_ACT_ALLOW), seccomp_release) {
        // Compiling for this kernel is not loading: what it lacks is found when it is loaded.
        seccomp_api_set(6);
        if (!context_ ||
            seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
            seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
            error_ = ENOMEM;
    }

    // One rule; several of one call are alternatives, conditions of one rule must hold together. A
    // call that this architecture doesn't have is passed over.
    void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        if (error_ != 0 || call == __NR_SCMP_ERROR)
            return;
        const int result =
            seccomp_rule_add_array(context_.get(), action, call,
                                   static_cast<unsigned>(conditions.size()), conditions.begin());
        if (result != 0 && result != -EDOM)
            error_ = -result;
    }

    int compile(std::vector<sock_filter>& program) const {
        if (error_ != 0)
            return error_;
        const Fd file(memfd_create("cordon_filter", MFD_CLOEXEC));
        if (const int result = seccomp_export_bpf(context_.get(), file.get()); result != 0)
            return -result;
        const auto bytes = static_cast<std::size_t>(lseek(file.get(), 0, SEEK_END));
        program.resize(bytes / sizeof(sock_filter));
        return pread(file.get(), program.data(), bytes, 0) == static_cast<ssize_t>(bytes) ? 0 : EIO;
    }

  private:
    std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
    int error_ = 0;
};

scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, kAllBits, value);
}
scmp_arg_cmp has(unsigned argument, scmp_datum_t flag) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, flag, flag);
}
// All of the register is compared: what differs in the other half only is looked at more closely,
// which does no harm.
scmp_arg_cmp is_not(unsigned argument, scmp_datum_t value) {
    return SCMP_CMP64(argument, SCMP_CMP_NE, value);
}

void deny_by_arguments(Rules& rules) {
    constexpr std::uint32_t kEperm = SCMP_ACT_ERRNO(EPERM);
    for (const scmp_datum_t flag : kNamespaceFlags) {
        rules.add(kEperm, SCMP_SYS(unshare), {has(0, flag)});
        if (flag != kNewTimeNamespace) // that bit is part of the exit signal here
            rules.add(kEperm, SCMP_SYS(clone), {has(0, flag)});
    }
    for (const scmp_datum_t advice : kDeniedAdvice)
        rules.add(kEperm, SCMP_SYS(madvise), {is(2, advice)});
    for (const scmp_datum_t request : kDeniedIoctls)
        rules.add(kEperm, SCMP_SYS(ioctl), {is(1, request)});
}

// Calls that name another process or thread by number.
void restrict_reach(Rules& rules, std::uint32_t others) {
    for (const int call : kSchedulingCalls)
        rules.add(others, call, {is_not(0, 0)});
    rules.add(others, SCMP_SYS(prlimit64), {is_not(0, 0), is_not(2, 0)});
    for (const scmp_datum_t which : {PRIO_PROCESS, PRIO_PGRP})
        rules.add(others, SCMP_SYS(setpriority), {is(0, which), is_not(1, 0)});
    for (const scmp_datum_t which : {kIoprioProcess, kIoprioGroup})
        rules.add(others, SCMP_SYS(ioprio_set), {is(0, which), is_not(1, 0)});
}

void restrict_signals(Rules& rules, std::uint32_t others) {
    for (const int call : kSignalCalls)
        rules.add(others, call, {is_not(0, kOwnPid)});
    // These name the process by a descriptor or by memory, which could be another one a moment
    // later.
    rules.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(pidfd_send_signal));
    for (const scmp_datum_t command : kOwnerByMemory)
        rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fcntl), {is(1, command)});
    for (const scmp_datum_t request : kOwnerByIoctl)
        rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), {is(1, request)});
    rules.add(others, SCMP_SYS(fcntl), {is(1, kSetOwner), is_not(2, kOwnPid)});
}

void put_own_pid(std::vector<sock_filter>& program) {
    for (sock_filter& instruction : program)
        if (instruction.code == (BPF_JMP | BPF_JEQ | BPF_K) && instruction.k == kOwnPid)
            instruction.k = static_cast<std::uint32_t>(getpid());
}

} // namespace

SeccompFilter::SeccompFilter(FilterForm form) : ask_(form.ask) {
    Rules rules;
    for (const DeniedCall& call : kDeniedCalls) {
        const int resolved = seccomp_syscall_resolve_name(call.name);
        rules.add(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(call.error)),
                  resolved == __NR_SCMP_ERROR && call.number > 0 ? call.number : resolved);
    }
    deny_by_arguments(rules);
    // Everybody of one's own user, the VM among them: nothing to ask.
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), {is(0, PRIO_USER)});
    rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioprio_set), {is(0, kIoprioUser)});
    if (form.ask) {
        restrict_reach(rules, SCMP_ACT_NOTIFY);
        rules.add(SCMP_ACT_NOTIFY, SCMP_SYS(setsid)); // allowed, and noted
    }
    if (form.restrict_signals)
        restrict_signals(rules, form.ask ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM));
    error_ = rules.compile(program_);
}

int SeccompFilter::load(int reach_channel) const {
    if (error_ != 0)
        return error_;
    std::vector<sock_filter> program = program_;
    put_own_pid(program);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    // Without SPEC_ALLOW kernels before 5.16 switch on costly mitigations for every filter.
    const unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                ask_ ? flags | SECCOMP_FILTER_FLAG_NEW_LISTENER : flags, &filter);
    if (result < 0)
        return errno;
    if (!ask_)
        return 0;
    const Fd listener(static_cast<int>(result));
    return hand_over_listener(reach_channel, listener.get()) ? 0 : EIO;
}

} // namespace cordon::host
