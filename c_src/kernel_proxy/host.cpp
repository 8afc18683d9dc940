#include "kernel_proxy/host.hpp"

#include "compat_ipc/futex.hpp"
#include "compat_ipc/packet_socket.hpp"
#include "kernel_proxy/background.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host_watch.hpp"
#include "kernel_proxy/observer.hpp"
#include "kernel_proxy/spin_grants.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// A host whose crash handler has published the end but does not finish.
constexpr auto kDyingLimit = 50ms;

std::uint32_t thread_index() {
    static std::atomic<std::uint32_t> next{0};
    thread_local const std::uint32_t index = next.fetch_add(1, std::memory_order_relaxed);
    return index;
}

} // namespace

Host::Host(Group& group) : group_(group), slots_(std::make_unique<Slot[]>(ipc::kCallSlots)) {
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
        slots_[i].index = i;
}

Slot* Host::take_slot() {
    // A thread keeps to one slot and so to one warm worker; a call that has moved to another thread
    // still holds its slot, then the next free one from the end serves.
    const std::uint32_t preferred = thread_index() % ipc::kCallSlots;
    Slot* slot = &slots_[preferred];
    if (slot->busy.exchange(1, std::memory_order_seq_cst) != 0) {
        slot = nullptr;
        for (std::uint32_t i = ipc::kCallSlots; i-- > 0 && slot == nullptr;)
            if (slots_[i].busy.load(std::memory_order_relaxed) == 0 &&
                slots_[i].busy.exchange(1, std::memory_order_seq_cst) == 0)
                slot = &slots_[i];
        if (slot == nullptr)
            return nullptr;
    }
    // Partner: the end sets accepts_, then the closer looks at busy (all seq_cst).
    if (!accepts_.load(std::memory_order_seq_cst)) {
        slot->busy.store(0, std::memory_order_release);
        return nullptr;
    }
    return slot;
}

Slot* Host::take_recent_slot() {
    const std::uint32_t recent = recent_slot_.load(std::memory_order_relaxed);
    Slot* slot = take_slot_at(recent);
    if (slot == nullptr)
        slot = take_slot();
    if (slot != nullptr && slot->index != recent)
        recent_slot_.store(slot->index, std::memory_order_relaxed);
    return slot;
}

Slot* Host::take_slot_at(std::uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.busy.exchange(1, std::memory_order_seq_cst) != 0)
        return nullptr;
    if (accepts_.load(std::memory_order_seq_cst))
        return &slot;
    slot.busy.store(0, std::memory_order_release);
    return nullptr;
}

void Host::give_back(Slot& slot) {
    slot.called.store(nullptr, std::memory_order_relaxed);
    slot.busy.store(0, std::memory_order_release);
}

bool Host::ensure_worker(Slot& slot) {
    if (slot.worker_started.load(std::memory_order_relaxed))
        return true;
    if (!ipc::send_message(control_.get(), ipc::StartWorker{slot.index}))
        return false;
    slot.worker_started.store(true, std::memory_order_relaxed);
    return true;
}

void Host::set_end(HostEnd end) {
    {
        const std::scoped_lock guard(end_lock_);
        if (ended_.load(std::memory_order_relaxed) != 0)
            return;
        for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
            if (const FunctionState* called = slots_[i].called.load(std::memory_order_relaxed);
                slots_[i].busy.load(std::memory_order_relaxed) != 0 && called != nullptr)
                // The call that did it comes first, as far as the host can be believed.
                calls_at_end_.insert(i == end.slot ? calls_at_end_.begin() : calls_at_end_.end(),
                                     called);
        end_ = std::move(end);
        accepts_.store(false, std::memory_order_seq_cst);
        ended_.store(1, std::memory_order_seq_cst);
    }
    wake_waiters();
}

// A waiter that looked at ended_ just before it was set may fall asleep just after the wake:
// repeated until none is left. (The response word itself can't be changed from this side.)
void Host::wake_waiters() {
    const auto wake_all = [this] {
        for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
            if (slots_[i].busy.load(std::memory_order_relaxed) != 0)
                ipc::futex_wake_all(response(slots_[i]).seq);
    };
    if (waiters_.load(std::memory_order_seq_cst) == 0)
        return;
    wake_all();
    for (int round = 0; round < 100 && waiters_.load(std::memory_order_acquire) != 0; ++round) {
        const timespec pause{0, 20'000};
        nanosleep(&pause, nullptr);
        wake_all();
    }
}

bool Host::crash_published() const {
    const ipc::HostState state = host_layout().crash.state.load(std::memory_order_acquire);
    return state == ipc::HostState::Dying || state == ipc::HostState::Dead;
}

bool Host::adopt_crash_record() {
    if (ended())
        return true;
    if (!crash_published())
        return false;
    set_end(HostEnd::from_record(host_layout().crash));
    const std::scoped_lock guard(end_lock_);
    if (pidfd_)
        kill_after(pidfd_.get(), kDyingLimit);
    return true;
}

void Host::kill(HostEnd reason) {
    set_end(std::move(reason));
    const std::scoped_lock guard(end_lock_);
    if (pidfd_)
        syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void Host::on_process_gone(std::optional<int> status) {
    {
        const std::scoped_lock guard(end_lock_);
        if (process_gone_ || going_)
            return;
        going_ = true;
    }
    if (!adopt_crash_record())
        set_end(status ? HostEnd::from_status(*status) : HostEnd{HostEnd::Kind::KeeperDown});
    const bool was_running =
        state_.exchange(State::Ended, std::memory_order_acq_rel) == State::Running;
    // Reported before a new host may start: events come in order.
    if (was_running)
        report_host_down(
            group_,
            {id_, os_pid_, generation_,
             std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_at_),
             calls_at_end_, HostEnd::read_frames(host_layout().crash)},
            end_);
    {
        const std::scoped_lock guard(end_lock_);
        process_gone_ = true;
    }
    gone_.notify_all();
    group_.monitors().end_generation(generation_);
    boost::asio::post(housekeeping_thread(), [this] { close_when_idle(); });
}

bool Host::await_gone(Clock::time_point deadline) {
    std::unique_lock guard(end_lock_);
    return gone_.wait_until(guard, deadline, [this] { return process_gone_; });
}

// The memory goes when no thread can be looking at it any more.
void Host::close_when_idle() {
    bool busy = starting_.load(std::memory_order_seq_cst);
    for (std::uint32_t i = 0; i < ipc::kCallSlots && !busy; ++i)
        busy = slots_[i].busy.load(std::memory_order_seq_cst) != 0;
    if (busy) {
        auto timer = std::make_shared<boost::asio::steady_timer>(housekeeping_thread(), 2ms);
        timer->async_wait([this, timer](const auto&) { close_when_idle(); });
        return;
    }
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
        SpinGrants::instance().revoke(slots_[i].spin_granted);
    watch_->stop([this] {
        events_.detach();
        const std::scoped_lock guard(end_lock_);
        for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
            slots_[i].arena.take_chunks();
        for (ArgumentArena& arena : channel_arenas_)
            arena.take_chunks();
        chunks_.reset();
        beam_.reset();
        segment_data_ = nullptr;
        segment_bytes_ = 0;
        segment_.reset();
        segment_fd_.reset();
        control_.reset();
        pidfd_.reset();
        watch_.reset();
        state_.store(State::Closed, std::memory_order_release);
    });
}

// The kernel copies around holes, but slower: 87 us for 1 MiB in the place of 32.
bool Host::copy_holes(term::Word address, char* to, std::uint64_t bytes) const {
    const char* from = locate(address, bytes);
    if (from == nullptr || is_resident(from, bytes))
        return false;
    std::uint64_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(segment_fd_.get(), to + done, bytes - done,
                                  static_cast<off_t>(address - host_base_ + done));
        if (got <= 0)
            return false;
        done += static_cast<std::uint64_t>(got);
    }
    return true;
}

HostEnd Host::end() const {
    const std::scoped_lock guard(end_lock_);
    return end_;
}

bool Host::serves(std::uint32_t instance) const {
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
        if (slots_[i].busy.load(std::memory_order_acquire) != 0 &&
            slots_[i].instance.load(std::memory_order_relaxed) == instance)
            return true;
    return false;
}

std::uint32_t Host::calls_in_flight() const {
    std::uint32_t calls = 0;
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i)
        calls += slots_[i].busy.load(std::memory_order_relaxed);
    return calls;
}

void Host::output_done() {
    const std::scoped_lock guard(end_lock_);
    if (watch_)
        watch_->output_done();
}

} // namespace cordon::proxy
