/* The bare server, which is the ceiling: rival_bare REPLY_FILE
 *
 * One thread, one edge-triggered epoll. It does not parse: for each empty line that ends a head it
 * sends the bytes of the file, in which it keeps the Date up to date. Bodies are not understood;
 * they must not hold an empty line. It prints `PORT n` and serves until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_BYTES = 65536, REPLY_BYTES = 1024, COPIES = 64, EVENTS = 512, LIFETIME_S = 120 };
enum { KEPT_BYTES = 3, BLOCK_BYTES = 240 }; /* a block is counted in a byte */

struct connection {
    int fd;
    uint32_t owed_bytes; /* of replies that are not sent yet */
    uint16_t sent_bytes; /* of the first of them */
    uint8_t kept;        /* bytes at the end of the last input, which may begin an empty line */
    char tail[KEPT_BYTES];
};

static char replies[COPIES * REPLY_BYTES];
static size_t reply_bytes, date_at;
static char input[KEPT_BYTES + INPUT_BYTES];

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void refresh_date(void)
{
    static time_t shown_s;
    time_t now_s = time(NULL);
    char date[64];
    struct tm parts;
    if (now_s == shown_s)
        return;
    shown_s = now_s;
    size_t length =
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now_s, &parts));
    for (size_t i = 0; i < COPIES; i++)
        memcpy(replies + i * reply_bytes + date_at, date, length);
}

static void read_reply(const char *path)
{
    FILE *file = fopen(path, "r");
    must(file != NULL, path);
    reply_bytes = fread(replies, 1, REPLY_BYTES, file);
    fclose(file);
    char *date = memmem(replies, reply_bytes, "\r\nDate: ", 8);
    must(reply_bytes > 0 && date != NULL, "a reply with a Date");
    date_at = (size_t)(date + 8 - replies);
    for (size_t i = 1; i < COPIES; i++)
        memcpy(replies + i * reply_bytes, replies, reply_bytes);
    refresh_date();
}

/* How many empty lines begin at bytes[0] to bytes[count - 1]; three more bytes can be read. */
static unsigned heads_in_block(const char *bytes, size_t count)
{
    uint8_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += (uint8_t)((bytes[i] == '\r') & (bytes[i + 1] == '\n') & (bytes[i + 2] == '\r') &
                           (bytes[i + 3] == '\n'));
    return found;
}

static unsigned heads_in(const char *bytes, size_t length)
{
    size_t starts = length > KEPT_BYTES ? length - KEPT_BYTES : 0, at = 0;
    unsigned found = 0;
    for (; starts - at >= BLOCK_BYTES; at += BLOCK_BYTES)
        found += heads_in_block(bytes + at, BLOCK_BYTES);
    return found + heads_in_block(bytes + at, starts - at);
}

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

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    /* Accepted connections inherit it. */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
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
