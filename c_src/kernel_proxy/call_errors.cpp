#include "kernel_proxy/call_errors.hpp"

#include "kernel_proxy/library.hpp"

namespace cordon::proxy {
namespace {

class Details {
  public:
    Details(ErlNifEnv* env, const Library& library, std::uint32_t function)
        : env_(env), map_(enif_make_new_map(env)) {
        const ipc::FunctionRecord& record = library.function(function);
        put("module", enif_make_atom(env, library.module_name().c_str()));
        put("function", enif_make_atom(env, record.name.c_str()));
        put("arity", enif_make_uint(env, record.arity));
    }
    Details& put(const char* key, ERL_NIF_TERM value) {
        enif_make_map_put(env_, map_, enif_make_atom(env_, key), value, &map_);
        return *this;
    }
    ERL_NIF_TERM raise(const char* tag) {
        return enif_raise_exception(env_, enif_make_tuple2(env_, enif_make_atom(env_, tag), map_));
    }

  private:
    ErlNifEnv* env_;
    ERL_NIF_TERM map_;
};

} // namespace

ERL_NIF_TERM raise_host_down(ErlNifEnv* env, const Library& library, std::uint32_t function,
                             std::uint64_t generation, const HostEnd& end) {
    return Details(env, library, function)
        .put("reason", end.to_term(env))
        .put("generation", enif_make_uint64(env, generation))
        .raise("nif_host_down");
}

ERL_NIF_TERM raise_stale_resource(ErlNifEnv* env, const Library& library, std::uint32_t function,
                                  std::uint64_t generation, std::uint64_t current) {
    return Details(env, library, function)
        .put("generation", enif_make_uint64(env, generation))
        .put("current", enif_make_uint64(env, current))
        .raise("stale_resource");
}

ERL_NIF_TERM raise_overload(ErlNifEnv* env, const Library& library, std::uint32_t function,
                            std::string_view limit) {
    return Details(env, library, function)
        .put("limit", enif_make_string_len(env, limit.data(), limit.size(), ERL_NIF_LATIN1))
        .raise("nif_overload");
}

} // namespace cordon::proxy
