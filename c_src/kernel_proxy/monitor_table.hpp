// Monitors that resources of hosts have of processes (enif_monitor_process).
//
// The VM does the monitoring: the proxy of the resource monitors the process, so that
// process_info(P, monitored_by) shows the reference that Erlang knows the resource by. Which
// monitors there are, and that each fires once at most, the host decides (nif_host/enif/monitor):
// here a monitor is a number that the host gave.
//
// A proxy lives only as long as Erlang has a term of it. That of a resource which its library holds
// too is kept by us ("anchored") until the host says that the library has let go.
#pragma once

#include "compat_ipc/call_slot.hpp"

#include <array>
#include <cstdint>
#include <erl_nif.h>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace cordon::proxy {

class Group;
class Host;
struct ProxyResource;

class MonitorTable {
  public:
    explicit MonitorTable(Group& group) : group_(group) {}

    // The answer to Upcall::Monitor. `caller` may be nullptr. Throws ProtocolViolation,
    // QuotaUsedUp.
    std::array<term::Word, ipc::kAnswerWords> monitor(Host& host, ErlNifEnv* caller,
                                                      std::uint64_t handle, const ErlNifPid& pid,
                                                      std::uint64_t number, bool anchor);
    void demonitor(Host& host, ErlNifEnv* caller, std::uint64_t number);
    std::array<term::Word, ipc::kAnswerWords> anchor(Host& host, std::uint64_t handle);
    void drop_anchor(Host& host, std::uint64_t handle);

    // Callback of the proxies' type: on a scheduler, never waits.
    static void on_down(ErlNifEnv* env, void* object, ErlNifPid* pid, ErlNifMonitor* monitor);
    // The VM has forgotten its monitors.
    void proxy_collected(const ProxyResource& proxy);
    // That host is gone, and nobody wants to be told any more: undoes it all, piece by piece on the
    // housekeeping thread.
    void end_generation(std::uint64_t generation);

  private:
    struct Monitor {
        ErlNifMonitor vm;
        std::uint64_t serial; // of the proxy
    };
    struct Less {
        bool operator()(const ErlNifMonitor& a, const ErlNifMonitor& b) const {
            return enif_compare_monitors(&a, &b) < 0;
        }
    };
    struct Watching { // a proxy with monitors
        std::string encoded;
        std::unordered_set<std::uint64_t> numbers;
    };
    // Of one host.
    struct Monitors {
        std::unordered_map<std::uint64_t, Monitor> by_number;
        std::map<ErlNifMonitor, std::uint64_t, Less> numbers;
        std::unordered_map<std::uint64_t, Watching> by_serial;
        std::unordered_map<std::uint64_t, ProxyResource*> anchors; // by handle
    };
    struct Undoing;

    // Removes it from all tables but returns what the VM has to be told.
    struct Removed {
        ErlNifMonitor vm;
        std::uint64_t serial;
        std::string encoded;
    };
    static bool remove(Monitors& monitors, std::uint64_t number, Removed* removed);
    Monitors& of(const Host& host); // under the lock; throws ProtocolViolation
    static bool keep(Monitors& monitors, std::uint64_t handle, ProxyResource* proxy);
    static void undo(const std::shared_ptr<Undoing>& undoing);

    Group& group_;
    std::mutex lock_;         // never held while a proxy may be collected by us
    std::uint64_t ended_ = 0; // generations up to this one are
    std::map<std::uint64_t, Monitors> generations_;
};

} // namespace cordon::proxy
