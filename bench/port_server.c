/* The port program of the comparison, {packet, 4}. A request is a byte and what belongs to it:
 *   0  two 64-bit integers: answers with their sum
 *   1  bytes: reads all of them, answers with a sum of 64 bits
 *   2  a 64-bit size: answers with that many bytes */
#include "work.h"

#include <unistd.h>

static int read_all(unsigned char* to, size_t size) {
    while (size > 0) {
        const ssize_t n = read(0, to, size);
        if (n <= 0)
            return 0;
        to += n;
        size -= (size_t)n;
    }
    return 1;
}

static int write_all(const unsigned char* from, size_t size) {
    while (size > 0) {
        const ssize_t n = write(1, from, size);
        if (n <= 0)
            return 0;
        from += n;
        size -= (size_t)n;
    }
    return 1;
}

static unsigned char* buffer;
static size_t room;

static void make_room(size_t size) {
    if (size > room) {
        buffer = realloc(buffer, size);
        room = size;
    }
    if (buffer == NULL)
        abort();
}

static size_t answer(size_t size) {
    uint64_t a, b;
    switch (buffer[0]) {
    case 0:
        memcpy(&a, buffer + 1, 8);
        memcpy(&b, buffer + 9, 8);
        a += b;
        memcpy(buffer + 4, &a, 8);
        return 8;
    case 1:
        a = sum_bytes(buffer + 1, size - 1);
        memcpy(buffer + 4, &a, 8);
        return 8;
    default:
        memcpy(&a, buffer + 1, 8);
        make_room(a + 16);
        memset(buffer + 4, 7, a);
        return a;
    }
}

int main(void) {
    unsigned char head[4];
    make_room(64);
    while (read_all(head, 4)) {
        const size_t size =
            (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        make_room(size + 16);
        if (!read_all(buffer, size))
            return 1;
        const size_t length = answer(size);
        for (int i = 0; i < 4; ++i)
            buffer[i] = (unsigned char)(length >> (24 - 8 * i));
        if (!write_all(buffer, length + 4))
            return 1;
    }
    return 0;
}
