// A library that is isolated: its manifest, its module instances, its host of today. One object per
// shim file, made at the first load and kept for good (the VM may still point into its entry).
#pragma once

#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/resource_table.hpp"
#include "kernel_proxy/sidecar.hpp"

#include <atomic>
#include <cstdint>
#include <erl_nif.h>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cordon::proxy {

class Host;
class Library;

// One load_nif of a module: the private data that the VM gives back with each call.
struct ModuleInstance {
    Library* library = nullptr;
    std::uint32_t id = 0;
    ErlNifEnv* info_env = nullptr; // holds load_info for later generations
    ERL_NIF_TERM load_info = 0;
    std::atomic<std::uint64_t> loaded_generation{0}; // whose host has run load for it
};

struct FunctionState {
    // How often in a row calls took longer than a scheduler may wait; see call.
    std::atomic<std::uint32_t> slow{0};
};

class Library {
  public:
    // For a shim at that path; nullptr and a line on standard error when its sidecar can't be used.
    static Library* of_shim(const char* shim, const char* sidecar);
    // For discovery only: not entered anywhere, has no entry.
    explicit Library(Sidecar sidecar);
    ~Library();

    ErlNifEntry* entry() { return &entry_; }
    // False for discovery: nobody has asked for that host by name.
    bool has_entry() const { return entry_.name != nullptr; }
    const Sidecar& sidecar() const { return sidecar_; }
    const std::string& path() const { return sidecar_.library; }
    const std::string& nif_host() const { return sidecar_.nif_host; }
    const std::string& module_name() const { return sidecar_.manifest.module; }
    const LibraryOptions& options() const { return sidecar_.options; }
    const ipc::FunctionRecord& function(std::uint32_t index) const {
        return sidecar_.manifest.functions[index];
    }
    FunctionState& function_state(std::uint32_t index) { return function_states_[index]; }

    // nullptr, or one that may just have ended.
    Host* current_host() const { return current_.load(std::memory_order_acquire); }
    ErlNifResourceType* resource_type() const {
        return resource_type_.load(std::memory_order_acquire);
    }
    ResourceTable& resources() { return resources_; }

    // The host that runs, started when there is none, with `instance` loaded in it. nullptr: `why`
    // says what failed, `generation` in which. Takes as long as a start takes.
    Host* ensure_loaded(ErlNifEnv* env, ModuleInstance& instance, struct HostEnd* why,
                        std::uint64_t* generation);
    // Discovery: another file, before the next start.
    void rediscover(Sidecar sidecar) { sidecar_ = std::move(sidecar); }
    // Discovery: a host that has opened the library, nothing loaded.
    Host* start_host(Clock::time_point deadline, std::string* why);

    // Atoms that this library has had made: false when the quota is used up.
    bool count_atoms(std::uint64_t more) {
        if (atoms_made_.fetch_add(more, std::memory_order_relaxed) + more <= options().atom_limit)
            return true;
        uncount_atoms(more);
        return false;
    }

    void uncount_atoms(std::uint64_t less) {
        atoms_made_.fetch_sub(less, std::memory_order_relaxed);
    }

    // All that were ever made.
    static std::vector<Library*> all();

  private:
    friend int library_load(ErlNifEnv*, void**, ERL_NIF_TERM);
    friend int library_upgrade(ErlNifEnv*, void**, void**, ERL_NIF_TERM);
    friend void library_unload(ErlNifEnv*, void*);

    void build_entry();
    int load_instance(ErlNifEnv* env, void** private_data, ModuleInstance* old, ERL_NIF_TERM info);
    void unload_instance(ErlNifEnv* env, ModuleInstance* instance);
    Host* start_host_locked(Clock::time_point deadline, std::string* why);

    Sidecar sidecar_;
    ErlNifEntry entry_{};
    std::vector<ErlNifFunc> functions_;
    std::unique_ptr<FunctionState[]> function_states_;

    std::timed_mutex start_lock_;              // one start, load, upgrade or unload at a time
    std::vector<std::unique_ptr<Host>> hosts_; // of all generations; closed ones are used again
    std::atomic<Host*> current_{nullptr};
    std::uint64_t generation_ = 0;
    std::mutex instances_lock_; // held for moments only
    std::vector<ModuleInstance*> instances_;
    std::uint32_t last_instance_ = 0;
    std::atomic<ErlNifResourceType*> resource_type_{nullptr};
    ResourceTable resources_;
    std::atomic<std::uint64_t> atoms_made_{0};
};

} // namespace cordon::proxy
