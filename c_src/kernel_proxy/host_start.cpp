// Hop 0: a host comes to life. Runs on the thread that needs it (load, upgrade, or a call after a
// crash), never with the help of an Erlang process.
#include "compat_ipc/packet_socket.hpp"
#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/guard_report.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/host_watch.hpp"
#include "kernel_proxy/keeper_client.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/observer.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/vm_directory.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace cordon::proxy {
namespace {

constexpr std::chrono::milliseconds kEndGrace{100};
constexpr std::chrono::seconds kDirectoryTimeout{5};

std::vector<char> vm_system_info() {
    ErlNifSysInfo info{};
    enif_system_info(&info, sizeof info);
    // The strings go along instead of the VM's pointers.
    const char* const texts[] = {info.erts_version, info.otp_release};
    info.erts_version = info.otp_release = nullptr;
    std::vector<char> bytes(sizeof info);
    std::memcpy(bytes.data(), &info, sizeof info);
    for (const char* text : texts)
        bytes.insert(bytes.end(), text, text + std::strlen(text) + 1);
    return bytes;
}

// Read end and write end. A pipe, not an eventfd: the flags of our end are ours alone, so the host
// can't make our reads block.
std::pair<Fd, Fd> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot create a pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return {Fd(ends[0]), Fd(ends[1])};
}

// For ps and top.
std::string process_name(const Group& group) {
    return group.name().empty() ? group.first_library().module_name() : group.name();
}

// The next packet of the host, or what went wrong.
std::string receive(int control, int pidfd, Clock::time_point deadline, std::string& bytes) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0)
            return "it did not answer in time";
        pollfd ready[2] = {{control, POLLIN, 0}, {pidfd, POLLIN, 0}};
        poll(ready, 2, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)) + 1);
        bool would_block = false;
        if (auto packet = ipc::receive_packet(control, 0, ipc::Wait::No, &would_block)) {
            bytes = std::move(packet->bytes);
            return "";
        }
        if (!would_block || (ready[1].revents & POLLIN) != 0)
            return "it ended";
    }
}

} // namespace

std::string Host::start(const std::string& nif_host, std::uint64_t generation,
                        Clock::time_point deadline) {
    // Nothing is closed under us while this is set.
    starting_.store(true, std::memory_order_seq_cst);
    std::string wrong = start_process(nif_host, generation, deadline);
    starting_.store(false, std::memory_order_release);
    return wrong;
}

std::string Host::start_process(const std::string& nif_host, std::uint64_t generation,
                                Clock::time_point deadline) try {
    KeeperClient& keeper = KeeperClient::instance();
    if (std::string wrong = keeper.ensure_running(nif_host); !wrong.empty())
        return wrong;
    id_ = keeper.next_host_id();
    generation_ = generation;
    started_at_ = Clock::now();
    directory_version_.store(0, std::memory_order_relaxed);
    {
        const std::scoped_lock guard(end_lock_);
        end_ = HostEnd{};
        calls_at_end_.clear();
        ended_.store(0, std::memory_order_relaxed);
    }

    const std::string name = "cordon_" + process_name(group_);
    const Fd beam_fd = create_memory(name + "_beam", ipc::kBeamSegmentBytes);
    beam_ = map_memory(beam_fd.get(), ipc::kBeamSegmentBytes, Access::ReadWrite);
    seal_beam_memory(beam_fd.get());
    segment_fd_ = create_memory(name + "_host", group_.pool_size());
    segment_ = HostSegment::map(segment_fd_.get(), group_.pool_size());
    segment_data_ = segment_->data();
    segment_bytes_ = segment_->size();
    seal_host_memory(segment_fd_.get());

    auto [ours, theirs] = ipc::packet_socket_pair();
    control_ = std::move(ours);
    auto [output_read, output_write] = make_pipe();
    auto [doorbell_read, doorbell_write] = make_pipe();
    fcntl(doorbell_write.get(), F_SETFL, O_NONBLOCK); // full is as good as rung

    {
        const std::scoped_lock guard(end_lock_);
        process_gone_ = false;
        going_ = false;
    }
    state_.store(State::Starting, std::memory_order_release);
    {
        const std::scoped_lock guard(end_lock_);
        watch_ = std::make_shared<HostWatch>();
    }
    const std::uint64_t id = id_;
    SpawnResult spawned =
        keeper.spawn(id_, name.substr(0, 15),
                     {theirs.get(), beam_fd.get(), segment_fd_.get(),
                      BeamAtoms::instance().segment_fd(), doorbell_write.get(), output_write.get()},
                     deadline, [this, id](std::optional<int> status) {
                         if (id_ != id)
                             return;
                         if (status)
                             on_process_gone(status);
                         else // the keeper is gone, the host may not be: the pidfd tells when it is
                             kill({HostEnd::Kind::KeeperDown});
                     });
    if (spawned.pid == 0) {
        on_process_gone(std::nullopt);
        return "no host could be started: " + spawned.error;
    }
    os_pid_ = spawned.pid;
    {
        const std::scoped_lock guard(end_lock_);
        pidfd_ = std::move(spawned.pidfd);
    }
    theirs.reset();
    watch_->start(group_, id_, duplicate(pidfd_.get()), std::move(output_read),
                  std::move(doorbell_read), *this, [this, id] {
                      if (id_ == id)
                          on_process_gone(std::nullopt);
                  });

    if (ended()) // the keeper went while we started: it could not be killed before
        kill({HostEnd::Kind::KeeperDown});
    if (std::string wrong = exchange_setup(deadline); !wrong.empty())
        return explain_failure(std::move(wrong));
    events_.attach(&beam_layout().events, &host_layout(), generation);
    chunks_ = std::make_shared<ChunkStore>(duplicate(control_.get()));
    for (std::uint32_t i = 0; i < ipc::kCallSlots; ++i) {
        Slot& slot = slots_[i];
        slot.seq = 0;
        slot.worker_started.store(false, std::memory_order_relaxed);
        slot.called.store(nullptr, std::memory_order_relaxed);
        slot.arena.attach(beam_.data() + ipc::arena_offset(i), ipc::arena_offset(i), window_base_,
                          chunks_.get(), [this, &slot] { announce_request(*this, slot); });
    }
    for (std::uint32_t i = 0; i < ipc::kChannels; ++i) {
        const std::uint64_t offset = ipc::arena_offset(ipc::kCallSlots + i);
        channel_arenas_[i].attach(beam_.data() + offset, offset, window_base_, chunks_.get());
    }
    State expected = State::Starting;
    if (!state_.compare_exchange_strong(expected, State::Running, std::memory_order_acq_rel))
        return "the host ended while it was set up";
    {
        const std::scoped_lock guard(end_lock_);
        if (ended())
            return "the host ended while it was set up";
        accepts_.store(true, std::memory_order_seq_cst);
    }
    report_host_started(*this);
    watch_->check_doorbell(); // a constructor's thread may have rung before
    return "";
} catch (const std::exception& error) {
    if (state() == State::Starting)
        kill({HostEnd::Kind::StartFailed, 0, error.what()});
    else
        state_.store(State::Closed, std::memory_order_release);
    return error.what();
}

std::string Host::exchange_setup(Clock::time_point deadline) {
    const ipc::Setup setup{segment_bytes_, atom_segment_size(), group_.stack_size(),
                           group_.checks_lifetimes(), vm_system_info()};
    if (!ipc::send_message(control_.get(), setup))
        return "its control socket is closed";
    std::string bytes;
    if (std::string wrong = receive(control_.get(), pidfd_.get(), deadline, bytes); !wrong.empty())
        return wrong;
    const auto ready = ipc::Packet(bytes).as<ipc::Ready>();
    window_base_ = ready.beam_window;
    host_base_ = ready.host_segment;
    note_guard(ready.guard, ready.guard_ns);
    return "";
}

std::string Host::open(const Library& library, Clock::time_point deadline,
                       ipc::Opened* opened) try {
    std::string answer;
    std::string wrong = exchange(ipc::encode(ipc::Open{library.number(), library.path()}), {},
                                 deadline, "the library was opened", &answer);
    if (wrong.empty())
        *opened = ipc::Packet(answer).as<ipc::Opened>();
    return wrong;
} catch (const std::exception& error) {
    kill({HostEnd::Kind::StartFailed, 0, error.what()});
    return error.what();
}

std::string Host::follow_directory(Clock::time_point deadline) try {
    const std::uint64_t version = VmDirectory::version(); // before the directory is looked at
    if (directory_version() == version)
        return "";
    const Fd directory = VmDirectory::open();
    // Without a right to it the VM is where the keeper, and so the host, has been from the start.
    if (directory) {
        std::string answer;
        std::string wrong = exchange(ipc::encode(ipc::EnterDirectory{}), {directory.get()},
                                     std::min(deadline, Clock::now() + kDirectoryTimeout),
                                     "it entered the VM's working directory", &answer);
        if (!wrong.empty())
            return wrong;
        if (const int error = ipc::Packet(answer).as<ipc::DirectoryEntered>().error; error != 0)
            return explain_failure(std::string("it cannot enter the VM's working directory (") +
                                   std::strerror(error) + ")");
    }
    directory_version_.store(version, std::memory_order_relaxed);
    return "";
} catch (const std::exception& error) {
    kill({HostEnd::Kind::StartFailed, 0, error.what()});
    return error.what();
}

// One question on the control socket. When there is no answer the host is killed.
std::string Host::exchange(const std::string& packet, std::initializer_list<int> fds,
                           Clock::time_point deadline, const char* meanwhile, std::string* answer) {
    // Partner: the closer looks at starting_ after the state was set (both seq_cst).
    starting_.store(true, std::memory_order_seq_cst);
    std::string wrong;
    if (state_.load(std::memory_order_seq_cst) != State::Running ||
        !ipc::send_packet(control_.get(), packet, fds))
        wrong = "it ended";
    else
        wrong = receive(control_.get(), pidfd_.get(), deadline, *answer);
    starting_.store(false, std::memory_order_release);
    return wrong.empty() ? "" : explain_failure(wrong + " while " + meanwhile);
}

// Kills it. When it ended by itself, how it did says more than `wrong`.
std::string Host::explain_failure(std::string wrong) {
    if (await_gone(Clock::now() + kEndGrace))
        wrong += " (" + end().to_text() + ")";
    kill({HostEnd::Kind::StartFailed, 0, wrong});
    return "the host (process " + std::to_string(os_pid_) + ") could not be set up: " + wrong;
}

} // namespace cordon::proxy
