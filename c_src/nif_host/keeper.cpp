#include "nif_host/keeper.hpp"

#include "compat_ipc/packet_socket.hpp"
#include "generated/cordon_build_id.hpp"
#include "nif_host/guard/guard.hpp"
#include "nif_host/guard/reach.hpp"
#include "nif_host/host_process.hpp"

#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/close_range.h>
#include <map>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cordon::host {
namespace {

int open_pidfd(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

class Keeper {
  public:
    explicit Keeper(int control) : control_(control), vm_pid_(getppid()) {}
    int run();

  private:
    void prepare();
    bool serve_packet();
    void spawn(const ipc::Spawn& spawn, std::vector<Fd>& fds);
    [[noreturn]] void become_host(const ipc::Spawn& spawn, std::vector<Fd>& fds, pid_t keeper);
    void reap();
    void kill_everything();

    Fd control_;
    pid_t vm_pid_;
    Fd vm_;
    Fd child_signals_;
    sigset_t inherited_mask_{};
    std::optional<ReachRequests> reach_;
    std::optional<Guard> guard_; // of all hosts
    std::map<std::uint64_t, pid_t> hosts_;
};

// The scheduler thread that has started us may be bound to one CPU; the VM's first thread is not.
void take_affinity_of(pid_t process) {
    cpu_set_t cpus;
    if (sched_getaffinity(process, sizeof cpus, &cpus) == 0)
        sched_setaffinity(0, sizeof cpus, &cpus);
}

void Keeper::prepare() {
    close_range(static_cast<unsigned>(control_.get()) + 1, ~0U, 0);
    prctl(PR_SET_NAME, "cordon_keeper");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setsid();
    // The VM ignores these, and ignored signals stay so through exec.
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, &inherited_mask_);
    child_signals_ = Fd(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
    vm_ = Fd(open_pidfd(vm_pid_));
    take_affinity_of(vm_pid_);
    setlocale(LC_CTYPE, ""); // as the VM does at its start
    reach_.emplace();
    guard_.emplace(vm_pid_, reach_->host_end());
    // Hosts that nothing else keeps away can't look into it either (unless they are root's).
    prctl(PR_SET_DUMPABLE, 0);
}

int Keeper::run() {
    prepare();
    if (getppid() != vm_pid_ || !ipc::send_message(control_.get(), ipc::Hello{kBuildId, getpid()}))
        return 0;
    for (;;) {
        std::vector<pollfd> ready{
            {control_.get(), POLLIN, 0}, {child_signals_.get(), POLLIN, 0}, {vm_.get(), POLLIN, 0}};
        const std::size_t own = ready.size();
        reach_->append_to(ready);
        if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR)
            break;
        reap();
        if (ready[2].revents != 0)
            break;
        reach_->serve(ready.data() + own, ready.size() - own);
        if (ready[0].revents != 0 && !serve_packet())
            break;
    }
    kill_everything();
    return 0;
}

bool Keeper::serve_packet() {
    auto packet = ipc::receive_packet(control_.get(), ipc::kSpawnFds, ipc::Wait::Yes);
    if (!packet)
        return false;
    const ipc::Packet message(packet->bytes);
    if (message.type() == ipc::MessageType::Spawn) {
        spawn(message.as<ipc::Spawn>(), packet->fds);
    } else if (message.type() == ipc::MessageType::Kill) {
        const auto host = hosts_.find(message.as<ipc::Kill>().host);
        if (host != hosts_.end()) {
            kill(-host->second, SIGKILL);
            kill(host->second, SIGKILL); // it may not have its own group yet
        }
    }
    return true;
}

void Keeper::spawn(const ipc::Spawn& spawn, std::vector<Fd>& fds) {
    ipc::Spawned answer;
    answer.host = spawn.host;
    if (fds.size() != ipc::kSpawnFds) {
        answer.error = "the request to start a host carried " + std::to_string(fds.size()) +
                       " descriptors, expected " + std::to_string(ipc::kSpawnFds);
        ipc::send_message(control_.get(), answer);
        return;
    }
    const pid_t keeper = getpid();
    const pid_t child = fork();
    if (child == 0)
        become_host(spawn, fds, keeper);
    if (child < 0) {
        answer.error = std::string("cannot fork a host: ") + std::strerror(errno);
        ipc::send_message(control_.get(), answer);
        return;
    }
    hosts_[spawn.host] = child;
    reach_->host_started(child);
    answer.pid = child;
    const Fd pidfd(open_pidfd(child)); // not racy: the child is a zombie at worst until we wait
    ipc::send_message(control_.get(), answer, {pidfd.get()});
}

void Keeper::become_host(const ipc::Spawn& spawn, std::vector<Fd>& fds, pid_t keeper) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(1);
    setsid();
    prctl(PR_SET_NAME, spawn.name.c_str());
    prctl(PR_SET_DUMPABLE, 1);
    sigprocmask(SIG_SETMASK, &inherited_mask_, nullptr);
    signal(SIGINT, SIG_DFL);
    control_.reset();
    reach_->forget();
    child_signals_.reset();
    vm_.reset();
    const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    dup2(null.get(), STDIN_FILENO);
    dup2(fds[ipc::kOutputFd].get(), STDOUT_FILENO);
    dup2(fds[ipc::kOutputFd].get(), STDERR_FILENO);
    fds[ipc::kOutputFd].reset();
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    run_host(fds, *guard_);
}

void Keeper::reap() {
    signalfd_siginfo ignored;
    while (read(child_signals_.get(), &ignored, sizeof ignored) > 0) {
    }
    // Looked at first, waited for last: until then the number can't belong to anybody else.
    bool any = false;
    siginfo_t ended{};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid > 0) {
        const pid_t pid = ended.si_pid;
        ended = {};
        for (auto host = hosts_.begin(); host != hosts_.end(); ++host) {
            if (host->second != pid)
                continue;
            kill(-pid, SIGKILL); // what the library has forked goes with it
            int status = 0;
            waitpid(pid, &status, 0);
            reach_->host_ended(pid);
            ipc::send_message(control_.get(), ipc::Ended{host->first, status});
            hosts_.erase(host);
            break;
        }
        waitpid(pid, nullptr, WNOHANG); // handed up to us: a child of a host
        any = true;
    }
    if (any)
        reach_->end_descendants();
}

// Hosts first, then whatever processes of theirs were handed up to us, until none is left.
void Keeper::kill_everything() {
    for (const auto& [host, pid] : hosts_) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    for (int round = 0; round < 100; ++round) {
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        if (FILE* children = std::fopen(path, "re")) {
            int pid = 0;
            while (std::fscanf(children, "%d", &pid) == 1)
                kill(pid, SIGKILL);
            std::fclose(children);
        }
        if (waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD)
            return;
        const timespec pause{0, 5'000'000};
        nanosleep(&pause, nullptr);
    }
}

} // namespace

int run_keeper(int control_socket) {
    return Keeper(control_socket).run();
}

} // namespace cordon::host
