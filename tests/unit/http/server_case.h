/*
 * What the tests of the server share: a server on loopback with a handler for many paths, and a
 * client that speaks raw bytes and reads one reply at a time.
 */
#ifndef BIDE_TESTS_HTTP_SERVER_CASE_H
#define BIDE_TESTS_HTTP_SERVER_CASE_H

#include <bide/bide.h>
#include <bide/http.h>
#include <bide/test.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct site {
    struct bide_http_options options;
    uint16_t port;
    int calls;     /* of the handler */
    int under_way; /* handlers that wait in /wait */
    int cancelled; /* ... and were cancelled there */
    int finished;  /* ... and came to their end */
};

typedef async_fn(void) client_fn(struct site *site);

/* ---- the handler --------------------------------------------------------------------------------
 */

__attribute__((unused)) static bool path_is(bide_exchange *x, const char *path)
{
    bide_text text = bide_request_path(x);
    return text.length == strlen(path) && memcmp(text.at, path, text.length) == 0;
}

/* The number in the query. */
__attribute__((unused)) static long number_of(bide_exchange *x)
{
    char digits[24] = "";
    bide_text query = bide_request_query(x);
    require(query.at && query.length < sizeof digits);
    memcpy(digits, query.at, query.length);
    return strtol(digits, NULL, 10);
}

static void waiting_over(void *arg)
{
    struct site *site = arg;
    site->under_way--;
}

static void waiting_cancelled(void *arg)
{
    struct site *site = arg;
    site->cancelled++;
}

/* Waits for so many ms, and replies; in /keep whether its peer is there or not. */
static async(void) handle_wait(bide_exchange *x, struct site *site)
{
    site->under_way++;
    defer(waiting_over, site);
    on_cancel(waiting_cancelled, site);
    if (path_is(x, "/keep"))
        bide_request_keep_running(x);
    await(bide_sleep(bide_ms((double)number_of(x))));
    await(bide_reply(x, 200, "text/plain", "waited\n", 7));
    site->finished++;
    return bide_void;
}

/* Reads the body in small pieces, and says what it was. */
static async(void) handle_stream(bide_exchange *x, size_t piece)
{
    char buffer[8192], text[64];
    unsigned long total = 0, sum = 0;
    size_t n;
    require(piece <= sizeof buffer);
    while ((n = await(bide_body_read(x, buffer, piece))) > 0) {
        check(n <= piece);
        for (size_t i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)buffer[i];
        total += n;
    }
    check_int(await(bide_body_read(x, buffer, piece)), 0);
    int length = snprintf(text, sizeof text, "%lu %lu\n", total, sum);
    await(bide_reply(x, 200, "text/plain", text, (size_t)length));
    return bide_void;
}

static async(void) handle_big(bide_exchange *x)
{
    size_t size = (size_t)number_of(x);
    char *body = bide_arena_alloc(bide_exchange_arena(x), size);
    require(body);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    await(bide_reply(x, 200, "text/plain", body, size));
    return bide_void;
}

/* What fails, and how. */
static async(void) handle_failure(bide_exchange *x)
{
    if (path_is(x, "/fail404"))
        fail(bide_error_new(404, "no such thing"));
    if (path_is(x, "/secret"))
        fail(bide_error_new(1234, "the password is swordfish"));
    if (path_is(x, "/after-reply")) {
        await(bide_reply(x, 200, "text/plain", "done\n", 5));
        fail(bide_error_new(1234, "too late to tell"));
    }
    if (path_is(x, "/status"))
        await(bide_reply(x, (int)number_of(x), "text/plain", "body\n", 5));
    if (path_is(x, "/bad-type"))
        await(bide_reply(x, 200, "text/plain\r\nX-Evil: 1", "body\n", 5));
    return bide_void; /* "/none": without a reply */
}

static async(void) handle_body(bide_exchange *x)
{
    if (path_is(x, "/echo")) {
        bide_text body = await(bide_body_all(x));
        check_int(body.at[body.length], 0);
        check_int(await(bide_body_all(x)).length, 0);
        await(bide_reply(x, 200, "text/plain", body.at, body.length));
    } else if (path_is(x, "/stream")) {
        await(handle_stream(x, (size_t)number_of(x)));
    } else { /* "/reply-first" */
        char byte;
        await(bide_reply(x, 200, "text/plain", "first\n", 6));
        while (await(bide_body_read(x, &byte, 1)) > 0)
            continue;
    }
    return bide_void;
}

static TASK_LOCAL(int, seen_before, BIDE_LOCAL_ALL);

/* Whether something is left of an earlier request. */
static async(void) handle_local(bide_exchange *x)
{
    await(bide_reply(x, 200, "text/plain", bide_local_get(seen_before) ? "stale\n" : "fresh\n", 6));
    bide_local_set(seen_before, 1);
    return bide_void;
}

__attribute__((unused)) static async(void) site_handler(bide_exchange *x, void *arg)
{
    struct site *site = arg;
    site->calls++;
    if (path_is(x, "/hello"))
        await(bide_reply(x, 200, "text/plain", "hello\n", 6));
    else if (path_is(x, "/wait") || path_is(x, "/keep"))
        await(handle_wait(x, site));
    else if (path_is(x, "/big"))
        await(handle_big(x));
    else if (path_is(x, "/local"))
        await(handle_local(x));
    else if (path_is(x, "/echo") || path_is(x, "/stream") || path_is(x, "/reply-first"))
        await(handle_body(x));
    else
        await(handle_failure(x));
    return bide_void;
}

__attribute__((unused)) static int64_t ms_since(int64_t start_ns)
{
    return (bide_clock_ns() - start_ns) / 1000000;
}

/* Bytes that the C library has handed out; 0 where it does not say (sanitizers). */
__attribute__((unused)) static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* For threads that are no tasks; -1. */
__attribute__((unused)) static int plain_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- the server ---------------------------------------------------------------------------------
 */

__attribute__((unused)) static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    require(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static async(void) site_serve(bide_listener_ptr listener, struct site *site,
                              bide_http_handler *handler);
SPAWNABLE(void, site_serve, bide_listener_ptr, struct site *, bide_http_handler *)
static async(void) site_serve(bide_listener_ptr listener, struct site *site,
                              bide_http_handler *handler)
{
    await(bide_http_serve(listener, handler, site, &site->options));
    return bide_void;
}

/* Runs a client against a server that is cancelled afterwards; nothing may stay open. */
__attribute__((unused)) static async(void) with_site(struct site *site, bide_http_handler *handler,
                                                     client_fn *client)
{
    int descriptors = open_descriptors();
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site->port = bide_listener_port(listener);
        with_group(g) {
            spawn_void(g, site_serve, listener, site, handler);
            await(client(site));
            bide_group_cancel(g, "the test is over");
        }
    }
    check_int(open_descriptors(), descriptors);
    return bide_void;
}

/* TEST that runs what follows as a client of site_handler: SITE_TEST(name, {.idle = bide_ms(9)}).
 */
#define SITE_TEST(name, ...)                                                                       \
    static async(void) client_##name(struct site *site);                                           \
    TEST(name, .real_clock = true, .timeout_ms = 20000)                                            \
    {                                                                                              \
        struct site site = {.options = __VA_ARGS__};                                               \
        await(with_site(&site, site_handler, client_##name));                                      \
        check_int(site.under_way, 0);                                                              \
    }                                                                                              \
    static async(void) client_##name(struct site *site)

/* ---- the client --------------------------------------------------------------------------------
 */

enum { REPLY_BYTES = 4 << 20 };

struct client {
    bide_stream *stream;
    char *buffer;
    size_t held;
    char *in;    /* [held] bytes in the buffer that belong to no reply yet */
    char *reply; /* the last one, without its Date; "" when the stream ended instead */
};
typedef struct client *client_ptr;
AWAITABLE(client_ptr);

static async(client_ptr) client_open(struct site *site);
SPAWNABLE(client_ptr, client_open, struct site *)
static async(client_ptr) client_open(struct site *site)
{
    bide_stream *stream = await(bide_connect_tcp("127.0.0.1", site->port));
    struct client *client = calloc(1, sizeof *client);
    require(client);
    client->stream = stream;
    client->in = client->buffer = malloc(REPLY_BYTES);
    client->reply = malloc(REPLY_BYTES);
    require(client->in && client->reply);
    return ready(client_ptr, client);
}

static async(void) client_close(client_ptr client, bide_error *error)
{
    (void)error;
    if (client->stream)
        bide_close(client->stream);
    free(client->buffer);
    free(client->reply);
    free(client);
    return bide_void;
}

/* with(dial, client, site) { ... }: a connection to the site. */
RESOURCE(dial, client_ptr, client_open, client_close)

/* Closes so that the peer gets a reset. */
__attribute__((unused)) static void client_reset(struct client *client)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(bide_stream_fd(client->stream), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    bide_close(client->stream);
    client->stream = NULL;
}

static async(void) say(struct client *client, const char *text);
SPAWNABLE(void, say, struct client *, const char *)
static async(void) say(struct client *client, const char *text)
{
    await(bide_write(client->stream, text, strlen(text)));
    return bide_void;
}

static async(size_t) read_more(struct client *client);
SPAWNABLE(size_t, read_more, struct client *)
static async(size_t) read_more(struct client *client)
{
    if (client->in > client->buffer + REPLY_BYTES / 2 || client->held == 0)
        client->in = memmove(client->buffer, client->in, client->held);
    char *end = client->in + client->held;
    require(end < client->buffer + REPLY_BYTES);
    size_t room = (size_t)(client->buffer + REPLY_BYTES - end);
    size_t n = await(bide_read(client->stream, end, room));
    client->held += n;
    return ready(size_t, n);
}

/* Takes `size` bytes off the front of what was read, as the reply. */
static void take_reply(struct client *client, size_t size)
{
    memcpy(client->reply, client->in, size);
    client->reply[size] = 0;
    client->held -= size;
    client->in += size;
    char *date = strstr(client->reply, "\r\nDate: ");
    if (!date)
        return;
    char *end = strstr(date + 2, "\r\n");
    require(end);
    check_int(end - date, 37);
    check(memcmp(end - 4, " GMT", 4) == 0);
    memmove(date, end, (size_t)(client->reply + size - end) + 1);
}

/* Bytes of the first whole reply in what was read, or 0. */
static size_t whole_reply(const struct client *client, bool without_body)
{
    const char *end = memmem(client->in, client->held, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - client->in) + 4;
    const char *length = memmem(client->in, head, "\r\nContent-Length: ", 18);
    size_t body = length && !without_body ? strtoul(length + 18, NULL, 10) : 0;
    return head + body <= client->held ? head + body : 0;
}

static async(void) next_reply(struct client *client, bool without_body);
SPAWNABLE(void, next_reply, struct client *, bool)
static async(void) next_reply(struct client *client, bool without_body)
{
    size_t size;
    client->reply[0] = 0;
    while ((size = whole_reply(client, without_body)) == 0)
        if (await(read_more(client)) == 0)
            return bide_void;
    take_reply(client, size);
    return bide_void;
}

/* Sends, and checks the next reply (its Date left out). */
static async(void) check_reply(struct client *client, const char *request, const char *expected)
{
    await(say(client, request));
    await(next_reply(client, strncmp(request, "HEAD ", 5) == 0));
    check_str(client->reply, expected);
    return bide_void;
}

/* The connection ends in order, and nothing else comes before. */
__attribute__((unused)) static async(void) check_ended(struct client *client)
{
    bide_error *error;
    check_int(client->held, 0);
    size_t n = attempt(&error, read_more, client);
    check(!error);
    check_int(n, 0);
    return bide_void;
}

__attribute__((unused)) static async(void) check_one(struct site *site, const char *request,
                                                     const char *expected)
{
    with(dial, client, site) {
        await(check_reply(client, request, expected));
    }
    return bide_void;
}

#undef GET /* of web.h: a route */
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define HEAD_200(length)                                                                           \
    "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\nContent-Type: text/plain\r\n"
#define OK(length, body) HEAD_200(length) "\r\n" body
#define OK_CLOSE(length, body) HEAD_200(length) "Connection: close\r\n\r\n" body
#define HELLO OK("6", "hello\n")
#define HELLO_CLOSE OK_CLOSE("6", "hello\n")

#endif
