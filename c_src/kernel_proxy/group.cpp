#include "kernel_proxy/group.hpp"

#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"

#include <algorithm>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// How long a start waits for the process before it to be gone: its files and locks with it.
constexpr auto kGoneTimeout = 5s;

// Where nobody has told: half of the VM's table, unless `erl +t` makes it smaller.
std::atomic<std::int64_t> atoms_left{(1 << 20) / 2};

std::mutex groups_lock;
auto& groups = *new std::vector<Group*>; // outlives the VM's exit

template <class Option> std::uint64_t largest(const std::vector<Library*>& libraries, Option of) {
    std::uint64_t found = 0;
    for (const Library* library : libraries)
        found = std::max<std::uint64_t>(found, library->options().*of);
    return found;
}

} // namespace

Group& Group::of(const std::string& name, const std::string& module) {
    const std::scoped_lock guard(groups_lock);
    for (Group* group : groups)
        if (name.empty() ? group->name_.empty() && !module.empty() && group->module_ == module
                         : group->name_ == name)
            return *group;
    groups.push_back(new Group(name, module));
    return *groups.back();
}

std::vector<Group*> Group::all() {
    const std::scoped_lock guard(groups_lock);
    std::vector<Group*> found;
    for (Group* group : groups) {
        const std::scoped_lock libraries_guard(group->libraries_lock_);
        if (group->first_ != nullptr)
            found.push_back(group);
    }
    return found;
}

Group::Group(std::string name, std::string module)
    : name_(std::move(name)), module_(std::move(module)) {}

Group::~Group() = default;

void Group::join(Library& library) {
    const std::scoped_lock guard(libraries_lock_);
    if (std::find(libraries_.begin(), libraries_.end(), &library) != libraries_.end())
        return;
    // Another library than the one before: what that has used up is not counted to it.
    if (libraries_.empty() && first_ != &library)
        atoms_made_.store(0, std::memory_order_relaxed);
    libraries_.push_back(&library);
    first_ = libraries_.front();
    atom_limit_.store(largest(libraries_, &LibraryOptions::atom_limit), std::memory_order_relaxed);
    trusts_funs_.store(largest(libraries_, &LibraryOptions::trust_funs) != 0,
                       std::memory_order_relaxed);
    keeps_binaries_in_place_.store(largest(libraries_, &LibraryOptions::zero_copy) != 0,
                                   std::memory_order_relaxed);
}

void Group::leave(Library& library) {
    const std::scoped_lock guard(libraries_lock_);
    std::erase(libraries_, &library);
    if (!libraries_.empty())
        first_ = libraries_.front();
}

std::vector<Library*> Group::libraries() const {
    const std::scoped_lock guard(libraries_lock_);
    return libraries_;
}

const Library& Group::first_library() const {
    const std::scoped_lock guard(libraries_lock_);
    return *first_;
}

bool Group::knows(const ModuleInstance* instance, const std::string& module) const {
    const std::vector<Library*> members = libraries();
    return std::any_of(members.begin(), members.end(), [&](const Library* library) {
        return library->module_name() == module && library->has_instance(instance);
    });
}

bool Group::is_reported() const {
    return first_library().has_entry();
}

std::uint64_t Group::pool_size() const {
    return largest(libraries(), &LibraryOptions::pool_size);
}

std::uint64_t Group::stack_size() const {
    return largest(libraries(), &LibraryOptions::stack_size);
}

bool Group::checks_lifetimes() const {
    const std::vector<Library*> members = libraries();
    return std::any_of(members.begin(), members.end(),
                       [](const Library* library) { return library->options().check_lifetimes; });
}

bool Group::count_atoms(std::uint64_t more) {
    const auto count = static_cast<std::int64_t>(more);
    const bool within_own = atoms_made_.fetch_add(more, std::memory_order_relaxed) + more <=
                            atom_limit_.load(std::memory_order_relaxed);
    const bool within_all = atoms_left.fetch_sub(count, std::memory_order_relaxed) >= count;
    if (within_own && within_all)
        return true;
    uncount_atoms(more);
    return false;
}

void Group::uncount_atoms(std::uint64_t less) {
    atoms_made_.fetch_sub(less, std::memory_order_relaxed);
    atoms_left.fetch_add(static_cast<std::int64_t>(less), std::memory_order_relaxed);
}

void Group::set_atoms_left(std::uint64_t count) {
    atoms_left.store(static_cast<std::int64_t>(count), std::memory_order_relaxed);
}

Host* Group::start_host(const std::string& nif_host, Clock::time_point deadline, std::string* why) {
    Host* current = current_host();
    if (current != nullptr && current->accepts_calls())
        return current;
    // Files and locks of a library are free only when its last process is gone.
    for (const auto& before : hosts_) {
        if (before->await_gone(std::min(deadline, Clock::now() + kGoneTimeout)))
            continue;
        before->kill({HostEnd::Kind::Stopped});
        if (!before->await_gone(std::min(deadline, Clock::now() + kGoneTimeout))) {
            *why = "the host before it (process " + std::to_string(before->os_pid()) +
                   ") does not end";
            return nullptr;
        }
    }
    Host* host = nullptr;
    for (const auto& candidate : hosts_)
        if (candidate->state() == Host::State::Closed)
            host = candidate.get();
    if (host == nullptr) {
        hosts_.push_back(std::make_unique<Host>(*this));
        host = hosts_.back().get();
    }
    resources_.clear();
    if (std::string wrong = host->start(nif_host, ++generation_, deadline); !wrong.empty()) {
        *why = wrong;
        return nullptr;
    }
    current_.store(host, std::memory_order_release);
    return host;
}

} // namespace cordon::proxy
