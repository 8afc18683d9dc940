#include "kernel_proxy/upcall_service.hpp"

#include "kernel_proxy/beam_atoms.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/term_export.hpp"
#include "kernel_proxy/term_import.hpp"
#include "kernel_proxy/vm_words.hpp"
#include "shared_heap/wild.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace cordon::proxy {
namespace {

using ipc::Upcall;

constexpr std::uint64_t kMaxNameBytes = 64 * 1024;
constexpr std::uint64_t kMaxInflated = 64 << 20;

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
    ERL_NIF_TERM term(std::size_t i) {
        return import_term(env_, argument(i), host_, arena_, Use::Walk);
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

Word Service::send() {
    ErlNifPid to = pid(0);
    ErlNifEnv* message = enif_alloc_env();
    int sent = 0;
    try {
        const ERL_NIF_TERM term = import_term(message, argument(1), host_, arena_);
        sent = enif_send(context_.caller, &to, message, term);
    } catch (...) {
        enif_free_env(message);
        throw;
    }
    enif_free_env(message);
    return number(sent);
}

Word Service::monotonic_time(bool offset) {
    const auto unit = static_cast<ErlNifTimeUnit>(argument(0));
    return number(offset ? enif_time_offset(unit) : enif_monotonic_time(unit));
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
    if (result > 0) { // too small: `size` says what is needed
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

// Of compressed external term format: how large it says it is; 0 when it is not compressed.
std::uint64_t declared_size(std::string_view encoded) {
    constexpr char kCompressed = 80;
    std::uint64_t bytes = 0;
    if (encoded.size() > 6 && encoded[1] == kCompressed)
        for (std::size_t i = 2; i < 6; ++i)
            bytes = bytes << 8 | static_cast<unsigned char>(encoded[i]);
    return bytes;
}

// Atoms that the bytes can make count as made: the quota holds here too. Counted are bytes that
// look like an atom's tag, for compressed bytes what they could hold at most.
std::uint64_t possible_atoms(std::string_view encoded) {
    constexpr std::string_view kAtomTags = "dsvw";
    constexpr std::size_t kSmallestAtom = 3;
    if (const std::uint64_t inflated = declared_size(encoded); inflated > 0)
        return inflated / kSmallestAtom;
    return static_cast<std::uint64_t>(std::count_if(encoded.begin(), encoded.end(), [&](char c) {
        return kAtomTags.find(c) != std::string_view::npos;
    }));
}

std::array<Word, ipc::kAnswerWords> Service::binary_to_term() {
    const Word bytes = argument(1);
    const std::uint64_t written = 8 * (host_.physical_words() + kMaxNameBytes);
    if (bytes > written)
        throw ProtocolViolation("binary_to_term_too_large");
    const char* from = host_bytes(host_, arena_, argument(0), bytes);
    const std::string copy(from, bytes); // what is checked is what is decoded
    const auto* data = reinterpret_cast<const unsigned char*>(copy.data());
    const bool safe = (argument(2) & ERL_NIF_BIN2TERM_SAFE) != 0;
    std::optional<std::uint32_t> before;
    ERL_NIF_TERM decoded;
    if (declared_size(copy) > std::max<std::uint64_t>(16 * written, kMaxInflated))
        return {0, 0};
    std::size_t used =
        enif_binary_to_term(env_, data, copy.size(), &decoded, ERL_NIF_BIN2TERM_SAFE);
    if (used == 0 && !safe) {
        // Charged is what the decoded term really has of atoms that were not known here.
        Group& group = host_.group();
        const std::uint64_t estimate = possible_atoms(copy);
        if (!group.count_atoms(estimate))
            throw QuotaUsedUp{};
        used = enif_binary_to_term(env_, data, copy.size(), &decoded, 0);
        group.uncount_atoms(estimate);
        if (used != 0)
            before = BeamAtoms::instance().count();
    }
    if (used == 0)
        return {0, 0};
    // A fun made of arbitrary bytes can crash the VM when it is called.
    const Word word = export_term(env_, decoded, host_, arena_, Stale::Plain, Funs::Refuse);
    if (before && !host_.group().count_atoms(BeamAtoms::instance().count() - *before))
        throw QuotaUsedUp{};
    return {word, used};
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
        context_.consumes_timeslice = true;
        const auto percent = static_cast<int>(argument(0));
        if (context_.caller == nullptr || percent < 1 || percent > 100)
            return {0};
        if (enif_thread_type() == ERL_NIF_THR_NORMAL_SCHEDULER) {
            context_.timeslice_used = enif_consume_timeslice(context_.caller, percent) != 0;
            return {number(context_.timeslice_used ? 1 : 0)};
        }
        // The call has moved while the library goes on as on a normal scheduler: count for the VM.
        context_.timeslice_percent += percent;
        return {number(context_.timeslice_percent >= 100 ? 1 : 0)};
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
    }
    throw ProtocolViolation("unknown_upcall");
}

} // namespace

HostEnd end_of(const std::exception& error) {
    if (dynamic_cast<const QuotaUsedUp*>(&error) != nullptr)
        return {HostEnd::Kind::Quota, static_cast<std::int64_t>(ipc::QuotaKind::Atoms), ""};
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
