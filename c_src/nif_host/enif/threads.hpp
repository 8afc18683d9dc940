// What the opaque thread and lock types of the C API are.
#pragma once

#include <pthread.h>
#include <string>

namespace cordon::host {

// The name that a library gave; the VM's for none.
class Name {
  public:
    explicit Name(const char* name) : text_(name == nullptr ? "unknown" : name) {}
    char* get() { return text_.data(); }

  private:
    std::string text_;
};

} // namespace cordon::host

struct ErlDrvTid_ {
    pthread_t thread;
    cordon::host::Name name;
    bool is_named;
    void* (*function)(void*); // nullptr: not made by enif_thread_create
    void* argument;
};

struct ErlDrvMutex_ {
    pthread_mutex_t mutex;
    cordon::host::Name name;
};

struct ErlDrvCond_ {
    pthread_cond_t condition;
    cordon::host::Name name;
};

struct ErlDrvRWLock_ {
    pthread_rwlock_t lock;
    cordon::host::Name name;
};
