// The host's half of a call, from the sight of its request to the end of the clean-up behind the
// response, and what it costs a library to build terms and to walk them.
//
// All of it is counted but the kernel: the worker, enif_*, the library. There is no VM: the BEAM
// segment is memory of this process, and what rings the doorbell for the next call is the call
// before it, on its way out of the library. So the worker finds each request at the first look, and
// there is no waiting in the counts.
#include "cpp/host_fixture.hpp"
#include "hot_path.hpp"
#include "nif_host/loader.hpp"
#include "nif_host/worker.hpp"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <iterator>
#include <unistd.h>

namespace cordon::hot_path {
namespace {

using term::Word;
using test::FakeBeam;

constexpr std::uint32_t kSlot = 0;
constexpr std::uint32_t kInstance = 1;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "host side: %s\n", what);
    std::exit(1);
}

host::Instance& load(const char* path) {
    require(host::open_library(1, path).error == 0, "the library cannot be opened");
    return *host::create_instance(kInstance, 1);
}

ErlNifEnv* call_env(host::Instance& instance) {
    ErlNifEnv* env = host::env_create(host::EnvKind::Call, &instance);
    host::env_set_call(env, &instance, test::kAlivePid, ERL_NIF_THR_NORMAL_SCHEDULER);
    return env;
}

// --- calls ---------------------------------------------------------------------------------------

using NifFunction = ERL_NIF_TERM (*)(ErlNifEnv*, int, const ERL_NIF_TERM[]);
NifFunction add;
std::atomic<int> calls{0};

ipc::RequestHalf& request() {
    return const_cast<ipc::RequestHalf&>(host::context().request(kSlot));
}

void ring() {
    const std::uint32_t last = request().seq.load(std::memory_order_relaxed);
    request().seq.store(ipc::next_seq(last, ipc::RequestKind::Call));
}

// From one call's end to the end of the one that comes kCalls after it.
ERL_NIF_TERM add_and_ring(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    const ERL_NIF_TERM sum = add(env, argc, argv);
    const int call = calls.fetch_add(1, std::memory_order_relaxed) + 1;
    if (call == kWarmUp || call == kWarmUp + kCalls)
        CALLGRIND_TOGGLE_COLLECT;
    if (call < kWarmUp + kCalls)
        ring();
    return sum;
}

void count_calls(host::Instance& instance) {
    add = std::exchange(instance.functions[Add].fptr, &add_and_ring);
    ipc::RequestHalf& first = request();
    first.thread_type = ERL_NIF_THR_NORMAL_SCHEDULER;
    first.argc = 2;
    first.function = Add;
    first.instance = kInstance;
    first.caller = test::kAlivePid;
    first.args = {term::make_small(1), term::make_small(2)};
    ring();
    host::start_worker(kSlot);
    while (host::context().response(kSlot).seq.load() != request().seq.load() ||
           calls.load() != kWarmUp + kCalls)
        usleep(1000);
    require(host::context().response(kSlot).term == term::make_small(3),
            "a call gave a wrong result");
    dump("host_call", kCalls);
}

// --- terms ---------------------------------------------------------------------------------------

// As the BEAM side exports it.
Word in_beam_segment(Word word) {
    if (term::is_immediate(word))
        return word;
    FakeBeam& beam = FakeBeam::get();
    if (term::is_cons(word)) {
        std::vector<Word> heads;
        for (; term::is_cons(word); word = host::cons_cell(word)[1])
            heads.push_back(in_beam_segment(host::cons_cell(word)[0]));
        return beam.list(heads);
    }
    const Word* object = host::object(word);
    const std::uint64_t size = term::header_size(object[0]);
    const bool is_map = term::header_kind(object[0]) == term::Kind::FlatMap;
    const std::uint64_t parts = is_map ? 2 * size : size;
    Word* copy = beam.words(1 + parts);
    copy[0] = object[0];
    for (std::uint64_t i = 1; i <= parts; ++i)
        copy[i] = in_beam_segment(object[i]);
    return term::make_boxed(reinterpret_cast<Word>(copy));
}

void count_terms(host::Instance& instance) {
    ErlNifEnv* env = call_env(instance);
    const auto empty = [&] { host::env_reset(env, ipc::Ending::Return); };
    for (const Shape& shape : kShapes) {
        const NifFunction make = instance.functions[shape.maker].fptr;
        // With the memory of an environment: the clean-up after a call is part of the price.
        count(
            std::string("host_build_") + shape.name, kTerms, [] {},
            [&] {
                make(env, 0, nullptr);
                empty();
            });
        const Word argument = in_beam_segment(make(env, 0, nullptr));
        empty();
        count(std::string("host_walk_") + shape.name, kTerms, empty,
              [&] { instance.functions[Walk].fptr(env, 1, &argument); });
    }
}

// --- the BEAM side, for which this program is the VM ---------------------------------------------

void measure_beam_side(host::Instance& instance, const char* module, const char* nif_host,
                       const char* library) {
    // What the proxy replaces in the VM, which imports it too; else it asks the kernel in each
    // call.
    require(chdir(".") == 0, "chdir does not work");
    host::context().system_info.resize(sizeof(ErlNifSysInfo) + 2); // a VM that has no name
    void* loaded = dlopen(module, RTLD_LAZY | RTLD_LOCAL);
    require(loaded != nullptr, "the BEAM side cannot be loaded");
    const auto measure = reinterpret_cast<MeasureBeamSide>(dlsym(loaded, "measure_beam_side"));
    require(measure != nullptr, "the BEAM side has no beginning");
    ErlNifEnv* env = call_env(instance);
    ERL_NIF_TERM terms[std::size(kShapes)];
    for (std::size_t i = 0; i < std::size(kShapes); ++i)
        terms[i] = instance.functions[kShapes[i].maker].fptr(env, 0, nullptr);
    measure({env, &instance.priv_data, nif_host, library, terms});
}

} // namespace
} // namespace cordon::hot_path

// hot_path_costs LIBRARY BEAM_SIDE NIF_HOST
int main(int argc, char** argv) {
    using namespace cordon;
    hot_path::require(argc == 4, "three arguments are wanted");
    test::FakeBeam::get();
    host::Instance& instance = hot_path::load(argv[1]);
    hot_path::count_terms(instance);
    hot_path::measure_beam_side(instance, argv[2], argv[3], argv[1]);
    hot_path::count_calls(instance);
    std::_Exit(0); // threads of both sides are running
}
