// What the opaque thread and lock types of the C API are.
#pragma once

#include <optional>
#include <pthread.h>
#include <string>

namespace cordon::host {

// The name that a library gave, or none.
class Name {
  public:
    explicit Name(const char* name) {
        if (name != nullptr)
            text_ = name;
    }
    char* get() { return text_ ? text_->data() : nullptr; }

  private:
    std::optional<std::string> text_;
};

} // namespace cordon::host

struct ErlDrvTid_ {
    pthread_t thread;
    cordon::host::Name name;
    void* (*function)(void*);
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
