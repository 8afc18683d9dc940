// The driver API's names for what the NIF API has too: the VM exports both, and some libraries take
// the other one.
#include "nif_host/enif/driver.hpp"

ErlNifMutex* erl_drv_mutex_create(char* name) {
    return enif_mutex_create(name);
}
void erl_drv_mutex_destroy(ErlNifMutex* mutex) {
    enif_mutex_destroy(mutex);
}
int erl_drv_mutex_trylock(ErlNifMutex* mutex) {
    return enif_mutex_trylock(mutex);
}
void erl_drv_mutex_lock(ErlNifMutex* mutex) {
    enif_mutex_lock(mutex);
}
void erl_drv_mutex_unlock(ErlNifMutex* mutex) {
    enif_mutex_unlock(mutex);
}
char* erl_drv_mutex_name(ErlNifMutex* mutex) {
    return enif_mutex_name(mutex);
}

ErlNifCond* erl_drv_cond_create(char* name) {
    return enif_cond_create(name);
}
void erl_drv_cond_destroy(ErlNifCond* condition) {
    enif_cond_destroy(condition);
}
void erl_drv_cond_signal(ErlNifCond* condition) {
    enif_cond_signal(condition);
}
void erl_drv_cond_broadcast(ErlNifCond* condition) {
    enif_cond_broadcast(condition);
}
void erl_drv_cond_wait(ErlNifCond* condition, ErlNifMutex* mutex) {
    enif_cond_wait(condition, mutex);
}
char* erl_drv_cond_name(ErlNifCond* condition) {
    return enif_cond_name(condition);
}

ErlNifRWLock* erl_drv_rwlock_create(char* name) {
    return enif_rwlock_create(name);
}
void erl_drv_rwlock_destroy(ErlNifRWLock* lock) {
    enif_rwlock_destroy(lock);
}
int erl_drv_rwlock_tryrlock(ErlNifRWLock* lock) {
    return enif_rwlock_tryrlock(lock);
}
void erl_drv_rwlock_rlock(ErlNifRWLock* lock) {
    enif_rwlock_rlock(lock);
}
void erl_drv_rwlock_runlock(ErlNifRWLock* lock) {
    enif_rwlock_runlock(lock);
}
int erl_drv_rwlock_tryrwlock(ErlNifRWLock* lock) {
    return enif_rwlock_tryrwlock(lock);
}
void erl_drv_rwlock_rwlock(ErlNifRWLock* lock) {
    enif_rwlock_rwlock(lock);
}
void erl_drv_rwlock_rwunlock(ErlNifRWLock* lock) {
    enif_rwlock_rwunlock(lock);
}
char* erl_drv_rwlock_name(ErlNifRWLock* lock) {
    return enif_rwlock_name(lock);
}

int erl_drv_tsd_key_create(char* name, ErlNifTSDKey* key) {
    return enif_tsd_key_create(name, key);
}
void erl_drv_tsd_key_destroy(ErlNifTSDKey key) {
    enif_tsd_key_destroy(key);
}
void erl_drv_tsd_set(ErlNifTSDKey key, void* data) {
    enif_tsd_set(key, data);
}
void* erl_drv_tsd_get(ErlNifTSDKey key) {
    return enif_tsd_get(key);
}

ErlNifThreadOpts* erl_drv_thread_opts_create(char* name) {
    return enif_thread_opts_create(name);
}
void erl_drv_thread_opts_destroy(ErlNifThreadOpts* options) {
    enif_thread_opts_destroy(options);
}
int erl_drv_thread_create(char* name, ErlNifTid* tid, void* (*function)(void*), void* argument,
                          ErlNifThreadOpts* options) {
    return enif_thread_create(name, tid, function, argument, options);
}
ErlNifTid erl_drv_thread_self() {
    return enif_thread_self();
}
int erl_drv_equal_tids(ErlNifTid a, ErlNifTid b) {
    return enif_equal_tids(a, b);
}
void erl_drv_thread_exit(void* result) {
    enif_thread_exit(result);
}
int erl_drv_thread_join(ErlNifTid tid, void** result) {
    return enif_thread_join(tid, result);
}
char* erl_drv_thread_name(ErlNifTid tid) {
    return enif_thread_name(tid);
}

ErlDrvTime erl_drv_monotonic_time(ErlDrvTimeUnit unit) {
    return enif_monotonic_time(static_cast<ErlNifTimeUnit>(unit));
}
ErlDrvTime erl_drv_time_offset(ErlDrvTimeUnit unit) {
    return enif_time_offset(static_cast<ErlNifTimeUnit>(unit));
}
ErlDrvTime erl_drv_convert_time_unit(ErlDrvTime value, ErlDrvTimeUnit from, ErlDrvTimeUnit to) {
    return enif_convert_time_unit(value, static_cast<ErlNifTimeUnit>(from),
                                  static_cast<ErlNifTimeUnit>(to));
}

int erl_drv_getenv(const char* key, char* value, std::size_t* size) {
    return enif_getenv(key, value, size);
}
void driver_system_info(ErlDrvSysInfo* info, std::size_t size) {
    enif_system_info(info, size);
}
int driver_compare_monitors(const ErlDrvMonitor* a, const ErlDrvMonitor* b) {
    return enif_compare_monitors(a, b);
}
