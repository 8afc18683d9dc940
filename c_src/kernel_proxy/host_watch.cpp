#include "kernel_proxy/host_watch.hpp"

#include "kernel_proxy/background.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/observer.hpp"
#include "kernel_proxy/unattended.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// The keeper reports an end at once; when it is itself stopped, the pidfd has to do.
constexpr auto kKeeperGrace = 100ms;
constexpr int kIdleRings = 64;
constexpr auto kIdlePause = 1ms;
constexpr std::size_t kOutputChunk = 16 * 1024;

} // namespace

HostWatch::HostWatch()
    : pidfd_(control_thread()), output_(control_thread()), grace_(control_thread()),
      doorbell_(upcall_thread()), pause_(upcall_thread()) {}

void HostWatch::start(const Group& group, std::uint64_t host_id, Fd pidfd, Fd output, Fd doorbell,
                      Host& host, std::function<void()> on_gone) {
    group_ = &group;
    host_id_ = host_id;
    host_ = &host;
    on_gone_ = std::move(on_gone);
    pidfd_.assign(pidfd.get());
    pidfd.release();
    output_.assign(output.release());
    doorbell_.assign(doorbell.release());
    boost::asio::post(control_thread(), [self = shared_from_this()] {
        self->wait_for_end();
        self->wait_for_output();
    });
    boost::asio::post(upcall_thread(), [self = shared_from_this()] { self->wait_for_doorbell(); });
}

void HostWatch::wait_for_end() {
    pidfd_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& error) {
        if (error)
            return;
        self->grace_.expires_after(kKeeperGrace);
        self->grace_.async_wait([self](const auto& cancelled) {
            if (!cancelled && self->on_gone_)
                self->on_gone_();
        });
    });
}

void HostWatch::wait_for_output() {
    if (output_awaited_)
        return;
    output_awaited_ = true;
    output_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& error) {
        self->output_awaited_ = false;
        if (error)
            return;
        std::array<char, kOutputChunk> bytes;
        const ssize_t got = read(self->output_.native_handle(), bytes.data(), bytes.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return self->wait_for_output();
        if (got <= 0)
            return;
        if (!report_output(*self->group_, self->host_id_,
                           {bytes.data(), static_cast<std::size_t>(got)}))
            self->wait_for_output();
    });
}

void HostWatch::output_done() {
    boost::asio::post(control_thread(), [self = shared_from_this()] {
        if (self->output_.is_open())
            self->wait_for_output();
    });
}

void HostWatch::check_doorbell() {
    boost::asio::post(upcall_thread(), [self = shared_from_this()] {
        if (self->doorbell_.is_open())
            serve_channels(*self->host_);
    });
}

void HostWatch::wait_for_doorbell() {
    doorbell_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& error) {
        if (error)
            return;
        std::array<char, 256> rings;
        [[maybe_unused]] const auto got =
            read(self->doorbell_.native_handle(), rings.data(), rings.size());
        self->idle_rings_ = serve_channels(*self->host_) ? 0 : self->idle_rings_ + 1;
        if (self->idle_rings_ < kIdleRings)
            return self->wait_for_doorbell();
        // It rings for nothing, over and over: others come first.
        self->pause_.expires_after(kIdlePause);
        self->pause_.async_wait([self](const auto& cancelled) {
            if (!cancelled)
                self->wait_for_doorbell();
        });
    });
}

void HostWatch::stop(std::function<void()> then) {
    auto self = shared_from_this();
    boost::asio::post(control_thread(), [self, then = std::move(then)] {
        self->on_gone_ = nullptr;
        self->grace_.cancel();
        self->pidfd_.close();
        if (self->output_.is_open()) { // the last words
            std::array<char, kOutputChunk> bytes;
            const ssize_t got = read(self->output_.native_handle(), bytes.data(), bytes.size());
            if (got > 0)
                report_output(*self->group_, self->host_id_,
                              {bytes.data(), static_cast<std::size_t>(got)});
            self->output_.close();
        }
        boost::asio::post(upcall_thread(), [self, then] {
            self->doorbell_.close();
            self->pause_.cancel();
            boost::asio::post(housekeeping_thread(), then);
        });
    });
}

void kill_after(int pidfd, std::chrono::milliseconds limit) {
    std::shared_ptr<Fd> own;
    try {
        own = std::make_shared<Fd>(duplicate(pidfd));
    } catch (const std::system_error&) { // no descriptor left to wait with
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
        return;
    }
    boost::asio::post(control_thread(), [own, limit] {
        auto timer = std::make_shared<boost::asio::steady_timer>(control_thread(), limit);
        timer->async_wait([own, timer](const auto&) {
            syscall(SYS_pidfd_send_signal, own->get(), SIGKILL, nullptr, 0);
        });
    });
}

} // namespace cordon::proxy
