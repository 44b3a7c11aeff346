/* The bare server of http_pg, which is the ceiling: rival_bare SOCKET REPLY_FILE
 *
 * One thread, one epoll. It does not parse: for each empty line that ends a head it sends to the
 * database the bytes of one prepared select, with a Sync, over one of CONNECTIONS pipelined
 * connections in turn, and when the row is there, it sends the bytes of the file. SOCKET is
 * PostgreSQL's unix socket; user and database are `bench`, without a password. It prints `PORT n`
 * and serves until it is killed. Source: postgresql.org: protocol-message-formats. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 4, MOST_UNDER_WAY = 4096, BUFFER_BYTES = 65536, REPLY_BYTES = 1024 };
enum { EVENTS = 512, LIFETIME_S = 120 };

struct client {
    int fd;
    bool closed;          /* by the peer; freed when nothing is under way */
    unsigned under_way;   /* selects */
    unsigned matched;     /* bytes of an empty line at the end of the input so far */
    struct backend *peer; /* NULL: it is a client */
};

struct backend {
    struct client head; /* `peer` is itself */
    struct client *asked[MOST_UNDER_WAY];
    unsigned next, oldest;
    char input[BUFFER_BYTES], output[BUFFER_BYTES];
    size_t input_bytes, output_bytes;
    bool has_row;
};

static struct backend backends[CONNECTIONS];
static char reply[REPLY_BYTES], request[256];
static size_t reply_bytes, request_bytes;
static int epoll;

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- PostgreSQL ---- */

static uint32_t read_32(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

/* A message: its type (0: none), its length, its bytes. */
static size_t put_message(char *to, char type, const void *bytes, size_t size)
{
    uint32_t length = htobe32((uint32_t)size + 4);
    char *at = to;
    if (type)
        *at++ = type;
    memcpy(at, &length, sizeof length);
    if (size)
        memcpy(at + 4, bytes, size);
    return (size_t)(at + 4 - to) + size;
}

#define PUT(to, type, text) put_message(to, type, text, sizeof(text) - 1)

static void send_all(int fd, const char *bytes, size_t size)
{
    must(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size, "send");
}

/* Reads until the server is ready for a query. */
static void await_ready(int fd)
{
    char input[BUFFER_BYTES];
    size_t got = 0;
    for (;;) {
        ssize_t part = recv(fd, input + got, sizeof input - got, 0);
        must(part > 0, "PostgreSQL");
        got += (size_t)part;
        size_t at = 0;
        while (got - at >= 5 && got - at >= 1 + read_32(input + at + 1)) {
            must(input[at] != 'E', input + at + 5);
            if (input[at] == 'Z')
                return;
            at += 1 + read_32(input + at + 1);
        }
        memmove(input, input + at, got -= at);
    }
}

static void prepare_request(void)
{
    /* No name of a portal, `s`; one format: binary; one value of 8 bytes; one format: binary. */
    static const char bind[] = "\0s\0\0\1\0\1\0\1\0\0\0\10\0\0\0\0\0\0\0\7\0\1\0\1";
    char *at = request;
    at += PUT(at, 'B', bind);
    at += PUT(at, 'E', "\0\0\0\0\0");
    at += PUT(at, 'S', "");
    request_bytes = (size_t)(at - request);
}

static void connect_backend(struct backend *backend, const char *path)
{
    static const char login[] = "\0\3\0\0user\0bench\0database\0bench\0";
    static const char parse[] =
        "s\0select id, name, balance from accounts where id = $1\0\0\1\0\0\0\24";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char message[512], *at = message;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, path);
    send_all(fd, message, put_message(message, 0, login, sizeof login));
    await_ready(fd);
    at += put_message(at, 'P', parse, sizeof parse - 1);
    at += PUT(at, 'S', "");
    send_all(fd, message, (size_t)(at - message));
    await_ready(fd);
    backend->head = (struct client){.fd = fd, .peer = backend};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = backend};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void ask(struct client *client)
{
    static unsigned turn;
    struct backend *backend = &backends[turn++ % CONNECTIONS];
    must(backend->next - backend->oldest < MOST_UNDER_WAY, "too many requests");
    must(backend->output_bytes + request_bytes <= BUFFER_BYTES, "too many requests at once");
    memcpy(backend->output + backend->output_bytes, request, request_bytes);
    backend->output_bytes += request_bytes;
    backend->asked[backend->next++ % MOST_UNDER_WAY] = client;
    client->under_way++;
}

static void flush(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        if (backends[i].output_bytes)
            send_all(backends[i].head.fd, backends[i].output, backends[i].output_bytes);
        backends[i].output_bytes = 0;
    }
}

static void leave(struct client *client)
{
    if (!client->closed)
        close(client->fd);
    client->closed = true;
    if (client->under_way == 0)
        free(client);
}

static void answer(struct backend *backend)
{
    struct client *client = backend->asked[backend->oldest++ % MOST_UNDER_WAY];
    must(backend->has_row, "a row");
    backend->has_row = false;
    client->under_way--;
    if (client->closed ||
        send(client->fd, reply, reply_bytes, MSG_NOSIGNAL) != (ssize_t)reply_bytes)
        leave(client);
}

static void take_replies(struct backend *backend)
{
    ssize_t got = recv(backend->head.fd, backend->input + backend->input_bytes,
                       BUFFER_BYTES - backend->input_bytes, 0);
    must(got > 0, "PostgreSQL");
    backend->input_bytes += (size_t)got;
    const char *at = backend->input, *end = backend->input + backend->input_bytes;
    while (end - at >= 5 && end - at >= 1 + (ptrdiff_t)read_32(at + 1)) {
        if (*at == 'D')
            backend->has_row = true;
        if (*at == 'Z')
            answer(backend);
        at += 1 + read_32(at + 1);
    }
    backend->input_bytes = (size_t)(end - at);
    memmove(backend->input, at, backend->input_bytes);
}

/* ---- HTTP ---- */

static void take_requests(struct client *client)
{
    static const char line[] = "\r\n\r\n";
    char input[4096];
    ssize_t got = recv(client->fd, input, sizeof input, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            leave(client);
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (input[i] == line[client->matched])
            client->matched++;
        else
            client->matched = input[i] == '\r';
        if (client->matched == sizeof line - 1) {
            client->matched = 0;
            ask(client);
        }
    }
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0, "socket");
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 4096) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    printf("PORT %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void accept_one(int listener)
{
    struct client *client = calloc(1, sizeof *client);
    must(client != NULL, "calloc");
    client->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    must(client->fd >= 0, "accept4");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) == 0, "epoll_ctl");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: rival_bare SOCKET REPLY_FILE\n");
        return 2;
    }
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    FILE *file = fopen(argv[2], "r");
    must(file != NULL, argv[2]);
    reply_bytes = fread(reply, 1, REPLY_BYTES, file);
    fclose(file);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll >= 0, "epoll_create1");
    prepare_request();
    for (int i = 0; i < CONNECTIONS; i++)
        connect_backend(&backends[i], argv[1]);
    int listener = listen_on_loopback();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    static struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!client)
                accept_one(listener);
            else if (client->peer)
                take_replies(client->peer);
            else
                take_requests(client);
        }
        flush();
    }
}
