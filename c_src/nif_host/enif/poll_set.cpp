#include "nif_host/enif/poll_set.hpp"

#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/select.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <sys/epoll.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace cordon::host {
namespace {

// Numbers that libraries don't expect to be given, within the soft limit that is usual.
constexpr int kHighFd = 1000;

std::once_flag started;
int poll_fd = -1;

// The descriptor is one of the process: a library that closes what isn't its own ends this, and
// nothing else.
void wait_for_events(int fd) {
    std::array<epoll_event, 64> reported;
    for (;;) {
        const int count = epoll_wait(fd, reported.data(), static_cast<int>(reported.size()), -1);
        if (count < 0 && errno != EINTR)
            return;
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = reported[static_cast<std::size_t>(i)];
            select_ready(static_cast<int>(event.data.u64 & 0xFFFF'FFFF),
                         static_cast<std::uint32_t>(event.data.u64 >> 32), event.events);
        }
    }
}

void start() {
    const int low = epoll_create1(EPOLL_CLOEXEC);
    if (low < 0)
        return;
    const int high = fcntl(low, F_DUPFD_CLOEXEC, kHighFd);
    if (high >= 0)
        close(low);
    poll_fd = high >= 0 ? high : low;
    try {
        std::thread(wait_for_events, poll_fd).detach();
    } catch (const std::system_error&) { // no more threads
        close(poll_fd);
        poll_fd = -1;
    }
}

int operation(PollOp op) {
    switch (op) {
    case PollOp::Add:
        return EPOLL_CTL_ADD;
    case PollOp::Change:
        return EPOLL_CTL_MOD;
    case PollOp::Remove:
        break;
    }
    return EPOLL_CTL_DEL;
}

} // namespace

PollResult poll_control(PollOp op, int fd, std::uint32_t generation, unsigned events,
                        Arming arming) {
    std::call_once(started, start);
    epoll_event event{};
    if ((events & ERL_NIF_SELECT_READ) != 0)
        event.events |= EPOLLIN;
    if ((events & ERL_NIF_SELECT_WRITE) != 0)
        event.events |= EPOLLOUT;
    event.events |= arming == Arming::Once ? EPOLLONESHOT : EPOLLET;
    event.data.u64 = static_cast<std::uint64_t>(generation) << 32 | static_cast<std::uint32_t>(fd);
    if (epoll_ctl(poll_fd, operation(op), fd, &event) == 0)
        return PollResult::Done;
    if (op == PollOp::Add && errno == EEXIST) // it was forgotten before it was stopped
        return poll_control(PollOp::Change, fd, generation, events, arming);
    const bool not_taken = op == PollOp::Add && (errno == EPERM || errno == EBADF);
    return not_taken && poll_fd >= 0 ? PollResult::NotTaken : PollResult::Failed;
}

unsigned select_events(std::uint32_t ready) {
    unsigned events = 0;
    if ((ready & EPOLLIN) != 0)
        events |= ERL_NIF_SELECT_READ;
    if ((ready & EPOLLOUT) != 0)
        events |= ERL_NIF_SELECT_WRITE;
    if ((ready & (EPOLLERR | EPOLLHUP)) != 0)
        events |= ERL_NIF_SELECT_ERROR;
    return events;
}

} // namespace cordon::host
