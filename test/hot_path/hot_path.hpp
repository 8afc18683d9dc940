// What both halves of hot_path_costs share: how an operation is counted.
//
// The program is run under callgrind, which counts nothing until it is told to. Each operation is
// done some times to warm up (first use of a slot, of an atom, of a symbol), then counted some
// times; what was counted is dumped under the operation's name, with the number of times:
// "beam_call 1000".
#pragma once

#include <cstdint>
#include <erl_nif.h>
#include <list>
#include <string>
#include <valgrind/callgrind.h>

namespace cordon::hot_path {

// Of the library, by index.
enum Function : std::uint32_t { Add, Walk, List, Map, Tree };

struct Shape {
    const char* name;
    Function maker;
};
inline constexpr Shape kShapes[] = {{"list", List}, {"map", Map}, {"tree", Tree}};

inline constexpr int kWarmUp = 8;
inline constexpr int kCalls = 1000; // the times that a call is counted
inline constexpr int kTerms = 10;   // the times that the work on a term is counted

// callgrind may read the name later.
inline void dump(const std::string& operation, int times) {
    static std::list<std::string> names;
    names.push_back(operation + ' ' + std::to_string(times));
    CALLGRIND_DUMP_STATS_AT(names.back().c_str());
}

// Counts `operation`, and not `prepare`, which is run before each time.
template <class Prepare, class Operation>
void count(const std::string& name, int times, const Prepare& prepare, const Operation& operation) {
    for (int i = 0; i < kWarmUp + times; ++i) {
        prepare();
        if (i >= kWarmUp)
            CALLGRIND_TOGGLE_COLLECT;
        operation();
        if (i >= kWarmUp)
            CALLGRIND_TOGGLE_COLLECT;
    }
    dump(name, times);
}

// beam_side.cpp, loaded as the VM loads cordon_nif.so. `terms`: one for each shape, of the VM.
struct BeamSide {
    ErlNifEnv* env;
    void** private_data; // what enif_priv_data(env) gives
    const char* nif_host;
    const char* library;
    const ERL_NIF_TERM* terms;
};
using MeasureBeamSide = void (*)(const BeamSide& side);

} // namespace cordon::hot_path
