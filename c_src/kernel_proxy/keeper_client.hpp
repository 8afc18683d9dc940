// The BEAM side's end of the keeper: starts the keeper, asks it for hosts, hears how they ended.
#pragma once

#include "compat_ipc/packet_socket.hpp"
#include "kernel_proxy/clock.hpp"
#include "shared_heap/memory_segment.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cordon::proxy {

struct SpawnResult {
    pid_t pid = 0;
    Fd pidfd;
    std::string error; // when pid is 0
};

class KeeperClient {
  public:
    static KeeperClient& instance();

    // Starts the keeper when none runs. Empty, or what is wrong and what to do.
    std::string ensure_running(const std::string& nif_host);

    // `fds` in the order of ipc::SpawnFd. Waits for the answer until `deadline`. `on_end` runs once
    // on the control thread: with waitpid's status, or nullopt when the keeper itself is gone.
    using OnEnd = std::function<void(std::optional<int> status)>;
    SpawnResult spawn(std::uint64_t host, const std::string& name, const std::vector<int>& fds,
                      Clock::time_point deadline, OnEnd on_end);

    pid_t pid();
    std::uint64_t next_host_id();

  private:
    std::string start(const std::string& nif_host);
    void watch(Fd socket);
    void on_packet(ipc::ReceivedPacket packet);
    void on_keeper_down();

    std::mutex lock_;
    std::condition_variable answered_;
    Fd socket_;
    pid_t pid_ = 0;
    std::uint64_t last_host_ = 0;
    std::map<std::uint64_t, SpawnResult> answers_;
    std::map<std::uint64_t, OnEnd> hosts_;
};

} // namespace cordon::proxy
