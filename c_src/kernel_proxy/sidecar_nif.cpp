#include "kernel_proxy/sidecar_nif.hpp"

#include "kernel_proxy/nif_terms.hpp"

#include <stdexcept>
#include <vector>

namespace cordon::proxy {
namespace {

template <class Number>
bool get_option(ErlNifEnv* env, ERL_NIF_TERM map, const char* key, Number* value) {
    ERL_NIF_TERM term;
    ErlNifSInt64 number;
    if (enif_get_map_value(env, map, atom(env, key), &term) == 0)
        return false;
    if (enif_is_identical(term, atom(env, "infinity")) != 0) {
        *value = static_cast<Number>(-1);
        return true;
    }
    if (enif_get_int64(env, term, &number) == 0 || number < 0)
        return false;
    *value = static_cast<Number>(number);
    return true;
}

ERL_NIF_TERM make_atoms(ErlNifEnv* env, const std::vector<std::string>& names) {
    ERL_NIF_TERM list = enif_make_list(env, 0);
    for (auto name = names.rbegin(); name != names.rend(); ++name)
        list = enif_make_list_cell(env, atom(env, name->c_str()), list);
    return list;
}

ERL_NIF_TERM make_options(ErlNifEnv* env, const LibraryOptions& options) {
    TermMap map(env);
    map.put("call_timeout", options.call_timeout < 0 ? atom(env, "infinity")
                                                     : enif_make_int64(env, options.call_timeout));
    map.put("load_timeout", enif_make_int64(env, options.load_timeout));
    map.put("upgrade_timeout", enif_make_int64(env, options.upgrade_timeout));
    map.put("stack_size", enif_make_uint64(env, options.stack_size));
    map.put("pool_size", enif_make_uint64(env, options.pool_size));
    map.put("atom_limit", enif_make_uint64(env, options.atom_limit));
    map.put_bool("check_lifetimes", options.check_lifetimes);
    map.put_bool("trust_funs", options.trust_funs);
    map.put_bool("zero_copy", options.zero_copy);
    map.put("group",
            options.group.empty() ? atom(env, "undefined") : make_string(env, options.group));
    return map.term();
}

ERL_NIF_TERM make_requirements(ErlNifEnv* env, const Requirements& requirements) {
    TermMap map(env);
    map.put("version", enif_make_uint(env, requirements.version));
    std::vector<std::string> flags;
    for (unsigned bit = 0; bit < kFlagBits; ++bit)
        if ((requirements.flags >> bit & 1) != 0)
            flags.push_back(flag_name(bit));
    map.put("flags", make_atoms(env, flags));
    describe_numbers(requirements, [&](const char* key, const auto& value) {
        if (value != 0)
            map.put(key, enif_make_uint64(env, value));
    });
    if (!requirements.minimum_profile.empty())
        map.put("minimum_profile", atom(env, requirements.minimum_profile.c_str()));
    if (!requirements.group.empty())
        map.put_string("group", requirements.group);
    return map.term();
}

ERL_NIF_TERM make_functions(ErlNifEnv* env, const ipc::Opened& manifest) {
    std::vector<ERL_NIF_TERM> functions;
    for (const ipc::FunctionRecord& function : manifest.functions) {
        const char* where = function.flags == 0                             ? "normal"
                            : function.flags == ERL_NIF_DIRTY_JOB_CPU_BOUND ? "dirty_cpu"
                                                                            : "dirty_io";
        functions.push_back(enif_make_tuple3(env, atom(env, function.name.c_str()),
                                             enif_make_uint(env, function.arity),
                                             atom(env, where)));
    }
    return enif_make_list_from_array(env, functions.data(),
                                     static_cast<unsigned>(functions.size()));
}

// What edit_sidecar may change. False: no such key, or not a value for it.
bool change(ErlNifEnv* env, Sidecar& sidecar, const std::string& key, ERL_NIF_TERM value) {
    if (key == "options")
        return get_options(env, value, &sidecar.options);
    if (key == "given") {
        sidecar.given.clear();
        ERL_NIF_TERM name;
        for (; enif_get_list_cell(env, value, &name, &value) != 0;)
            sidecar.given.push_back(get_name(env, name));
        return enif_is_empty_list(env, value) != 0;
    }
    const std::string text = get_name(env, value);
    if (key == "unsupported")
        sidecar.native_if_unsupported = text == "native";
    else if (key == "application")
        sidecar.application = text;
    else if (key == "proxy")
        sidecar.proxy = text;
    else if (key == "nif_host")
        sidecar.nif_host = text;
    else if (key == "library")
        sidecar.library = text;
    else if (key == "library_digest")
        sidecar.library_digest = text;
    else
        return false;
    return key == "application" || !text.empty();
}

bool is_set(ErlNifEnv* env, ERL_NIF_TERM map, const char* key) {
    ERL_NIF_TERM value;
    return enif_get_map_value(env, map, atom(env, key), &value) != 0 &&
           enif_is_identical(value, atom(env, "true")) != 0;
}

} // namespace

bool get_options(ErlNifEnv* env, ERL_NIF_TERM map, LibraryOptions* options) {
    ERL_NIF_TERM group;
    if (enif_get_map_value(env, map, atom(env, "group"), &group) == 0)
        return false;
    options->group = get_name(env, group);
    options->check_lifetimes = is_set(env, map, "check_lifetimes");
    options->trust_funs = is_set(env, map, "trust_funs");
    options->zero_copy = is_set(env, map, "zero_copy");
    return get_option(env, map, "call_timeout", &options->call_timeout) &&
           get_option(env, map, "load_timeout", &options->load_timeout) &&
           get_option(env, map, "upgrade_timeout", &options->upgrade_timeout) &&
           get_option(env, map, "stack_size", &options->stack_size) &&
           get_option(env, map, "pool_size", &options->pool_size) &&
           get_option(env, map, "atom_limit", &options->atom_limit);
}

ERL_NIF_TERM make_manifest(ErlNifEnv* env, const Sidecar& sidecar) {
    const ipc::Opened& manifest = sidecar.manifest;
    TermMap map(env);
    map.put("module", atom(env, manifest.module.c_str()));
    map.put("major", enif_make_int(env, manifest.major));
    map.put("minor", enif_make_int(env, manifest.minor));
    map.put_string("vm_variant", manifest.vm_variant);
    map.put_string("min_erts", manifest.min_erts);
    map.put_bool("load", manifest.has_load);
    map.put_bool("upgrade", manifest.has_upgrade);
    map.put_bool("unload", manifest.has_unload);
    map.put("functions", make_functions(env, manifest));
    if (sidecar.requirements.present())
        map.put("requirements", make_requirements(env, sidecar.requirements));
    return map.term();
}

ERL_NIF_TERM read_sidecar_file(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) try {
    const auto file = get_text(env, argv[0]);
    if (!file)
        return enif_make_badarg(env);
    const Sidecar sidecar = read_sidecar(*file);
    TermMap map(env);
    map.put_string("proxy", sidecar.proxy);
    map.put_string("nif_host", sidecar.nif_host);
    map.put_string("library", sidecar.library);
    map.put_string("application", sidecar.application);
    if (!sidecar.library_digest.empty())
        map.put_string("library_digest", sidecar.library_digest);
    map.put("unsupported", atom(env, sidecar.native_if_unsupported ? "native" : "refuse"));
    map.put("options", make_options(env, sidecar.options));
    map.put("given", make_atoms(env, sidecar.given));
    map.put("manifest", make_manifest(env, sidecar));
    return enif_make_tuple2(env, atom(env, "ok"), map.term());
} catch (const std::runtime_error& error) {
    return make_error(env, "sidecar", error.what());
}

ERL_NIF_TERM edit_sidecar(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) try {
    const auto text = get_text(env, argv[0]);
    ErlNifMapIterator iterator;
    if (!text || enif_map_iterator_create(env, argv[1], &iterator, ERL_NIF_MAP_ITERATOR_FIRST) == 0)
        return enif_make_badarg(env);
    Sidecar sidecar = parse_sidecar(*text);
    ERL_NIF_TERM key;
    ERL_NIF_TERM value;
    bool good = true;
    for (; enif_map_iterator_get_pair(env, &iterator, &key, &value) != 0;
         enif_map_iterator_next(env, &iterator))
        good = change(env, sidecar, get_name(env, key), value) && good;
    enif_map_iterator_destroy(env, &iterator);
    if (!good)
        return enif_make_badarg(env);
    const std::string changed = write_sidecar(sidecar);
    parse_sidecar(changed); // what is written can be read
    return enif_make_tuple2(env, atom(env, "ok"), make_binary(env, changed));
} catch (const std::runtime_error& error) {
    return make_error(env, "sidecar", error.what());
}

} // namespace cordon::proxy
