#include "nif_host/enif/resource.hpp"

#include "nif_host/callback_thread.hpp"
#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/thread_kind.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"

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

// How long an unload waits for destructors of its library that are under way.
constexpr std::chrono::seconds kDestructorsEnd{5};

std::mutex types_lock;
std::condition_variable destructor_ended;
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

PendingType* find_pending(ErlNifEnv* env, std::string_view name) {
    if (env->pending_types == nullptr)
        return nullptr;
    for (PendingType& pending : *env->pending_types)
        if (pending.is_new && pending.type->name == name)
            return &pending;
    return nullptr;
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
            if (PendingType* again = find_pending(env, name)) {
                again->callbacks = callbacks;
                pending.type = again->type;
            } else {
                pending.type = new ErlNifResourceType;
                pending.type->module = module_of(env->instance);
                pending.type->name = name;
                pending.type->callbacks = callbacks;
                pending.type->owner = env->instance;
                pending.is_new = true;
            }
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
    std::free(resource);
}

void run_destructor(ErlNifResourceDtor* destructor, Instance* owner, void* data) {
    ErlNifEnv* env = env_create(EnvKind::Callback, owner);
    const std::uint8_t before = current_thread_type;
    current_thread_type = ERL_NIF_THR_NORMAL_SCHEDULER; // as in the VM
    destructor(env, data);
    current_thread_type = before;
    env_destroy(env);
}

} // namespace

void types_commit(ErlNifEnv* load_env) {
    const std::unique_ptr<std::vector<PendingType>> pending(load_env->pending_types);
    load_env->pending_types = nullptr;
    if (pending == nullptr)
        return;
    const std::scoped_lock guard(types_lock);
    for (const PendingType& opened : *pending) {
        opened.type->callbacks = opened.callbacks;
        opened.type->owner = load_env->instance;
        opened.type->has_destructor = opened.callbacks.dtor != nullptr;
        if (opened.is_new)
            types.push_back(opened.type);
    }
}

void types_rollback(ErlNifEnv* load_env) {
    delete load_env->pending_types; // a new type's memory stays: the library may have used it
    load_env->pending_types = nullptr;
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
        destructor_ended.wait_for(guard, kDestructorsEnd, [type] { return type->running == 0; });
}

void types_unlink_module(const Instance* instance) {
    const std::scoped_lock guard(types_lock);
    for (ErlNifResourceType* type : types)
        if (type->owner != instance && type->module == module_of(instance))
            type->linked = false;
}

void resource_acquire(std::uint64_t handle) {
    resource_keep(Resource::of_handle(handle));
}

bool resource_release(std::uint64_t handle) {
    return Resource::of_handle(handle)->references.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

void resource_destroy(std::uint64_t handle, void (*on_begun)()) {
    Resource* resource = Resource::of_handle(handle);
    ErlNifResourceType* type = resource->type;
    std::unique_lock guard(types_lock);
    if (auto* destructor = type->callbacks.dtor; destructor != nullptr) {
        Instance* owner = type->owner;
        ++type->running;
        guard.unlock();
        on_begun();
        run_destructor(destructor, owner, resource->data());
        guard.lock();
        --type->running;
        destructor_ended.notify_all();
    } else {
        guard.unlock();
        on_begun();
    }
    free_resource(resource);
}

void resource_drop(Resource* resource) {
    auto& references = resource->references;
    std::size_t count = references.load(std::memory_order_acquire);
    for (;;) {
        if (count == 1) {
            // The VM may have made a proxy of it a moment ago, and say so in the ring.
            consume_events();
            count = references.load(std::memory_order_acquire);
        }
        if (references.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel))
            break;
    }
    if (count != 1)
        return;
    if (resource->type->has_destructor)
        defer_destroy(resource->handle());
    else
        free_resource(resource);
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
    auto* resource = static_cast<Resource*>(std::malloc(sizeof(Resource) + size));
    if (resource == nullptr)
        end_host(cordon::ipc::EndKind::Quota,
                 static_cast<std::uint32_t>(cordon::ipc::QuotaKind::Memory));
    new (&resource->references) std::atomic<std::size_t>(1);
    resource->type = type;
    resource->size = size;
    resource->magic = kResourceMagic;
    return resource->data();
}

void enif_keep_resource(void* data) {
    resource_keep(Resource::of(data));
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
    Word* words = env_words(env, 2);
    words[0] = term::make_header(Kind::Resource, 1);
    words[1] = resource->handle();
    return boxed_word(words);
}

// The bytes are copied: the resource's memory isn't in the segment, and may be gone after a
// restart. So the binary doesn't keep the resource, and enif_get_resource on it finds none.
ERL_NIF_TERM enif_make_resource_binary(ErlNifEnv* env, void*, const void* data, std::size_t size) {
    return make_copied_binary(env, data, size);
}

int enif_get_resource(ErlNifEnv*, ERL_NIF_TERM term, ErlNifResourceType* type, void** data) {
    if (!is_kind(term, Kind::Resource) || object(term)[1] == 0)
        return 0;
    Resource* resource = Resource::of_handle(object(term)[1]);
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
    Instance* owner = type->owner;
    guard.unlock();
    if (call == nullptr)
        return 1;
    Instance* caller = std::exchange(env->instance, owner);
    call(env, data, call_data);
    env->instance = caller;
    return 0;
}
