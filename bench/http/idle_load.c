/* Idle connections: idle_load PORT CONNECTIONS
 *
 * One connection is opened and served, so that what a server sets up for its first request does not
 * count; `WARM` is printed and a line awaited. Then CONNECTIONS are opened, a group at a time, each
 * with one request whose body follows its head when the whole group's heads are there; `IDLE` is
 * printed and a line awaited. At last each of them must serve another request: it was kept. */
#include "http_load.h"

enum { GROUP = 64, REPLY_WAIT_S = 10 };

static const char head[] = "POST /body HTTP/1.1\r\n"
                           "Host: 127.0.0.1\r\n"
                           "Content-Type: text/plain\r\n"
                           "Content-Length: 64\r\n"
                           "\r\n";
static const char body[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void say(const char *what)
{
    char line[16];
    puts(what);
    fflush(stdout);
    load_must(fgets(line, sizeof line, stdin) != NULL, "the runner is gone");
}

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
        load_must(send(fds[i], head, sizeof head - 1, MSG_NOSIGNAL) > 0, "send");
    for (int i = 0; i < count; i++)
        load_must(send(fds[i], body, 32, MSG_NOSIGNAL) > 0, "send");
    /* The probe sends the other half of the body. */
    for (int i = 0; i < count; i++)
        reply_probe(fds[i], body + 32, sizeof body - 1 - 32);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: idle_load PORT CONNECTIONS\n");
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]);
    int *fds = calloc((size_t)count, sizeof *fds);
    load_must(fds != NULL, "calloc");
    int first = open_one(port);
    ask_group(&first, 1);
    say("WARM");
    for (int i = 0; i < count; i += GROUP) {
        int size = count - i < GROUP ? count - i : GROUP;
        for (int j = 0; j < size; j++)
            fds[i + j] = open_one(port);
        ask_group(fds + i, size);
    }
    say("IDLE");
    for (int i = 0; i < count; i += GROUP)
        ask_group(fds + i, count - i < GROUP ? count - i : GROUP);
    printf("KEPT %d\n", count);
    return 0;
}
