// Memory as drivers take it: the same malloc as enif_alloc's, and binaries that are counted.
#include "nif_host/enif/driver.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

// Before the ErlDrvBinary that the library sees.
struct alignas(16) Count {
    std::atomic<ErlDrvSInt> references;
    ErlDrvBinary* binary() { return reinterpret_cast<ErlDrvBinary*>(this + 1); }
    static Count& of(ErlDrvBinary* binary) { return *(reinterpret_cast<Count*>(binary) - 1); }
};

std::size_t bytes_for(ErlDrvSizeT size) {
    return sizeof(Count) +
           std::max(sizeof(ErlDrvBinary), offsetof(ErlDrvBinary, orig_bytes) + size);
}

ErlDrvBinary* sized(void* memory, ErlDrvSizeT size) {
    if (memory == nullptr)
        return nullptr;
    ErlDrvBinary* binary = static_cast<Count*>(memory)->binary();
    binary->orig_size = static_cast<ErlDrvSInt>(size);
    return binary;
}

} // namespace

void* driver_alloc(ErlDrvSizeT size) {
    return std::malloc(size);
}
void* driver_realloc(void* memory, ErlDrvSizeT size) {
    return std::realloc(memory, size);
}
void driver_free(void* memory) {
    std::free(memory);
}

ErlDrvBinary* driver_alloc_binary(ErlDrvSizeT size) {
    void* memory = std::malloc(bytes_for(size));
    if (memory != nullptr)
        new (memory) Count{1};
    return sized(memory, size);
}

ErlDrvBinary* driver_realloc_binary(ErlDrvBinary* binary, ErlDrvSizeT size) {
    if (binary == nullptr)
        return driver_alloc_binary(size);
    return sized(std::realloc(static_cast<void*>(&Count::of(binary)), bytes_for(size)), size);
}

void driver_free_binary(ErlDrvBinary* binary) {
    if (binary != nullptr && driver_binary_dec_refc(binary) == 0)
        std::free(&Count::of(binary));
}

ErlDrvSInt driver_binary_get_refc(ErlDrvBinary* binary) {
    return Count::of(binary).references.load(std::memory_order_acquire);
}
ErlDrvSInt driver_binary_inc_refc(ErlDrvBinary* binary) {
    return Count::of(binary).references.fetch_add(1, std::memory_order_acq_rel) + 1;
}
ErlDrvSInt driver_binary_dec_refc(ErlDrvBinary* binary) {
    return Count::of(binary).references.fetch_sub(1, std::memory_order_acq_rel) - 1;
}

ErlDrvSizeT driver_vec_to_buf(ErlIOVec* vector, char* to, ErlDrvSizeT room) {
    const ErlDrvSizeT all = room;
    for (int i = 0; i < vector->vsize && room > 0; ++i) {
        const ErlDrvSizeT part = std::min<ErlDrvSizeT>(vector->iov[i].iov_len, room);
        std::memcpy(to, vector->iov[i].iov_base, part);
        to += part;
        room -= part;
    }
    return all - room;
}
