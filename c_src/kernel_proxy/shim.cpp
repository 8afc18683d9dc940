// The shim: what erlang:load_nif/2 opens in the library's place. Every library has a copy of its
// own, for the dynamic loader tells copies apart by inode. It knows nothing but where its sidecar
// lies (beside it, ".cordon" for ".so"), which proxy to hand over to, and when to get out of the
// way: when CORDON_DISABLE names the library, or no host can run here and the sidecar allows that.
#include "kernel_proxy/refusal.hpp"
#include "kernel_proxy/shim_text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <erl_nif.h>

namespace {

using namespace cordon::shim;

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxSidecar = 1 << 20;

struct Files {
    char shim[kMaxPath];
    char sidecar[kMaxPath + 8];
    char proxy[kMaxPath];
    char library[kMaxPath];
    char application[256];
    char module[256];
    bool native_if_unsupported;
};

void* natively_loaded = nullptr;

// The real library goes with the shim: its static variables start anew with the next load.
__attribute__((destructor)) void close_library() {
    if (natively_loaded != nullptr)
        dlclose(natively_loaded);
}

ErlNifEntry* refuse(const Files& files, const char* what, const char* detail) {
    char text[2 * kMaxPath];
    std::snprintf(text, sizeof text, "%s: %s", what, detail);
    return cordon::proxy::refuse_load(files.shim, text);
}

// As the VM would have done it.
ErlNifEntry* load_natively(const Files& files, const char* why) {
    std::fprintf(stderr, "cordon: warning: %s is loaded into the VM, not isolated: %s\n",
                 files.library, why);
    if (natively_loaded == nullptr)
        natively_loaded = dlopen(files.library, RTLD_NOW | RTLD_LOCAL);
    if (natively_loaded == nullptr)
        return refuse(files, "the library cannot be loaded natively", dlerror());
    void* init = dlsym(natively_loaded, "nif_init");
    if (init == nullptr)
        init = dlsym(natively_loaded, "_nif_init");
    if (init == nullptr)
        return refuse(files, "Failed to find library init function", dlerror());
    return reinterpret_cast<ErlNifEntry* (*)()>(init)();
}

bool is_disabled(const Files& files) {
    static char list[1 << 17]; // more than one variable of the environment can have
    std::size_t size = sizeof list;
    if (enif_getenv("CORDON_DISABLE", list, &size) != 0)
        return false;
    return list_has_file(list, files.library) || list_has_file(list, files.shim) ||
           list_has(list, files.application, std::strlen(files.application)) ||
           list_has(list, files.module, std::strlen(files.module));
}

// Empty when all is there.
const char* read_sidecar(Files& files) {
    FILE* file = std::fopen(files.sidecar, "re");
    if (file == nullptr)
        return std::strerror(errno);
    char* json = static_cast<char*>(std::calloc(1, kMaxSidecar + 1));
    const std::size_t got = json == nullptr ? 0 : std::fread(json, 1, kMaxSidecar, file);
    std::fclose(file);
    char unsupported[16] = "";
    const bool proxy = got > 0 && find_string(json, "proxy", 1, files.proxy, kMaxPath);
    const bool library = got > 0 && find_string(json, "library", 1, files.library, kMaxPath);
    if (proxy && library) {
        find_string(json, "application", 1, files.application, sizeof files.application);
        find_string(json, "module", 2, files.module, sizeof files.module);
        find_string(json, "unsupported", 1, unsupported, sizeof unsupported);
    }
    std::free(json);
    files.native_if_unsupported = std::strcmp(unsupported, "native") == 0;
    if (!proxy)
        return "it names no proxy (key \"proxy\"); make the shim again";
    if (!library)
        return "it names no library (key \"library\"); make the shim again";
    if (!make_absolute(files.sidecar, files.proxy, kMaxPath) ||
        !make_absolute(files.sidecar, files.library, kMaxPath))
        return "a path in it is too long";
    return "";
}

} // namespace

// By this symbol a file is known to be a shim, of whichever build.
extern "C" __attribute__((visibility("default"))) const char cordon_shim_mark = 1;

extern "C" __attribute__((visibility("default"))) ErlNifEntry* nif_init() {
    static Files files;
    files = Files{};
    Dl_info self{};
    if (dladdr(reinterpret_cast<void*>(&nif_init), &self) == 0 ||
        realpath(self.dli_fname, files.shim) == nullptr)
        return refuse(files, "a shim does not know its own path", std::strerror(errno));
    std::strcpy(files.sidecar, files.shim);
    char* suffix = std::strrchr(files.sidecar, '.');
    if (suffix == nullptr || std::strchr(suffix, '/') != nullptr)
        return refuse(files, files.shim, "expected a file name that ends in .so");
    std::strcpy(suffix, ".cordon");
    if (const char* wrong = read_sidecar(files); *wrong != 0) {
        char what[kMaxPath + 64];
        std::snprintf(what, sizeof what, "the sidecar %s cannot be used", files.sidecar);
        return refuse(files, what, wrong);
    }
    if (is_disabled(files))
        return load_natively(files, "the environment variable CORDON_DISABLE says so");

    void* handle = dlopen(files.proxy, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char* why = dlerror();
        return files.native_if_unsupported
                   ? load_natively(files, why)
                   : refuse(files, "the proxy that the sidecar names cannot be loaded", why);
    }
    // Text when no host can run here and the library may be loaded natively then.
    using Entry = ErlNifEntry* (*)(const char*, const char*, const char**);
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, "cordon_shim_entry"));
    if (entry == nullptr)
        return refuse(files, "this is no cordon proxy, or of another version", files.proxy);
    const char* unsupported = nullptr;
    ErlNifEntry* found = entry(files.shim, files.sidecar, &unsupported);
    return unsupported == nullptr ? found : load_natively(files, unsupported);
}
