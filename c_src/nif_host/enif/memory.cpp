// Memory that is no term: the C library's, so that libraries may free each other's.
#include "nif_host/enif/exported.hpp"

#include <cstdlib>

void* enif_alloc(std::size_t size) {
    return std::malloc(size);
}
void* enif_realloc(void* memory, std::size_t size) {
    return std::realloc(memory, size);
}
void enif_free(void* memory) {
    std::free(memory);
}
