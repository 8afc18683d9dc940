// What a term is.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_type.hpp"

using namespace cordon::host;
namespace term = cordon::term;

namespace {

int is_type(Word word, ErlNifTermType type) {
    return term_type(word) == type ? 1 : 0;
}

} // namespace

int enif_is_atom(ErlNifEnv*, ERL_NIF_TERM word) {
    return term::is_atom(word);
}
int enif_is_empty_list(ErlNifEnv*, ERL_NIF_TERM word) {
    return term::is_nil(word);
}
int enif_is_list(ErlNifEnv*, ERL_NIF_TERM word) {
    return term::is_cons(word) || term::is_nil(word);
}
int enif_is_tuple(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_kind(word, Kind::Tuple);
}
int enif_is_map(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_kind(word, Kind::FlatMap) || is_kind(word, Kind::HashMap);
}
int enif_is_ref(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_type(word, ERL_NIF_TERM_TYPE_REFERENCE);
}
int enif_is_fun(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_type(word, ERL_NIF_TERM_TYPE_FUN);
}
int enif_is_pid(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_type(word, ERL_NIF_TERM_TYPE_PID);
}
int enif_is_port(ErlNifEnv*, ERL_NIF_TERM word) {
    return is_type(word, ERL_NIF_TERM_TYPE_PORT);
}
int enif_is_number(ErlNifEnv*, ERL_NIF_TERM word) {
    const ErlNifTermType type = term_type(word);
    return type == ERL_NIF_TERM_TYPE_INTEGER || type == ERL_NIF_TERM_TYPE_FLOAT;
}
ErlNifTermType enif_term_type(ErlNifEnv*, ERL_NIF_TERM word) {
    return term_type(word);
}
