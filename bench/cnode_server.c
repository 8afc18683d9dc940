/* The C node of the comparison, with ei. cnode_server NAME COOKIE: prints "ready", then serves
 * {From, {0, A, B}} (their sum), {From, {1, Bytes, _}} (a sum of all bytes), {From, {2, Size, _}}
 * (that many bytes) with {bench_c, Answer}; ends when its standard input does. */
#include "work.h"

#include <arpa/inet.h>
#include <ei.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char* what) {
    fprintf(stderr, "cnode_server: %s failed\n", what);
    exit(1);
}

static int serve(int connection, ei_x_buff* request, ei_x_buff* answer, unsigned char** bytes) {
    erlang_msg message;
    request->index = 0;
    const int got = ei_xreceive_msg(connection, &message, request);
    if (got == ERL_TICK)
        return 1;
    if (got != ERL_MSG)
        return 0;
    int at = 0, version, arity, type, size;
    erlang_pid from;
    long operation, a, b;
    if (ei_decode_version(request->buff, &at, &version) != 0 ||
        ei_decode_tuple_header(request->buff, &at, &arity) != 0 ||
        ei_decode_pid(request->buff, &at, &from) != 0 ||
        ei_decode_tuple_header(request->buff, &at, &arity) != 0 ||
        ei_decode_long(request->buff, &at, &operation) != 0)
        return 0;
    answer->index = 0;
    ei_x_encode_version(answer);
    ei_x_encode_tuple_header(answer, 2);
    ei_x_encode_atom(answer, "bench_c");
    if (operation == 1) {
        ei_get_type(request->buff, &at, &type, &size);
        *bytes = realloc(*bytes, (size_t)size + 1);
        if (ei_decode_binary(request->buff, &at, *bytes, &b) != 0)
            return 0;
        ei_x_encode_ulonglong(answer, sum_bytes(*bytes, (size_t)b));
    } else {
        if (ei_decode_long(request->buff, &at, &a) != 0 ||
            ei_decode_long(request->buff, &at, &b) != 0)
            return 0;
        if (operation == 0) {
            ei_x_encode_long(answer, a + b);
        } else {
            *bytes = realloc(*bytes, (size_t)a + 1);
            memset(*bytes, 7, (size_t)a);
            ei_x_encode_binary(answer, *bytes, (int)a);
        }
    }
    return ei_send(connection, &from, answer->buff, answer->index) == 0;
}

int main(int argc, char** argv) {
    if (argc != 3)
        return 2;
    struct in_addr address = {.s_addr = htonl(INADDR_LOOPBACK)};
    char name[256];
    snprintf(name, sizeof name, "%s@127.0.0.1", argv[1]);
    ei_cnode node;
    ei_init();
    if (ei_connect_xinit(&node, "127.0.0.1", argv[1], name, &address, argv[2], 0) != 0)
        fail("ei_connect_xinit");
    int port = 0;
    const int listener = ei_listen(&node, &port, 1);
    if (listener < 0 || ei_publish(&node, port) < 0)
        fail("ei_publish");
    puts("ready");
    fflush(stdout);
    ErlConnect peer;
    const int connection = ei_accept(&node, listener, &peer);
    if (connection < 0)
        fail("ei_accept");
    ei_x_buff request, answer;
    ei_x_new(&request);
    ei_x_new(&answer);
    unsigned char* bytes = NULL;
    struct pollfd ready[2] = {{.fd = connection, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    while (poll(ready, 2, -1) > 0 && ready[1].revents == 0)
        if (!serve(connection, &request, &answer, &bytes))
            return 1;
    return 0;
}
