// pthread_create as the libraries of this host see it (the executable's symbol comes before
// libc's): a thread that a library makes gets an alternate signal stack, so that its stack overflow
// leaves a crash record too.
#include "nif_host/crash_handler.hpp"

#include <dlfcn.h>
#include <memory>
#include <pthread.h>

namespace {

struct Start {
    void* (*function)(void*);
    void* argument;
};

void* run_with_alternate_stack(void* raw) {
    const std::unique_ptr<Start> owned(static_cast<Start*>(raw));
    const Start start = *owned;
    cordon::host::install_alternate_stack();
    return start.function(start.argument);
}

} // namespace

extern "C" __attribute__((visibility("default"))) int
pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
               void* argument) noexcept {
    using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
    auto start = std::make_unique<Start>(Start{function, argument});
    const int result = create(thread, attributes, run_with_alternate_stack, start.get());
    if (result == 0)
        static_cast<void>(start.release()); // the new thread owns it
    return result;
}
