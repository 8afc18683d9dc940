#include "kernel_proxy/discovery.hpp"

#include "kernel_proxy/host.hpp"
#include "kernel_proxy/library.hpp"
#include "kernel_proxy/manifest_check.hpp"
#include "kernel_proxy/trampoline.hpp"

#include <elf.h>
#include <fstream>
#include <mutex>

namespace cordon::proxy {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kOurMachine = EM_X86_64;
constexpr char kOurMachineName[] = "x86-64";
#elif defined(__aarch64__)
constexpr Elf64_Half kOurMachine = EM_AARCH64;
constexpr char kOurMachineName[] = "aarch64";
#else
#error "cordon runs on x86-64 and aarch64"
#endif

// What can be said of a file without opening it as a library. Empty when it looks right.
std::string inspect_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return path + ": no such file, or it cannot be read; expected the NIF library that the "
                      "module loads: check the path, build the library";
    Elf64_Ehdr header{};
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    if (static_cast<std::size_t>(file.gcount()) < sizeof header ||
        std::string(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG)
        return path + ": not an ELF file; expected a shared library for " + kOurMachineName +
               ": build the library again";
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kOurMachine)
        return path + ": built for another machine (ELF machine " +
               std::to_string(header.e_machine) + "); expected " + kOurMachineName +
               ": build the library for this machine";
    return "";
}

std::string explain_dlopen(const std::string& text) {
    if (text.find("undefined symbol") != std::string::npos)
        return text +
               "; expected it in cordon's host (every enif_* of OTP 25 to 29) or in a library "
               "that this one links with: link it with what defines the symbol";
    if (text.find("failed to map segment") != std::string::npos)
        return text +
               "; expected a file system from which libraries can be loaded: this one may be "
               "mounted noexec";
    return text;
}

// A name of the library that no atom can have; empty when all can be.
std::string overlong_name(const ipc::Opened& manifest) {
    if (manifest.module.size() > kMaxAtomBytes)
        return manifest.module;
    for (const ipc::FunctionRecord& function : manifest.functions)
        if (function.name.size() > kMaxAtomBytes)
            return function.name;
    return "";
}

Discovered failed(std::string reason, std::string text) {
    Discovered result;
    result.reason = std::move(reason);
    result.text = std::move(text);
    return result;
}

// One host after the other; the object is kept, for background threads may still look at it.
struct Discovery {
    std::mutex lock;
    Library* library = nullptr;
};

Discovery& discovery() {
    static auto* the_one = new Discovery;
    return *the_one;
}

} // namespace

Discovered discover(const Sidecar& wanted) {
    if (std::string wrong = inspect_file(wanted.library); !wrong.empty())
        return failed("load_failed", wrong);
    Discovery& shared = discovery();
    const std::scoped_lock guard(shared.lock);
    Sidecar alone = wanted;
    // Looked at in a host that no others are in, those of its own module neither.
    alone.options.group.clear();
    alone.manifest = {};
    if (shared.library == nullptr)
        shared.library = new Library(std::move(alone));
    else
        shared.library->rediscover(std::move(alone));
    std::string why;
    Discovered result;
    result.file = identity_of(wanted.library); // before it is opened: a change is seen later
    Host* host = shared.library->start_and_open(
        deadline_after(Clock::now(), wanted.options.load_timeout), &result.manifest, &why);
    if (host == nullptr)
        return failed(why.find("opened") == std::string::npos ? "nif_host" : "load_failed",
                      wanted.library + ": " + why);
    host->kill({HostEnd::Kind::Stopped});
    const std::string& text = result.manifest.text;
    switch (static_cast<ipc::OpenError>(result.manifest.error)) {
    case ipc::OpenError::None:
        if (result.manifest.functions.size() > kMaxFunctions)
            return failed("bad_lib", wanted.library + " has " +
                                         std::to_string(result.manifest.functions.size()) +
                                         " functions; at most " + std::to_string(kMaxFunctions) +
                                         " can be isolated");
        if (const std::string name = overlong_name(result.manifest); !name.empty())
            return failed("bad_lib", wanted.library + " has a name of " +
                                         std::to_string(name.size()) +
                                         " bytes for a module or function (" + name.substr(0, 40) +
                                         "...), expected at most " + std::to_string(kMaxAtomBytes));
        try {
            result.requirements = parse_requirements(result.manifest.requirements);
        } catch (const std::exception& error) {
            return failed("requirements", wanted.library + ": " + error.what());
        }
        return result;
    case ipc::OpenError::NotLoadable:
        return failed("load_failed", "Failed to load NIF library: '" + explain_dlopen(text) + "'");
    case ipc::OpenError::NoInit:
        return failed("bad_lib", "Failed to find library init function: '" + text +
                                     "'; expected a NIF library (made with ERL_NIF_INIT)");
    default:
        return failed("bad_lib", "Library init-call unsuccessful: " + wanted.library + ": " + text);
    }
}

} // namespace cordon::proxy
