#include "kernel_proxy/vm_words.hpp"

#include <atomic>

namespace cordon::proxy {
namespace {

constexpr ERL_NIF_TERM kTagMask = 0xF;
constexpr ERL_NIF_TERM kUnknown = ~ERL_NIF_TERM{0};

// Relaxed: a word can come back only after it was sent, and that is ordered by the call.
std::atomic<ERL_NIF_TERM> pid_tag{kUnknown};
std::atomic<ERL_NIF_TERM> port_tag{kUnknown};

term::Word to_word(ERL_NIF_TERM vm, term::Word tag, std::atomic<ERL_NIF_TERM>& learnt) {
    if (learnt.load(std::memory_order_relaxed) == kUnknown)
        learnt.store(vm & kTagMask, std::memory_order_relaxed);
    return (vm & ~kTagMask) | tag;
}

bool from_word(term::Word word, const std::atomic<ERL_NIF_TERM>& learnt, ERL_NIF_TERM* vm) {
    const ERL_NIF_TERM tag = learnt.load(std::memory_order_relaxed);
    if (tag == kUnknown)
        return false;
    *vm = (word & ~kTagMask) | tag;
    return true;
}

} // namespace

term::Word pid_word(const ErlNifPid& pid) {
    return to_word(pid.pid, term::kPidTag, pid_tag);
}

term::Word port_word(const ErlNifPort& port) {
    return to_word(port.port_id, term::kPortTag, port_tag);
}

bool pid_from_word(term::Word word, ErlNifPid* pid) {
    return term::is_local_pid(word) && from_word(word, pid_tag, &pid->pid);
}

bool port_from_word(term::Word word, ErlNifPort* port) {
    return term::is_local_port(word) && from_word(word, port_tag, &port->port_id);
}

} // namespace cordon::proxy
