#include "nif_host/control_channel.hpp"

#include "compat_ipc/packet_socket.hpp"
#include "nif_host/chunk_windows.hpp"
#include "nif_host/loader.hpp"
#include "nif_host/worker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <unistd.h>

namespace cordon::host {
namespace {

class ControlChannel {
  public:
    explicit ControlChannel(int socket) : socket_(io_, socket) {}

    void run() {
        wait();
        io_.run();
    }

  private:
    void wait() {
        socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& error) {
                               if (!error && serve())
                                   wait();
                           });
    }

    bool serve() {
        auto packet = ipc::receive_packet(socket_.native_handle(), 1, ipc::Wait::Yes);
        if (!packet)
            return false;
        const ipc::Packet message(packet->bytes);
        switch (message.type()) {
        case ipc::MessageType::Open: {
            const auto open = message.as<ipc::Open>();
            return ipc::send_message(socket_.native_handle(),
                                     open_library(open.library, open.path));
        }
        case ipc::MessageType::StartWorker:
            start_worker(message.as<ipc::StartWorker>().slot);
            return true;
        case ipc::MessageType::MapChunk: {
            const auto chunk = message.as<ipc::MapChunk>();
            map_chunk(chunk.window, packet->fds.at(0).get(), chunk.bytes);
            return true;
        }
        case ipc::MessageType::DropChunk: {
            const auto chunk = message.as<ipc::DropChunk>();
            drop_chunk(chunk.window, chunk.bytes);
            return true;
        }
        case ipc::MessageType::EnterDirectory: {
            const int error = fchdir(packet->fds.at(0).get()) == 0 ? 0 : errno;
            return ipc::send_message(socket_.native_handle(), ipc::DirectoryEntered{error});
        }
        default:
            return false;
        }
    }

    boost::asio::io_context io_{1};
    boost::asio::posix::stream_descriptor socket_;
};

} // namespace

void serve_control(int socket) {
    ControlChannel(socket).run();
}

} // namespace cordon::host
