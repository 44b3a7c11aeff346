/* The bare echo server under bide's: one thread, one edge-triggered epoll, plain C. It reads what
 * is there, writes it back and, when a read came back short, knows that the socket is drained. It
 * prints `PORT n` and serves until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4096, EVENTS = 512, LIFETIME_S = 120 };

/* A connection holds at most one buffer of bytes that are not written back yet. */
struct connection {
    int fd;
    size_t begin, end;
    char buffer[BUFFER_BYTES];
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* False when the connection is over. */
static bool write_back(struct connection *connection)
{
    while (connection->begin < connection->end) {
        ssize_t wrote = send(connection->fd, connection->buffer + connection->begin,
                             connection->end - connection->begin, MSG_NOSIGNAL);
        if (wrote < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->begin += (size_t)wrote;
    }
    return true;
}

/* Serves what is ready; false when the connection is over. */
static bool serve(struct connection *connection)
{
    for (;;) {
        if (!write_back(connection))
            return false;
        if (connection->begin < connection->end)
            return true; /* EPOLLOUT will tell when there is room */
        ssize_t got = recv(connection->fd, connection->buffer, BUFFER_BYTES, 0);
        if (got == 0)
            return false;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->begin = 0;
        connection->end = (size_t)got;
        if (got < BUFFER_BYTES)
            return write_back(connection);
    }
}

static void accept_all(int epoll, int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *connection = calloc(1, sizeof *connection);
        must(connection != NULL, "calloc");
        connection->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = connection};
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void)
{
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    int listener = listen_on_loopback(), epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0, "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    static struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
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
