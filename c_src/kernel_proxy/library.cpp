#include "kernel_proxy/library.hpp"

#include "kernel_proxy/call.hpp"
#include "kernel_proxy/call_hop.hpp"
#include "kernel_proxy/halt.hpp"
#include "kernel_proxy/host.hpp"
#include "kernel_proxy/manifest_check.hpp"
#include "kernel_proxy/platform.hpp"
#include "kernel_proxy/refusal.hpp"
#include "kernel_proxy/trampoline.hpp"
#include "kernel_proxy/vm_clock.hpp"
#include "kernel_proxy/vm_directory.hpp"
#include "kernel_proxy/vm_words.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// From this minor version on the VM reads all fields of an entry that we fill in; it is old enough
// for every VM that we run in.
constexpr int kEntryMinor = 14;
// The VM's own, before 2.14 libraries don't say it.
constexpr char kMinErts[] = "erts-12.0";
// What load or upgrade returns when it is not the library that has failed.
constexpr int kHostFailed = 1;
std::atomic<std::uint32_t> last_number{0};

std::mutex libraries_lock;
auto& libraries = *new std::map<std::string, Library*>; // by shim; outlives the VM's exit

// nif_init, load and upgrade of one load_nif run one after the other on one thread, and load is not
// told whose it is.
thread_local Library* entering = nullptr;

} // namespace

// --- what the VM calls ---------------------------------------------------------------------------

int library_load(ErlNifEnv* env, void** private_data, ERL_NIF_TERM info) try {
    return entering->load_instance(env, private_data, nullptr, info,
                                   duration_of(entering->options().load_timeout));
} catch (const std::exception&) {
    return kHostFailed;
}

int library_upgrade(ErlNifEnv* env, void** private_data, void** old_private_data,
                    ERL_NIF_TERM info) try {
    // It may be of another file of the module, or not isolated at all.
    auto* old = static_cast<ModuleInstance*>(*old_private_data);
    Library& library = *entering;
    const bool same = library.group().knows(old, library.module_name());
    // A load too: all schedulers stand still meanwhile.
    return library.load_instance(env, private_data, same ? old : nullptr, info,
                                 duration_of(library.options().upgrade_timeout));
} catch (const std::exception&) {
    return kHostFailed;
}

void library_unload(ErlNifEnv* env, void* private_data) try {
    auto* instance = static_cast<ModuleInstance*>(private_data);
    instance->library->unload_instance(env, instance);
} catch (const std::exception&) {
    // The VM wants no answer; the host goes with the next start.
}

// `unsupported`: set to a text when no host can run here and the sidecar says that the library may
// be loaded natively then.
extern "C" __attribute__((visibility("default"))) ErlNifEntry*
cordon_shim_entry(const char* shim, const char* sidecar, const char** unsupported) try {
    static std::string fault; // nif_init runs under the VM's lock for loading code
    Sidecar read = read_sidecar(sidecar);
    fault = platform_fault(read.nif_host);
    if (!fault.empty()) {
        if (!read.native_if_unsupported)
            return refuse_load(shim, fault.c_str());
        *unsupported = fault.c_str();
        return nullptr;
    }
    learn_dirty_io_schedulers();
    learn_time_offset();
    VmDirectory::watch(); // module cordon_nif need not be there
    entering = Library::of_shim(shim, std::move(read));
    return entering->entry();
} catch (const std::exception& error) {
    return refuse_load(shim, error.what());
}

// --- the library
// -----------------------------------------------------------------------------------

Library* Library::of_shim(const char* shim, Sidecar sidecar) {
    check_library_file(sidecar);
    // A shim that was made again stands for another library, or for other options.
    const std::string key = std::string(shim) + '\n' + write_sidecar(sidecar);
    const std::scoped_lock guard(libraries_lock);
    Library*& library = libraries[key];
    if (library == nullptr) {
        library = new Library(std::move(sidecar));
        library->build_entry();
    }
    return library;
}

Library::Library(Sidecar sidecar)
    : sidecar_(std::move(sidecar)),
      function_states_(std::make_unique<FunctionState[]>(sidecar_.manifest.functions.size())),
      group_(&Group::of(sidecar_.options.group, sidecar_.manifest.module)), number_(++last_number) {
    for (std::uint32_t i = 0; i < sidecar_.manifest.functions.size(); ++i) {
        function_states_[i].library = this;
        function_states_[i].index = i;
    }
}

Library::~Library() = default;

// What the VM checks of a library it checks of this entry: names, arities, flags and versions are
// the real library's, so that its errors are the ones that it would give for that.
void Library::build_entry() {
    const ipc::Opened& manifest = sidecar_.manifest;
    functions_.reserve(manifest.functions.size());
    for (std::uint32_t i = 0; i < manifest.functions.size(); ++i) {
        const ipc::FunctionRecord& function = manifest.functions[i];
        functions_.push_back(
            {function.name.c_str(), function.arity, trampoline(i, function.flags), function.flags});
    }
    const bool refused_by_version =
        manifest.major != 2 || manifest.minor == 5 || manifest.minor > ERL_NIF_MINOR_VERSION;
    entry_.major = manifest.major;
    entry_.minor = refused_by_version ? manifest.minor : kEntryMinor;
    entry_.name = manifest.module.c_str();
    entry_.num_of_funcs = static_cast<int>(functions_.size());
    entry_.funcs = functions_.data();
    entry_.load = &library_load;
    entry_.upgrade = manifest.has_upgrade ? &library_upgrade : nullptr;
    entry_.unload = &library_unload;
    const bool says_variant = manifest.major != 2 || manifest.minor >= 1;
    entry_.vm_variant = says_variant ? manifest.vm_variant.c_str() : ERL_NIF_VM_VARIANT;
    entry_.options = manifest.options;
    entry_.sizeof_ErlNifResourceTypeInit = sizeof(ErlNifResourceTypeInit);
    entry_.min_erts = manifest.min_erts.empty() ? kMinErts : manifest.min_erts.c_str();
}

bool Library::has_instance(const ModuleInstance* instance) const {
    const std::scoped_lock guard(instances_lock_);
    return std::find(instances_.begin(), instances_.end(), instance) != instances_.end();
}

Host* Library::open_in_host(Clock::time_point deadline, std::string* why) {
    group_->join(*this);
    Host* host = group_->start_host(nif_host(), deadline, why);
    if (host == nullptr)
        return nullptr;
    if (*why = host->follow_directory(deadline); !why->empty())
        return nullptr;
    if (opened_in_ == host->generation())
        return host;
    ipc::Opened opened;
    if (std::string wrong = host->open(*this, deadline, &opened); !wrong.empty()) {
        *why = wrong;
        return nullptr;
    }
    if (*why = opening_fault(sidecar_, opened); !why->empty()) {
        // Nobody else can use it; and if the file is put right, a new host must open it.
        if (!group_->has_instances() || group_->libraries().size() == 1)
            host->kill({HostEnd::Kind::StartFailed, 0, *why});
        return nullptr;
    }
    opened_in_ = host->generation();
    return host;
}

Host* Library::start_and_open(Clock::time_point deadline, ipc::Opened* opened, std::string* why) {
    const std::unique_lock guard(group_->start_lock(), deadline);
    if (!guard) {
        *why = "another start does not end";
        return nullptr;
    }
    group_->join(*this);
    Host* host = group_->start_host(nif_host(), deadline, why);
    if (host == nullptr)
        return nullptr;
    if (*why = host->follow_directory(deadline); why->empty())
        *why = host->open(*this, deadline, opened);
    return why->empty() ? host : nullptr;
}

void Library::leave_if_unused() {
    {
        const std::scoped_lock guard(instances_lock_);
        if (!instances_.empty() || unloading_ != 0)
            return;
    }
    group_->leave(*this);
}

Host* Library::ensure_loaded(ErlNifEnv* env, ModuleInstance& instance, HostEnd* why,
                             std::uint64_t* generation) {
    const auto timeout = duration_of(options().load_timeout);
    const std::unique_lock guard(group_->start_lock(), timeout);
    if (!guard) {
        *why = {HostEnd::Kind::StartFailed, 0, "another start does not end"};
        return nullptr;
    }
    std::string text;
    Host* host = open_in_host(Clock::now() + timeout, &text);
    *generation = group_->generation();
    if (host == nullptr) {
        *why = {HostEnd::Kind::StartFailed, 0, text};
        return nullptr;
    }
    if (instance.loaded_generation.load(std::memory_order_relaxed) == host->generation())
        return host;
    std::int64_t answer = 0;
    const ERL_NIF_TERM info = enif_make_copy(env, instance.load_info);
    const bool done =
        call_inline(env, env, instance, *host, ipc::RequestKind::Load, info, 0, timeout, &answer);
    if (!done) {
        *why = host->end();
        return nullptr;
    }
    const auto loaded = ipc::LoadAnswer::of_small(answer);
    if (loaded.code != 0) {
        opened_in_ = 0; // closed again, when no other instance has it open
        *why = {HostEnd::Kind::Load, loaded.code, ""};
        return nullptr;
    }
    instance.options = loaded.options;
    instance.unloaded_slots.clear();
    instance.loaded_generation.store(host->generation(), std::memory_order_release);
    return host;
}

int Library::load_instance(ErlNifEnv* env, void** private_data, ModuleInstance* old,
                           ERL_NIF_TERM info, std::chrono::milliseconds timeout) {
    ErlNifPid self;
    if (enif_self(env, &self) != nullptr)
        pid_word(self); // teaches the tag of local pids
    ErlNifResourceType* type = ResourceTable::open_type(env);
    if (type == nullptr)
        return kHostFailed;
    const std::unique_lock guard(group_->start_lock(), timeout);
    if (!guard) {
        std::fprintf(stderr, "cordon: %s: another start does not end\n", path().c_str());
        return kHostFailed;
    }
    std::string why;
    Host* host = open_in_host(Clock::now() + timeout, &why);
    if (host == nullptr) {
        leave_if_unused();
        std::fprintf(stderr, "cordon: %s cannot be loaded: %s\n", path().c_str(), why.c_str());
        return kHostFailed;
    }
    auto instance = std::make_unique<ModuleInstance>();
    instance->library = this;
    instance->id = group_->next_instance();
    instance->info_env = enif_alloc_env();
    instance->load_info = enif_make_copy(instance->info_env, info);
    ErlNifResourceType* type_before = group_->resources().set_type(*this, type);

    // An old instance that this host knows is upgraded; otherwise there is nothing to upgrade from.
    const bool upgrade = old != nullptr && old->loaded_generation.load() == host->generation();
    std::int64_t answer = kHostFailed;
    if (!call_inline(env, env, *instance, *host,
                     upgrade ? ipc::RequestKind::Upgrade : ipc::RequestKind::Load, info,
                     upgrade ? old->id : 0, timeout, &answer))
        answer = kHostFailed;
    const auto loaded = ipc::LoadAnswer::of_small(answer);
    if (loaded.code != 0) {
        group_->resources().set_type(*this, type_before);
        enif_free_env(instance->info_env);
        opened_in_ = 0; // closed again, when no other instance has it open
        leave_if_unused();
        if (!group_->has_instances())
            host->kill({HostEnd::Kind::Stopped});
        return loaded.code;
    }
    instance->loaded_generation.store(host->generation(), std::memory_order_release);
    {
        const std::scoped_lock instances_guard(instances_lock_);
        instances_.push_back(instance.get());
    }
    instance->options = loaded.options;
    set_vm_options(env, loaded.options);
    group_->instance_loaded();
    *private_data = instance.release();
    return 0;
}

} // namespace cordon::proxy
