// Threads and what belongs to a thread. All of it is the host's own.
#include "nif_host/enif/threads.hpp"

#include "nif_host/enif/exported.hpp"
#include "nif_host/host_context.hpp"

#include <algorithm>
#include <memory>

namespace {

// Of a thread that enif_thread_create made; others get one when they ask who they are.
thread_local ErlNifTid own_tid = nullptr;
thread_local std::unique_ptr<ErlDrvTid_> adopted_tid;

void* run_thread(void* raw) {
    own_tid = static_cast<ErlNifTid>(raw);
    return own_tid->function(own_tid->argument);
}

std::size_t stack_bytes(const ErlNifThreadOpts* options) {
    constexpr std::size_t kKiloWord = 1024 * sizeof(void*);
    const std::size_t usual = cordon::host::context().stack_bytes;
    if (options == nullptr || options->suggested_stack_size < 0)
        return usual;
    // A suggestion that fits the VM's own threads may be too little here, never too much.
    return std::max(static_cast<std::size_t>(options->suggested_stack_size) * kKiloWord,
                    std::size_t{256} << 10);
}

} // namespace

ErlNifThreadOpts* enif_thread_opts_create(char*) {
    return new ErlNifThreadOpts{-1};
}
void enif_thread_opts_destroy(ErlNifThreadOpts* options) {
    delete options;
}

int enif_thread_create(char* name, ErlNifTid* tid, void* (*function)(void*), void* argument,
                       ErlNifThreadOpts* options) {
    auto thread =
        std::make_unique<ErlDrvTid_>(ErlDrvTid_{{}, cordon::host::Name(name), function, argument});
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes(options));
    // The new thread may ask who it is, and others join it, before pthread_create returns.
    *tid = thread.get();
    const int error = pthread_create(&thread->thread, &attributes, run_thread, thread.get());
    pthread_attr_destroy(&attributes);
    if (error == 0)
        static_cast<void>(thread.release()); // enif_thread_join deletes it
    return error;
}

ErlNifTid enif_thread_self() {
    if (own_tid == nullptr) {
        adopted_tid = std::make_unique<ErlDrvTid_>(
            ErlDrvTid_{pthread_self(), cordon::host::Name(nullptr), nullptr, nullptr});
        own_tid = adopted_tid.get();
    }
    return own_tid;
}

int enif_equal_tids(ErlNifTid a, ErlNifTid b) {
    return a == b;
}

void enif_thread_exit(void* result) {
    pthread_exit(result);
}

int enif_thread_join(ErlNifTid tid, void** result) {
    void* ignored;
    const int error = pthread_join(tid->thread, result != nullptr ? result : &ignored);
    if (error == 0)
        delete tid;
    return error;
}

char* enif_thread_name(ErlNifTid tid) {
    return tid->name.get();
}

int enif_tsd_key_create(char*, ErlNifTSDKey* key) {
    pthread_key_t created;
    const int error = pthread_key_create(&created, nullptr);
    if (error == 0)
        *key = static_cast<ErlNifTSDKey>(created);
    return error;
}

void enif_tsd_key_destroy(ErlNifTSDKey key) {
    pthread_key_delete(static_cast<pthread_key_t>(key));
}

void enif_tsd_set(ErlNifTSDKey key, void* data) {
    pthread_setspecific(static_cast<pthread_key_t>(key), data);
}

void* enif_tsd_get(ErlNifTSDKey key) {
    return pthread_getspecific(static_cast<pthread_key_t>(key));
}
