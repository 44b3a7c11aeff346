/*
 * What handlers call, through real sockets: bodies in all sizes and cuts, replies, failures.
 */
#include "server_case.h"

#include "http/connection.h"

#include "base/assert.h"

/* A request with a body of `size` bytes in this framing; for the caller to free. */
static char *request_with_body(const char *path, size_t size, size_t chunk)
{
    char *text = malloc(size * 8 + 4096);
    require(text);
    size_t at;
    if (chunk == 0)
        at = (size_t)sprintf(text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                             path, size);
    else
        at = (size_t)sprintf(
            text, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", path);
    for (size_t done = 0; done < size;) {
        size_t part = chunk == 0 || size - done < chunk ? size - done : chunk;
        if (chunk > 0)
            at += (size_t)sprintf(text + at, "%zx\r\n", part);
        for (size_t i = 0; i < part; i++)
            text[at++] = (char)('a' + (done + i) % 26);
        if (chunk > 0)
            at += (size_t)sprintf(text + at, "\r\n");
        done += part;
    }
    strcpy(text + at, chunk > 0 ? "0\r\n\r\n" : "");
    return text;
}

/* What /stream says of such a body. */
static void expect_sum(char *text, size_t size)
{
    char line[64];
    unsigned long sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + (unsigned char)('a' + i % 26);
    int length = snprintf(line, sizeof line, "%zu %lu\n", size, sum);
    sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s",
            length, line);
}

/* The body comes while its reply goes out, perhaps. */
static async(void) check_big_reply(struct client *client, const char *request, const char *expected)
{
    with_group(g) {
        spawn_void(g, say, client, request);
        await(next_reply(client, false));
    }
    check_str(client->reply, expected);
    return bide_void;
}

SITE_TEST(bodies_of_many_sizes, {.requests = 0})
{
    static const size_t sizes[] = {0,     1,     2,      25,      4095,   20480,
                                   20481, 65536, 100000, 1048575, 1048576};
    static const size_t chunks[] = {0, 7, 4096, 100000};
    with(dial, client, site) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
                char expected[256], path[32];
                snprintf(path, sizeof path, "/stream?%d", j % 2 ? 8192 : 100);
                char *request = request_with_body(path, sizes[i], chunks[j]);
                expect_sum(expected, sizes[i]);
                await(check_big_reply(client, request, expected));
                free(request);
            }
        }
    }
    return bide_void;
}

SITE_TEST(whole_bodies_come_back, {.requests = 0})
{
    static const size_t sizes[] = {1, 1000, 30000, 1048576};
    with(dial, client, site) {
        for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
            size_t size = sizes[i / 2];
            char *request = request_with_body("/echo", size, i % 2 ? 5000 : 0);
            await(check_big_reply(client, request, client->reply));
            const char *body = strstr(client->reply, "\r\n\r\n");
            require(body);
            check_int(strlen(body + 4), size);
            check_int(body[4 + size - 1], 'a' + (size - 1) % 26);
            free(request);
        }
        await(check_reply(client, GET("/echo"), OK("0", "")));
    }
    return bide_void;
}

static async(void) say_cut(struct client *client, const char *text, size_t cut)
{
    await(bide_write(client->stream, text, cut));
    await(bide_sleep(bide_us(300)));
    await(bide_write(client->stream, text + cut, strlen(text) - cut));
    return bide_void;
}

SITE_TEST(a_body_cut_anywhere, {.requests = 0})
{
    with(dial, client, site) {
        for (size_t chunk = 0; chunk <= 5; chunk += 5) {
            char *request = request_with_body("/echo", 12, chunk);
            size_t length = strlen(request);
            for (size_t cut = 1; cut < length; cut++) {
                await(say_cut(client, request, cut));
                await(next_reply(client, false));
                check_str(client->reply, OK("12", "abcdefghijkl"));
            }
            free(request);
        }
    }
    return bide_void;
}

/* The handler reads all of a body before the peer sends anything else: its end is known. */
SITE_TEST(the_end_of_a_body_needs_no_further_byte, {.body_gap = bide_s(60)})
{
    int64_t start_ns = bide_clock_ns();
    with(dial, client, site) {
        await(check_reply(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                          OK("3", "abc")));
        await(check_reply(client,
                          "POST /stream?3 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                          OK("8", "3 96354\n")));
    }
    check(ms_since(start_ns) < 5000);
    return bide_void;
}

SITE_TEST(a_body_that_nobody_reads, {.requests = 0})
{
    with(dial, client, site) {
        for (size_t chunk = 0; chunk < 2000; chunk += 1000) {
            char *request = request_with_body("/hello", 60000, chunk);
            await(check_big_reply(client, request, HELLO));
            free(request);
            request = request_with_body("/reply-first", 60000, chunk);
            await(check_big_reply(client, request, OK("6", "first\n")));
            free(request);
        }
        await(check_reply(client, GET("/hello"), HELLO));
        char *request = request_with_body("/hello", 900000, 0);
        bide_error *error;
        attempt(&error, say, client, request); /* the reply may come before it has sent all */
        free(request);
        await(next_reply(client, false));
        check_str(client->reply, HELLO_CLOSE);
    }
    return bide_void;
}

SITE_TEST(bodies_at_their_cap, {.body_bytes = 50000})
{
    for (size_t chunk = 0; chunk <= 1000; chunk += 1000) {
        char expected[256];
        char *request = request_with_body("/stream?1000", 50000, chunk);
        expect_sum(expected, 50000);
        with(dial, client, site) {
            await(check_big_reply(client, request, expected));
            free(request);
            request = request_with_body("/stream?1000", 50001, chunk);
            await(say(client, request));
            await(next_reply(client, false));
            check_str(client->reply,
                      "HTTP/1.1 413 Content Too Large\r\nContent-Length: 22\r\nContent-Type: "
                      "text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthe body is too "
                      "large\n");
            bide_shutdown_write(client->stream);
            await(check_ended(client));
        }
        free(request);
    }
    return bide_void;
}

SITE_TEST(bad_chunks_are_answered_with_400, {.requests = 0})
{
    static const char *const bad[] = {"x\r\n",
                                      "2\r\nabc\r\n",
                                      "2\nab\r\n0\r\n\r\n",
                                      "2;\x01\r\nab\r\n",
                                      "0\r\nbad trailer\r\n\r\n",
                                      "-1\r\n",
                                      "0x2\r\nab\r\n",
                                      "\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        with(dial, client, site) {
            await(say(client,
                      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
            await(say(client, bad[i]));
            await(say(client, GET("/hello")));
            await(next_reply(client, false));
            check_contains(client->reply, "HTTP/1.1 400 Bad Request\r\n");
            check_contains(client->reply, "\r\nConnection: close\r\n");
            bide_shutdown_write(client->stream);
            await(check_ended(client));
        }
    }
    return bide_void;
}

/* ---- Expect: 100-continue -----------------------------------------------------------------------
 */

#define EXPECTING(path)                                                                            \
    "POST " path " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"

SITE_TEST(a_wanted_body_is_asked_for, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, EXPECTING("/echo"), "HTTP/1.1 100 Continue\r\n\r\n"));
        await(check_reply(client, "abc", OK("3", "abc")));
        await(check_reply(client, GET("/hello") EXPECTING("/echo"), HELLO));
        await(next_reply(client, false));
        check_str(client->reply, "HTTP/1.1 100 Continue\r\n\r\n");
        await(check_reply(client, "abc", OK("3", "abc")));
        /* It is there already, so nobody asks. */
        await(check_reply(client, EXPECTING("/echo") "abc" GET("/hello"), OK("3", "abc")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
    }
    return bide_void;
}

SITE_TEST(an_unwanted_body_is_not_asked_for, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, EXPECTING("/hello"), HELLO_CLOSE));
        bide_shutdown_write(client->stream);
        await(check_ended(client));
    }
    with(dial, client, site) {
        await(check_reply(client, EXPECTING("/fail404"),
                          "HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\nContent-Type: "
                          "text/plain; charset=utf-8\r\nConnection: close\r\n\r\nno such thing\n"));
    }
    with(dial, client, site) { /* after the reply it is too late to ask */
        test_capture_stderr();
        await(check_reply(client, EXPECTING("/reply-first"), OK_CLOSE("6", "first\n")));
        bide_shutdown_write(client->stream);
        await(check_ended(client));
        check_contains(test_captured(), "it cannot be asked for a body");
    }
    with(dial, client, site) { /* HTTP/1.0 expects nothing */
        await(check_reply(client,
                          "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: "
                          "3\r\n\r\nabc",
                          OK_CLOSE("3", "abc")));
    }
    return bide_void;
}

/* ---- a reply beside who asks for the body ---- */

struct beside {
    struct site site;
    size_t filled; /* bytes before the first reply */
    size_t read;
};

static async(void) read_beside(bide_exchange *x, struct beside *beside);
SPAWNABLE(void, read_beside, bide_exchange *, struct beside *)
static async(void) read_beside(bide_exchange *x, struct beside *beside)
{
    beside->read = await(bide_body_all(x)).length;
    return bide_void;
}

/* The first reply waits for the second request's; the socket takes no more when that begins. */
static async(void) handle_beside(bide_exchange *x, void *arg)
{
    static char fill[65536], body[5000];
    struct beside *beside = arg;
    ssize_t sent;
    memset(body, path_is(x, "/") ? 'a' : 'b', sizeof body);
    if (path_is(x, "/")) {
        await(bide_reply(x, 200, "text/plain", body, sizeof body));
        return bide_void;
    }
    setsockopt(x->connection->fd.fd, SOL_SOCKET, SO_SNDBUF, &(int){16384}, sizeof(int));
    while ((sent = send(x->connection->fd.fd, fill, sizeof fill, MSG_DONTWAIT)) > 0)
        beside->filled += (size_t)sent;
    with_group(g) {
        spawn_void(g, read_beside, x, beside);
        await(bide_sleep(bide_ms(1)));
        await(bide_reply(x, 200, "text/plain", body, sizeof body));
    }
    return bide_void;
}

static size_t run_of(const char *text, char c)
{
    size_t length = 0;
    while (text[length] == c)
        length++;
    return length;
}

static async(void) client_of_beside(struct site *site)
{
    struct beside *beside = (struct beside *)site;
    static const char ask[] = "HTTP/1.1 100 Continue\r\n\r\n";
    with(dial, client, site) {
        setsockopt(bide_stream_fd(client->stream), SOL_SOCKET, SO_RCVBUF, &(int){16384},
                   sizeof(int));
        await(say(client, GET("/") EXPECTING("/beside")));
        while (beside->filled == 0 || client->held < beside->filled)
            require(await(read_more(client)) > 0);
        client->in += beside->filled;
        client->held -= beside->filled;
        await(next_reply(client, false));
        check_int(run_of(strstr(client->reply, "\r\n\r\n") + 4, 'a'), 5000);
        await(next_reply(client, false));
        check_str(client->reply, ask);
        await(next_reply(client, false));
        check_int(run_of(strstr(client->reply, "\r\n\r\n") + 4, 'b'), 5000);
        await(say(client, "abc"));
        while (beside->read == 0)
            await(bide_sleep(bide_ms(1)));
        check_int(beside->read, 3);
    }
    return bide_void;
}

TEST(who_asks_for_a_body_leaves_the_replies_as_they_are, .real_clock = true)
{
    struct beside beside = {.read = 0};
    await(with_site(&beside.site, handle_beside, client_of_beside));
}

/* ---- failures -----------------------------------------------------------------------------------
 */

#define ERROR_500                                                                                  \
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 22\r\nContent-Type: text/plain; "       \
    "charset=utf-8\r\n\r\ninternal server error\n"

SITE_TEST(failures_are_answered_for, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, GET("/fail404"),
                          "HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\nContent-Type: "
                          "text/plain; charset=utf-8\r\n\r\nno such thing\n"));
        test_capture_stderr();
        await(check_reply(client, GET("/secret"), ERROR_500));
        check_contains(test_captured(), "the handler of GET /secret failed: the password is");
        test_capture_stderr();
        await(check_reply(client, GET("/none?x"), ERROR_500));
        check_contains(test_captured(),
                       "the handler of GET /none failed: it ended without a reply");
        await(check_reply(client, GET("/status?99"), ERROR_500));
        await(check_reply(client, GET("/status?600"), ERROR_500));
        await(check_reply(client, GET("/status?100"), ERROR_500));
        await(check_reply(client, GET("/bad-type"), ERROR_500));
        test_capture_stderr();
        await(check_reply(client, GET("/after-reply"), OK("5", "done\n")));
        bide_shutdown_write(client->stream);
        await(check_ended(client));
        check_contains(test_captured(), "too late to tell");
    }
    return bide_void;
}

SITE_TEST(statuses_without_a_body, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, GET("/status?204"),
                          "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n"));
        await(check_reply(client, GET("/status?304"),
                          "HTTP/1.1 304 Not Modified\r\nContent-Type: text/plain\r\n\r\n"));
        await(check_reply(client, GET("/status?599"),
                          "HTTP/1.1 599 Server Error\r\nContent-Length: 5\r\nContent-Type: "
                          "text/plain\r\n\r\nbody\n"));
    }
    return bide_void;
}

/* The reply is on its way before the handler ends. */
static async(void) reply_then_wait(bide_exchange *x, void *arg)
{
    struct site *site = arg;
    await(bide_reply(x, 200, "text/plain", "hello\n", 6));
    site->under_way++;
    await(bide_sleep(bide_ms(300)));
    site->under_way--;
    return bide_void;
}

static async(void) client_of_reply_then_wait(struct site *site)
{
    with(dial, client, site) {
        await(check_reply(client, GET("/"), HELLO));
        check_int(site->under_way, 1);
        await(check_reply(client, GET("/"), HELLO));
    }
    return bide_void;
}

TEST(a_reply_does_not_wait_for_the_handlers_end, .real_clock = true)
{
    struct site site = {.calls = 0};
    await(with_site(&site, reply_then_wait, client_of_reply_then_wait));
}

static async(void) reply_again(bide_exchange *x);
SPAWNABLE(void, reply_again, bide_exchange *)
static async(void) reply_again(bide_exchange *x)
{
    await(bide_reply(x, 200, NULL, "again", 5));
    return bide_void;
}

/* The header fields of a reply: what is refused, and that what came before still stands. */
static async(void) handle_fields(bide_exchange *x, void *arg)
{
    static const char *const bad[][2] = {
        {"X", "a\r\nSet-Cookie: evil"},
        {"X", "a\nb"},
        {"X", "a\rb"},
        {"X: y\r\nZ", "a"},
        {"", "a"},
        {"X Y", "a"},
        {"Content-Length", "3"},
        {"connection", "x"},
        {"Transfer-Encoding", "chunked"},
        {"DATE", "now"},
        {"content-type", "a/b"},
        {"X\x80", "a"},
        {"X", "a\x7f"},
    };
    struct site *site = arg;
    char name[16] = "X-First", value[1000];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = 0;
    bide_reply_header(x, name, "1");
    site->calls = 0;
    bide_text query = bide_request_query(x);
    size_t row = query.at ? strtoul(query.at, NULL, 10) : 99;
    if (row < sizeof bad / sizeof bad[0])
        bide_reply_header(x, bad[row][0], bad[row][1]);
    for (int i = 0; row == 50 && i < 11; i++)
        bide_reply_header(x, "X-Long", value);
    bide_reply_header(x, "X-Last", "");
    await(bide_reply(x, 200, NULL, "", 0));
    site->calls = 1;
    return bide_void;
}

static async(void) client_of_fields(struct site *site)
{
    with(dial, client, site) {
        for (int i = 0; i < 13; i++) {
            char request[64];
            snprintf(request, sizeof request, "GET /?%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
            await(check_reply(client, request, ERROR_500));
            check_int(site->calls, 0);
        }
        await(check_reply(client, GET("/?50"), ERROR_500));
        await(
            check_reply(client, GET("/"),
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-First: 1\r\nX-Last: \r\n\r\n"));
    }
    return bide_void;
}

TEST(header_fields_of_replies, .real_clock = true)
{
    struct site site = {.calls = 0};
    await(with_site(&site, handle_fields, client_of_fields));
}

static async(void) handle_twice(bide_exchange *x, void *arg)
{
    bide_error *error;
    (void)arg;
    await(bide_reply(x, 200, "text/plain", "hello\n", 6));
    attempt(&error, reply_again, x);
    require(error);
    check_int(error->code, BIDE_MISUSE);
    return bide_void;
}

static async(void) client_of_twice(struct site *site)
{
    await(check_one(site, GET("/"), HELLO));
    return bide_void;
}

static async(void) serve_twice(void)
{
    struct site site = {.calls = 0};
    await(with_site(&site, handle_twice, client_of_twice));
    return bide_void;
}

static void reply_twice(void)
{
    bide_run(serve_twice);
    exit(BIDE_DEBUG ? 0 : 1); /* a hostile build has aborted */
}

TEST_PLAIN(a_second_reply_is_misuse)
{
    check_dies(reply_twice, BIDE_DEBUG ? "a second reply to one request" : "");
}
