// A group: libraries that share one host. A library that names no group shares it with the others
// of its module only: old and new code of a module may have different files. The host of today
// belongs to the group, and so does all that ends with a host: its resources, the count of
// generations, the instances that are loaded in it.
#pragma once

#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/monitor_table.hpp"
#include "kernel_proxy/resource_table.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cordon::proxy {

class Host;
class Library;
struct ModuleInstance;

class Group {
  public:
    // The group of that name, or without a name that of the module; made when there is none. With
    // neither a new one. Kept for good.
    static Group& of(const std::string& name, const std::string& module);
    Group(std::string name, std::string module);
    ~Group();
    // All that ever had a library.
    static std::vector<Group*> all();

    // Empty for that of a module.
    const std::string& name() const { return name_; }
    // Those that are loaded or being loaded, in the order in which they came.
    std::vector<Library*> libraries() const;
    // The one that stands for all: the first of these, or the last that was.
    const Library& first_library() const;
    // False for discovery: nobody has asked for that host by name.
    bool is_reported() const;
    // Whether it is one of ours, of that module.
    bool knows(const ModuleInstance* instance, const std::string& module) const;

    // What a host of all of them needs: the largest that any asks for.
    std::uint64_t pool_size() const;
    std::uint64_t stack_size() const;
    bool checks_lifetimes() const;

    // nullptr, or one that may just have ended.
    Host* current_host() const { return current_.load(std::memory_order_acquire); }
    ResourceTable& resources() { return resources_; }
    MonitorTable& monitors() { return monitors_; }

    // One start, load, upgrade or unload at a time.
    std::timed_mutex& start_lock() { return start_lock_; }
    // The rest is for who holds it.
    // No matter how often.
    void join(Library& library);
    void leave(Library& library);
    // The host that runs, started when there is none; nothing is opened or loaded in a new one.
    Host* start_host(const std::string& nif_host, Clock::time_point deadline, std::string* why);
    std::uint64_t generation() const { return generation_; }
    std::uint32_t next_instance() { return ++last_instance_; }
    void instance_loaded() { ++instances_; }
    // True when it was the last one.
    bool instance_unloaded() { return --instances_ == 0; }
    bool has_instances() const { return instances_ != 0; }
    // Instances that the VM has let go of and that are still in use; see unload.cpp.
    struct Unloading {
        Library* library;
        ModuleInstance* instance;
    };
    struct LateUnloads {
        std::mutex lock;
        std::vector<Unloading> waiting;
        bool watched = false; // by a thread, which takes them out
    };
    LateUnloads& late_unloads() { return late_unloads_; }

    // Atoms that its libraries have had made: false when the quota is used up, its own or that of
    // all groups together.
    bool count_atoms(std::uint64_t more);
    void uncount_atoms(std::uint64_t less);
    // One of its libraries may have any fun decoded from bytes (option trust_funs).
    bool trusts_funs() const { return trusts_funs_.load(std::memory_order_relaxed); }
    // One of its libraries has large binaries stay in the host segment (option zero_copy).
    bool keeps_binaries_in_place() const {
        return keeps_binaries_in_place_.load(std::memory_order_relaxed);
    }
    // How many all groups may make from now on. The VM ends when its table of atoms is full.
    static void set_atoms_left(std::uint64_t count);

  private:
    const std::string name_;
    const std::string module_;
    mutable std::mutex libraries_lock_; // held for moments only
    std::vector<Library*> libraries_;
    Library* first_ = nullptr;
    std::atomic<std::uint64_t> atom_limit_{0};
    std::atomic<bool> trusts_funs_{false};
    std::atomic<bool> keeps_binaries_in_place_{false};

    std::timed_mutex start_lock_;
    std::vector<std::unique_ptr<Host>> hosts_; // of all generations; closed ones are used again
    std::atomic<Host*> current_{nullptr};
    std::uint64_t generation_ = 0;
    std::uint32_t last_instance_ = 0;
    LateUnloads late_unloads_;
    std::atomic<std::uint32_t> instances_{0}; // an unload that is late changes it without the lock
    ResourceTable resources_;
    MonitorTable monitors_{*this};
    std::atomic<std::uint64_t> atoms_made_{0};
};

} // namespace cordon::proxy
