#include "kernel_proxy/upcall_service.hpp"

#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/external_format.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/monitor_identity.hpp"
#include "kernel_proxy/own_env.hpp"
#include "kernel_proxy/term_export.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/vm_clock.hpp"
#include "kernel_proxy/vm_words.hpp"
#include "shared_heap/wild.hpp"

#include <cstring>
#include <string>

namespace cordon::proxy {
namespace {

using ipc::Upcall;

constexpr std::uint64_t kMaxNameBytes = 64 * 1024;
constexpr std::size_t kMaxVariable = 64 << 20;

class Service {
  public:
    Service(Host& host, const ipc::ResponseHalf& response, ArgumentArena& arena,
            UpcallContext& context)
        : host_(host), response_(response), arena_(arena), context_(context), env_(context.env) {}

    std::array<Word, ipc::kAnswerWords> run();

  private:
    Word argument(std::size_t i) const {
        return Wild<Word>::read(&response_.upcall_args[i]).unchecked();
    }
    ERL_NIF_TERM term(std::size_t i, Use use = Use::Walk) {
        return import_term(env_, argument(i), host_, arena_, use);
    }
    Word answer(ERL_NIF_TERM term) { return export_term(env_, term, host_, arena_, Stale::Plain); }
    std::string text(std::size_t i);
    ERL_NIF_TERM name() {
        const ERL_NIF_TERM atom = term(0);
        if (enif_is_atom(env_, atom) == 0)
            throw ProtocolViolation("name_is_no_atom");
        return atom;
    }
    ErlNifPid pid(std::size_t i) const;
    ErlNifPort port(std::size_t i) const;
    static Word number(std::int64_t value) { return static_cast<Word>(value); }

    Word make_atom(bool create);
    Word send();
    Word monotonic_time(bool offset);
    Word whereis_pid();
    Word whereis_port();
    Word port_command();
    Word environment_variable();
    Word term_to_binary();
    std::array<Word, ipc::kAnswerWords> binary_to_term();
    Word map_order();

    Host& host_;
    const ipc::ResponseHalf& response_;
    ArgumentArena& arena_;
    UpcallContext& context_;
    ErlNifEnv* env_;
};

std::string Service::text(std::size_t i) {
    const auto bytes = argument(i + 1);
    if (bytes > kMaxNameBytes)
        throw ProtocolViolation("text_too_long");
    return {host_bytes(host_, arena_, argument(i), bytes), bytes};
}

ErlNifPid Service::pid(std::size_t i) const {
    ErlNifPid pid;
    if (!pid_from_word(argument(i), &pid))
        throw ProtocolViolation("invalid_pid");
    return pid;
}

ErlNifPort Service::port(std::size_t i) const {
    ErlNifPort port;
    if (!port_from_word(argument(i), &port))
        throw ProtocolViolation("invalid_port");
    return port;
}

Word Service::make_atom(bool create) {
    const std::string name = text(0);
    ERL_NIF_TERM atom = BeamAtoms::from_text(env_, name, false);
    if (atom == 0 && create) {
        if (!host_.group().count_atoms(1))
            return 0;
        atom = BeamAtoms::from_text(env_, name, true);
    }
    return atom == 0 ? 0 : BeamAtoms::instance().word_of(env_, atom);
}

// The VM gives a message the caller's sequential trace token only if it has an environment of its
// own. One without is copied, as in process, unless that could be endless.
Word Service::send() {
    ErlNifPid to = pid(0);
    const OwnEnv message;
    ErlNifEnv* sent_env = message.env;
    ERL_NIF_TERM term;
    if (context_.caller != nullptr && argument(2) == 0) {
        try {
            term = import_term(message.env, argument(1), host_, arena_, Use::Copy);
            sent_env = nullptr;
        } catch (const TermTooLarge&) {
            term = import_term(message.env, argument(1), host_, arena_);
        }
    } else {
        term = import_term(message.env, argument(1), host_, arena_);
    }
    return number(enif_send(context_.caller, &to, sent_env, term));
}

Word Service::monotonic_time(bool offset) {
    const auto unit = static_cast<ErlNifTimeUnit>(argument(0));
    return number(offset ? vm_time_offset(unit) : vm_monotonic_time(unit));
}

Word Service::whereis_pid() {
    ErlNifPid found;
    return enif_whereis_pid(context_.caller, name(), &found) != 0 ? pid_word(found) : 0;
}

Word Service::whereis_port() {
    ErlNifPort found;
    return enif_whereis_port(context_.caller, name(), &found) != 0 ? port_word(found) : 0;
}

// The VM crashes when this is done for a closed port from anywhere but a normal scheduler: only
// there it is done, everywhere else it fails as for a closed port.
Word Service::port_command() {
    ErlNifPort to = port(0);
    if (context_.caller == nullptr || enif_thread_type() != ERL_NIF_THR_NORMAL_SCHEDULER)
        return number(0);
    return number(enif_port_command(context_.caller, &to, nullptr, term(1)));
}

Word Service::environment_variable() {
    const std::string name = text(0);
    std::string value(256, '\0');
    std::size_t size = value.size();
    int result = enif_getenv(name.c_str(), value.data(), &size);
    // Too small: `size` should say what is needed, but does not in OTP 25.
    while (result > 0 && value.size() <= kMaxVariable) {
        size = std::max(size, 2 * value.size()) + 1;
        value.resize(size);
        result = enif_getenv(name.c_str(), value.data(), &size);
    }
    if (result != 0)
        return 0;
    ERL_NIF_TERM binary;
    std::memcpy(enif_make_new_binary(env_, size, &binary), value.data(), size);
    return answer(binary);
}

Word Service::term_to_binary() {
    ErlNifBinary encoded;
    if (enif_term_to_binary(env_, term(0), &encoded) == 0)
        return 0;
    return answer(enif_make_binary(env_, &encoded));
}

std::array<Word, ipc::kAnswerWords> Service::binary_to_term() {
    const Word bytes = argument(1);
    if (bytes > 8 * (host_.physical_words() + kMaxNameBytes))
        throw ProtocolViolation("binary_to_term_too_large");
    const std::string copy(host_bytes(host_, arena_, argument(0), bytes), bytes);
    return decode_for_host(host_, arena_, copy, (argument(2) & ERL_NIF_BIN2TERM_SAFE) != 0);
}

// The pairs of a map in the order in which the VM iterates them: each value is the number that the
// host gave its pair, and the answer has these numbers, four bytes each.
Word Service::map_order() {
    const ERL_NIF_TERM map = term(0);
    std::size_t size = 0;
    ErlNifMapIterator iterator;
    if (enif_get_map_size(env_, map, &size) == 0 ||
        enif_map_iterator_create(env_, map, &iterator, ERL_NIF_MAP_ITERATOR_FIRST) == 0)
        throw ProtocolViolation("order_of_no_map");
    ERL_NIF_TERM binary;
    unsigned char* to = enif_make_new_binary(env_, size * sizeof(std::uint32_t), &binary);
    ERL_NIF_TERM key;
    ERL_NIF_TERM value;
    for (; enif_map_iterator_get_pair(env_, &iterator, &key, &value) != 0;
         enif_map_iterator_next(env_, &iterator)) {
        unsigned number = 0;
        enif_get_uint(env_, value, &number);
        std::memcpy(to, &number, sizeof number);
        to += sizeof number;
    }
    enif_map_iterator_destroy(env_, &iterator);
    return answer(binary);
}

std::array<Word, ipc::kAnswerWords> Service::run() {
    switch (Wild<Upcall>::read(&response_.upcall).unchecked()) {
    case Upcall::MakeAtom:
        return {make_atom(true)};
    case Upcall::ExistingAtom:
        return {make_atom(false)};
    case Upcall::MakeRef:
        return {answer(enif_make_ref(env_))};
    case Upcall::Send:
        return {send()};
    case Upcall::ConsumeTimeslice: {
        const auto percent = static_cast<int>(argument(0));
        if (context_.caller == nullptr || percent < 1 || percent > 100)
            return {0};
        context_.timeslice_percent = percent;
        context_.timeslice_used = enif_consume_timeslice(context_.caller, percent) != 0;
        return {number(context_.timeslice_used ? 1 : 0)};
    }
    case Upcall::IsProcessAlive: {
        ErlNifPid process = pid(0);
        return {number(
            enif_is_process_alive(context_.caller != nullptr ? context_.caller : env_, &process))};
    }
    case Upcall::IsPortAlive: {
        ErlNifPort asked = port(0);
        return {number(
            enif_is_port_alive(context_.caller != nullptr ? context_.caller : env_, &asked))};
    }
    case Upcall::WhereisPid:
        return {whereis_pid()};
    case Upcall::WhereisPort:
        return {whereis_port()};
    case Upcall::MonotonicTime:
        return {monotonic_time(false)};
    case Upcall::TimeOffset:
        return {monotonic_time(true)};
    case Upcall::NowTime:
        return {answer(enif_now_time(env_))};
    case Upcall::UniqueInteger:
        return {answer(
            enif_make_unique_integer(env_, static_cast<ErlNifUniqueInteger>(argument(0) & 3)))};
    case Upcall::TermToBinary:
        return {term_to_binary()};
    case Upcall::BinaryToTerm:
        return binary_to_term();
    case Upcall::Print:
        return print_for_host(env_, term(0, Use::Print), argument(1), static_cast<int>(argument(2)),
                              host_, arena_);
    case Upcall::MapOrder:
        return {map_order()};
    case Upcall::Hash: {
        const auto type = argument(0) == ERL_NIF_PHASH2 ? ERL_NIF_PHASH2 : ERL_NIF_INTERNAL_HASH;
        return {enif_hash(type, term(2), argument(1))};
    }
    case Upcall::Compare:
        return {number(enif_compare(term(0), term(1)))};
    case Upcall::PortCommand:
        return {port_command()};
    case Upcall::CurrentProcessAlive:
        return {number(
            context_.caller == nullptr ? 0 : enif_is_current_process_alive(context_.caller))};
    case Upcall::GetEnv:
        return {environment_variable()};
    case Upcall::Monitor:
        return host_.group().monitors().monitor(host_, context_.caller, argument(0), pid(1),
                                                argument(2), argument(3) != 0);
    case Upcall::Demonitor:
        host_.group().monitors().demonitor(host_, context_.caller, argument(0));
        return {0};
    case Upcall::MonitorTerm: {
        const ERL_NIF_TERM reference =
            monitor_reference(env_, {argument(0), argument(1), argument(2)});
        return {reference == 0 ? 0 : answer(reference)};
    }
    case Upcall::Anchor:
        return host_.group().monitors().anchor(host_, argument(0));
    case Upcall::DropAnchor:
        host_.group().monitors().drop_anchor(host_, argument(0));
        return {0};
    }
    throw ProtocolViolation("unknown_upcall");
}

} // namespace

HostEnd end_of(const std::exception& error) {
    if (const auto* quota = dynamic_cast<const QuotaUsedUp*>(&error); quota != nullptr)
        return {HostEnd::Kind::Quota, static_cast<std::int64_t>(quota->kind), ""};
    // Atoms are made of these texts: only fixed ones.
    const bool fixed = dynamic_cast<const ProtocolViolation*>(&error) != nullptr;
    return {HostEnd::Kind::Protocol, 0, fixed ? error.what() : "upcall_failed"};
}

void serve_upcall(Host& host, const ipc::ResponseHalf& response, ipc::RequestHalf& request,
                  ArgumentArena& arena, UpcallContext& context) {
    request.answer = Service(host, response, arena, context).run();
    request.chunks = arena.chunks_sent();
}

} // namespace cordon::proxy
