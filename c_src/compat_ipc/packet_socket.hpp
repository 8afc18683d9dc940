// Sending and receiving control messages: SOCK_SEQPACKET Unix sockets, one message a packet, with
// file descriptors beside it.
#pragma once

#include "compat_ipc/control_message.hpp"
#include "shared_heap/memory_segment.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cordon::ipc {

// A connected pair, close-on-exec.
std::pair<Fd, Fd> packet_socket_pair();

// False when the peer is gone or doesn't take it (its buffer is full): the caller treats both as
// a dead peer. Never blocks, never raises SIGPIPE. Thread safe: one packet is one system call.
bool send_packet(int socket, const std::string& bytes, std::initializer_list<int> fds = {});

template <class Message>
bool send_message(int socket, const Message& message, std::initializer_list<int> fds = {}) {
    return send_packet(socket, encode(message), fds);
}

struct ReceivedPacket {
    std::string bytes;
    std::vector<Fd> fds;
};

enum class Wait { No, Yes };

// nullopt at the end of the connection (and, with Wait::No, see would_block). When `max_fds` is 0
// the kernel drops descriptors that the peer sent: nobody fills our table.
std::optional<ReceivedPacket> receive_packet(int socket, std::size_t max_fds, Wait wait,
                                             bool* would_block = nullptr);

} // namespace cordon::ipc
