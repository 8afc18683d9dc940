// Proxy resources: what Erlang holds of a resource that lives in a host.
//
// The same host resource is the same Erlang reference as long as Erlang holds it. The table knows
// the external term format of each proxy's reference: a VM revives a live resource from that, and
// tells when it has died meanwhile (erl_nif(3), enif_make_resource). So the table itself keeps
// nothing alive, and there is no race with the garbage collector.
//
// Each proxy stands for one reference that the VM has on the host's resource: an acquire event
// when it is made, a release event when it is collected.
#pragma once

#include "shared_heap/term.hpp"

#include <atomic>
#include <cstdint>
#include <erl_nif.h>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cordon::proxy {

class Group;
class Host;
class Library;

struct ProxyResource {
    Group* group;
    std::uint64_t generation;
    std::uint64_t handle;
    std::uint64_t serial; // tells apart proxies of the same handle, one after the other
    bool is_binary = false;
};

// What Erlang holds of a binary over a resource's memory. It has a reference of its own on the
// host's resource, and the bytes as they were when they came: those of the host can change.
struct BinaryProxy : ProxyResource {
    std::uint64_t address; // for the host
    std::uint64_t size;
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
};

class ResourceTable {
  public:
    // Of a module instance's load or upgrade; nullptr when the VM refuses.
    static ErlNifResourceType* open_type(ErlNifEnv* env);
    // The type that this library's module has, or nullptr when it has none any more: then no proxy
    // is made of it from here on. Returns the one before.
    ErlNifResourceType* set_type(const Library& library, ErlNifResourceType* type);

    // The proxy that `term` (a reference) is, or nullptr.
    const ProxyResource* find_proxy(ErlNifEnv* env, ERL_NIF_TERM term);

    // The reference for `handle` of the running `host`, in `env`.
    ERL_NIF_TERM make_reference(ErlNifEnv* env, Host& host, std::uint64_t handle) {
        return obtain(env, host, handle).reference;
    }
    struct Obtained {
        ERL_NIF_TERM reference;
        ProxyResource* proxy; // as long as the environment has the reference
        bool is_new;          // nobody else had a term of it
    };
    Obtained obtain(ErlNifEnv* env, Host& host, std::uint64_t handle);
    // The proxy of that serial number if it is alive still; then the environment keeps it.
    ProxyResource* revive(ErlNifEnv* env, const std::string& encoded, std::uint64_t serial);
    // For a binary over the memory of `handle`: the caller fills the bytes, then has the term made,
    // which takes the proxy over.
    BinaryProxy* allocate_binary(Host& host, std::uint64_t handle, std::uint64_t address,
                                 std::uint64_t size);
    ERL_NIF_TERM make_binary(ErlNifEnv* env, BinaryProxy* proxy);
    // What such a binary is a term of, as far as the VM says so; or nullptr.
    const BinaryProxy* find_binary(ErlNifEnv* env, ERL_NIF_TERM binary);
    // Such a binary once more, or a part of it; 0 when there is none of that number, or it is
    // smaller.
    ERL_NIF_TERM binary_again(ErlNifEnv* env, const Host& host, std::uint64_t serial,
                              std::uint64_t address, std::uint64_t size);

    // A new generation: handles of before mean nothing now.
    void clear();

  private:
    static void on_collected(ErlNifEnv* env, void* object);

    ProxyResource* find_of_any_type(ErlNifEnv* env, ERL_NIF_TERM term) const;
    ErlNifResourceType* oldest_type() const;
    ProxyResource* revive_locked(ErlNifEnv* env, const std::string& encoded, std::uint64_t serial,
                                 ERL_NIF_TERM* reference) const;

    struct Entry {
        std::uint64_t serial;
        std::string encoded; // external term format of the reference
    };
    std::mutex lock_;
    std::vector<std::pair<const Library*, ErlNifResourceType*>> types_;
    // The one of types_ when there is just one: then a call needs no lock to look for its proxies.
    std::atomic<ErlNifResourceType*> only_type_{nullptr};
    std::uint64_t last_serial_ = 0;
    std::unordered_map<std::uint64_t, Entry> entries_;
    // External term format of references to binaries' proxies, by serial.
    std::unordered_map<std::uint64_t, std::string> binaries_;
    std::atomic<bool> has_binaries_{false}; // ever; most libraries have none
};

} // namespace cordon::proxy
