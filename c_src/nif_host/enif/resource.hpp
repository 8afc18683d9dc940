// Resource types and resources. A resource lives in the host; what the VM has is a proxy with the
// handle. References are counted: the library's own, one for each environment that has a term of
// it, one for the VM's proxy. The last one to go runs the destructor, on the callback thread.
#pragma once

#include "nif_host/enif/env.hpp"

#include <atomic>
#include <cstdint>

struct enif_resource_type_t {
    std::string module;
    std::string name;
    ErlNifResourceTypeInit callbacks; // members that the library didn't give are nullptr
    cordon::host::Instance* owner;
    bool linked = true; // found by its name
    int running = 0;    // callbacks that are under way
    // What may be read without types_lock; all else is guarded by it.
    std::atomic<bool> has_destructor{false};
    std::atomic<bool> has_down{false};
    std::atomic<std::size_t> live{0}; // resources of it
};

namespace cordon::host {

// --- for the worker and the callback thread ----------------------------------------------------

// enif_open_resource_type only acts when load or upgrade succeeds.
void types_commit(ErlNifEnv* load_env);
void types_rollback(ErlNifEnv* load_env);
// As in the VM an instance is not unloaded as long as there are resources that its callbacks are
// for.
bool types_hold(const Instance* instance);
void types_forget_instance(Instance* instance); // at unload
// Before `load` (not `upgrade`) of a module: what an earlier instance of it has opened is of purged
// code. Its resources live on, but the names are free.
void types_unlink_module(const Instance* instance);

void resource_acquire(std::uint64_t handle); // the VM has a proxy of it now
void resource_release(std::uint64_t handle); // the VM has dropped it
void resource_let_go(std::uint64_t handle);  // a call has kept it so, and is over

// --- for the enif_* functions -----------------------------------------------------------------

struct alignas(16) Resource {
    std::atomic<std::size_t> references;
    ErlNifResourceType* type;
    std::size_t size;
    std::uint64_t magic; // kResourceMagic while it lives
    std::atomic<std::uint32_t> monitors;
    std::atomic<std::uint32_t>
        vm_references;          // of `references`; written by who reads the event ring
    std::atomic<bool> anchored; // the VM's proxy is kept although Erlang may have no term of it
    bool can_monitor;           // its type had a down callback when it was made
    void* data() { return this + 1; }
    static Resource* of(void* data) { return static_cast<Resource*>(data) - 1; }
    static Resource* of_handle(std::uint64_t handle) { return reinterpret_cast<Resource*>(handle); }
    std::uint64_t handle() const { return reinterpret_cast<std::uint64_t>(this); }
};

inline constexpr std::uint64_t kResourceMagic = 0xC07D'0E5D'0B1E'C7ED;

inline void resource_keep(Resource* resource) {
    resource->references.fetch_add(1, std::memory_order_relaxed);
}
void resource_drop(Resource* resource); // one of the host's own references

// While this lives callbacks of the type may run to their end, though the type be forgotten: who
// unmaps their code waits for it.
class TypeInUse {
  public:
    explicit TypeInUse(ErlNifResourceType* type);
    ~TypeInUse();
    TypeInUse(const TypeInUse&) = delete;
    TypeInUse& operator=(const TypeInUse&) = delete;
    const ErlNifResourceTypeInit& callbacks() const { return callbacks_; }
    ErlNifEnv* env(); // that callbacks get: with the private data of the type's owner

  private:
    ErlNifResourceType* type_;
    ErlNifResourceTypeInit callbacks_;
    Instance* owner_;
    ErlNifEnv* env_ = nullptr;
};

} // namespace cordon::host
