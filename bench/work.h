/* What each of the callees does with bytes, so that all do the same. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Reads every byte: the sum of all whole words and of the bytes behind them, in 56 bits. */
static inline uint64_t sum_bytes(const unsigned char* bytes, size_t size) {
    uint64_t sum = 0;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        sum += word;
    }
    for (; at < size; ++at)
        sum += bytes[at];
    return sum >> 8;
}
