// The shim: what erlang:load_nif/2 opens in the library's place. Every library has a copy of its
// own, for the dynamic loader tells copies apart by inode. It knows nothing but where its sidecar
// lies (beside it, ".cordon" for ".so") and which proxy to hand over to; no C++ run time is needed
// for that.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <erl_nif.h>

namespace {

constexpr std::size_t kMaxSidecar = 1 << 20;

ErlNifEntry* fail(const char* shim, const char* what, const char* detail) {
    std::fprintf(stderr, "cordon: %s: %s%s%s\n", shim, what, *detail != 0 ? ": " : "", detail);
    return nullptr;
}

// The string value of "proxy" in the sidecar (JSON); false if there is none.
bool find_proxy(const char* json, char* value, std::size_t size) {
    const char* at = std::strstr(json, "\"proxy\"");
    at = at == nullptr ? nullptr : std::strchr(at + sizeof "\"proxy\"" - 1, '"');
    if (at == nullptr)
        return false;
    std::size_t length = 0;
    for (++at; *at != 0 && *at != '"'; ++at) {
        if (*at == '\\' && at[1] != 0)
            ++at;
        if (length + 1 >= size)
            return false;
        value[length++] = *at;
    }
    value[length] = 0;
    return *at == '"' && length > 0;
}

// Makes a path that is relative to the sidecar's directory absolute; false if it gets too long.
bool beside(const char* sidecar, char* path, std::size_t size) {
    const std::size_t directory =
        static_cast<std::size_t>(std::strrchr(sidecar, '/') - sidecar) + 1;
    const std::size_t length = std::strlen(path) + 1;
    if (directory + length > size)
        return false;
    std::memmove(path + directory, path, length);
    std::memcpy(path, sidecar, directory);
    return true;
}

} // namespace

extern "C" __attribute__((visibility("default"))) ErlNifEntry* nif_init() {
    Dl_info self{};
    if (dladdr(reinterpret_cast<void*>(&nif_init), &self) == 0)
        return fail("shim", "does not know its own path", "");
    char path[4096];
    if (realpath(self.dli_fname, path) == nullptr)
        return fail(self.dli_fname, "does not know its own path", "");
    char sidecar[4096 + 16];
    std::snprintf(sidecar, sizeof sidecar, "%s", path);
    char* suffix = std::strrchr(sidecar, '.');
    if (suffix == nullptr)
        return fail(path, "expected a file name that ends in .so", "");
    std::strcpy(suffix, ".cordon");

    FILE* file = std::fopen(sidecar, "re");
    if (file == nullptr)
        return fail(path, "the sidecar beside the shim cannot be read", sidecar);
    char* json = static_cast<char*>(std::calloc(1, kMaxSidecar + 1));
    const std::size_t got = json == nullptr ? 0 : std::fread(json, 1, kMaxSidecar, file);
    std::fclose(file);
    char proxy[4096];
    const bool found = got > 0 && find_proxy(json, proxy, sizeof proxy);
    std::free(json);
    if (!found)
        return fail(path, "the sidecar names no proxy", sidecar);

    if (*proxy != '/' && !beside(sidecar, proxy, sizeof proxy))
        return fail(path, "the path of the proxy is too long", proxy);

    void* handle = dlopen(proxy, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        return fail(path, "the proxy that the sidecar names cannot be loaded", dlerror());
    using Entry = ErlNifEntry* (*)(const char*, const char*);
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, "cordon_shim_entry"));
    if (entry == nullptr)
        return fail(path, "this is no cordon proxy, or of another version", proxy);
    return entry(path, sidecar);
}
