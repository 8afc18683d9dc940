// One host process as the BEAM side sees it. A Host object belongs to its group for good and is
// used again for later generations once it has been closed: a thread that has read a pointer to it
// may always look into it (and finds it not accepting calls, or serving a later generation).
#pragma once

#include "compat_ipc/control_message.hpp"
#include "compat_ipc/pool_layout.hpp"
#include "kernel_proxy/active_call.hpp"
#include "kernel_proxy/argument_arena.hpp"
#include "kernel_proxy/chunk_store.hpp"
#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/event_sender.hpp"
#include "kernel_proxy/host_end.hpp"
#include "kernel_proxy/host_segment.hpp"
#include "shared_heap/memory_segment.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cordon::proxy {

struct FunctionState;
class Group;
class HostWatch;
class Library;

// What the BEAM keeps of a slot. Everything but `busy` belongs to whoever has made it busy.
struct alignas(64) Slot {
    std::atomic<std::uint32_t> busy{0}; // acquire when taken, release when given back
    std::atomic<bool> spin_granted{false};
    std::atomic<bool> worker_started{false};
    std::uint32_t index = 0;
    std::uint32_t seq = 0;
    std::atomic<std::uint32_t> instance{0};            // of whom the call in flight is
    std::atomic<const FunctionState*> called{nullptr}; // what it runs
    // The beginning of the call, and of its turn on this scheduler. Not set while it is hot: that
    // takes no clock.
    Clock::time_point started{};
    Clock::time_point turn_started{};
    ArgumentArena arena;
    bool announced = false;       // the request that is being written
    std::vector<HeldInHost> held; // what the call itself keeps; see hold_arguments
    Move move;
};

class Host {
  public:
    explicit Host(Group& group);

    enum class State { Closed, Starting, Running, Ended };

    Group& group() const { return group_; }
    std::uint64_t id() const { return id_; }
    std::uint64_t generation() const { return generation_; }
    pid_t os_pid() const { return os_pid_; }
    Clock::time_point started_at() const { return started_at_; }

    // Starts a process. Empty when it runs, or what failed. Only in state Closed; one thread at a
    // time (the group's start lock).
    std::string start(const std::string& nif_host, std::uint64_t generation,
                      Clock::time_point deadline);
    // Has the process open a library. Empty when it has answered, or what failed: then it is
    // killed. For who holds the group's start lock.
    std::string open(const Library& library, Clock::time_point deadline, ipc::Opened* opened);
    // Takes it into the VM's working directory of now. Empty, or what failed: then it is killed.
    // For who holds the group's start lock.
    std::string follow_directory(Clock::time_point deadline);
    // Of the directory that it is in; see VmDirectory.
    std::uint64_t directory_version() const {
        return directory_version_.load(std::memory_order_relaxed);
    }
    State state() const { return state_.load(std::memory_order_acquire); }

    // True from the start until the first sign of its end.
    bool accepts_calls() const { return accepts_.load(std::memory_order_acquire); }

    // A slot for a call by this thread; nullptr when the host is ending or all are taken. The
    // slot's memory stays mapped until it is given back.
    Slot* take_slot();
    // The same for a thread that isn't the next to call: the VM gives each dirty call to another.
    // The slot that such a call has used last, while its worker is warm.
    Slot* take_recent_slot();
    // That one; or nullptr.
    Slot* take_slot_at(std::uint32_t index);
    // Whether a slot was ever used in this generation.
    bool has_worker(std::uint32_t index) const {
        return slots_[index].worker_started.load(std::memory_order_relaxed);
    }
    void give_back(Slot& slot);

    ipc::RequestHalf& request(const Slot& slot) { return beam_layout().requests[slot.index]; }
    const ipc::ResponseHalf& response(const Slot& slot) const {
        return host_layout().responses[slot.index];
    }
    // Of the channels that host threads use.
    ipc::RequestHalf& channel_request(std::uint32_t channel) {
        return beam_layout().requests[ipc::kCallSlots + channel];
    }
    const ipc::ResponseHalf& channel_response(std::uint32_t channel) const {
        return host_layout().responses[ipc::kCallSlots + channel];
    }
    ArgumentArena& channel_arena(std::uint32_t channel) { return channel_arenas_[channel]; }
    bool ensure_worker(Slot& slot);

    // The host's memory, as a result may refer to it: local address or nullptr.
    const char* locate(term::Word address, std::uint64_t bytes) const {
        const term::Word offset = address - host_base_;
        return offset <= segment_bytes_ && bytes <= segment_bytes_ - offset ? segment_data_ + offset
                                                                            : nullptr;
    }
    // The host's address of bytes that lie in its memory as the VM has it mapped; else 0.
    term::Word address_of(const void* local) const {
        const auto offset =
            reinterpret_cast<term::Word>(local) - reinterpret_cast<term::Word>(segment_data_);
        return offset < segment_bytes_ ? host_base_ + offset : 0;
    }
    // For who may call locate.
    const std::shared_ptr<HostSegment>& segment() const { return segment_; }
    // Copies from the host's memory where that has holes, without giving them pages, as a look at
    // them would. False when it has none, or the range is not in it.
    bool copy_holes(term::Word address, char* to, std::uint64_t bytes) const;
    // Upper bound of what the host can have written: all words of a result are below that.
    std::uint64_t physical_words() const { return physical_bytes(segment_fd_.get()) / 8; }

    EventSender& events() { return events_; }
    // Outlives the process, for chunks that are dropped late.
    std::shared_ptr<ChunkStore> chunks() const { return chunks_; }

    // --- the end ---
    // Private to the BEAM: 1 as soon as the end is known. Waiters look at it each time they wake.
    bool ended() const { return ended_.load(std::memory_order_acquire) != 0; }
    // The host says that it is dying. Its memory has to be mapped: for holders of a slot.
    bool crash_published() const;
    // A waiter has found the crash record published: takes the reason over from it.
    bool adopt_crash_record();
    // Ends it, for a reason that this side has; only the first reason counts.
    void kill(HostEnd reason);
    // Valid once ended().
    HostEnd end() const;
    // A thread sleeps on a response between these two.
    void begin_wait() { waiters_.fetch_add(1, std::memory_order_seq_cst); }
    void finish_wait() { waiters_.fetch_sub(1, std::memory_order_release); }
    // Waits until the process is gone (its files and locks too).
    bool await_gone(Clock::time_point deadline);

    // Whether a call of that module instance is under way.
    bool serves(std::uint32_t instance) const;
    // Slots that are taken right now.
    std::uint32_t calls_in_flight() const;

    // The host has printed something: more is read when this was called for what came before.
    void output_done();

  private:
    ipc::BeamSegmentLayout& beam_layout() const {
        return *reinterpret_cast<ipc::BeamSegmentLayout*>(beam_.data());
    }
    const ipc::HostSegmentLayout& host_layout() const {
        return *reinterpret_cast<const ipc::HostSegmentLayout*>(segment_data_);
    }
    std::string start_process(const std::string& nif_host, std::uint64_t generation,
                              Clock::time_point deadline);
    std::string exchange_setup(Clock::time_point deadline);
    std::string exchange(const std::string& packet, std::initializer_list<int> fds,
                         Clock::time_point deadline, const char* meanwhile, std::string* answer);
    std::string explain_failure(std::string wrong);
    void set_end(HostEnd end);
    void wake_waiters();
    void on_process_gone(std::optional<int> status);
    void close_when_idle();

    Group& group_;
    std::atomic<std::uint64_t> id_{0};
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<pid_t> os_pid_{0};
    Clock::time_point started_at_{};
    std::atomic<std::uint32_t> recent_slot_{0}; // relaxed: a hint
    std::atomic<State> state_{State::Closed};
    std::atomic<bool> accepts_{false};
    std::atomic<std::uint64_t> directory_version_{0}; // relaxed: read by who sees it accept calls

    Mapping beam_;
    std::shared_ptr<HostSegment> segment_;
    const char* segment_data_ = nullptr; // of segment_
    std::uint64_t segment_bytes_ = 0;
    Fd segment_fd_;
    Fd control_;
    Fd pidfd_;                      // used and closed under end_lock_
    std::uint64_t window_base_ = 0; // of the host's address space; wild, for subtraction only
    std::uint64_t host_base_ = 0;
    std::shared_ptr<ChunkStore> chunks_;
    EventSender events_;
    std::unique_ptr<Slot[]> slots_;
    std::array<ArgumentArena, ipc::kChannels> channel_arenas_;

    mutable std::mutex end_lock_;
    std::condition_variable gone_;
    bool process_gone_ = true;
    bool going_ = false; // one thread has begun to say so
    std::atomic<bool> starting_{false};
    std::vector<const FunctionState*> calls_at_end_; // in flight
    HostEnd end_;
    std::atomic<std::uint32_t> ended_{0};
    std::atomic<std::uint32_t> waiters_{0};

    std::shared_ptr<HostWatch> watch_;
};

} // namespace cordon::proxy
