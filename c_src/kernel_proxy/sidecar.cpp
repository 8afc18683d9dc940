#include "kernel_proxy/sidecar.hpp"

#include "kernel_proxy/sidecar_fields.hpp"
#include "kernel_proxy/trampoline.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>

namespace cordon::proxy {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kUint = std::numeric_limits<std::uint32_t>::max();

// The ranges of cordon_options.
constexpr NumberRange kMilliseconds{1, kInt, "a number of milliseconds", false};
constexpr NumberRange kMillisecondsOrNever{1, kInt, "a number of milliseconds", true};
constexpr NumberRange kStackSize{64 << 10, 64LL << 30, "a number of bytes", false};
constexpr NumberRange kPoolSize{64 << 20, 16LL << 40, "a number of bytes", false};
constexpr NumberRange kAtoms{0, 1'000'000'000, "a number of atoms", false};

constexpr NumberRange kAny{0, kLargest, "a number", false};
constexpr NumberRange kTime{std::numeric_limits<std::int64_t>::min(), kLargest, "a number", false};
// Whatever a library says: the VM is who refuses it.
constexpr NumberRange kVersionPart{-kInt - 1, kInt, "a number", false};
constexpr NumberRange kFlags{0, kUint, "a number", false};
constexpr NumberRange kArity{0, kUint, "a number of arguments", false};

template <class Options, class Field> void describe_options(Options& options, Field& field) {
    field("call_timeout", options.call_timeout, kMillisecondsOrNever);
    field("load_timeout", options.load_timeout, kMilliseconds);
    field("upgrade_timeout", options.upgrade_timeout, kMilliseconds);
    field("stack_size", options.stack_size, kStackSize);
    field("pool_size", options.pool_size, kPoolSize);
    field("atom_limit", options.atom_limit, kAtoms);
    field("check_lifetimes", options.check_lifetimes);
    field("trust_funs", options.trust_funs);
    field("zero_copy", options.zero_copy);
    field("group", options.group);
}

template <class File, class Field> void describe_file(File& file, Field& field) {
    field("size", file.size, kAny);
    field("modified", file.modified, kTime);
}

template <class Manifest, class Field> void describe_manifest(Manifest& manifest, Field& field) {
    field("module", manifest.module);
    field("major", manifest.major, kVersionPart);
    field("minor", manifest.minor, kVersionPart);
    field("vm_variant", manifest.vm_variant);
    field("min_erts", manifest.min_erts);
    field("options", manifest.options, kFlags);
    field("load", manifest.has_load);
    field("reload", manifest.has_reload);
    field("upgrade", manifest.has_upgrade);
    field("unload", manifest.has_unload);
}

template <class Function, class Field> void describe_function(Function& function, Field& field) {
    field("name", function.name);
    field("arity", function.arity, kArity);
    field("flags", function.flags, kFlags);
}

// Numbers that the record leaves open are left out.
Json write_requirements(const Requirements& requirements) {
    FieldWriter out;
    out("version", requirements.version, kFlags);
    std::vector<std::string> flags;
    for (unsigned bit = 0; bit < kFlagBits; ++bit)
        if ((requirements.flags >> bit & 1) != 0)
            flags.push_back(flag_name(bit));
    out("flags", flags);
    describe_numbers(requirements, [&out](const char* key, const auto& value) {
        if (value != 0)
            out(key, value, kAny);
    });
    if (!requirements.minimum_profile.empty())
        out("minimum_profile", requirements.minimum_profile);
    if (!requirements.group.empty())
        out("group", requirements.group);
    return out.take();
}

Requirements read_requirements(const Json& json) {
    Requirements found;
    FieldReader in(json, "requirements");
    in("version", found.version, {1, kUint, "a version", false});
    std::vector<std::string> flags;
    in("flags", flags);
    for (const std::string& flag : flags) {
        unsigned bit = 0;
        while (bit < kFlagBits && flag_name(bit) != flag)
            ++bit;
        if (bit == kFlagBits)
            in.expected("flags", {flag}, "names of flags, such as " + flag_name(0));
        found.flags |= std::uint64_t{1} << bit;
    }
    describe_numbers(found, [&in](const char* key, auto& value) {
        if (in.find(key) != nullptr)
            in(key, value, sizeof value == 4 ? kFlags : kAny);
    });
    if (const Json* profile = in.find("minimum_profile")) {
        in("minimum_profile", found.minimum_profile);
        if (!is_profile(found.minimum_profile))
            in.expected("minimum_profile", *profile, "none, default or strict");
    }
    if (const Json* group = in.find("group")) {
        in("group", found.group);
        if (!is_group_name(found.group))
            in.expected("group", *group, "the name of a group");
    }
    in.finish();
    return found;
}

void check_atom(const FieldReader& in, const char* key, const std::string& name) {
    if (name.size() > kMaxAtomBytes)
        in.expected(key, {name}, "at most " + std::to_string(kMaxAtomBytes) + " bytes");
}

void read_manifest(const Json& json, ipc::Opened& manifest) {
    FieldReader in(json, "manifest");
    describe_manifest(manifest, in);
    check_atom(in, "module", manifest.module);
    const Json& list = in.need("functions");
    const auto* functions = list.as<JsonArray>();
    if (functions == nullptr || functions->size() > kMaxFunctions)
        in.expected("functions", list,
                    "an array of at most " + std::to_string(kMaxFunctions) + " functions");
    for (const Json& json_function : *functions) {
        FieldReader fields(json_function,
                           "manifest.functions." + std::to_string(manifest.functions.size()));
        ipc::FunctionRecord function;
        describe_function(function, fields);
        check_atom(fields, "name", function.name);
        fields.finish();
        manifest.functions.push_back(std::move(function));
    }
    in.finish();
}

void check_version(FieldReader& in) {
    const Json& found = in.need("cordon");
    const auto* version = found.as<std::int64_t>();
    if (version == nullptr || *version < 1)
        in.expected("cordon", found, "the version of its format");
    if (*version != kSidecarVersion)
        throw std::runtime_error("it is of version " + std::to_string(*version) +
                                 ", and this cordon reads version " +
                                 std::to_string(kSidecarVersion) +
                                 (*version > kSidecarVersion ? " (a later cordon has made it)"
                                                             : " (an earlier cordon has made it)"));
}

// Only what is an option.
void check_given(const FieldReader& in, Sidecar& sidecar) {
    std::string known;
    const auto note = [&known](const char* name, const auto&...) {
        known.append(known.empty() ? "" : " ").append(name);
    };
    describe_options(sidecar.options, note);
    for (const std::string& name : sidecar.given)
        if (name.empty() || (" " + known + " ").find(" " + name + " ") == known.npos)
            in.expected("given", {name}, "names of options: " + known);
}

std::string read_whole(const std::string& file) {
    std::FILE* stream = std::fopen(file.c_str(), "re");
    if (stream == nullptr)
        throw std::runtime_error(std::string("it can't be opened (") + std::strerror(errno) + ")");
    std::string text;
    char part[16384];
    for (std::size_t got;
         text.size() <= kMaxFile && (got = std::fread(part, 1, sizeof part, stream)) > 0;)
        text.append(part, got);
    const int error = std::ferror(stream) != 0 ? errno : 0;
    std::fclose(stream);
    if (error != 0)
        throw std::runtime_error(std::string("it can't be read (") + std::strerror(error) + ")");
    if (text.empty())
        throw std::runtime_error("it is empty");
    if (text.size() > kMaxFile)
        throw std::runtime_error("it is larger than " + std::to_string(kMaxFile) + " bytes");
    return text;
}

} // namespace

std::string write_sidecar(const Sidecar& sidecar) {
    FieldWriter out;
    out("cordon", kSidecarVersion, kAny);
    out("proxy", sidecar.proxy);
    out("nif_host", sidecar.nif_host);
    out("library", sidecar.library);
    FieldWriter file;
    describe_file(sidecar.file, file);
    out.put("library_file", file.take());
    if (!sidecar.library_digest.empty())
        out("library_digest", sidecar.library_digest);
    out("unsupported", std::string(sidecar.native_if_unsupported ? "native" : "refuse"));
    if (!sidecar.application.empty())
        out("application", sidecar.application);
    FieldWriter options;
    describe_options(sidecar.options, options);
    out.put("options", options.take());
    out("given", sidecar.given);
    if (sidecar.requirements.present())
        out.put("requirements", write_requirements(sidecar.requirements));
    FieldWriter manifest;
    describe_manifest(sidecar.manifest, manifest);
    JsonArray functions;
    for (const ipc::FunctionRecord& function : sidecar.manifest.functions) {
        FieldWriter fields;
        describe_function(function, fields);
        functions.push_back(fields.take());
    }
    manifest.put("functions", {std::move(functions)});
    out.put("manifest", manifest.take());
    return write_json(out.take());
}

Sidecar parse_sidecar(std::string_view text) {
    const Json json = parse_json(text);
    Sidecar sidecar;
    FieldReader in(json, "");
    check_version(in);
    in("proxy", sidecar.proxy);
    in("nif_host", sidecar.nif_host);
    in("library", sidecar.library);
    FieldReader file(in.need("library_file"), "library_file");
    describe_file(sidecar.file, file);
    file.finish();
    if (in.find("library_digest") != nullptr)
        in("library_digest", sidecar.library_digest);
    std::string unsupported;
    in("unsupported", unsupported);
    if (unsupported != "native" && unsupported != "refuse")
        in.expected("unsupported", {unsupported}, "\"refuse\" or \"native\"");
    sidecar.native_if_unsupported = unsupported == "native";
    if (in.find("application") != nullptr)
        in("application", sidecar.application);
    FieldReader options(in.need("options"), "options");
    describe_options(sidecar.options, options);
    if (const std::string& group = sidecar.options.group; !group.empty() && !is_group_name(group))
        options.expected("group", {group}, "the name of a group, or nothing");
    options.finish();
    in("given", sidecar.given);
    check_given(in, sidecar);
    if (const Json* requirements = in.find("requirements"))
        sidecar.requirements = read_requirements(*requirements);
    read_manifest(in.need("manifest"), sidecar.manifest);
    in.finish();
    return sidecar;
}

Sidecar read_sidecar(const std::string& file) try {
    Sidecar sidecar = parse_sidecar(read_whole(file));
    const std::filesystem::path directory = std::filesystem::path(file).parent_path();
    for (std::string* path : {&sidecar.proxy, &sidecar.nif_host, &sidecar.library}) {
        if (path->empty())
            throw std::runtime_error("a path in it is empty");
        *path = (directory / *path).lexically_normal(); // an absolute one stays what it is
    }
    return sidecar;
} catch (const std::exception& error) {
    throw std::runtime_error("the sidecar " + file + " cannot be used: " + error.what() +
                             "; make the shim again");
}

} // namespace cordon::proxy
