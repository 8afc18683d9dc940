#include "kernel_proxy/call_hop.hpp"

#include "kernel_proxy/background.hpp"
#include "kernel_proxy/call_request.hpp"
#include "kernel_proxy/vm_threads.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

constexpr int kLeftToOthers = 2;
// How soon a call is given up whose process was killed while it moved.
constexpr auto kCallerCheck = 10ms;

std::atomic<int> dirty_limit{10 - kLeftToOthers};
std::atomic<bool> dirty_limit_known{false};
std::atomic<int> dirty_taken{0};

// --- callers that are killed on the way
// ------------------------------------------------------------

// Moves that have begun. Entered by schedulers, looked through by the upcall thread.
struct Moves {
    std::mutex lock;
    std::vector<Move*> begun;
    bool watched = false;
};
auto& moves = *new Moves; // the thread goes on while the VM exits

// True when nothing is left to watch about this move.
bool settle(Move* move) {
    if (move->state.load(std::memory_order_acquire) != Move::State::UnderWay)
        return true;
    ErlNifEnv* env = enif_alloc_env();
    const bool alive = enif_is_process_alive(env, &move->caller) != 0;
    enif_free_env(env);
    auto expected = Move::State::UnderWay;
    if (alive || !move->state.compare_exchange_strong(expected, Move::State::Settled))
        return !alive;
    if (move->call.reserved)
        release_dirty_scheduler();
    abandon_call(move->call, move->mid_chain);
    return true;
}

void watch_moves() {
    auto timer = std::make_shared<boost::asio::steady_timer>(upcall_thread(), kCallerCheck);
    timer->async_wait([timer](const auto&) {
        std::vector<Move*> begun;
        {
            const std::scoped_lock guard(moves.lock);
            begun.swap(moves.begun);
        }
        std::erase_if(begun, settle);
        const std::scoped_lock guard(moves.lock);
        for (Move* move : begun)
            if (std::find(moves.begun.begin(), moves.begun.end(), move) == moves.begun.end())
                moves.begun.push_back(move);
        moves.watched = !moves.begun.empty();
        if (moves.watched)
            watch_moves();
    });
}

void enter(Move* move) {
    const std::scoped_lock guard(moves.lock);
    if (std::find(moves.begun.begin(), moves.begun.end(), move) == moves.begun.end())
        moves.begun.push_back(move);
    if (!moves.watched) {
        moves.watched = true;
        boost::asio::post(upcall_thread(), [] { watch_moves(); });
    }
}

// --- the move itself
// -------------------------------------------------------------------------------

ERL_NIF_TERM resume(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) try {
    ErlNifUInt64 address = 0;
    enif_get_uint64(env, argv[0], &address);
    auto* move = reinterpret_cast<Move*>(address);
    auto expected = Move::State::UnderWay;
    if (!move->state.compare_exchange_strong(expected, Move::State::Settled))
        return enif_make_badarg(env); // the process is dying: nobody gets it
    const ActiveCall call = move->call;
    call.slot->turn_started = {};
    const Place place =
        enif_thread_type() == ERL_NIF_THR_NORMAL_SCHEDULER ? Place::Normal : Place::Dirty;
    if (move->mid_chain)
        return continue_call(env, call, place);
    if (place == Place::Normal && !call.needs_normal &&
        reserve_dirty_scheduler()) { // room has come up meanwhile
        release_dirty_scheduler();
        return hop(env, call);
    }
    return drive_call(env, call, place, false);
} catch (const std::exception&) {
    return enif_raise_exception(env, enif_make_atom(env, "system_limit"));
}

ERL_NIF_TERM schedule(ErlNifEnv* env, const ActiveCall& call, bool mid_chain, int flags) {
    Move& move = call.slot->move;
    hold_arguments(*call.host, *call.slot);
    move.call = call;
    move.mid_chain = mid_chain;
    enif_self(env, &move.caller);
    move.state.store(Move::State::UnderWay, std::memory_order_release);
    enter(&move);
    const ERL_NIF_TERM argument = enif_make_uint64(env, reinterpret_cast<ErlNifUInt64>(&move));
    const std::string& name = call.instance->library->function(call.function).name;
    return enif_schedule_nif(env, name.c_str(), flags, &resume, 1, &argument);
}

} // namespace

ERL_NIF_TERM hop(ErlNifEnv* env, ActiveCall call) {
    if (!call.reserved)
        call.reserved = reserve_dirty_scheduler();
    return schedule(env, call, false, call.reserved ? ERL_NIF_DIRTY_JOB_IO_BOUND : 0);
}

ERL_NIF_TERM hop_to_normal(ErlNifEnv* env, ActiveCall call) {
    if (call.reserved)
        release_dirty_scheduler();
    call.reserved = false;
    call.needs_normal = true;
    return schedule(env, call, false, 0);
}

ERL_NIF_TERM schedule_step(ErlNifEnv* env, ActiveCall call, int flags) {
    if (call.reserved)
        release_dirty_scheduler();
    call.reserved = false;
    return schedule(env, call, true, flags);
}

bool reserve_dirty_scheduler() {
    if (dirty_taken.fetch_add(1, std::memory_order_relaxed) <
        dirty_limit.load(std::memory_order_relaxed))
        return true;
    release_dirty_scheduler();
    return false;
}

void release_dirty_scheduler() {
    dirty_taken.fetch_sub(1, std::memory_order_relaxed);
}

void set_dirty_io_schedulers(int count) {
    dirty_limit.store(count > kLeftToOthers ? count - kLeftToOthers : 1, std::memory_order_relaxed);
    dirty_limit_known.store(true, std::memory_order_relaxed);
}

void learn_dirty_io_schedulers() {
    if (dirty_limit_known.load(std::memory_order_relaxed))
        return;
    if (const int count = count_dirty_io_schedulers(); count > 0)
        set_dirty_io_schedulers(count);
}

} // namespace cordon::proxy
