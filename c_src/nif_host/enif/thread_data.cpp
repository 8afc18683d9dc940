// Thread specific data. POSIX threads have 1024 keys, the VM any number.
#include "nif_host/enif/exported.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace {

std::mutex keys_lock;
auto& used = *new std::vector<bool>; // by key; outlives exit

// Those of keys that were never set on this thread are not there. A key that is given out again
// finds what was set under it before, as in the VM.
using Values = std::vector<void*>;
constinit thread_local Values* values = nullptr;

// Destructors of a library's thread_local objects run before those of POSIX keys, and may still ask
// for data; what they set then is freed in a later round.
const pthread_key_t cleaner = [] {
    pthread_key_t key;
    pthread_key_create(&key, [](void* of_thread) {
        values = nullptr;
        delete static_cast<Values*>(of_thread);
    });
    return key;
}();

Values& values_of_thread() {
    if (values == nullptr) {
        values = new Values;
        pthread_setspecific(cleaner, values);
    }
    return *values;
}

} // namespace

int enif_tsd_key_create(char*, ErlNifTSDKey* key) {
    const std::scoped_lock guard(keys_lock);
    const auto unused = std::find(used.begin(), used.end(), false);
    *key = static_cast<ErlNifTSDKey>(unused - used.begin());
    if (unused == used.end())
        used.push_back(true);
    else
        *unused = true;
    return 0;
}

void enif_tsd_key_destroy(ErlNifTSDKey key) {
    const std::scoped_lock guard(keys_lock);
    used.at(static_cast<std::size_t>(key)) = false;
}

void enif_tsd_set(ErlNifTSDKey key, void* data) {
    const auto index = static_cast<std::size_t>(key);
    Values& mine = values_of_thread();
    if (index >= mine.size())
        mine.resize(index + 1);
    mine[index] = data;
}

void* enif_tsd_get(ErlNifTSDKey key) {
    const auto index = static_cast<std::size_t>(key);
    return values != nullptr && index < values->size() ? (*values)[index] : nullptr;
}
