// What a shim reads by itself, before and without the proxy: a few strings of its sidecar, and the
// list in CORDON_DISABLE. No C++ run time is needed for it.
#pragma once

#include <cstddef>
#include <cstring>

namespace cordon::shim {

inline bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The end of the string that begins at `at`, behind its quote; nullptr when it has none.
inline const char* end_of_string(const char* at) {
    for (++at; *at != 0; ++at) {
        if (*at == '\\' && at[1] != 0)
            ++at;
        else if (*at == '"')
            return at + 1;
    }
    return nullptr;
}

// The value of two hexadecimal digits, or -1.
inline int hex_byte(const char* at) {
    int value = 0;
    for (int i = 0; i < 2; ++i) {
        const char* digits = "0123456789abcdef";
        const char* digit = at[i] == 0 ? nullptr : std::strchr(digits, at[i] | 0x20);
        if (digit == nullptr)
            return -1;
        value = value * 16 + static_cast<int>(digit - digits);
    }
    return value;
}

// The bytes of the string at `at`; false when it is no string or too long. File names are bytes, so
// the only escapes that cordon writes in them are those of quote, backslash and control characters
// (\u000a).
inline bool copy_string(const char* at, char* value, std::size_t size) {
    std::size_t length = 0;
    if (*at != '"')
        return false;
    for (++at; *at != 0 && *at != '"'; ++at) {
        char byte = *at;
        if (*at == '\\' && std::strncmp(at + 1, "u00", 3) == 0 && hex_byte(at + 4) > 0) {
            byte = static_cast<char>(hex_byte(at + 4));
            at += 5;
        } else if (*at == '\\' && at[1] != 0) {
            byte = *++at;
        }
        if (length + 1 >= size)
            return false;
        value[length++] = byte;
    }
    value[length] = 0;
    return *at == '"' && length > 0;
}

// The value of a key at some depth of the JSON text (1: the outermost object).
inline bool find_string(const char* json, const char* key, int wanted_depth, char* value,
                        std::size_t size) {
    int depth = 0;
    const std::size_t length = std::strlen(key);
    for (const char* at = json; at != nullptr && *at != 0;) {
        if (*at == '{' || *at == '[') {
            ++depth;
        } else if (*at == '}' || *at == ']') {
            --depth;
        } else if (*at == '"') {
            const char* end = end_of_string(at);
            const char* next = end;
            while (next != nullptr && is_space(*next))
                ++next;
            if (next != nullptr && *next == ':' && depth == wanted_depth &&
                static_cast<std::size_t>(end - at) == length + 2 &&
                std::memcmp(at + 1, key, length) == 0) {
                for (++next; is_space(*next); ++next) {
                }
                return copy_string(next, value, size);
            }
            at = end;
            continue;
        }
        ++at;
    }
    return false;
}

// Whether a list such as "jiffy, esqlite" has that name (bytes [name, name + length)), or "all".
inline bool list_has(const char* list, const char* name, std::size_t length) {
    for (const char* at = list; *at != 0;) {
        if (*at == ',' || is_space(*at)) {
            ++at;
            continue;
        }
        const std::size_t word = std::strcspn(at, ", \t\r\n");
        if ((word == length && std::memcmp(at, name, length) == 0) ||
            (word == 3 && std::memcmp(at, "all", 3) == 0))
            return true;
        at += word;
    }
    return false;
}

// By the name of a file without directory and ".so".
inline bool list_has_file(const char* list, const char* path) {
    const char* slash = std::strrchr(path, '/');
    const char* base = slash == nullptr ? path : slash + 1;
    const std::size_t length = std::strlen(base);
    const bool suffix = length > 3 && std::strcmp(base + length - 3, ".so") == 0;
    return list_has(list, base, suffix ? length - 3 : length);
}

// Makes a path that is relative to the sidecar's directory absolute; false if it gets too long.
inline bool make_absolute(const char* sidecar, char* path, std::size_t size) {
    if (*path == '/')
        return true;
    const std::size_t directory =
        static_cast<std::size_t>(std::strrchr(sidecar, '/') - sidecar) + 1;
    const std::size_t length = std::strlen(path) + 1;
    if (directory + length > size)
        return false;
    std::memmove(path + directory, path, length);
    std::memcpy(path, sidecar, directory);
    return true;
}

} // namespace cordon::shim
