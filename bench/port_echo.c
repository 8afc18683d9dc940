/* The port program of the comparison: reads packets ({packet, 2}) of two 64-bit integers, answers
 * with their sum. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static int read_all(unsigned char* to, size_t size) {
    while (size > 0) {
        ssize_t n = read(0, to, size);
        if (n <= 0)
            return 0;
        to += n;
        size -= (size_t)n;
    }
    return 1;
}

int main(void) {
    unsigned char packet[2 + 16];
    while (read_all(packet, sizeof packet)) {
        int64_t a, b;
        memcpy(&a, packet + 2, 8);
        memcpy(&b, packet + 10, 8);
        a += b;
        packet[1] = 8;
        memcpy(packet + 2, &a, 8);
        if (write(1, packet, 10) != 10)
            return 1;
    }
    return 0;
}
