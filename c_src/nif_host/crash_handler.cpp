#include "nif_host/crash_handler.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/lifetime_check.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <execinfo.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace cordon::host {
namespace {

constexpr std::size_t kAlternateStackBytes = 64 * 1024;
constexpr std::array kDeadlySignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

std::atomic<bool> dying{false};
pid_t host_process = 0;

// A child that the library has forked has these handlers too, but what becomes of it concerns its
// parent only.
bool is_forked_child() {
    return getpid() != host_process;
}

// Async-signal-safe from here on.

void wake_all_waiters() {
    for (std::uint32_t slot = 0; slot < ipc::kSlots; ++slot) {
        ipc::ResponseHalf& response = context().response(slot);
        if (context().request(slot).seq.load(std::memory_order_relaxed) == 0)
            continue; // never used
        // Changing the word makes a wait that is just beginning return at once.
        response.seq.fetch_or(ipc::kDeadBit, std::memory_order_seq_cst);
        ipc::futex_wake_all(response.seq);
    }
}

// False when another thread is already at it.
bool publish_end(ipc::EndKind end, std::uint32_t code, std::uint64_t address,
                 std::uint64_t instruction) {
    if (dying.exchange(true))
        return false;
    ipc::CrashRecord& record = context().shared().crash;
    record.end = end;
    record.code = code;
    record.slot = static_cast<std::uint32_t>(current_slot());
    record.fault_address = address;
    record.instruction = instruction;
    record.frame_count = 0;
    record.state.store(ipc::HostState::Dying, std::memory_order_release);
    wake_all_waiters();
    return true;
}

void complete_record(bool with_frames) {
    ipc::CrashRecord& record = context().shared().crash;
    if (with_frames) {
        std::array<void*, ipc::kMaxFrames> frames{};
        const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
        for (int i = 0; i < count; ++i)
            record.frames[static_cast<std::size_t>(i)] =
                reinterpret_cast<std::uint64_t>(frames[static_cast<std::size_t>(i)]);
        record.frame_count = static_cast<std::uint32_t>(count);
    }
    record.state.store(ipc::HostState::Dead, std::memory_order_release);
}

std::uint64_t instruction_pointer([[maybe_unused]] const void* machine_context) {
#if defined(__x86_64__)
    return static_cast<std::uint64_t>(
        static_cast<const ucontext_t*>(machine_context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<const ucontext_t*>(machine_context)->uc_mcontext.pc;
#else
    return 0;
#endif
}

void on_deadly_signal(int signal_number, siginfo_t* info, void* machine_context) {
    if (signal_number == SIGFPE && info->si_code <= 0)
        return; // sent, not trapped: the VM ignores those, and so do we
    if (!is_forked_child()) {
        auto end = ipc::EndKind::Signal;
        auto code = static_cast<std::uint32_t>(signal_number);
        const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
        Ending how{};
        if (signal_number == SIGSEGV && explain_late_use(address, &how)) {
            end = ipc::EndKind::LateUse;
            code = static_cast<std::uint32_t>(how);
        }
        if (!publish_end(end, code, address, instruction_pointer(machine_context)))
            for (;;)
                pause(); // the first one ends the process
        complete_record(true);
    }
    // Die of the same signal, so that the keeper's status agrees.
    signal(signal_number, SIG_DFL);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
    syscall(SYS_tgkill, getpid(), static_cast<int>(syscall(SYS_gettid)), signal_number);
}

void on_process_exit(int status, void*) {
    if (is_forked_child())
        return;
    if (publish_end(ipc::EndKind::Exit, static_cast<std::uint32_t>(status & 0xFF), 0, 0))
        complete_record(false);
}

} // namespace

void install_alternate_stack() {
    void* stack = mmap(nullptr, kAlternateStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return; // a stack overflow will then be seen by the keeper only
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = kAlternateStackBytes;
    sigaltstack(&alternate, nullptr);
}

void install_crash_handler() {
    host_process = getpid();
    std::array<void*, 4> warm{};
    backtrace(warm.data(),
              static_cast<int>(warm.size())); // loads what it needs now, not in a handler
    install_alternate_stack();
    struct sigaction action {};
    action.sa_sigaction = on_deadly_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (const int signal_number : kDeadlySignals)
        sigaction(signal_number, &action, nullptr);
    on_exit(on_process_exit, nullptr);
}

void end_host(ipc::EndKind end, std::uint32_t code) {
    if (publish_end(end, code, 0, 0))
        complete_record(false);
    else
        for (;;)
            pause();
    _exit(1);
}

} // namespace cordon::host
