#include "kernel_proxy/manifest_check.hpp"

#include "kernel_proxy/discovery.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/stat.h>

namespace cordon::proxy {
namespace {

std::string show(const ipc::FunctionRecord& function) {
    return function.name + "/" + std::to_string(function.arity) + " (flags " +
           std::to_string(function.flags) + ")";
}

std::string function_difference(const ipc::Opened& was, const ipc::Opened& is) {
    if (was.functions.size() != is.functions.size())
        return "it has " + std::to_string(is.functions.size()) + " functions, expected " +
               std::to_string(was.functions.size());
    for (std::size_t i = 0; i < was.functions.size(); ++i) {
        const ipc::FunctionRecord& before = was.functions[i];
        const ipc::FunctionRecord& now = is.functions[i];
        if (before.name != now.name || before.arity != now.arity || before.flags != now.flags)
            return "its function " + std::to_string(i) + " is " + show(now) + ", expected " +
                   show(before);
    }
    return "";
}

// What the VM was told of, or what a call relies on.
std::string difference(const ipc::Opened& was, const ipc::Opened& is) {
    if (was.module != is.module)
        return "it is for module " + is.module + ", expected " + was.module;
    if (was.major != is.major || was.minor != is.minor)
        return "it is built for API " + std::to_string(is.major) + "." + std::to_string(is.minor) +
               ", expected " + std::to_string(was.major) + "." + std::to_string(was.minor);
    if (was.vm_variant != is.vm_variant)
        return "it is built for the VM variant " + is.vm_variant + ", expected " + was.vm_variant;
    if (was.options != is.options)
        return "its options are " + std::to_string(is.options) + ", expected " +
               std::to_string(was.options);
    if (was.has_upgrade != is.has_upgrade)
        return is.has_upgrade ? "it has an upgrade function, and had none"
                              : "it has no upgrade function, and had one";
    return function_difference(was, is);
}

std::string changed(const Sidecar& sidecar, const std::string& how) {
    return sidecar.library + " is not the library that the shim was made for: " + how +
           "; make the shim again";
}

} // namespace

FileIdentity identity_of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        return {};
    return {static_cast<std::uint64_t>(status.st_size),
            status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

void check_library_file(const Sidecar& sidecar) {
    struct stat status {};
    if (stat(sidecar.library.c_str(), &status) != 0)
        throw std::runtime_error(sidecar.library + ", the library behind the shim, is gone (" +
                                 std::strerror(errno) +
                                 "); put it back, or make the shim again with the library's new "
                                 "place");
    const FileIdentity now = identity_of(sidecar.library);
    if (now.size == sidecar.file.size && now.modified == sidecar.file.modified)
        return;
    const Discovered found = discover(sidecar);
    if (!found.reason.empty())
        throw std::runtime_error(changed(sidecar, found.text));
    if (const std::string how = difference(sidecar.manifest, found.manifest); !how.empty())
        throw std::runtime_error(changed(sidecar, how));
}

std::string opening_fault(const Sidecar& sidecar, const ipc::Opened& opened) {
    if (opened.error != 0)
        return opened.text;
    const std::string how = difference(sidecar.manifest, opened);
    return how.empty() ? "" : changed(sidecar, how);
}

} // namespace cordon::proxy
