#include "nif_host/enif/resource.hpp"

#include "nif_host/callback_thread.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/monitor.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/lifetime_check.hpp"
#include "nif_host/upcall_client.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace cordon::host {

// What a type will be once load or upgrade has succeeded.
struct PendingType {
    ErlNifResourceType* type;
    ErlNifResourceTypeInit callbacks;
    bool is_new;
};

namespace {

// How long an unload waits for callbacks of its library that are under way.
constexpr std::chrono::seconds kCallbacksEnd{5};

std::mutex types_lock;
std::condition_variable callback_ended;
std::vector<ErlNifResourceType*> types; // of all instances; a type's memory is never freed

std::string_view module_of(const Instance* instance) {
    return instance == nullptr || instance->entry == nullptr
               ? std::string_view()
               : std::string_view(instance->entry->name);
}

bool is_type(const ErlNifResourceType& type, std::string_view module, std::string_view name) {
    return type.linked && type.module == module && type.name == name;
}

ErlNifResourceType* find_type(std::string_view module, std::string_view name) {
    const std::scoped_lock guard(types_lock);
    const auto found = std::find_if(types.begin(), types.end(),
                                    [&](auto* type) { return is_type(*type, module, name); });
    return found == types.end() ? nullptr : *found;
}

void set_callbacks(ErlNifResourceType* type, const ErlNifResourceTypeInit& callbacks) {
    type->callbacks = callbacks;
    type->has_destructor = callbacks.dtor != nullptr;
    type->has_down = callbacks.down != nullptr;
}

ErlNifResourceType* open_type(ErlNifEnv* env, const char* name,
                              const ErlNifResourceTypeInit& callbacks, ErlNifResourceFlags flags,
                              ErlNifResourceFlags* tried) {
    ErlNifResourceFlags attempt = flags;
    PendingType pending{nullptr, callbacks, false};
    if (env->kind == EnvKind::Load && env->instance != nullptr) {
        pending.type = find_type(module_of(env->instance), name);
        if (pending.type != nullptr) {
            if ((flags & ERL_NIF_RT_TAKEOVER) != 0)
                attempt = ERL_NIF_RT_TAKEOVER;
            else
                pending.type = nullptr;
        } else if ((flags & ERL_NIF_RT_CREATE) != 0) {
            attempt = ERL_NIF_RT_CREATE;
            // Also if this load has opened one of that name already: as in the VM they are two.
            pending.type = new ErlNifResourceType;
            pending.type->module = module_of(env->instance);
            pending.type->name = name;
            pending.type->owner = env->instance;
            set_callbacks(pending.type, callbacks);
            pending.is_new = true;
        }
    }
    if (pending.type != nullptr) {
        if (env->pending_types == nullptr)
            env->pending_types = new std::vector<PendingType>;
        env->pending_types->push_back(pending);
    }
    if (tried != nullptr)
        *tried = attempt;
    return pending.type;
}

void free_resource(Resource* resource) {
    resource->magic = 0;
    resource->type->live.fetch_sub(1, std::memory_order_relaxed);
    if (lifetimes_checked())
        watched_end(resource, ipc::Ending::LastReference);
    else
        std::free(resource);
}

} // namespace

void types_commit(ErlNifEnv* load_env) {
    const std::unique_ptr<std::vector<PendingType>> pending(load_env->pending_types);
    load_env->pending_types = nullptr;
    if (pending == nullptr)
        return;
    const std::scoped_lock guard(types_lock);
    // Of two that take the same type over the first counts, as in the VM.
    for (auto opened = pending->rbegin(); opened != pending->rend(); ++opened) {
        set_callbacks(opened->type, opened->callbacks);
        opened->type->owner = load_env->instance;
    }
    for (const PendingType& opened : *pending)
        if (opened.is_new)
            types.push_back(opened.type);
}

void types_rollback(ErlNifEnv* load_env) {
    const std::unique_ptr<std::vector<PendingType>> pending(load_env->pending_types);
    load_env->pending_types = nullptr;
    if (pending == nullptr)
        return;
    for (const PendingType& opened : *pending)
        if (opened.is_new) // its memory stays: the library may have used it
            set_callbacks(opened.type, {});
}

bool types_hold(const Instance* instance) {
    const std::scoped_lock guard(types_lock);
    return std::any_of(types.begin(), types.end(), [&](const ErlNifResourceType* type) {
        const ErlNifResourceTypeInit& callbacks = type->callbacks;
        const bool has_any = callbacks.dtor != nullptr || callbacks.stop != nullptr ||
                             callbacks.down != nullptr || callbacks.dyncall != nullptr;
        return has_any && type->owner == instance && type->live.load() != 0;
    });
}

void types_forget_instance(Instance* instance) {
    std::unique_lock guard(types_lock);
    std::vector<ErlNifResourceType*> forgotten;
    std::erase_if(types, [&](ErlNifResourceType* type) {
        if (type->owner != instance)
            return false;
        type->owner = nullptr;
        type->callbacks = {}; // their code is about to be unmapped
        forgotten.push_back(type);
        return true;
    });
    for (const ErlNifResourceType* type : forgotten)
        callback_ended.wait_for(guard, kCallbacksEnd, [type] { return type->running == 0; });
}

void types_unlink_module(const Instance* instance) {
    const std::scoped_lock guard(types_lock);
    for (ErlNifResourceType* type : types)
        if (type->owner != instance && type->module == module_of(instance))
            type->linked = false;
}

void resource_acquire(std::uint64_t handle) {
    Resource* resource = Resource::of_handle(handle);
    resource_keep(resource);
    resource->vm_references.fetch_add(1, std::memory_order_relaxed);
}

TypeInUse::TypeInUse(ErlNifResourceType* type) : type_(type) {
    const std::scoped_lock guard(types_lock);
    ++type->running;
    callbacks_ = type->callbacks;
    owner_ = type->owner;
}

TypeInUse::~TypeInUse() {
    env_destroy(env_, ipc::Ending::Return);
    const std::scoped_lock guard(types_lock);
    --type_->running;
    callback_ended.notify_all();
}

ErlNifEnv* TypeInUse::env() {
    if (env_ == nullptr)
        env_ = env_create(EnvKind::Callback, owner_);
    return env_;
}

namespace {

// Nobody holds it any more.
void destroy(std::uint64_t handle, void (*on_begun)()) {
    Resource* resource = Resource::of_handle(handle);
    {
        TypeInUse type(resource->type);
        on_begun();
        if (auto* destructor = type.callbacks().dtor; destructor != nullptr) {
            const std::uint8_t before = current_thread_type;
            current_thread_type = ERL_NIF_THR_NORMAL_SCHEDULER; // as in the VM
            destructor(type.env(), resource->data());
            current_thread_type = before;
        }
    }
    free_resource(resource);
}

// The last reference is gone.
void end_resource(Resource* resource) {
    monitors_forget(resource);
    if (resource->type->has_destructor)
        defer_callback({destroy, resource->handle()});
    else
        free_resource(resource);
}

// The library has let go of what it monitors with: whether Erlang has it the VM can tell when we
// keep the proxy no more. Takes over a reference.
void let_vm_decide(std::uint64_t handle, void (*on_begun)()) {
    upcall(ipc::Upcall::DropAnchor, {handle});
    on_begun();
    resource_drop(Resource::of_handle(handle));
}

enum class Holder { Host, Vm };

// What is to be done is chosen by a count that is still true when it is done: of two that let go at
// the same time the second one sees what the first has left.
void drop_reference(Resource* resource, Holder holder) {
    std::size_t count = resource->references.load(std::memory_order_acquire);
    do {
        // The anchor must not outlive the references of others.
        if (count == 2 && resource->anchored.exchange(false, std::memory_order_acq_rel))
            return defer_callback({let_vm_decide, resource->handle()});
        // Others hold it, so it lives on without a proxy: its monitors went with that one.
        if (holder == Holder::Vm && count > 1 &&
            resource->monitors.load(std::memory_order_acquire) != 0)
            return defer_callback({monitors_renew, resource->handle()});
    } while (
        !resource->references.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel));
    if (count == 1)
        end_resource(resource);
}

} // namespace

// By whoever reads the event ring, one at a time.
void resource_release(std::uint64_t handle) {
    Resource* resource = Resource::of_handle(handle);
    resource->vm_references.fetch_sub(1, std::memory_order_relaxed);
    drop_reference(resource, Holder::Vm);
}

void resource_let_go(std::uint64_t handle) {
    Resource* resource = Resource::of_handle(handle);
    resource->vm_references.fetch_sub(1, std::memory_order_relaxed);
    drop_reference(resource, Holder::Host); // no proxy has gone, and no monitor with it
}

void resource_drop(Resource* resource) {
    // The VM may have made a proxy of it a moment ago, and say so in the ring.
    consume_events();
    drop_reference(resource, Holder::Host);
}

} // namespace cordon::host

using namespace cordon::host;
namespace term = cordon::term;

ErlNifResourceType* enif_open_resource_type(ErlNifEnv* env, const char*, const char* name,
                                            void (*dtor)(ErlNifEnv*, void*),
                                            ErlNifResourceFlags flags, ErlNifResourceFlags* tried) {
    ErlNifResourceTypeInit callbacks{};
    callbacks.dtor = dtor;
    return open_type(env, name, callbacks, flags, tried);
}

ErlNifResourceType* enif_open_resource_type_x(ErlNifEnv* env, const char* name,
                                              const ErlNifResourceTypeInit* init,
                                              ErlNifResourceFlags flags,
                                              ErlNifResourceFlags* tried) {
    ErlNifResourceTypeInit callbacks{}; // this function knows of three of them
    callbacks.dtor = init->dtor;
    callbacks.stop = init->stop;
    callbacks.down = init->down;
    return open_type(env, name, callbacks, flags, tried);
}

ErlNifResourceType* enif_init_resource_type(ErlNifEnv* env, const char* name,
                                            const ErlNifResourceTypeInit* init,
                                            ErlNifResourceFlags flags, ErlNifResourceFlags* tried) {
    ErlNifResourceTypeInit callbacks{};
    switch (std::clamp(init->members, 0, 4)) {
    case 4:
        callbacks.dyncall = init->dyncall;
        [[fallthrough]];
    case 3:
        callbacks.down = init->down;
        [[fallthrough]];
    case 2:
        callbacks.stop = init->stop;
        [[fallthrough]];
    case 1:
        callbacks.dtor = init->dtor;
        break;
    default:
        break;
    }
    return open_type(env, name, callbacks, flags, tried);
}

void* enif_alloc_resource(ErlNifResourceType* type, std::size_t size) {
    const std::size_t bytes = sizeof(Resource) + size;
    auto* resource =
        static_cast<Resource*>(lifetimes_checked() ? watched_allocate(bytes) : std::malloc(bytes));
    if (resource == nullptr)
        end_host(cordon::ipc::EndKind::Quota,
                 static_cast<std::uint32_t>(cordon::ipc::QuotaKind::Memory));
    new (&resource->references) std::atomic<std::size_t>(1);
    resource->type = type;
    resource->size = size;
    resource->magic = kResourceMagic;
    type->live.fetch_add(1, std::memory_order_relaxed);
    new (&resource->monitors) std::atomic<std::uint32_t>(0);
    new (&resource->vm_references) std::atomic<std::uint32_t>(0);
    new (&resource->anchored) std::atomic<bool>(false);
    resource->can_monitor = type->has_down.load(std::memory_order_relaxed);
    return resource->data();
}

void enif_keep_resource(void* data) {
    resource_keep(Resource::of(data));
    monitors_outlive_terms(Resource::of(data));
}
void enif_release_resource(void* data) {
    resource_drop(Resource::of(data));
}
std::size_t enif_sizeof_resource(void* data) {
    return Resource::of(data)->size;
}

ERL_NIF_TERM enif_make_resource(ErlNifEnv* env, void* data) {
    Resource* resource = Resource::of(data);
    resource_keep(resource);
    env_hold(env, resource);
    if (env->kind == EnvKind::Independent)
        monitors_outlive_terms(resource);
    Word* words = env_words(env, 2);
    words[0] = term::make_header(Kind::Resource, 1);
    words[1] = resource->handle();
    return boxed_word(words);
}

int enif_get_resource(ErlNifEnv*, ERL_NIF_TERM term, ErlNifResourceType* type, void** data) {
    Word handle = 0;
    if (is_kind(term, Kind::Resource))
        handle = object(term)[1];
    else if (is_kind(term, Kind::ResourceBinary))
        handle = object(term)[2];
    if (handle == 0)
        return 0;
    Resource* resource = Resource::of_handle(handle);
    if (resource->type != type || resource->magic != kResourceMagic)
        return 0;
    *data = resource->data();
    return 1;
}

int enif_dynamic_resource_call(ErlNifEnv* env, ERL_NIF_TERM module, ERL_NIF_TERM name,
                               ERL_NIF_TERM resource, void* call_data) {
    if (!term::is_atom(module) || !term::is_atom(name))
        return 1;
    const auto text = [](Word atom) {
        return context().atoms->text(static_cast<std::uint32_t>(term::atom_index(atom)));
    };
    ErlNifResourceType* type = find_type(text(module), text(name));
    void* data = nullptr;
    if (type == nullptr || enif_get_resource(env, resource, type, &data) == 0)
        return 1;
    std::unique_lock guard(types_lock);
    auto* call = type->callbacks.dyncall;
    guard.unlock();
    if (call == nullptr)
        return 1;
    call(env, data, call_data); // with the caller's environment, as in the VM
    return 0;
}
