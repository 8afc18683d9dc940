#include "nif_host/guard/reach.hpp"

#include "compat_ipc/packet_socket.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
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
    for (const auto& [listener, host] : listeners_)
        polled.push_back({listener.get(), POLLIN, 0});
}

void ReachRequests::serve(const pollfd* polled, std::size_t count) {
    // One request of each host a turn: one that asks all the time delays the others little.
    for (std::size_t i = count; i-- > 1;) {
        const auto& [listener, host] = listeners_[i - 1];
        const bool gone = (polled[i].revents & (POLLHUP | POLLERR)) != 0;
        if (gone || ((polled[i].revents & POLLIN) != 0 && !answer(listener.get(), host)))
            listeners_.erase(listeners_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    }
    if ((polled[0].revents & POLLIN) != 0)
        accept_listener();
}

void ReachRequests::forget() {
    keeper_end_.reset();
    listeners_.clear();
}

void ReachRequests::accept_listener() {
    auto packet = ipc::receive_packet(keeper_end_.get(), 1, ipc::Wait::No);
    pid_t host = 0;
    if (!packet || packet->fds.size() != 1 || packet->bytes.size() != sizeof host)
        return;
    std::memcpy(&host, packet->bytes.data(), sizeof host);
    listeners_.emplace_back(std::move(packet->fds[0]), host);
}

// False when nobody will ask any more.
bool ReachRequests::answer(int listener, pid_t host) {
    if (request_ == nullptr)
        return false;
    std::memset(request_, 0, sizeof *request_);
    if (seccomp_notify_receive(listener, request_) != 0)
        return errno == ENOENT || errno == EINTR || errno == ECANCELED; // who asked is gone
    std::memset(response_, 0, sizeof *response_);
    response_->id = request_->id;
    const pid_t target = target_of(request_->data);
    if (target == 0 || (target != -1 && belongs_to(host, target)))
        response_->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        response_->error = -EPERM;
    seccomp_notify_respond(listener, response_);
    return true;
}

} // namespace cordon::host
