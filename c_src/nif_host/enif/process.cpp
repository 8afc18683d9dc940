// Processes, ports, names, messages, and what else only the VM knows.
#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/own_environment.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/upcall_client.hpp"
#include "nif_host/worker.hpp"

#include <algorithm>
#include <cstring>

namespace cordon::host {
constinit thread_local std::uint8_t current_thread_type = 0;
} // namespace cordon::host

using namespace cordon::host;
namespace ipc = cordon::ipc;
namespace term = cordon::term;

namespace {

constexpr Word kUndefined =
    term::make_atom(static_cast<std::uint32_t>(cordon::WellKnownAtom::Undefined));

bool is_normal_thread(const ErlNifEnv* env) {
    return env->thread_type == ERL_NIF_THR_NORMAL_SCHEDULER;
}

// For a term that an upcall answers with: an exception where it should not have failed.
Word answered_term(ErlNifEnv* env, ipc::Upcall op, std::initializer_list<Word> arguments) {
    const UpcallAnswer answer(op, arguments);
    return answer.word() == 0 ? env_badarg(env) : copy_term(env, answer.word());
}

// As enif_getenv returns it.
int give_text(std::string_view text, char* to, std::size_t* size) {
    if (text.size() + 1 > *size) {
        *size = text.size() + 1;
        return 1;
    }
    std::memcpy(to, text.data(), text.size());
    to[text.size()] = '\0';
    *size = text.size();
    return 0;
}

} // namespace

ErlNifPid* enif_self(ErlNifEnv* env, ErlNifPid* pid) {
    if (env->caller == 0)
        return nullptr;
    pid->pid = env->caller;
    return pid;
}

int enif_get_local_pid(ErlNifEnv*, ERL_NIF_TERM word, ErlNifPid* pid) {
    if (!term::is_local_pid(word))
        return 0;
    pid->pid = word;
    return 1;
}

int enif_get_local_port(ErlNifEnv*, ERL_NIF_TERM word, ErlNifPort* port) {
    if (!term::is_local_port(word))
        return 0;
    port->port_id = word;
    return 1;
}

void enif_set_pid_undefined(ErlNifPid* pid) {
    pid->pid = kUndefined;
}
int enif_is_pid_undefined(const ErlNifPid* pid) {
    return pid->pid == kUndefined;
}

int enif_send(ErlNifEnv*, const ErlNifPid* to, ErlNifEnv* message_env, ERL_NIF_TERM message) {
    if (!term::is_local_pid(to->pid))
        return 0;
    // The BEAM copies the message while we wait.
    const Word has_env = message_env != nullptr ? 1 : 0;
    const bool sent = upcall(ipc::Upcall::Send, {to->pid, message, has_env}) == 1;
    if (sent && message_env != nullptr)
        env_reset(message_env, ipc::Ending::ClearEnv);
    return sent;
}

int enif_port_command(ErlNifEnv*, const ErlNifPort* to, ErlNifEnv* message_env,
                      ERL_NIF_TERM message) {
    if (!term::is_local_port(to->port_id))
        return 0;
    const bool sent = upcall(ipc::Upcall::PortCommand, {to->port_id, message}) == 1;
    if (sent && message_env != nullptr)
        env_reset(message_env, ipc::Ending::ClearEnv);
    return sent;
}

int enif_is_process_alive(ErlNifEnv*, ErlNifPid* pid) {
    return term::is_local_pid(pid->pid) && upcall(ipc::Upcall::IsProcessAlive, {pid->pid}) == 1;
}

int enif_is_port_alive(ErlNifEnv*, ErlNifPort* port) {
    return term::is_local_port(port->port_id) &&
           upcall(ipc::Upcall::IsPortAlive, {port->port_id}) == 1;
}

int enif_is_current_process_alive(ErlNifEnv* env) {
    if (env->caller == 0)
        return 0;
    if (!is_normal_thread(env))
        return upcall(ipc::Upcall::CurrentProcessAlive, {}) == 1;
    // On a normal scheduler the caller can't die; but if the call has moved it can, and whoever
    // waits for the call says so. It costs nothing to look.
    const int slot = current_slot();
    return slot < 0 || context()
                               .request(static_cast<std::uint32_t>(slot))
                               .caller_gone.load(std::memory_order_acquire) == 0;
}

int enif_whereis_pid(ErlNifEnv*, ERL_NIF_TERM name, ErlNifPid* pid) {
    const Word found = term::is_atom(name) ? upcall(ipc::Upcall::WhereisPid, {name}) : 0;
    if (found == 0)
        return 0;
    pid->pid = found;
    return 1;
}

int enif_whereis_port(ErlNifEnv*, ERL_NIF_TERM name, ErlNifPort* port) {
    const Word found = term::is_atom(name) ? upcall(ipc::Upcall::WhereisPort, {name}) : 0;
    if (found == 0)
        return 0;
    port->port_id = found;
    return 1;
}

int enif_thread_type() {
    return current_thread_type;
}

int enif_consume_timeslice(ErlNifEnv* env, int percent) {
    if (!is_normal_thread(env) || env->caller == 0)
        return 0;
    const int clamped = std::clamp(percent, 1, 100);
    env->timeslice_used = upcall(ipc::Upcall::ConsumeTimeslice, {static_cast<Word>(clamped)}) == 1;
    return env->timeslice_used;
}

ERL_NIF_TERM enif_make_ref(ErlNifEnv* env) {
    return answered_term(env, ipc::Upcall::MakeRef, {});
}

ERL_NIF_TERM enif_make_unique_integer(ErlNifEnv* env, ErlNifUniqueInteger properties) {
    return answered_term(env, ipc::Upcall::UniqueInteger, {static_cast<Word>(properties)});
}

int enif_term_to_binary(ErlNifEnv*, ERL_NIF_TERM word, ErlNifBinary* binary) {
    const UpcallAnswer answer(ipc::Upcall::TermToBinary, {word});
    if (!is_whole_binary(answer.word()))
        return 0;
    const Bytes bytes = binary_bytes(answer.word());
    if (enif_alloc_binary(bytes.size, binary) == 0)
        return 0;
    std::memcpy(binary->data, bytes.data, bytes.size);
    return 1;
}

std::size_t enif_binary_to_term(ErlNifEnv* env, const unsigned char* data, std::size_t size,
                                ERL_NIF_TERM* word, unsigned options) {
    if ((options & ~static_cast<unsigned>(ERL_NIF_BIN2TERM_SAFE)) != 0)
        return 0;
    const UpcallText text({reinterpret_cast<const char*>(data), size});
    const UpcallAnswer answer(ipc::Upcall::BinaryToTerm, {text.address(), text.bytes(), options});
    if (answer.word() == 0)
        return 0;
    *word = copy_term(env, answer.word());
    return answer.word(1);
}

int enif_getenv(const char* key, char* value, std::size_t* value_size) {
    if (const std::optional<std::string> own = own_environment(key))
        return give_text(*own, value, value_size);
    const UpcallText name(key);
    const UpcallAnswer answer(ipc::Upcall::GetEnv, {name.address(), name.bytes()});
    if (!is_whole_binary(answer.word()))
        return -1;
    const Bytes bytes = binary_bytes(answer.word());
    return give_text({reinterpret_cast<const char*>(bytes.data), bytes.size}, value, value_size);
}

void enif_system_info(ErlNifSysInfo* info, std::size_t size) {
    // The VM's own record; behind it the two strings that it points to.
    const std::vector<char>& known = context().system_info;
    ErlNifSysInfo full{};
    std::copy_n(known.data(), std::min(sizeof full, known.size()), reinterpret_cast<char*>(&full));
    static char unknown[] = "";
    full.erts_version = full.otp_release = unknown;
    if (known.size() > sizeof full && known.back() == '\0') {
        char* strings = const_cast<char*>(known.data()) + sizeof full;
        full.erts_version = strings;
        const std::size_t next = std::strlen(strings) + 1;
        if (sizeof full + next < known.size())
            full.otp_release = strings + next;
    }
    // Only what fits as a whole is told; these came with versions of the record.
#define CORDON_END_OF(field) (offsetof(ErlNifSysInfo, field) + sizeof full.field)
    std::size_t told = CORDON_END_OF(smp_support);
    for (const std::size_t end :
         {CORDON_END_OF(scheduler_threads), CORDON_END_OF(nif_minor_version),
          CORDON_END_OF(dirty_scheduler_support)})
        if (end <= size)
            told = end;
#undef CORDON_END_OF
    std::memcpy(info, &full, std::min(size, told));
}
