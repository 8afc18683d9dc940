#include "kernel_proxy/vm_clock.hpp"

#include "kernel_proxy/own_env.hpp"

#include <atomic>

namespace cordon::proxy {
namespace {

// In ns, as a scheduler was told last. It is constant but for nodes that run with time warps.
std::atomic<ErlNifTime> time_offset{0};

// Every thread may ask for erlang:now/0, which is monotonic time + offset in whole microseconds. It
// is later than all before it, so it can be ahead where somebody asks more often than that.
ErlNifTime monotonic_of_now() {
    const OwnEnv own;
    int arity = 0;
    const ERL_NIF_TERM* parts = nullptr;
    ErlNifSInt64 mega = 0;
    ErlNifSInt64 seconds = 0;
    ErlNifSInt64 micro = 0;
    enif_get_tuple(own.env, enif_now_time(own.env), &arity, &parts);
    enif_get_int64(own.env, parts[0], &mega);
    enif_get_int64(own.env, parts[1], &seconds);
    enif_get_int64(own.env, parts[2], &micro);
    constexpr ErlNifSInt64 kMillion = 1'000'000;
    return ((mega * kMillion + seconds) * kMillion + micro) * 1000 -
           time_offset.load(std::memory_order_relaxed);
}

bool on_scheduler() {
    return enif_thread_type() != ERL_NIF_THR_UNDEFINED;
}

} // namespace

void learn_time_offset() {
    time_offset.store(enif_time_offset(ERL_NIF_NSEC), std::memory_order_relaxed);
}

ErlNifTime vm_monotonic_time(ErlNifTimeUnit unit) {
    return on_scheduler() ? enif_monotonic_time(unit)
                          : enif_convert_time_unit(monotonic_of_now(), ERL_NIF_NSEC, unit);
}

ErlNifTime vm_time_offset(ErlNifTimeUnit unit) {
    if (!on_scheduler())
        return enif_convert_time_unit(time_offset.load(std::memory_order_relaxed), ERL_NIF_NSEC,
                                      unit);
    learn_time_offset();
    return enif_time_offset(unit);
}

} // namespace cordon::proxy
