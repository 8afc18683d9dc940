// The NIFs of module cordon_nif: what the Erlang side asks of the proxy.
#include "kernel_proxy/call_hop.hpp"
#include "kernel_proxy/discovery.hpp"
#include "kernel_proxy/file_digest.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/guard_report.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/host_binary.hpp"
#include "kernel_proxy/keeper_client.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/nif_terms.hpp"
#include "kernel_proxy/observer.hpp"
#include "kernel_proxy/platform.hpp"
#include "kernel_proxy/sidecar_nif.hpp"
#include "kernel_proxy/vm_directory.hpp"
#include "kernel_proxy/vm_words.hpp"

#include <cstring>
#include <optional>
#include <string>
#include <sys/statvfs.h>

namespace cordon::proxy {
namespace {

std::mutex programs_lock;
std::string nif_host_program;
std::string proxy_file;

// C++ exceptions end here: the VM knows none.
using NifFunctionBody = ERL_NIF_TERM (*)(ErlNifEnv*, int, const ERL_NIF_TERM[]);

template <NifFunctionBody body>
ERL_NIF_TERM guarded(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) try {
    return body(env, argc, argv);
} catch (const std::exception& error) {
    return make_error(env, "system_limit", error.what());
}

ERL_NIF_TERM start(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    const auto host = get_text(env, argv[0]);
    const auto proxy = get_text(env, argv[1]);
    if (!host || !proxy)
        return enif_make_badarg(env);
    if (const std::string wrong = platform_fault(*host); !wrong.empty())
        return make_error(env, "nif_host", wrong);
    const std::scoped_lock guard(programs_lock);
    nif_host_program = *host;
    proxy_file = *proxy;
    return atom(env, "ok");
}

ERL_NIF_TERM discover_library(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    Sidecar sidecar;
    const auto path = get_text(env, argv[0]);
    if (!path || !get_options(env, argv[1], &sidecar.options))
        return enif_make_badarg(env);
    sidecar.library = *path;
    {
        const std::scoped_lock guard(programs_lock);
        sidecar.nif_host = nif_host_program;
        sidecar.proxy = proxy_file;
    }
    if (sidecar.nif_host.empty())
        return make_error(env, "nif_host", "cordon_nif:start/2 has not been called");
    Discovered found = discover(sidecar);
    if (!found.reason.empty())
        return make_error(env, found.reason, found.text);
    sidecar.manifest = std::move(found.manifest);
    sidecar.requirements = std::move(found.requirements);
    sidecar.file = found.file;
    return enif_make_tuple3(env, atom(env, "ok"), make_manifest(env, sidecar),
                            make_binary(env, write_sidecar(sidecar)));
}

ERL_NIF_TERM observe(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    ErlNifPid pid;
    if (enif_get_local_pid(env, argv[0], &pid) == 0)
        return enif_make_badarg(env);
    set_observer(pid);
    // One that ended may have left output unacknowledged.
    for (const Group* group : Group::all())
        if (Host* host = group->current_host(); host != nullptr)
            host->output_done();
    return atom(env, "ok");
}

Host* find_host(std::uint64_t id) {
    for (const Group* group : Group::all())
        if (Host* host = group->current_host(); host != nullptr && host->id() == id)
            return host;
    return nullptr;
}

ERL_NIF_TERM output_done(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    ErlNifUInt64 id;
    if (enif_get_uint64(env, argv[0], &id) == 0)
        return enif_make_badarg(env);
    if (Host* host = find_host(id))
        host->output_done();
    return atom(env, "ok");
}

ERL_NIF_TERM hosts(ErlNifEnv* env, int, const ERL_NIF_TERM[]) {
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (const Group* group : Group::all()) {
        const Host* host = group->current_host();
        if (host == nullptr || !group->is_reported())
            continue;
        ERL_NIF_TERM map = enif_make_new_map(env);
        const auto put = [&](const char* key, ERL_NIF_TERM value) {
            enif_make_map_put(env, map, atom(env, key), value, &map);
        };
        const auto age = Clock::now() - host->started_at();
        put("host", enif_make_uint64(env, host->id()));
        put("os_pid", enif_make_int(env, host->os_pid()));
        put("generation", enif_make_uint64(env, host->generation()));
        put_group(env, *group, &map);
        put("state", atom(env, host->accepts_calls() ? "running" : "down"));
        put("calls", enif_make_uint(env, host->calls_in_flight()));
        put("age_ms", enif_make_int64(
                          env, std::chrono::duration_cast<std::chrono::milliseconds>(age).count()));
        list = enif_make_list_cell(env, map, list);
    }
    return list;
}

ERL_NIF_TERM stop_host(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    ErlNifUInt64 id;
    if (enif_get_uint64(env, argv[0], &id) == 0)
        return enif_make_badarg(env);
    Host* host = find_host(id);
    if (host == nullptr || !host->accepts_calls())
        return enif_make_tuple2(env, atom(env, "error"), atom(env, "not_found"));
    host->kill({HostEnd::Kind::Stopped});
    return atom(env, "ok");
}

ERL_NIF_TERM keeper(ErlNifEnv* env, int, const ERL_NIF_TERM[]) {
    const pid_t pid = KeeperClient::instance().pid();
    return pid == 0 ? atom(env, "undefined") : enif_make_int(env, pid);
}

ERL_NIF_TERM guard(ErlNifEnv* env, int, const ERL_NIF_TERM[]) {
    return guard_term(env);
}

// Nothing can be mapped executable from a file there.
ERL_NIF_TERM is_noexec(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    const auto directory = get_text(env, argv[0]);
    if (!directory)
        return enif_make_badarg(env);
    struct statvfs status {};
    const bool noexec =
        statvfs(directory->c_str(), &status) == 0 && (status.f_flag & ST_NOEXEC) != 0;
    return atom(env, noexec ? "true" : "false");
}

// load_info: #{dirty_io_schedulers := N, atoms_left := N, port := Port}.
int load(ErlNifEnv* env, void**, ERL_NIF_TERM info) {
    ERL_NIF_TERM value;
    int count = 0;
    if (enif_get_map_value(env, info, atom(env, "dirty_io_schedulers"), &value) != 0 &&
        enif_get_int(env, value, &count) != 0)
        set_dirty_io_schedulers(count);
    ErlNifUInt64 atoms = 0;
    if (enif_get_map_value(env, info, atom(env, "atoms_left"), &value) != 0 &&
        enif_get_uint64(env, value, &atoms) != 0)
        Group::set_atoms_left(atoms);
    ErlNifPort port;
    if (enif_get_map_value(env, info, atom(env, "port"), &value) != 0 &&
        enif_get_local_port(env, value, &port) != 0)
        port_word(port); // teaches the tag of local ports
    learn_small_words(env);
    open_host_binary_type(env);
    VmDirectory::watch();
    return 0;
}

int upgrade(ErlNifEnv* env, void** private_data, void**, ERL_NIF_TERM info) {
    return load(env, private_data, info);
}

ErlNifFunc functions[] = {
    {"start", 2, &guarded<start>, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"discover", 2, &guarded<discover_library>, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"read_sidecar", 1, &guarded<read_sidecar_file>, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"edit_sidecar", 2, &guarded<edit_sidecar>, 0},
    {"set_observer", 1, &guarded<observe>, 0},
    {"output_done", 1, &guarded<output_done>, 0},
    {"hosts", 0, &guarded<hosts>, 0},
    {"stop_host", 1, &guarded<stop_host>, 0},
    {"keeper", 0, &guarded<keeper>, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"guard", 0, &guarded<guard>, 0},
    {"digest", 1, &guarded<digest_file>, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"is_noexec", 1, &guarded<is_noexec>, ERL_NIF_DIRTY_JOB_IO_BOUND},
};

} // namespace
} // namespace cordon::proxy

namespace {
using cordon::proxy::functions;
using cordon::proxy::load;
using cordon::proxy::upgrade;
} // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
ERL_NIF_INIT(cordon_nif, functions, load, nullptr, upgrade, nullptr)
#pragma GCC diagnostic pop
