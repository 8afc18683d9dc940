#include "kernel_proxy/keeper_client.hpp"

#include "generated/cordon_build_id.hpp"
#include "kernel_proxy/background.hpp"
#include "kernel_proxy/observer.hpp"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

namespace cordon::proxy {
namespace {

constexpr int kHelloTimeoutMs = 10'000;

// posix_spawn: cheap however large the VM is. The keeper itself closes what else it inherits.
int spawn_process(const std::string& program, int control, pid_t* pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, control, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    char argument[] = "--keeper";
    char* arguments[] = {const_cast<char*>(program.c_str()), argument, nullptr};
    const int error = posix_spawn(pid, program.c_str(), &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

} // namespace

KeeperClient& KeeperClient::instance() {
    static auto* client = new KeeperClient;
    return *client;
}

std::string KeeperClient::ensure_running(const std::string& nif_host) {
    const std::scoped_lock guard(lock_);
    if (socket_)
        return access(nif_host.c_str(), X_OK) == 0
                   ? ""
                   : nif_host + " cannot be executed (" + std::strerror(errno) +
                         "); expected the program nif_host of this cordon: make it executable or "
                         "build cordon again";
    return start(nif_host);
}

std::string KeeperClient::start(const std::string& nif_host) {
    struct stat status {};
    if (stat(nif_host.c_str(), &status) != 0)
        return nif_host + " is missing (" + std::strerror(errno) +
               "); expected the program nif_host beside cordon_nif.so: build cordon again";
    if (access(nif_host.c_str(), X_OK) != 0 || !S_ISREG(status.st_mode))
        return nif_host + " cannot be executed (" + std::strerror(errno == 0 ? EACCES : errno) +
               "); expected the program nif_host of this cordon: make it executable or build "
               "cordon "
               "again";
    auto [ours, theirs] = ipc::packet_socket_pair();
    pid_t pid = 0;
    // The child's end must not be fd 3 already (dup2 onto itself keeps close-on-exec).
    Fd watched = duplicate(ours.get()); // asio closes what it watches
    Fd high = duplicate(theirs.get(), 10);
    if (const int error = spawn_process(nif_host, high.get(), &pid); error != 0)
        return nif_host + " cannot be started: " + std::strerror(error);
    theirs.reset();
    high.reset();
    pollfd ready{ours.get(), POLLIN, 0};
    std::string found = "nothing";
    if (poll(&ready, 1, kHelloTimeoutMs) == 1) {
        if (auto packet = ipc::receive_packet(ours.get(), 0, ipc::Wait::No)) {
            try {
                found = "build " + ipc::Packet(packet->bytes).as<ipc::Hello>().build_id;
            } catch (const std::exception&) {
                found = "an unknown message";
            }
        }
    }
    if (found != std::string("build ") + kBuildId) {
        ::kill(pid, SIGKILL);
        return nif_host + " does not fit cordon_nif.so: expected build " + kBuildId + ", it says " +
               found + "; both come from one build: build cordon again";
    }
    watch(std::move(watched));
    pid_ = pid;
    socket_ = std::move(ours);
    return "";
}

void KeeperClient::watch(Fd socket) {
    using Descriptor = boost::asio::posix::stream_descriptor;
    auto descriptor = std::make_shared<Descriptor>(control_thread(), socket.get());
    socket.release();
    auto step = std::make_shared<std::function<void()>>();
    *step = [this, descriptor, step] {
        descriptor->async_wait(Descriptor::wait_read, [this, descriptor, step](const auto& error) {
            bool would_block = false;
            std::optional<ipc::ReceivedPacket> packet;
            if (!error)
                packet = ipc::receive_packet(descriptor->native_handle(), 1, ipc::Wait::No,
                                             &would_block);
            bool broken = false;
            if (packet) {
                try {
                    on_packet(std::move(*packet));
                } catch (const std::exception&) {
                    broken = true; // not what a keeper says
                }
            }
            if (broken || (!packet && !would_block)) {
                on_keeper_down();
                *step = nullptr;
                return;
            }
            (*step)();
        });
    };
    boost::asio::post(control_thread(), [step] { (*step)(); });
}

void KeeperClient::on_packet(ipc::ReceivedPacket received) {
    const ipc::Packet packet(received.bytes);
    if (packet.type() == ipc::MessageType::Spawned) {
        const auto spawned = packet.as<ipc::Spawned>();
        SpawnResult result;
        result.pid = spawned.pid;
        result.error = spawned.error;
        if (!received.fds.empty())
            result.pidfd = std::move(received.fds[0]);
        {
            const std::scoped_lock guard(lock_);
            if (hosts_.contains(spawned.host)) // else nobody waits any more
                answers_[spawned.host] = std::move(result);
        }
        answered_.notify_all();
    } else if (packet.type() == ipc::MessageType::Ended) {
        const auto ended = packet.as<ipc::Ended>();
        OnEnd on_end;
        {
            const std::scoped_lock guard(lock_);
            if (const auto host = hosts_.find(ended.host); host != hosts_.end()) {
                on_end = std::move(host->second);
                hosts_.erase(host);
            }
        }
        if (on_end)
            on_end(ended.status);
    }
}

void KeeperClient::on_keeper_down() {
    std::map<std::uint64_t, OnEnd> hosts;
    {
        const std::scoped_lock guard(lock_);
        hosts.swap(hosts_);
        socket_.reset();
        pid_ = 0;
    }
    answered_.notify_all();
    report_keeper_down();
    for (auto& [host, on_end] : hosts)
        if (on_end)
            on_end(std::nullopt);
}

SpawnResult KeeperClient::spawn(std::uint64_t host, const std::string& name,
                                const std::vector<int>& fds, Clock::time_point deadline,
                                OnEnd on_end) {
    std::unique_lock guard(lock_);
    SpawnResult failed;
    if (!socket_) {
        failed.error = "the keeper is gone";
        return failed;
    }
    hosts_[host] = std::move(on_end);
    if (!ipc::send_message(socket_.get(), ipc::Spawn{host, name},
                           {fds.at(0), fds.at(1), fds.at(2), fds.at(3), fds.at(4), fds.at(5)})) {
        hosts_.erase(host);
        failed.error = "the keeper does not take requests";
        return failed;
    }
    answered_.wait_until(guard, deadline, [&] { return answers_.contains(host) || !socket_; });
    const auto answer = answers_.find(host);
    if (answer == answers_.end()) {
        hosts_.erase(host);
        if (socket_)
            ipc::send_message(socket_.get(), ipc::Kill{host});
        failed.error = socket_ ? "the keeper did not answer in time" : "the keeper is gone";
        return failed;
    }
    SpawnResult result = std::move(answer->second);
    answers_.erase(answer);
    if (result.pid != 0 && !result.pidfd) {
        // The kernel drops what a packet carries when there is no descriptor left for it.
        ipc::send_message(socket_.get(), ipc::Kill{host});
        result.error = "its process descriptor could not be received; the VM has too many files "
                       "open (ulimit -n)";
        result.pid = 0;
    }
    if (result.pid == 0)
        hosts_.erase(host);
    return result;
}

pid_t KeeperClient::pid() {
    const std::scoped_lock guard(lock_);
    return pid_;
}

std::uint64_t KeeperClient::next_host_id() {
    const std::scoped_lock guard(lock_);
    return ++last_host_;
}

} // namespace cordon::proxy
