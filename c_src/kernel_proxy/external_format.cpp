#include "kernel_proxy/external_format.hpp"

#include "kernel_proxy/encoded_term.hpp"
#include "kernel_proxy/external_atoms.hpp"
#include "kernel_proxy/group.hpp"
#include "kernel_proxy/own_env.hpp"
#include "kernel_proxy/term_export.hpp"
#include "kernel_proxy/upcall_service.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace cordon::proxy {
namespace {

using term::Word;
using Bytes = std::span<const unsigned char>;

constexpr std::uint64_t kMaxInflated = 64 << 20;
constexpr std::uint64_t kMaxPrinted = 256 << 20; // longer texts are cut off
constexpr std::uint64_t kFirstPrinted = 4096;

// Of compressed external term format: how large it says it is; 0 when it is not compressed.
std::uint64_t declared_size(std::string_view encoded) {
    constexpr char kCompressed = 80;
    std::uint64_t bytes = 0;
    if (encoded.size() > 6 && encoded[1] == kCompressed)
        for (std::size_t i = 2; i < 6; ++i)
            bytes = bytes << 8 | static_cast<unsigned char>(encoded[i]);
    return bytes;
}

// Atoms that the decoding makes count as made: the quota holds here too.
class AtomsOfBytes {
  public:
    AtomsOfBytes(Group& group, ErlNifEnv* env, Bytes encoded, std::uint64_t inflated)
        : group_(group), env_(env), inflated_(inflated) {
        if (inflated == 0)
            names_ = atoms_in(env, encoded, AtomsWanted::New);
        constexpr std::uint64_t kSmallestAtom = 3;
        charged_ = inflated > 0 ? inflated / kSmallestAtom : names_ ? names_->size() : 0;
        if ((names_ && charged_ > kMostAtoms) || !group.count_atoms(charged_))
            throw QuotaUsedUp(ipc::QuotaKind::Atoms);
    }
    bool can_be_decoded() const { return inflated_ > 0 || names_; }

    // What was charged too much is given back. Of compressed bytes that is all but the term's
    // atoms, whether or not they are new; nothing when there is no term.
    void settle(std::optional<ERL_NIF_TERM> decoded) {
        if (inflated_ > 0 && decoded) {
            const EncodedTerm plain(env_, *decoded);
            const auto names = atoms_in(env_, plain.bytes(), AtomsWanted::All);
            give_back(names ? names->size() : charged_);
        } else if (inflated_ == 0) {
            give_back(count_existing(env_, *names_));
        }
    }

  private:
    void give_back(std::uint64_t made) {
        group_.uncount_atoms(charged_ - std::min(charged_, made));
    }

    Group& group_;
    ErlNifEnv* env_;
    const std::uint64_t inflated_; // 0: not compressed
    std::optional<AtomNames> names_;
    std::uint64_t charged_ = 0;
};

} // namespace

Answer decode_for_host(Host& host, ArgumentArena& arena, const std::string& encoded, bool safe) {
    const std::uint64_t written = 8 * host.physical_words();
    if (declared_size(encoded) > std::max<std::uint64_t>(16 * written, kMaxInflated))
        return {0, 0};
    // Not the caller's environment: a fun that is refused is gone when this is, and no process ever
    // had it.
    const OwnEnv own;
    const auto* data = reinterpret_cast<const unsigned char*>(encoded.data());
    ERL_NIF_TERM decoded;
    std::size_t used =
        enif_binary_to_term(own.env, data, encoded.size(), &decoded, ERL_NIF_BIN2TERM_SAFE);
    if (used == 0 && !safe) {
        AtomsOfBytes atoms(host.group(), own.env, {data, encoded.size()}, declared_size(encoded));
        if (!atoms.can_be_decoded())
            return {0, 0};
        used = enif_binary_to_term(own.env, data, encoded.size(), &decoded, 0);
        atoms.settle(used != 0 ? std::optional(decoded) : std::nullopt);
    }
    if (used == 0)
        return {0, 0};
    const Funs funs = host.group().trusts_funs() ? Funs::OfBelievedHost : Funs::OfHost;
    return {export_term(own.env, decoded, host, arena, Stale::Plain, funs), used};
}

Answer print_for_host(ErlNifEnv* env, ERL_NIF_TERM term, std::uint64_t room, int precision,
                      Host& host, ArgumentArena& arena) {
    const std::uint64_t most = std::min(room, kMaxPrinted);
    std::string text;
    int counted = 0;
    for (std::uint64_t size = std::min(most, kFirstPrinted);;
         size =
             std::min(most, std::max(8 * size, static_cast<std::uint64_t>(std::max(counted, 0))))) {
        text.assign(size + 1, '\0');
        counted = precision < 0 ? enif_snprintf(text.data(), text.size(), "%T", term)
                                : enif_snprintf(text.data(), text.size(), "%.*T", precision, term);
        text.resize(std::strlen(text.c_str()));
        if (text.size() < size || size == most)
            break;
    }
    ERL_NIF_TERM binary;
    std::memcpy(enif_make_new_binary(env, text.size(), &binary), text.data(), text.size());
    return {export_term(env, binary, host, arena, Stale::Plain), static_cast<Word>(counted)};
}

} // namespace cordon::proxy
