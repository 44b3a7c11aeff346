/* The bare server, which is the ceiling: rival_bare REPLY_FILE
 *
 * One thread, one edge-triggered epoll. It does not parse: for each empty line that ends a head it
 * sends the bytes of the file, in which it keeps the Date up to date. Bodies are not understood;
 * they must not hold an empty line. It prints `PORT n` and serves until it is killed. */
#include "rival_bare.h"

#include <sys/epoll.h>

enum { INPUT_BYTES = 65536, EVENTS = 512 };

struct connection {
    int fd;
    uint32_t owed_bytes; /* of replies that are not sent yet */
    uint16_t sent_bytes; /* of the first of them */
    uint8_t kept;        /* bytes at the end of the last input, which may begin an empty line */
    char tail[KEPT_BYTES];
};

static char input[KEPT_BYTES + INPUT_BYTES];

/* False when the connection is over. */
static bool send_owed(struct connection *connection)
{
    while (connection->owed_bytes > 0) {
        size_t most = COPIES * reply_bytes - connection->sent_bytes;
        size_t size = connection->owed_bytes < most ? connection->owed_bytes : most;
        ssize_t sent = send(connection->fd, replies + connection->sent_bytes, size, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->owed_bytes -= (uint32_t)sent;
        connection->sent_bytes = (uint16_t)((connection->sent_bytes + (size_t)sent) % reply_bytes);
    }
    return true;
}

/* Serves what is ready; false when the connection is over. */
static bool serve(struct connection *connection)
{
    for (;;) {
        if (!send_owed(connection))
            return false;
        if (connection->owed_bytes > 0)
            return true; /* EPOLLOUT will tell when there is room */
        ssize_t got = recv(connection->fd, input + KEPT_BYTES, INPUT_BYTES, 0);
        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR);
        char *begin = input + KEPT_BYTES - connection->kept, *end = input + KEPT_BYTES + got;
        memcpy(begin, connection->tail, connection->kept);
        connection->owed_bytes = heads_in(begin, (size_t)(end - begin)) * (uint32_t)reply_bytes;
        connection->kept = 0;
        if (end - begin < 4 || memcmp(end - 4, "\r\n\r\n", 4) != 0) {
            connection->kept = (uint8_t)(end - begin < KEPT_BYTES ? end - begin : KEPT_BYTES);
            memcpy(connection->tail, end - connection->kept, connection->kept);
        }
        if (got < INPUT_BYTES)
            return send_owed(connection);
    }
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        must(connection != NULL, "calloc");
        connection->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = connection};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: rival_bare REPLY_FILE\n");
        return 2;
    }
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    read_reply(argv[1]);
    int listener = listen_on_loopback(), epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0, "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    static struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        refresh_date();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                accept_all(epoll, listener);
            } else if (!serve(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}
