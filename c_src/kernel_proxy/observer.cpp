#include "kernel_proxy/observer.hpp"

#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"

#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <poll.h>
#include <set>
#include <string>
#include <unistd.h>

namespace cordon::proxy {
namespace {

std::mutex observer_lock;
std::optional<ErlNifPid> observer;

void put_library(ErlNifEnv* env, const Library& library, ERL_NIF_TERM* map) {
    const auto put = [&](const char* key, ERL_NIF_TERM value) {
        enif_make_map_put(env, *map, enif_make_atom(env, key), value, map);
    };
    put("module", enif_make_atom(env, library.module_name().c_str()));
    put("library", enif_make_string(env, library.path().c_str(), ERL_NIF_LATIN1));
}

// A map under construction, in an environment of its own.
class Event {
  public:
    Event() : env_(enif_alloc_env()), map_(enif_make_new_map(env_)) {}
    ~Event() { enif_free_env(env_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    ErlNifEnv* env() const { return env_; }
    void put(const char* key, ERL_NIF_TERM value) {
        enif_make_map_put(env_, map_, enif_make_atom(env_, key), value, &map_);
    }
    void put_number(const char* key, std::uint64_t value) {
        put(key, enif_make_uint64(env_, value));
    }
    void put_string(const char* key, std::string_view bytes) {
        put(key, enif_make_string_len(env_, bytes.data(), bytes.size(), ERL_NIF_LATIN1));
    }
    void put_binary(const char* key, std::string_view bytes) {
        ERL_NIF_TERM binary;
        std::memcpy(enif_make_new_binary(env_, bytes.size(), &binary), bytes.data(), bytes.size());
        put(key, binary);
    }
    void put_group(const Group& group) { proxy::put_group(env_, group, &map_); }
    void put_library(const Library& library) { proxy::put_library(env_, library, &map_); }
    bool send(const char* name) {
        const std::scoped_lock guard(observer_lock);
        return observer && enif_send(nullptr, &*observer, env_,
                                     enif_make_tuple3(env_, enif_make_atom(env_, "cordon_event"),
                                                      enif_make_atom(env_, name), map_)) != 0;
    }

  private:
    ErlNifEnv* env_;
    ERL_NIF_TERM map_;
};

ERL_NIF_TERM mfa(ErlNifEnv* env, const Library& library, std::uint32_t index) {
    const ipc::FunctionRecord& function = library.function(index);
    return enif_make_tuple3(env, enif_make_atom(env, library.module_name().c_str()),
                            enif_make_atom(env, function.name.c_str()),
                            enif_make_uint(env, function.arity));
}

} // namespace

void put_group(ErlNifEnv* env, const Group& group, ERL_NIF_TERM* map) {
    put_library(env, group.first_library(), map);
    // Old and new code of a module are two libraries of one name; none is left at the last end.
    std::set<std::string> names{group.first_library().module_name()};
    for (const Library* library : group.libraries())
        names.insert(library->module_name());
    ERL_NIF_TERM modules = enif_make_list(env, 0);
    for (auto name = names.rbegin(); name != names.rend(); ++name)
        modules = enif_make_list_cell(env, enif_make_atom(env, name->c_str()), modules);
    enif_make_map_put(env, *map, enif_make_atom(env, "modules"), modules, map);
    if (!group.name().empty())
        enif_make_map_put(env, *map, enif_make_atom(env, "group"),
                          enif_make_string(env, group.name().c_str(), ERL_NIF_LATIN1), map);
}

void set_observer(const ErlNifPid& pid) {
    const std::scoped_lock guard(observer_lock);
    observer = pid;
}

void report_host_started(const Host& host) {
    if (!host.group().is_reported())
        return;
    Event event;
    event.put_number("host", host.id());
    event.put_number("os_pid", static_cast<std::uint64_t>(host.os_pid()));
    event.put_number("generation", host.generation());
    event.put_group(host.group());
    event.send("host_started");
}

void report_host_down(const Group& group, const HostDown& down, const HostEnd& end) {
    if (!group.is_reported())
        return;
    Event event;
    event.put_number("host", down.host);
    event.put_number("os_pid", static_cast<std::uint64_t>(down.os_pid));
    event.put_number("generation", down.generation);
    event.put_number("age_ms", static_cast<std::uint64_t>(down.age.count()));
    event.put_group(group);
    event.put("reason", end.to_term(event.env()));
    if (end.kind == HostEnd::Kind::Signal || end.kind == HostEnd::Kind::LateUse)
        event.put_number("fault_address", end.fault_address);
    ERL_NIF_TERM calls = enif_make_list(event.env(), 0);
    for (auto called = down.calls.rbegin(); called != down.calls.rend(); ++called)
        calls = enif_make_list_cell(event.env(),
                                    mfa(event.env(), *(*called)->library, (*called)->index), calls);
    event.put("calls", calls);
    ERL_NIF_TERM backtrace = enif_make_list(event.env(), 0);
    for (auto frame = down.frames.rbegin(); frame != down.frames.rend(); ++frame) {
        char text[32];
        std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(*frame));
        backtrace = enif_make_list_cell(
            event.env(), enif_make_string(event.env(), text, ERL_NIF_LATIN1), backtrace);
    }
    event.put("backtrace", backtrace);
    event.send("host_down");
}

bool report_output(const Group& group, std::uint64_t host, std::string_view bytes) {
    Event event;
    event.put_number("host", host);
    event.put("module", enif_make_atom(event.env(), group.first_library().module_name().c_str()));
    event.put_binary("data", bytes);
    if (event.send("host_output"))
        return true;
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (poll(&ready, 1, 0) == 1) // never wait for a terminal
        [[maybe_unused]]
        const auto written =
            write(STDERR_FILENO, bytes.data(), std::min<std::size_t>(bytes.size(), 4096));
    return false;
}

void report_unsupported(const Host& host, const Library& library, std::uint32_t function,
                        ERL_NIF_TERM name) {
    Event event;
    event.put_number("host", host.id());
    event.put_library(library);
    event.put("function", name);
    event.put("mfa", mfa(event.env(), library, function));
    event.send("enif_unsupported");
}

void report_keeper_down() {
    Event event;
    event.put("reason", enif_make_atom(event.env(), "gone"));
    event.send("keeper_down");
}

bool report_guard_missing(const char* part, const std::string& text) {
    Event event;
    event.put("part", enif_make_atom(event.env(), part));
    event.put_string("text", text);
    return event.send("guard_missing");
}

} // namespace cordon::proxy
