// The type of a term, in Erlang's sense.
#pragma once

#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_access.hpp"

namespace cordon::host {

inline ErlNifTermType external_type(Word boxed) {
    switch (static_cast<term::ExternalType>(object(boxed)[1])) {
    case term::ExternalType::Integer:
        return ERL_NIF_TERM_TYPE_INTEGER;
    case term::ExternalType::Reference:
        return ERL_NIF_TERM_TYPE_REFERENCE;
    case term::ExternalType::Fun:
        return ERL_NIF_TERM_TYPE_FUN;
    case term::ExternalType::Pid:
        return ERL_NIF_TERM_TYPE_PID;
    case term::ExternalType::Port:
        return ERL_NIF_TERM_TYPE_PORT;
    case term::ExternalType::Bitstring:
        return ERL_NIF_TERM_TYPE_BITSTRING;
    }
    return ERL_NIF_TERM_TYPE__MISSING_DEFAULT_CASE__READ_THE_MANUAL;
}

inline ErlNifTermType boxed_type(Word boxed) {
    switch (kind_of(boxed)) {
    case Kind::Tuple:
        return ERL_NIF_TERM_TYPE_TUPLE;
    case Kind::Float:
        return ERL_NIF_TERM_TYPE_FLOAT;
    case Kind::Int64:
    case Kind::Uint64:
        return ERL_NIF_TERM_TYPE_INTEGER;
    case Kind::Binary:
    case Kind::BinaryRef:
    case Kind::ResourceBinary:
        return ERL_NIF_TERM_TYPE_BITSTRING;
    case Kind::FlatMap:
    case Kind::HashMap:
        return ERL_NIF_TERM_TYPE_MAP;
    case Kind::Resource:
        return ERL_NIF_TERM_TYPE_REFERENCE;
    case Kind::External:
        return external_type(boxed);
    case Kind::MapNode:
        break; // no term of its own
    }
    return ERL_NIF_TERM_TYPE__MISSING_DEFAULT_CASE__READ_THE_MANUAL;
}

// The dummy value for what is no term at all (0).
inline ErlNifTermType term_type(Word word) {
    if (term::is_small(word))
        return ERL_NIF_TERM_TYPE_INTEGER;
    if (term::is_atom(word))
        return ERL_NIF_TERM_TYPE_ATOM;
    if (term::is_cons(word) || term::is_nil(word))
        return ERL_NIF_TERM_TYPE_LIST;
    if (term::is_boxed(word))
        return boxed_type(word);
    if (term::is_local_pid(word))
        return ERL_NIF_TERM_TYPE_PID;
    if (term::is_local_port(word))
        return ERL_NIF_TERM_TYPE_PORT;
    return ERL_NIF_TERM_TYPE__MISSING_DEFAULT_CASE__READ_THE_MANUAL;
}

} // namespace cordon::host
