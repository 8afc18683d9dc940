#include "kernel_proxy/sidecar.hpp"

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace cordon::proxy {
namespace {

using boost::property_tree::ptree;

// One place that names every field, for both directions.
template <class Field> void describe_options(LibraryOptions& options, const Field& field) {
    field("options.group", options.group);
    field("options.call_timeout", options.call_timeout);
    field("options.load_timeout", options.load_timeout);
    field("options.upgrade_timeout", options.upgrade_timeout);
    field("options.stack_size", options.stack_size);
    field("options.pool_size", options.pool_size);
    field("options.atom_limit", options.atom_limit);
}

template <class Field> void describe(Sidecar& sidecar, const Field& field) {
    field("proxy", sidecar.proxy);
    field("nif_host", sidecar.nif_host);
    field("library", sidecar.library);
    describe_options(sidecar.options, field);
    field("manifest.major", sidecar.manifest.major);
    field("manifest.minor", sidecar.manifest.minor);
    field("manifest.module", sidecar.manifest.module);
    field("manifest.vm_variant", sidecar.manifest.vm_variant);
    field("manifest.min_erts", sidecar.manifest.min_erts);
    field("manifest.load", sidecar.manifest.has_load);
    field("manifest.reload", sidecar.manifest.has_reload);
    field("manifest.upgrade", sidecar.manifest.has_upgrade);
    field("manifest.unload", sidecar.manifest.has_unload);
}

} // namespace

std::string write_sidecar(const Sidecar& sidecar) {
    ptree tree;
    tree.put("cordon", kSidecarVersion);
    Sidecar copy = sidecar;
    describe(copy, [&tree](const char* name, const auto& value) { tree.put(name, value); });
    ptree functions;
    for (const ipc::FunctionRecord& function : sidecar.manifest.functions) {
        ptree entry;
        entry.put("name", function.name);
        entry.put("arity", function.arity);
        entry.put("flags", function.flags);
        functions.push_back({"", entry});
    }
    tree.put_child("manifest.functions", functions);
    std::ostringstream out;
    boost::property_tree::write_json(out, tree);
    return out.str();
}

Sidecar read_sidecar(const std::string& file) try {
    ptree tree;
    boost::property_tree::read_json(file, tree);
    if (const int version = tree.get<int>("cordon"); version != kSidecarVersion)
        throw std::runtime_error("it is of version " + std::to_string(version) + ", expected " +
                                 std::to_string(kSidecarVersion));
    Sidecar sidecar;
    describe(sidecar, [&tree](const char* name, auto& value) {
        value = tree.get<std::remove_reference_t<decltype(value)>>(name);
    });
    for (const auto& [key, entry] : tree.get_child("manifest.functions"))
        sidecar.manifest.functions.push_back({entry.get<std::string>("name"),
                                              entry.get<std::uint32_t>("arity"),
                                              entry.get<std::uint32_t>("flags")});
    const std::filesystem::path directory = std::filesystem::path(file).parent_path();
    for (std::string* path : {&sidecar.proxy, &sidecar.nif_host, &sidecar.library})
        *path = (directory / *path).lexically_normal(); // an absolute one stays what it is
    return sidecar;
} catch (const std::exception& error) {
    throw std::runtime_error("the sidecar " + file + " cannot be used: " + error.what() +
                             "; make the shim again");
}

} // namespace cordon::proxy
