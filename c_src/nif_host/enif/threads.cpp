// Threads. All of them are the host's own.
#include "nif_host/enif/threads.hpp"

#include "nif_host/enif/exported.hpp"
#include "nif_host/host_context.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

namespace {

// Of a thread that enif_thread_create made; others get one when they ask who they are.
thread_local ErlNifTid own_tid = nullptr;
thread_local std::unique_ptr<ErlDrvTid_> adopted_tid;

void* run_thread(void* raw) {
    own_tid = static_cast<ErlNifTid>(raw);
    if (own_tid->is_named) { // the kernel's names are short
        const std::string shown = std::string(own_tid->name.get()).substr(0, 15);
        pthread_setname_np(pthread_self(), shown.c_str());
    }
    return own_tid->function(own_tid->argument);
}

std::size_t stack_bytes(const ErlNifThreadOpts* options) {
    constexpr std::size_t kKiloWord = 1024 * sizeof(void*);
    const std::size_t usual = cordon::host::context().stack_bytes;
    if (options == nullptr || options->suggested_stack_size < 0)
        return usual;
    // A suggestion that fits the VM's own threads may be too little here; one that is too much is
    // cut, as there.
    return std::clamp(static_cast<std::size_t>(options->suggested_stack_size) * kKiloWord,
                      std::size_t{256} << 10, std::size_t{256} << 20);
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
    auto thread = std::make_unique<ErlDrvTid_>(
        ErlDrvTid_{{}, cordon::host::Name(name), name != nullptr, function, argument});
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
            ErlDrvTid_{pthread_self(), cordon::host::Name(nullptr), false, nullptr, nullptr});
        own_tid = adopted_tid.get();
    }
    return own_tid;
}

int enif_equal_tids(ErlNifTid a, ErlNifTid b) {
    return a == b;
}

void enif_thread_exit(void* result) {
    if (own_tid == nullptr)
        std::abort(); // as the VM does: this thread is not the library's to end
    pthread_exit(result);
}

int enif_thread_join(ErlNifTid tid, void** result) {
    if (tid->function == nullptr)
        return EINVAL;
    void* ignored;
    const int error = pthread_join(tid->thread, result != nullptr ? result : &ignored);
    if (error == 0)
        delete tid;
    return error;
}

char* enif_thread_name(ErlNifTid tid) {
    return tid == nullptr ? nullptr : tid->name.get();
}
