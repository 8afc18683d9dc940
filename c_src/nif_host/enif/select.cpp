#include "nif_host/enif/select.hpp"

#include "nif_host/callback_thread.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/upcall_client.hpp"
#include "shared_heap/atom_table.hpp"

#include <climits>
#include <cstdio>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cordon::host {
namespace {

constexpr unsigned kAllEvents = ERL_NIF_SELECT_READ | ERL_NIF_SELECT_WRITE | ERL_NIF_SELECT_ERROR;
constexpr int kFailed = INT_MIN | ERL_NIF_SELECT_FAILED;
constexpr int kInvalid = INT_MIN | ERL_NIF_SELECT_INVALID_EVENT;
// In the order of kEventBits.
constexpr std::array kCancelled = {ERL_NIF_SELECT_ERROR_CANCELLED, ERL_NIF_SELECT_READ_CANCELLED,
                                   ERL_NIF_SELECT_WRITE_CANCELLED};
constexpr std::array kReadyAtoms = {WellKnownAtom::ReadyError, WellKnownAtom::ReadyInput,
                                    WellKnownAtom::ReadyOutput};

std::mutex table_lock;
auto& table = *new std::unordered_map<int, SelectedFd>; // threads go on while the process exits

// What is let go of under the lock, to be dropped after it.
struct Leftovers {
    Leftovers() = default;
    ~Leftovers() {
        for (Resource* resource : resources)
            resource_drop(resource);
    }
    Leftovers(const Leftovers&) = delete;
    Leftovers& operator=(const Leftovers&) = delete;
    std::vector<Resource*> resources;
    std::vector<Notice> notices;
};

Word atom(WellKnownAtom which) {
    return term::make_atom(static_cast<std::uint32_t>(which));
}

// What the VM logs as an error. The standard error of a host goes to the log.
void complain(int fd, const Resource* resource, const char* what) {
    std::fprintf(stderr, "enif_select: descriptor %d, resource %s:%s: %s\n", fd,
                 resource->type->module.c_str(), resource->type->name.c_str(), what);
}

void call_stop(Resource* resource, int fd, int is_direct_call, TypeInUse& type) {
    // A type without one ends the VM here.
    if (auto* stop = type.callbacks().stop; stop != nullptr)
        stop(type.env(), resource->data(), fd, is_direct_call);
}

// --- changes of an entry, under the lock ---------------------------------------------------------

bool control(int fd, SelectedFd& entry, PollOp op) {
    if (entry.unpollable)
        return true;
    entry.arming = Arming::Once;
    const PollResult result = poll_control(op, fd, entry.generation, entry.active, Arming::Once);
    entry.unpollable = result == PollResult::NotTaken;
    return result != PollResult::Failed || op == PollOp::Remove; // closed: nothing to remove
}

// Takes one notice away; false if nobody was waiting for it.
bool withdraw(Notice& notice, Leftovers& leftovers) {
    if (!notice.wanted)
        return false;
    if (notice.holds != nullptr)
        leftovers.notices.push_back(std::move(notice));
    notice = {};
    return true;
}

void end_relation(SelectedFd& entry, Leftovers& leftovers) {
    if (entry.relation == Relation::None)
        return;
    entry.relation = Relation::None;
    entry.wants_errors = false;
    entry.unpollable = false;
    leftovers.resources.push_back(std::exchange(entry.resource, nullptr));
    for (Notice& notice : entry.notices)
        withdraw(notice, leftovers);
}

// Nobody waits for anything of it any more, and no stop callback is called.
void deselect(int fd, SelectedFd& entry, Leftovers& leftovers) {
    entry.events = 0;
    entry.active = 0;
    control(fd, entry, PollOp::Remove);
    end_relation(entry, leftovers);
}

void attend(std::uint64_t fd, void (*on_begun)());

struct Request {
    int fd;
    unsigned mode;
    Resource* resource;
    Notice notice;
    bool stops() const { return (mode & ERL_NIF_SELECT_STOP) != 0; }
    bool adds() const { return (mode & (ERL_NIF_SELECT_STOP | ERL_NIF_SELECT_CANCEL)) == 0; }
    // A stop says nothing of errors that are still waited for.
    unsigned events() const {
        return stops() ? ERL_NIF_SELECT_READ | ERL_NIF_SELECT_WRITE : mode & kAllEvents;
    }
};

int select_events_of(const Request& request, SelectedFd& entry, unsigned added,
                     Leftovers& leftovers) {
    if (entry.relation == Relation::None) {
        entry.relation = Relation::Selected;
        entry.resource = request.resource;
        resource_keep(request.resource);
    }
    for (std::size_t i = 0; i < kEventBits.size(); ++i)
        if ((request.mode & kEventBits[i]) != 0) {
            withdraw(entry.notices[i], leftovers);
            entry.notices[i] = request.notice;
        }
    if (entry.unpollable && added != 0)
        defer_callback({attend, static_cast<std::uint64_t>(request.fd)});
    return 0;
}

int cancel_events(const Request& request, SelectedFd& entry, Leftovers& leftovers) {
    int result = 0;
    for (std::size_t i = 0; i < kEventBits.size(); ++i)
        if ((request.events() & kEventBits[i]) != 0 && withdraw(entry.notices[i], leftovers))
            result |= kCancelled[i];
    return result;
}

int stop_selected(const Request& request, SelectedFd& entry, bool* stop, Leftovers& leftovers) {
    if (entry.unpollable) {
        // As in the VM: another thread may be looking at it just now.
        entry.relation = Relation::Stopping;
        defer_callback({attend, static_cast<std::uint64_t>(request.fd)});
        return ERL_NIF_SELECT_STOP_SCHEDULED;
    }
    *stop = true;
    end_relation(entry, leftovers);
    return ERL_NIF_SELECT_STOP_CALLED;
}

int change(const Request& request, SelectedFd& entry, bool* stop, Leftovers& leftovers) {
    const bool adds = request.adds();
    if (request.stops() && entry.relation == Relation::None) {
        *stop = true;
        return ERL_NIF_SELECT_STOP_CALLED;
    }
    if (entry.relation == Relation::Selected && entry.resource != request.resource) {
        complain(request.fd, entry.resource, "another resource takes the descriptor away");
        deselect(request.fd, entry, leftovers);
    } else if (entry.relation == Relation::Stopping) {
        if (!adds && !(request.stops() && entry.resource != request.resource)) {
            complain(request.fd, request.resource, "is being stopped already");
            return ERL_NIF_SELECT_STOP_SCHEDULED;
        }
        complain(request.fd, entry.resource, "selected before its stop callback was called");
        end_relation(entry, leftovers);
    }

    const unsigned before = entry.events;
    const unsigned changed = request.events() & (adds ? ~before : before);
    PollOp op = request.stops() ? PollOp::Remove : PollOp::Change;
    if (adds) {
        entry.events |= changed;
        entry.active |= changed;
        if ((changed & ERL_NIF_SELECT_ERROR) != 0)
            entry.wants_errors = true;
        if (entry.relation == Relation::None) {
            op = PollOp::Add;
            ++entry.generation;
        }
    } else if (request.stops()) {
        entry.events = 0;
        entry.active = 0;
    } else {
        entry.events &= ~changed;
        entry.active &= ~changed;
    }
    if ((changed != 0 || op == PollOp::Remove) && !control(request.fd, entry, op)) {
        if (before == 0)
            end_relation(entry, leftovers);
        return kFailed;
    }
    if (adds)
        return select_events_of(request, entry, changed, leftovers);
    const int cancelled = cancel_events(request, entry, leftovers);
    return cancelled | (request.stops() ? stop_selected(request, entry, stop, leftovers) : 0);
}

int max_fds() {
    static const auto most = static_cast<int>(sysconf(_SC_OPEN_MAX));
    return most;
}

int select(const Request& request) {
    if (request.fd < 0 || request.fd >= max_fds()) {
        if (request.fd > 0)
            complain(request.fd, request.resource, "no process may have a descriptor that large");
        return kInvalid;
    }
    bool stop = false;
    int result;
    Leftovers leftovers;
    {
        const std::scoped_lock guard(table_lock);
        SelectedFd& entry = table[request.fd];
        result = change(request, entry, &stop, leftovers);
    }
    if (stop) {
        TypeInUse type(request.resource->type);
        call_stop(request.resource, request.fd, 1, type);
    }
    return result;
}

// --- events --------------------------------------------------------------------------------------

// Takes what is to be told now, in order.
using Told = std::array<Notice, kEventBits.size()>;

Told take_ready(int fd, SelectedFd& entry, unsigned ready) {
    unsigned fires = ready & entry.active;
    if ((ready & ERL_NIF_SELECT_ERROR) != 0 && !entry.wants_errors)
        fires = entry.active;
    entry.active &= ~fires;
    if (entry.active != 0 && !entry.unpollable) {
        if (fires != 0 && entry.arming == Arming::Once) {
            if (!control(fd, entry, PollOp::Change))
                fires |= std::exchange(entry.active, 0U);
        } else if (entry.arming == Arming::Once) {
            // An error that nobody asked for, and that stays: to be told of it again and again
            // would keep this thread busy.
            entry.arming = Arming::Edges;
            poll_control(PollOp::Change, fd, entry.generation, entry.active, Arming::Edges);
        }
    }
    Told told;
    if (entry.relation != Relation::Selected)
        return told;
    entry.events &= ~fires;
    for (std::size_t i = 0; i < kEventBits.size(); ++i)
        if ((fires & kEventBits[i]) != 0)
            told[i] = std::exchange(entry.notices[i], {});
    return told;
}

void tell(Resource* resource, const Told& told) {
    for (std::size_t i = 0; i < told.size(); ++i) {
        const Notice& notice = told[i];
        if (!notice.wanted)
            continue;
        Word message = notice.message;
        ErlNifEnv* env = nullptr;
        if (!notice.custom) {
            env = enif_alloc_env();
            message = enif_make_tuple4(env, atom(WellKnownAtom::Select),
                                       enif_make_resource(env, resource->data()), message,
                                       atom(kReadyAtoms[i]));
        }
        const ErlNifPid to{notice.pid};
        enif_send(nullptr, &to, nullptr, message);
        enif_free_env(env);
    }
}

// Calls the stop callback that could not be called at once. The lock is held, and let go of.
void stop_scheduled(int fd, SelectedFd& entry, std::unique_lock<std::mutex>& guard,
                    void (*on_begun)()) {
    Leftovers leftovers;
    Resource* resource = entry.resource;
    end_relation(entry, leftovers);
    guard.unlock();
    TypeInUse type(resource->type);
    on_begun();
    call_stop(resource, fd, 0, type);
}

// On the callback thread, for what no poll set takes: is it ready, or to be stopped?
void attend(std::uint64_t subject, void (*on_begun)()) {
    const int fd = static_cast<int>(subject);
    std::unique_lock guard(table_lock);
    SelectedFd& entry = table[fd];
    if (entry.relation == Relation::Stopping) {
        stop_scheduled(fd, entry, guard, on_begun);
        return;
    }
    on_begun();
    if (entry.relation != Relation::Selected || !entry.unpollable)
        return;
    Leftovers leftovers;
    pollfd asked{fd, POLLIN | POLLOUT, 0};
    poll(&asked, 1, 0);
    Resource* resource = entry.resource;
    resource_keep(resource);
    leftovers.resources.push_back(resource);
    Told told;
    if ((asked.revents & POLLNVAL) != 0) {
        complain(fd, resource, "is not open");
        deselect(fd, entry, leftovers);
    } else {
        told = take_ready(fd, entry, select_events(static_cast<std::uint32_t>(asked.revents)));
        if (entry.active != 0) { // errors of a file, or it has been opened since
            entry.unpollable = false;
            control(fd, entry, PollOp::Add);
        }
    }
    guard.unlock();
    tell(resource, told);
}

} // namespace

void select_ready(int fd, std::uint32_t generation, std::uint32_t ready) {
    Leftovers leftovers;
    Told told;
    Resource* resource;
    {
        const std::scoped_lock guard(table_lock);
        SelectedFd& entry = table[fd];
        if (entry.generation != generation || entry.relation != Relation::Selected)
            return;
        resource = entry.resource;
        resource_keep(resource);
        leftovers.resources.push_back(resource);
        told = take_ready(fd, entry, select_events(ready));
    }
    tell(resource, told);
}

} // namespace cordon::host

using namespace cordon::host;
namespace term = cordon::term;

namespace {

Notice make_notice(ErlNifEnv* env, const ErlNifPid* pid, ERL_NIF_TERM message, bool custom) {
    Notice notice;
    notice.wanted = true;
    notice.custom = custom;
    notice.pid = pid != nullptr ? pid->pid : env != nullptr ? env->caller : 0;
    notice.message = message;
    if (!term::is_immediate(message)) {
        notice.holds.reset(enif_alloc_env(), enif_free_env);
        notice.message = copy_term(notice.holds.get(), message);
    }
    return notice;
}

} // namespace

int enif_select_x(ErlNifEnv* env, ErlNifEvent event, ErlNifSelectFlags flags, void* object,
                  const ErlNifPid* pid, ERL_NIF_TERM message, ErlNifEnv* message_env) {
    Request request{event, static_cast<unsigned>(flags), Resource::of(object), {}};
    const bool custom = request.adds() && (request.mode & ERL_NIF_SELECT_CUSTOM_MSG) != 0;
    if (request.adds())
        request.notice = make_notice(env, pid, message, custom);
    const int result = select(request);
    if (result >= 0 && custom && message_env != nullptr)
        env_reset(message_env, cordon::ipc::Ending::ClearEnv);
    return result;
}

int enif_select(ErlNifEnv* env, ErlNifEvent event, ErlNifSelectFlags flags, void* object,
                const ErlNifPid* pid, ERL_NIF_TERM ref) {
    return enif_select_x(env, event, flags, object, pid, ref, nullptr);
}
