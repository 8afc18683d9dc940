#include "compat_ipc/packet_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <system_error>

namespace cordon::ipc {
namespace {

constexpr std::size_t kMaxFds = 8;

} // namespace

std::pair<Fd, Fd> packet_socket_pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot create a control socket");
    return {Fd(ends[0]), Fd(ends[1])};
}

bool send_packet(int socket, const std::string& bytes, std::initializer_list<int> fds) {
    iovec data{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> ancillary{};
    if (fds.size() > 0) {
        message.msg_control = ancillary.data();
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), fds.begin(), fds.size() * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(bytes.size());
}

std::optional<ReceivedPacket> receive_packet(int socket, std::size_t max_fds, Wait wait,
                                             bool* would_block) {
    thread_local std::string buffer(kMaxMessageBytes, '\0');
    iovec data{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> ancillary{};
    if (max_fds > 0) {
        message.msg_control = ancillary.data();
        message.msg_controllen = CMSG_SPACE(max_fds * sizeof(int));
    }
    ssize_t got;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait == Wait::No ? MSG_DONTWAIT : 0));
    } while (got < 0 && errno == EINTR);
    if (would_block != nullptr)
        *would_block = got < 0 && errno == EAGAIN;
    if (got <= 0)
        return std::nullopt;
    ReceivedPacket packet{std::string(buffer.data(), static_cast<std::size_t>(got)), {}};
    for (cmsghdr* header = max_fds > 0 ? CMSG_FIRSTHDR(&message) : nullptr; header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            packet.fds.emplace_back(fd);
        }
    }
    return packet;
}

} // namespace cordon::ipc
