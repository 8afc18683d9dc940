// Memory that is no term: the C library's, so that libraries may free each other's.
#include "nif_host/enif/exported.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

// As in the VM, where a link of the allocator was in its first word, a new block does not begin
// with zeros: libraries are known that never set a limit there, and find it large by luck.
void* enif_alloc(std::size_t size) {
    void* memory = std::malloc(size);
    if (memory != nullptr)
        std::memset(memory, 0xa5, std::min(size, sizeof(void*)));
    return memory;
}
void* enif_realloc(void* memory, std::size_t size) {
    // The C library would free it, and the caller still have it.
    return std::realloc(memory, std::max(size, std::size_t{1}));
}
void enif_free(void* memory) {
    std::free(memory);
}
