#include "kernel_proxy/nif_terms.hpp"

#include <cstring>

namespace cordon::proxy {

ERL_NIF_TERM atom(ErlNifEnv* env, const char* name) {
    return enif_make_atom(env, name);
}

std::optional<std::string> get_text(ErlNifEnv* env, ERL_NIF_TERM term) {
    ErlNifBinary bytes;
    if (enif_inspect_iolist_as_binary(env, term, &bytes) == 0)
        return std::nullopt;
    return std::string(reinterpret_cast<const char*>(bytes.data), bytes.size);
}

std::string get_name(ErlNifEnv* env, ERL_NIF_TERM term) {
    char text[256];
    if (enif_get_atom(env, term, text, sizeof text, ERL_NIF_LATIN1) > 0)
        return std::strcmp(text, "undefined") == 0 ? "" : text;
    return get_text(env, term).value_or("");
}

ERL_NIF_TERM make_binary(ErlNifEnv* env, const std::string& bytes) {
    ERL_NIF_TERM term;
    std::memcpy(enif_make_new_binary(env, bytes.size(), &term), bytes.data(), bytes.size());
    return term;
}

ERL_NIF_TERM make_error(ErlNifEnv* env, const std::string& reason, const std::string& text) {
    return enif_make_tuple2(
        env, atom(env, "error"),
        enif_make_tuple2(env, atom(env, reason.c_str()), make_string(env, text)));
}

ERL_NIF_TERM make_string(ErlNifEnv* env, const std::string& bytes) {
    return enif_make_string_len(env, bytes.data(), bytes.size(), ERL_NIF_LATIN1);
}

} // namespace cordon::proxy
