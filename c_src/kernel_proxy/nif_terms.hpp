// Terms of the NIFs of module cordon_nif: arguments read, results made.
#pragma once

#include <erl_nif.h>
#include <optional>
#include <string>

namespace cordon::proxy {

ERL_NIF_TERM atom(ErlNifEnv* env, const char* name);
// A string or binary argument.
std::optional<std::string> get_text(ErlNifEnv* env, ERL_NIF_TERM term);
// A string or an atom; undefined is no name.
std::string get_name(ErlNifEnv* env, ERL_NIF_TERM term);
ERL_NIF_TERM make_binary(ErlNifEnv* env, const std::string& bytes);
ERL_NIF_TERM make_string(ErlNifEnv* env, const std::string& bytes);
// {error, {Reason, Text}}
ERL_NIF_TERM make_error(ErlNifEnv* env, const std::string& reason, const std::string& text);

// A map under construction.
class TermMap {
  public:
    explicit TermMap(ErlNifEnv* env) : env_(env), map_(enif_make_new_map(env)) {}
    void put(const char* key, ERL_NIF_TERM value) {
        enif_make_map_put(env_, map_, atom(env_, key), value, &map_);
    }
    void put_string(const char* key, const std::string& value) {
        put(key, make_string(env_, value));
    }
    void put_bool(const char* key, bool value) { put(key, atom(env_, value ? "true" : "false")); }
    ERL_NIF_TERM term() const { return map_; }

  private:
    ErlNifEnv* env_;
    ERL_NIF_TERM map_;
};

} // namespace cordon::proxy
