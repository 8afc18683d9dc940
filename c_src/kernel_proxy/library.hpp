// A library that is isolated: its manifest, its module instances, the group whose host it runs in.
// One object per shim file, made at the first load and kept for good (the VM may still point into
// its entry).
#pragma once

#include "kernel_proxy/clock.hpp"
#include "kernel_proxy/group.hpp"
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
    std::atomic<std::uint32_t> options{0};           // ipc::LoadAnswer's, of that load
    // Whose workers were told that it is about to be unloaded. For who holds the group's start
    // lock.
    std::vector<bool> unloaded_slots;
};

struct FunctionState {
    // How long a caller spins for a response, in ns; see Call::wait.
    std::atomic<std::uint32_t> spin{15'000};
    const Library* library = nullptr;
    std::uint32_t index = 0;
    // How often in a row calls took longer than a scheduler may wait; see call.
    std::atomic<std::uint32_t> slow{0};
    // It uses enif_consume_timeslice: its calls stay on normal schedulers.
    std::atomic<bool> cooperates{false};
};

class Library {
  public:
    // For a shim at that path. Throws std::runtime_error when its library can't be used.
    static Library* of_shim(const char* shim, Sidecar sidecar);
    // For discovery only: not entered anywhere, has no entry.
    explicit Library(Sidecar sidecar);
    ~Library();

    ErlNifEntry* entry() { return &entry_; }
    // False for discovery: nobody has asked for that host by name.
    bool has_entry() const { return entry_.name != nullptr; }
    const Sidecar& sidecar() const { return sidecar_; }
    std::uint32_t number() const { return number_; }
    const std::string& path() const { return sidecar_.library; }
    const std::string& nif_host() const { return sidecar_.nif_host; }
    const std::string& module_name() const { return sidecar_.manifest.module; }
    const LibraryOptions& options() const { return sidecar_.options; }
    const ipc::FunctionRecord& function(std::uint32_t index) const {
        return sidecar_.manifest.functions[index];
    }
    FunctionState& function_state(std::uint32_t index) { return function_states_[index]; }

    Group& group() const { return *group_; }
    bool has_instance(const ModuleInstance* instance) const;
    // nullptr, or one that may just have ended.
    Host* current_host() const { return group_->current_host(); }

    // The host that runs, started when there is none, with `instance` loaded in it. nullptr: `why`
    // says what failed, `generation` in which. Takes as long as a start takes.
    Host* ensure_loaded(ErlNifEnv* env, ModuleInstance& instance, struct HostEnd* why,
                        std::uint64_t* generation);
    // Discovery: another file, before the next start.
    void rediscover(Sidecar sidecar) { sidecar_ = std::move(sidecar); }
    // Discovery: a host that has opened the library, nothing loaded; what it found in `opened`.
    Host* start_and_open(Clock::time_point deadline, ipc::Opened* opened, std::string* why);

  private:
    friend int library_load(ErlNifEnv*, void**, ERL_NIF_TERM);
    friend int library_upgrade(ErlNifEnv*, void**, void**, ERL_NIF_TERM);
    friend void library_unload(ErlNifEnv*, void*);

    void build_entry();
    int load_instance(ErlNifEnv* env, void** private_data, ModuleInstance* old, ERL_NIF_TERM info,
                      std::chrono::milliseconds timeout);
    // unload.cpp
    void unload_instance(ErlNifEnv* env, ModuleInstance* instance);
    static void watch_late_unloads(Group& group);
    static bool unload_late(Group& group, std::chrono::milliseconds* pause, std::size_t* left);
    bool try_unload_late(ModuleInstance* instance);
    bool unload_threads(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance, Host& host);
    bool try_unload(ErlNifEnv* env, ErlNifEnv* caller, ModuleInstance& instance);
    void forget(ModuleInstance* instance);
    // When no instance is left it is out of the group.
    void leave_if_unused();
    // For who holds the group's start lock: the host, with the library open in it.
    Host* open_in_host(Clock::time_point deadline, std::string* why);

    Sidecar sidecar_;
    ErlNifEntry entry_{};
    std::vector<ErlNifFunc> functions_;
    std::unique_ptr<FunctionState[]> function_states_;

    Group* group_;
    const std::uint32_t number_;              // in this VM; the host knows it by that
    std::atomic<std::uint64_t> opened_in_{0}; // generation of the host that has it open, or 0
    mutable std::mutex instances_lock_;       // held for moments only
    std::vector<ModuleInstance*> instances_;  // those that the VM has
    std::uint32_t unloading_ = 0; // and those that it has let go of, but that are still in use
};

} // namespace cordon::proxy
