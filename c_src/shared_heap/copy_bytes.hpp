// memcpy for what may be large, whatever the addresses.
#pragma once

#include <cstddef>
#include <cstring>

namespace cordon {

// From here on glibc leaves a copy to the processor, with `rep movsb`.
inline constexpr std::size_t kLargeCopyBytes = 2048;

void copy_many_bytes(void* to, const void* from, std::size_t bytes);

inline void copy_bytes(void* to, const void* from, std::size_t bytes) {
    if (bytes < kLargeCopyBytes)
        std::memcpy(to, from, bytes);
    else
        copy_many_bytes(to, from, bytes);
}

// The same for bytes that another CPU reads next: they go past this one's caches.
void copy_bytes_away(void* to, const void* from, std::size_t bytes);

} // namespace cordon
