// Mutexes, conditions, read-write locks. A lock that one call took may be released by another, on
// another thread: the plain pthread kinds allow it.
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/threads.hpp"

using cordon::host::Name;

ErlNifMutex* enif_mutex_create(char* name) {
    auto* mutex = new ErlNifMutex{{}, Name(name)};
    pthread_mutex_init(&mutex->mutex, nullptr);
    return mutex;
}

void enif_mutex_destroy(ErlNifMutex* mutex) {
    if (mutex == nullptr)
        return;
    pthread_mutex_destroy(&mutex->mutex);
    delete mutex;
}

int enif_mutex_trylock(ErlNifMutex* mutex) {
    return pthread_mutex_trylock(&mutex->mutex);
}
void enif_mutex_lock(ErlNifMutex* mutex) {
    pthread_mutex_lock(&mutex->mutex);
}
void enif_mutex_unlock(ErlNifMutex* mutex) {
    pthread_mutex_unlock(&mutex->mutex);
}
char* enif_mutex_name(ErlNifMutex* mutex) {
    return mutex == nullptr ? nullptr : mutex->name.get();
}

ErlNifCond* enif_cond_create(char* name) {
    auto* condition = new ErlNifCond{{}, Name(name)};
    pthread_cond_init(&condition->condition, nullptr);
    return condition;
}

void enif_cond_destroy(ErlNifCond* condition) {
    if (condition == nullptr)
        return;
    pthread_cond_destroy(&condition->condition);
    delete condition;
}

void enif_cond_signal(ErlNifCond* condition) {
    pthread_cond_signal(&condition->condition);
}
void enif_cond_broadcast(ErlNifCond* condition) {
    pthread_cond_broadcast(&condition->condition);
}
void enif_cond_wait(ErlNifCond* condition, ErlNifMutex* mutex) {
    pthread_cond_wait(&condition->condition, &mutex->mutex);
}
char* enif_cond_name(ErlNifCond* condition) {
    return condition == nullptr ? nullptr : condition->name.get();
}

ErlNifRWLock* enif_rwlock_create(char* name) {
    auto* lock = new ErlNifRWLock{{}, Name(name)};
    pthread_rwlock_init(&lock->lock, nullptr);
    return lock;
}

void enif_rwlock_destroy(ErlNifRWLock* lock) {
    if (lock == nullptr)
        return;
    pthread_rwlock_destroy(&lock->lock);
    delete lock;
}

int enif_rwlock_tryrlock(ErlNifRWLock* lock) {
    return pthread_rwlock_tryrdlock(&lock->lock);
}
void enif_rwlock_rlock(ErlNifRWLock* lock) {
    pthread_rwlock_rdlock(&lock->lock);
}
void enif_rwlock_runlock(ErlNifRWLock* lock) {
    pthread_rwlock_unlock(&lock->lock);
}
int enif_rwlock_tryrwlock(ErlNifRWLock* lock) {
    return pthread_rwlock_trywrlock(&lock->lock);
}
void enif_rwlock_rwlock(ErlNifRWLock* lock) {
    pthread_rwlock_wrlock(&lock->lock);
}
void enif_rwlock_rwunlock(ErlNifRWLock* lock) {
    pthread_rwlock_unlock(&lock->lock);
}
char* enif_rwlock_name(ErlNifRWLock* lock) {
    return lock == nullptr ? nullptr : lock->name.get();
}
