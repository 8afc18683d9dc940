#include "nif_host/guard/reach.hpp"

#include "compat_ipc/packet_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <optional>
#include <seccomp.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cordon::host {
namespace {

constexpr int kGenerations = 32; // of descendants; no real tree of a library is as deep
// From here on those that are over are forgotten.
constexpr std::size_t kManySessions = 1024;

struct Family {
    pid_t parent = 0;
    pid_t session = 0;
};

// Of a process or a thread; nothing when there is none.
std::optional<Family> family_of(pid_t pid) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const Fd file(open(path, O_RDONLY | O_CLOEXEC));
    char text[512];
    const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : -1;
    if (length <= 0)
        return std::nullopt;
    text[length] = '\0';
    // The name before it may hold anything, parentheses too.
    const char* after_name = std::strrchr(text, ')');
    Family family;
    if (after_name == nullptr ||
        std::sscanf(after_name, ") %*c %d %*d %d", &family.parent, &family.session) != 2)
        return std::nullopt;
    return family;
}

// The process of a thread; 0 when there is none.
pid_t process_of(pid_t thread) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/status", thread);
    pid_t process = 0;
    if (FILE* status = std::fopen(path, "re")) {
        char line[256];
        while (process == 0 && std::fgets(line, sizeof line, status) != nullptr)
            std::sscanf(line, "Tgid: %d", &process);
        std::fclose(status);
    }
    return process;
}

std::vector<pid_t> own_children() {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    std::vector<pid_t> children;
    if (FILE* list = std::fopen(path, "re")) {
        pid_t pid = 0;
        while (std::fscanf(list, "%d", &pid) == 1)
            children.push_back(pid);
        std::fclose(list);
    }
    return children;
}

// Of all processes.
std::vector<pid_t> all_sessions() {
    std::vector<pid_t> sessions;
    if (DIR* processes = opendir("/proc")) {
        while (const dirent* entry = readdir(processes))
            if (const auto family = family_of(std::atoi(entry->d_name)))
                sessions.push_back(family->session);
        closedir(processes);
    }
    return sessions;
}

// The process that a call is about; 0 is the caller or its group.
pid_t target_of(const seccomp_data& call) {
    const auto argument = [&call](int index) { return static_cast<pid_t>(call.args[index]); };
    switch (call.nr) {
    case __NR_setpriority:
    case __NR_ioprio_set:
        return argument(1);
    case __NR_fcntl:
        return argument(2);
    default:
        return argument(0);
    }
}

} // namespace

bool belongs_to(pid_t host, pid_t target) {
    if (target < 0)
        target = -target; // by its leader; a group without one is nobody's
    for (int generation = 0; generation < kGenerations && target > 1; ++generation) {
        const auto family = family_of(target);
        if (!family)
            return false;
        if (target == host || family->session == host)
            return true;
        target = family->parent;
    }
    return false;
}

bool HostTree::has_session(pid_t session) const {
    return session == host ||
           std::find(sessions.begin(), sessions.end(), session) != sessions.end();
}

bool hand_over_listener(int reach_channel, int listener) {
    const pid_t host = getpid();
    return ipc::send_packet(
        reach_channel, std::string(reinterpret_cast<const char*>(&host), sizeof host), {listener});
}

ReachRequests::ReachRequests() {
    std::tie(keeper_end_, host_end_) = ipc::packet_socket_pair();
    if (seccomp_notify_alloc(&request_, &response_) != 0)
        request_ = nullptr; // this kernel has no notifications
}

ReachRequests::~ReachRequests() {
    seccomp_notify_free(request_, response_);
}

void ReachRequests::append_to(std::vector<pollfd>& polled) const {
    polled.push_back({keeper_end_.get(), POLLIN, 0});
    for (const HostTree& tree : trees_)
        polled.push_back({tree.listener.get(), POLLIN, 0}); // poll passes over -1
}

void ReachRequests::serve(const pollfd* polled, std::size_t count) {
    // One request of each host a turn: one that asks all the time delays the others little. Trees
    // may have gone since poll; then those behind them wait for the next turn.
    for (std::size_t i = std::min(count - 1, trees_.size()); i-- > 0;) {
        HostTree& tree = trees_[i];
        if (polled[i + 1].fd != tree.listener.get())
            continue;
        const short events = polled[i + 1].revents;
        if ((events & (POLLHUP | POLLERR)) == 0 && ((events & POLLIN) == 0 || answer(tree)))
            continue;
        tree.listener.reset(); // nobody with its filter is left
        if (tree.ended)
            trees_.erase(trees_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if ((polled[0].revents & POLLIN) != 0)
        accept_listener();
}

void ReachRequests::forget() {
    keeper_end_.reset();
    trees_.clear();
}

void ReachRequests::host_started(pid_t host) {
    for (HostTree& tree : trees_)
        std::erase(tree.sessions, host); // the number was another's once
    trees_.emplace_back().host = host;
}

void ReachRequests::host_ended(pid_t host) {
    for (HostTree& tree : trees_)
        if (tree.host == host)
            tree.ended = true;
}

void ReachRequests::end_descendants() {
    const auto has_ended = [](const HostTree& tree) { return tree.ended; };
    if (std::none_of(trees_.begin(), trees_.end(), has_ended))
        return;
    std::vector<pid_t> survivors; // sessions of
    for (const pid_t child : own_children()) {
        const auto family = family_of(child);
        for (const HostTree& tree : trees_)
            if (family && tree.ended && tree.has_session(family->session)) {
                kill(child, SIGKILL);
                survivors.push_back(family->session);
            }
    }
    // With a listener it is known for sure that nobody is left: see serve().
    std::erase_if(trees_, [&](const HostTree& tree) {
        return tree.ended && !tree.listener &&
               std::none_of(survivors.begin(), survivors.end(),
                            [&](pid_t session) { return tree.has_session(session); });
    });
}

void ReachRequests::accept_listener() {
    auto packet = ipc::receive_packet(keeper_end_.get(), 1, ipc::Wait::No);
    pid_t host = 0;
    if (!packet || packet->fds.size() != 1 || packet->bytes.size() != sizeof host)
        return;
    std::memcpy(&host, packet->bytes.data(), sizeof host);
    for (HostTree& tree : trees_)
        if (tree.host == host && !tree.listener)
            tree.listener = std::move(packet->fds[0]);
}

// False when nobody will ask any more.
bool ReachRequests::answer(HostTree& tree) {
    if (request_ == nullptr)
        return false;
    std::memset(request_, 0, sizeof *request_);
    if (seccomp_notify_receive(tree.listener.get(), request_) != 0)
        return errno == ENOENT || errno == EINTR || errno == ECANCELED; // who asked is gone
    std::memset(response_, 0, sizeof *response_);
    response_->id = request_->id;
    if (request_->data.nr == __NR_setsid) {
        const pid_t process = process_of(static_cast<pid_t>(request_->pid));
        if (seccomp_notify_id_valid(tree.listener.get(), request_->id) == 0)
            note_session(tree, process);
        response_->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        const pid_t target = target_of(request_->data);
        if (target == 0 || (target != -1 && belongs_to(tree.host, target)))
            response_->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        else
            response_->error = -EPERM;
    }
    seccomp_notify_respond(tree.listener.get(), response_);
    return true;
}

void ReachRequests::note_session(HostTree& tree, pid_t session) {
    if (session <= 0)
        return;
    if (tree.ended)
        kill(session, SIGKILL);
    for (HostTree& other : trees_)
        std::erase(other.sessions, session);
    if (tree.sessions.size() >= std::max(tree.prune_at, kManySessions)) {
        const std::vector<pid_t> alive = all_sessions();
        std::erase_if(tree.sessions, [&](pid_t one) {
            return std::find(alive.begin(), alive.end(), one) == alive.end();
        });
        tree.prune_at = 2 * tree.sessions.size();
    }
    tree.sessions.push_back(session);
}

} // namespace cordon::host
