#include "nif_host/loader.hpp"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace cordon::host {
namespace {

// Before API 2.7 a function record had no flags.
struct OldFunction {
    const char* name;
    unsigned arity;
    ERL_NIF_TERM (*fptr)(ErlNifEnv*, int, const ERL_NIF_TERM[]);
};
static_assert(sizeof(OldFunction) == 24 && sizeof(ErlNifFunc) == 32);

// Of both maps.
std::shared_mutex instances_lock;
std::map<std::uint32_t, std::unique_ptr<Library>> libraries; // by number
std::map<std::uint32_t, std::unique_ptr<Instance>> instances;
std::atomic<std::uint32_t> destroyed{0};

bool at_least(const ErlNifEntry& entry, int minor) {
    return entry.major > 2 || (entry.major == 2 && entry.minor >= minor);
}

std::vector<ErlNifFunc> read_functions(const ErlNifEntry& entry) {
    std::vector<ErlNifFunc> functions;
    for (int i = 0; i < entry.num_of_funcs; ++i) {
        if (at_least(entry, 7)) {
            functions.push_back(entry.funcs[i]);
        } else {
            const OldFunction& old = reinterpret_cast<const OldFunction*>(entry.funcs)[i];
            functions.push_back({old.name, old.arity, old.fptr, 0});
        }
    }
    return functions;
}

Library* find_library(std::uint32_t number) {
    const std::shared_lock guard(instances_lock);
    const auto found = libraries.find(number);
    return found == libraries.end() ? nullptr : found->second.get();
}

std::string text(const char* string) {
    return string == nullptr ? "" : string;
}

ipc::Opened failure(ipc::OpenError error, std::string message) {
    ipc::Opened opened;
    opened.error = static_cast<std::uint32_t>(error);
    opened.text = std::move(message);
    return opened;
}

ipc::Opened no_entry() {
    return failure(ipc::OpenError::InitFailed, "nif_init returned NULL");
}

ipc::Opened describe(const ErlNifEntry& entry) {
    ipc::Opened opened;
    opened.major = entry.major;
    opened.minor = entry.minor;
    opened.module = text(entry.name);
    if (at_least(entry, 14))
        opened.min_erts = text(entry.min_erts); // what the VM names when it refuses one too new
    if (entry.major != 2)                       // no more of its layout is known
        return opened;
    opened.has_load = entry.load != nullptr;
    opened.has_reload = entry.reload != nullptr;
    opened.has_upgrade = entry.upgrade != nullptr;
    opened.has_unload = entry.unload != nullptr;
    if (at_least(entry, 1))
        opened.vm_variant = text(entry.vm_variant);
    if (at_least(entry, 7))
        opened.options = entry.options;
    for (const ErlNifFunc& function : read_functions(entry))
        opened.functions.push_back({text(function.name), function.arity, function.flags});
    return opened;
}

// The bytes of the record that the library itself exports (include/cordon_requirements.h), as many
// as the symbol has; nothing when there is none. What is in them is for the BEAM side to judge.
std::vector<char> read_requirements(void* handle, void* init) {
    void* record = dlsym(handle, "cordon_requirements");
    Dl_info ours{};
    Dl_info theirs{};
    ElfW(Sym)* symbol = nullptr;
    if (record == nullptr || dladdr(init, &ours) == 0 ||
        dladdr1(record, &theirs, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0)
        return {};
    const bool its_own = ours.dli_fbase == theirs.dli_fbase; // not that of a library it links with
    if (!its_own || symbol == nullptr || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
        return {};
    const std::size_t size = std::min<std::size_t>(symbol->st_size, ipc::kMaxRequirementsBytes);
    const char* bytes = static_cast<const char*>(record);
    return {bytes, bytes + size};
}

} // namespace

ipc::Opened open_library(std::uint32_t number, const std::string& path) {
    using ipc::OpenError;
    if (Library* library = find_library(number)) {
        if (library->first_entry == nullptr)
            library->first_entry = library->init();
        return library->first_entry == nullptr ? no_entry() : describe(*library->first_entry);
    }
    void* handle = dlopen(path.c_str(), RTLD_NOW);
    if (handle == nullptr)
        return failure(OpenError::NotLoadable, text(dlerror()));
    void* init = dlsym(handle, "nif_init");
    if (init == nullptr)
        init = dlsym(handle, "_nif_init");
    if (init == nullptr)
        return failure(OpenError::NoInit, text(dlerror()));
    auto library = std::make_unique<Library>();
    library->path = path;
    library->handle = handle;
    library->init = reinterpret_cast<ErlNifEntry* (*)()>(init);
    library->first_entry = library->init();
    if (library->first_entry == nullptr)
        return no_entry();
    ipc::Opened opened = describe(*library->first_entry);
    opened.requirements = read_requirements(handle, init);
    const std::unique_lock guard(instances_lock);
    libraries[number] = std::move(library);
    return opened;
}

Instance* create_instance(std::uint32_t id, std::uint32_t number) {
    Library* library = find_library(number);
    if (library == nullptr)
        return nullptr;
    const ErlNifEntry* entry = std::exchange(library->first_entry, nullptr);
    if (entry == nullptr)
        entry = library->init();
    if (entry == nullptr)
        return nullptr;
    auto instance = std::make_unique<Instance>();
    instance->id = id;
    instance->library = library;
    instance->entry = entry;
    instance->functions = read_functions(*entry);
    const std::unique_lock guard(instances_lock);
    return (instances[id] = std::move(instance)).get();
}

Instance* find_instance(std::uint32_t id) {
    const std::shared_lock guard(instances_lock);
    const auto found = instances.find(id);
    return found == instances.end() ? nullptr : found->second.get();
}

std::uint32_t instances_destroyed() {
    return destroyed.load(std::memory_order_relaxed);
}

void destroy_instance(Instance* instance) {
    // Relaxed will do: the BEAM asks for no instance that is being destroyed, and what it asks for
    // next comes with the doorbell's release.
    destroyed.fetch_add(1, std::memory_order_relaxed);
    void* handle;
    {
        const std::unique_lock guard(instances_lock);
        Library* library = instance->library;
        instances.erase(instance->id);
        for (const auto& [id, other] : instances)
            if (other->library == library)
                return;
        handle = library->handle;
        std::erase_if(libraries, [&](const auto& known) { return known.second.get() == library; });
    }
    dlclose(handle); // runs code of the library
}

} // namespace cordon::host
