// Time. The VM corrects its clock, so its time can only be asked for.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/upcall_client.hpp"

#include <array>
#include <ctime>

using namespace cordon::host;
namespace ipc = cordon::ipc;
namespace term = cordon::term;

namespace {

constexpr std::array<ErlNifTime, 4> kPerSecond{1, 1'000, 1'000'000, 1'000'000'000};

bool known(ErlNifTimeUnit unit) {
    return static_cast<unsigned>(unit) < kPerSecond.size();
}

// Near the smallest time it wraps around, as the VM's does.
ErlNifTime floor_divide(ErlNifTime a, ErlNifTime b) {
    return a < 0 ? static_cast<ErlNifTime>(static_cast<Word>(a) - static_cast<Word>(b - 1)) / b
                 : a / b;
}

// Only schedulers are told: threads of the library's own get an error, as in the VM.
ErlNifTime ask(ipc::Upcall op, ErlNifTimeUnit unit) {
    return known(unit) && current_thread_type != ERL_NIF_THR_UNDEFINED
               ? static_cast<ErlNifTime>(upcall(op, {static_cast<Word>(unit)}))
               : ERL_NIF_TIME_ERROR;
}

} // namespace

ErlNifTime enif_monotonic_time(ErlNifTimeUnit unit) {
    return ask(ipc::Upcall::MonotonicTime, unit);
}

ErlNifTime enif_time_offset(ErlNifTimeUnit unit) {
    return ask(ipc::Upcall::TimeOffset, unit);
}

ErlNifTime enif_convert_time_unit(ErlNifTime value, ErlNifTimeUnit from, ErlNifTimeUnit to) {
    if (!known(from) || !known(to))
        return ERL_NIF_TIME_ERROR;
    const ErlNifTime of_from = kPerSecond[static_cast<std::size_t>(from)];
    const ErlNifTime of_to = kPerSecond[static_cast<std::size_t>(to)];
    // Wraps around where the VM's own conversion does.
    return of_to >= of_from ? static_cast<ErlNifTime>(static_cast<Word>(value) *
                                                      static_cast<Word>(of_to / of_from))
                            : floor_divide(value, of_from / of_to);
}

ERL_NIF_TERM enif_now_time(ErlNifEnv* env) {
    const UpcallAnswer answer(ipc::Upcall::NowTime, {});
    return answer.word() == 0 ? env_badarg(env) : copy_term(env, answer.word());
}

// CPU time of the host: that is where the library uses it.
ERL_NIF_TERM enif_cpu_time(ErlNifEnv* env) {
    timespec time{};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0)
        return env_badarg(env);
    constexpr long kMega = 1'000'000;
    return enif_make_tuple3(env, term::make_small(time.tv_sec / kMega),
                            term::make_small(time.tv_sec % kMega),
                            term::make_small(time.tv_nsec / 1000));
}
