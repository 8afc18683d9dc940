#include "kernel_proxy/vm_words.hpp"

#include <array>
#include <atomic>

namespace cordon::proxy {
namespace {

constexpr ERL_NIF_TERM kTagMask = 0xF;
constexpr ERL_NIF_TERM kUnknown = ~ERL_NIF_TERM{0};

// One kind of immediate: pids, or ports. All relaxed: a word of the VM is right or wrong by itself.
class Immediates {
  public:
    explicit constexpr Immediates(term::Word tag) : host_tag_(tag) {}

    term::Word to_word(ERL_NIF_TERM vm) {
        if (vm_tag_.load(std::memory_order_relaxed) == kUnknown)
            vm_tag_.store(vm & kTagMask, std::memory_order_relaxed);
        remember(vm);
        return (vm & ~kTagMask) | host_tag_;
    }

    bool from_word(term::Word word, ERL_NIF_TERM* vm) {
        const ERL_NIF_TERM tag = vm_tag_.load(std::memory_order_relaxed);
        if ((word & kTagMask) != host_tag_ || tag == kUnknown)
            return false; // none has ever been sent out
        *vm = (word & ~kTagMask) | tag;
        if (place(*vm).load(std::memory_order_relaxed) == *vm)
            return true;
        if (!in_order(*vm))
            return false;
        remember(*vm);
        return true;
    }

  private:
    std::atomic<ERL_NIF_TERM>& place(ERL_NIF_TERM vm) {
        return known_[(vm * 0x9E3779B97F4A7C15ULL) >> 54];
    }

    // Stores only what changes, so that the lines stay shared between the schedulers.
    void remember(ERL_NIF_TERM vm) {
        auto& known = place(vm);
        if (known.load(std::memory_order_relaxed) != vm)
            known.store(vm, std::memory_order_relaxed);
    }

    static bool in_order(ERL_NIF_TERM vm) {
        ErlNifEnv* env = enif_alloc_env();
        ErlNifBinary encoded;
        ERL_NIF_TERM again = 0;
        if (enif_term_to_binary(env, vm, &encoded) != 0) {
            if (enif_binary_to_term(env, encoded.data, encoded.size, &again, 0) == 0)
                again = 0;
            enif_release_binary(&encoded);
        }
        enif_free_env(env);
        return again == vm;
    }

    const term::Word host_tag_;
    std::atomic<ERL_NIF_TERM> vm_tag_{kUnknown};
    std::array<std::atomic<ERL_NIF_TERM>, 1024> known_{};
};

Immediates pids(term::kPidTag);
Immediates ports(term::kPortTag);

bool is_small_in_vm(ErlNifEnv* env, ErlNifSInt64 value) {
    return enif_make_int64(env, value) == term::make_small(value);
}

} // namespace

bool small_words_agree = false;

// Both borders, both signs, and that nothing else looks like one.
void learn_small_words(ErlNifEnv* env) {
    bool agree = true;
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{0x123456789ABCDE},
          -std::int64_t{0x123456789ABCDE}, term::kSmallMin, term::kSmallMax})
        agree = agree && is_small_in_vm(env, value);
    for (const ERL_NIF_TERM other :
         {enif_make_int64(env, term::kSmallMin - 1), enif_make_int64(env, term::kSmallMax + 1),
          enif_make_double(env, 1.0), enif_make_atom(env, "ok"), enif_make_list(env, 0),
          enif_make_list1(env, enif_make_int(env, 1)), enif_make_tuple1(env, enif_make_int(env, 1)),
          enif_make_new_map(env), enif_make_ref(env)})
        agree = agree && !term::is_small(other);
    small_words_agree = agree;
}

term::Word pid_word(const ErlNifPid& pid) {
    return pids.to_word(pid.pid);
}

term::Word port_word(const ErlNifPort& port) {
    return ports.to_word(port.port_id);
}

bool pid_from_word(term::Word word, ErlNifPid* pid) {
    return pids.from_word(word, &pid->pid);
}

bool port_from_word(term::Word word, ErlNifPort* port) {
    return ports.from_word(word, &port->port_id);
}

} // namespace cordon::proxy
