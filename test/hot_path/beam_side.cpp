// The BEAM side's half of a call, from begin_call to its result, and the transport of terms.
//
// Linked with the object files of cordon_nif.so, as that is linked, and loaded into a program that
// has the enif_* of the VM: here those of the host (host_side.cpp). What they do is not counted,
// for it says nothing about the VM's; that they are called is (some instructions at the caller).
//
// A real host is started, has each result made, and is then stopped for good (SIGSTOP): whatever it
// would do by itself makes no difference any more. Its answers are written by this program, to the
// memory that otherwise the host alone writes, before each call is made. So a call finds its answer
// at the first look and there is no waiting in the counts, nor a wake of a worker that has parked.
#include "hot_path.hpp"
#include "kernel_proxy/call.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/discovery.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/response_wait.hpp"
#include "kernel_proxy/spin_grants.hpp"
#include "kernel_proxy/term_export.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/vm_directory.hpp"
#include "kernel_proxy/vm_words.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace cordon::hot_path {
namespace {

using namespace proxy;
using ipc::RequestKind;
using ipc::ResponseStatus;

constexpr int kSkipped = 77; // as in `check`

void require(bool holds, const std::string& what) {
    if (!holds)
        throw std::runtime_error(what);
}

Library& load(const BeamSide& side, ModuleInstance& instance) {
    Sidecar sidecar;
    sidecar.nif_host = side.nif_host;
    sidecar.library = side.library;
    sidecar.options.pool_size = 1ULL << 30;
    Discovered found = discover(sidecar);
    require(found.reason.empty(), found.text);
    sidecar.manifest = std::move(found.manifest);
    sidecar.file = found.file;
    Library* library = Library::of_shim("hot_path", std::move(sidecar));
    instance.library = library;
    instance.id = library->group().next_instance();
    instance.load_info = enif_make_list(side.env, 0);
    HostEnd why;
    std::uint64_t generation = 0;
    require(library->ensure_loaded(side.env, instance, &why, &generation) != nullptr,
            "no host: " + why.to_text());
    *side.private_data = &instance;
    return *library;
}

// Has the host make a result and leaves it there: the slot is never given back.
Slot& make_result(const BeamSide& side, Host& host, const ModuleInstance& instance,
                  Function maker) {
    begin_call(side.env, 0, nullptr, maker, Place::Dirty); // it asks for its atoms here
    Slot& slot = *host.take_slot();
    write_request(side.env, host, slot, ERL_NIF_THR_NORMAL_SCHEDULER, instance.id, maker, 0,
                  nullptr);
    require(host.ensure_worker(slot), "no worker");
    ring_doorbell(host, slot, RequestKind::Call);
    const Waited waited = await_response(host, slot, {}, Clock::now() + std::chrono::seconds(10));
    require(waited == Waited::Response && host.response(slot).status == ResponseStatus::Ok,
            "the host did not make a term");
    return slot;
}

// From here on its answers are ours to write.
void stop_for_good(const Host& host, const Slot& first) {
    require(kill(host.os_pid(), SIGSTOP) == 0, "the host cannot be stopped");
    const std::string file = "/proc/" + std::to_string(host.os_pid()) + "/stat";
    for (char state = 0; state != 'T'; usleep(1000)) {
        FILE* stat = std::fopen(file.c_str(), "re");
        require(stat != nullptr && std::fscanf(stat, "%*d (%*[^)]) %c", &state) == 1,
                "the host is gone");
        std::fclose(stat);
    }
    const ipc::ResponseHalf* responses = &host.response(first) - first.index;
    void* page = const_cast<ipc::ResponseHalf*>(responses);
    require(mprotect(page, ipc::round_to_page(ipc::kSlots * sizeof *responses),
                     PROT_READ | PROT_WRITE) == 0,
            "the host's memory stays read-only");
}

void count_calls(const BeamSide& side, Host& host) {
    Slot& slot = *host.take_slot(); // this thread gets that one each time
    host.give_back(slot);
    auto& response = const_cast<ipc::ResponseHalf&>(host.response(slot));
    const auto answer = [&] {
        response.status = ResponseStatus::Ok;
        response.term = term::make_small(3);
        response.needs_done = 0;
        response.parked = 0;
        response.seq = ipc::next_seq(slot.seq, RequestKind::Call);
    };
    const ERL_NIF_TERM arguments[] = {enif_make_int(side.env, 1), enif_make_int(side.env, 2)};
    ERL_NIF_TERM sum = 0;
    count("beam_call", kCalls, answer,
          [&] { sum = begin_call(side.env, 2, arguments, Add, Place::Normal); });
    int value = 0;
    require(enif_get_int(side.env, sum, &value) != 0 && value == 3, "a call gave a wrong result");
}

void measure(const BeamSide& side) {
    if (!SpinGrants::instance().any()) {
        std::fprintf(stderr, "one CPU only: there are no hot calls (docs/design/calls.md)\n");
        std::_Exit(kSkipped);
    }
    VmDirectory::watch();
    learn_small_words(side.env);
    ModuleInstance instance;
    Host& host = *load(side, instance).current_host();
    Slot* results[std::size(kShapes)];
    // Of its own slot this thread will make calls: the results are in others.
    Slot& own = *host.take_slot();
    for (std::size_t i = 0; i < std::size(kShapes); ++i)
        results[i] = &make_result(side, host, instance, kShapes[i].maker);
    host.give_back(own);
    stop_for_good(host, own);
    own.worker_started = true; // none ever looks at it

    count_calls(side, host);
    for (std::size_t i = 0; i < std::size(kShapes); ++i) {
        Slot& slot = *results[i];
        count(
            std::string("beam_import_") + kShapes[i].name, kTerms, [] {},
            [&] { import_term(side.env, host.response(slot).term, host, slot.arena); });
        count(
            std::string("beam_export_") + kShapes[i].name, kTerms, [&] { slot.arena.restart(); },
            [&] {
                export_term(side.env, side.terms[i], host, slot.arena, Stale::Throw, Funs::OfVm,
                            Large::Throw);
            });
    }
    kill(host.os_pid(), SIGKILL);
}

} // namespace

extern "C" __attribute__((visibility("default"))) void measure_beam_side(const BeamSide& side) try {
    measure(side);
} catch (const std::exception& error) {
    std::fprintf(stderr, "BEAM side: %s\n", error.what());
    std::_Exit(1);
}

} // namespace cordon::hot_path
