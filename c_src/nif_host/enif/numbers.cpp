// Numbers: the range of each C type is exact, and a float is never taken for an integer.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_access.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

// Out of line: a number that is no small.
[[gnu::noinline]] bool get_boxed_signed(Word word, std::int64_t* value) {
    if (!is_kind(word, Kind::Int64))
        return false;
    *value = static_cast<std::int64_t>(object(word)[1]);
    return true;
}

[[gnu::noinline]] bool get_boxed_unsigned(Word word, std::uint64_t* value) {
    if (!term::is_boxed(word))
        return false;
    const Kind kind = kind_of(word);
    const Word bits = object(word)[1];
    if (kind != Kind::Uint64 && (kind != Kind::Int64 || static_cast<std::int64_t>(bits) < 0))
        return false;
    *value = bits;
    return true;
}

inline bool get_signed(Word word, std::int64_t* value) {
    if (!term::is_small(word)) [[unlikely]]
        return get_boxed_signed(word, value);
    *value = term::small_value(word);
    return true;
}

inline bool get_unsigned(Word word, std::uint64_t* value) {
    if (!term::is_small(word)) [[unlikely]]
        return get_boxed_unsigned(word, value);
    const std::int64_t small = term::small_value(word);
    *value = static_cast<std::uint64_t>(small);
    return small >= 0;
}

[[gnu::noinline]] ERL_NIF_TERM make_boxed_number(ErlNifEnv* env, Kind kind, Word bits) {
    Word* words = env_words(env, 2);
    words[0] = term::make_header(kind, 1);
    words[1] = bits;
    return boxed_word(words);
}

inline ERL_NIF_TERM make_signed(ErlNifEnv* env, std::int64_t value) {
    if (term::fits_small(value)) [[likely]]
        return term::make_small(value);
    return make_boxed_number(env, Kind::Int64, static_cast<Word>(value));
}

inline ERL_NIF_TERM make_unsigned(ErlNifEnv* env, std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(term::kSmallMax)) [[likely]]
        return term::make_small(static_cast<std::int64_t>(value));
    const bool fits_signed = value <= static_cast<std::uint64_t>(INT64_MAX);
    return make_boxed_number(env, fits_signed ? Kind::Int64 : Kind::Uint64, value);
}

} // namespace

int enif_get_int(ErlNifEnv*, ERL_NIF_TERM word, int* value) {
    std::int64_t wide;
    if (!get_signed(word, &wide) || wide < std::numeric_limits<int>::min() ||
        wide > std::numeric_limits<int>::max())
        return 0;
    *value = static_cast<int>(wide);
    return 1;
}

int enif_get_uint(ErlNifEnv*, ERL_NIF_TERM word, unsigned* value) {
    std::uint64_t wide;
    if (!get_unsigned(word, &wide) || wide > std::numeric_limits<unsigned>::max())
        return 0;
    *value = static_cast<unsigned>(wide);
    return 1;
}

int enif_get_long(ErlNifEnv*, ERL_NIF_TERM word, long* value) {
    std::int64_t wide;
    if (!get_signed(word, &wide))
        return 0;
    *value = wide;
    return 1;
}

int enif_get_ulong(ErlNifEnv*, ERL_NIF_TERM word, unsigned long* value) {
    std::uint64_t wide;
    if (!get_unsigned(word, &wide))
        return 0;
    *value = wide;
    return 1;
}

int enif_get_int64(ErlNifEnv* env, ERL_NIF_TERM word, ErlNifSInt64* value) {
    return enif_get_long(env, word, value);
}

int enif_get_uint64(ErlNifEnv* env, ERL_NIF_TERM word, ErlNifUInt64* value) {
    return enif_get_ulong(env, word, value);
}

int enif_get_double(ErlNifEnv*, ERL_NIF_TERM word, double* value) {
    if (!is_kind(word, Kind::Float))
        return 0;
    *value = float_value(word);
    return 1;
}

ERL_NIF_TERM enif_make_int(ErlNifEnv*, int value) {
    return term::make_small(value);
}
ERL_NIF_TERM enif_make_uint(ErlNifEnv*, unsigned value) {
    return term::make_small(value);
}
ERL_NIF_TERM enif_make_long(ErlNifEnv* env, long value) {
    return make_signed(env, value);
}
ERL_NIF_TERM enif_make_ulong(ErlNifEnv* env, unsigned long value) {
    return make_unsigned(env, value);
}
ERL_NIF_TERM enif_make_int64(ErlNifEnv* env, ErlNifSInt64 value) {
    return make_signed(env, value);
}
ERL_NIF_TERM enif_make_uint64(ErlNifEnv* env, ErlNifUInt64 value) {
    return make_unsigned(env, value);
}

ERL_NIF_TERM enif_make_double(ErlNifEnv* env, double value) {
    if (!std::isfinite(value)) [[unlikely]]
        return env_badarg(env);
    Word* words = env_words(env, 2);
    words[0] = term::make_header(Kind::Float, 1);
    words[1] = std::bit_cast<Word>(value);
    return boxed_word(words);
}
