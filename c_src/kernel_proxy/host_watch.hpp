// What the background threads watch of one host process: its pidfd, what it prints, its doorbell.
// Lives as long as the process; a Host object that is used again gets a new one.
#pragma once

#include "shared_heap/memory_segment.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace cordon::proxy {

class Group;
class Host;

class HostWatch : public std::enable_shared_from_this<HostWatch> {
  public:
    HostWatch();
    // `on_gone`: the process is gone and the keeper has not said so for a while.
    void start(const Group& group, std::uint64_t host_id, Fd pidfd, Fd output, Fd doorbell,
               Host& host, std::function<void()> on_gone);
    // Runs `then` on the housekeeping thread once no handler of this can run any more.
    void stop(std::function<void()> then);
    // Serves what was asked before anybody listened.
    void check_doorbell();
    // More of what the host prints may be read.
    void output_done();

  private:
    using Descriptor = boost::asio::posix::stream_descriptor;
    void wait_for_end();
    void wait_for_output();
    void wait_for_doorbell();

    const Group* group_ = nullptr;
    Host* host_ = nullptr;
    std::uint64_t host_id_ = 0;
    std::function<void()> on_gone_;
    bool output_awaited_ = false;     // control thread
    Descriptor pidfd_;                // control thread
    Descriptor output_;               // control thread
    boost::asio::steady_timer grace_; // control thread
    Descriptor doorbell_;             // upcall thread
    boost::asio::steady_timer pause_; // upcall thread
    int idle_rings_ = 0;              // in a row
};

// Kills the process behind `pidfd` (duplicated here) after that time, unless it is gone by then.
void kill_after(int pidfd, std::chrono::milliseconds limit);

} // namespace cordon::proxy
