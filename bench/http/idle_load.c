/* Idle connections: idle_load PORT CONNECTIONS REQUEST STATUS BODY
 *
 * One connection is opened and served, so that what a server sets up for its first request does not
 * count; `WARM` is printed and a line awaited. Then CONNECTIONS are opened, a group at a time, each
 * with one request whose body follows its head when the whole group's heads are there, in two
 * parts; `IDLE` is printed and a line awaited. At last each of them must serve another request: it
 * was kept. */
#include "http_load.h"

enum { GROUP = 64, REPLY_WAIT_S = 10 };

static const char *head, *request_body, *status, *reply_body;
static size_t head_bytes, first_bytes, second_bytes; /* of the request's head and halves */

static int open_one(int port)
{
    /* A server that does not answer ends the program, not the patience of its runner. */
    struct timeval wait = {.tv_sec = REPLY_WAIT_S};
    int fd = load_connect(port);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return fd;
}

/* One request on each of these connections, all of them under way at the same time. */
static void ask_group(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        request_send(fds[i], head, head_bytes);
    for (int i = 0; i < count; i++)
        request_send(fds[i], request_body, first_bytes);
    for (int i = 0; i < count; i++)
        request_send(fds[i], request_body + first_bytes, second_bytes);
    for (int i = 0; i < count; i++)
        reply_read(fds[i], status, reply_body);
}

int main(int argc, char **argv)
{
    if (argc != 6 || !(request_body = strstr(argv[3], "\r\n\r\n"))) {
        fprintf(stderr, "usage: idle_load PORT CONNECTIONS REQUEST STATUS BODY\n");
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]);
    head = argv[3];
    status = argv[4];
    reply_body = argv[5];
    request_body += 4;
    head_bytes = (size_t)(request_body - head);
    first_bytes = strlen(request_body) / 2;
    second_bytes = strlen(request_body) - first_bytes;
    int *fds = calloc((size_t)count, sizeof *fds);
    load_must(fds != NULL, "calloc");
    int first = open_one(port);
    ask_group(&first, 1);
    load_say("WARM");
    for (int i = 0; i < count; i += GROUP) {
        int size = count - i < GROUP ? count - i : GROUP;
        for (int j = 0; j < size; j++)
            fds[i + j] = open_one(port);
        ask_group(fds + i, size);
    }
    load_say("IDLE");
    for (int i = 0; i < count; i += GROUP)
        ask_group(fds + i, count - i < GROUP ? count - i : GROUP);
    printf("KEPT %d\n", count);
    return 0;
}
