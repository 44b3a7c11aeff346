/*
 * Replies in pieces, through real sockets: their framing, their ends, slow and vanishing peers.
 */
#include "server_case.h"

#include "base/assert.h"
#include "base/caps.h"
#include "http/connection.h"

#include <sys/mman.h>

struct counts {
    struct site site;
    long written; /* pieces */
    int cleaned;  /* handlers that were left */
};

static void clean(void *arg)
{
    struct counts *counts = arg;
    counts->cleaned++;
}

static void close_file(void *fd)
{
    close(*(int *)fd);
}

/* So many bytes of the alphabet, from the arena. */
static char *letters(bide_exchange *x, size_t size)
{
    char *text = bide_arena_alloc(bide_exchange_arena(x), size + 1);
    require(text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i % 26);
    return text;
}

/* Pieces of this size until the peer is gone. */
static async(void) write_for_ever(bide_exchange *x, struct counts *counts, size_t size)
{
    const char *piece = letters(x, size);
    for (;;) {
        await(bide_reply_write(x, piece, size));
        counts->written++;
    }
    return bide_void;
}

static async(void) write_slowly(bide_exchange *x, struct counts *counts, int pieces, int ms)
{
    for (int i = 0; i < pieces; i++) {
        await(bide_reply_write(x, "tick\n", 5));
        counts->written++;
        await(bide_sleep(bide_ms(ms)));
    }
    return bide_void;
}

/* A text, the same from a file, the end of it. */
static async(void) write_files(bide_exchange *x)
{
    int fd = memfd_create("pieces", MFD_CLOEXEC);
    require(fd >= 0 && pwrite(fd, "from a file", 11, 0) == 11);
    await(bide_reply_write(x, "from memory\n", 12));
    await(bide_reply_write_file(x, fd, 0, 11));
    await(bide_reply_write_file(x, fd, 5, 0));
    await(bide_reply_write_file(x, fd, 7, 4));
    close(fd);
    return bide_void;
}

/* More than there is. */
static async(void) write_short_file(bide_exchange *x)
{
    int fd = memfd_create("pieces", MFD_CLOEXEC);
    require(fd >= 0 && pwrite(fd, "short", 5, 0) == 5);
    defer(close_file, &fd);
    await(bide_reply_write_file(x, fd, 0, 1000000));
    return bide_void;
}

static async(void) handle_pieces(bide_exchange *x, void *arg)
{
    struct counts *counts = arg;
    counts->site.calls++;
    defer(clean, counts);
    if (path_is(x, "/hello")) {
        await(bide_reply(x, 200, "text/plain", "hello\n", 6));
        return bide_void;
    }
    int64_t size = path_is(x, "/counted") || path_is(x, "/short") ? number_of(x) : -1;
    bide_reply_header(x, "X-Kind", "pieces");
    bool wanted =
        await(bide_reply_begin(x, path_is(x, "/nothing") ? 204 : 200, "text/plain; x=1", size));
    if (path_is(x, "/three") || path_is(x, "/nothing")) {
        await(bide_reply_write(x, "one\n", 4));
        await(bide_reply_write(x, "", 0));
        await(bide_reply_write(x, "two\n", 4));
        await(bide_reply_write(x, "three\n", 6));
    } else if (path_is(x, "/bytes") || path_is(x, "/counted")) {
        await(bide_reply_write(x, letters(x, (size_t)number_of(x)), (size_t)number_of(x)));
    } else if (path_is(x, "/short")) {
        await(bide_reply_write(x, "abc", 3));
    } else if (path_is(x, "/files")) {
        await(write_files(x));
    } else if (path_is(x, "/short-file")) {
        await(write_short_file(x));
    } else if (path_is(x, "/wanted")) {
        check(!wanted);
    } else if (path_is(x, "/fail")) {
        await(bide_reply_write(x, "begun\n", 6));
        fail(bide_error_new(500, "the disk is full"));
    } else if (path_is(x, "/ever")) {
        await(write_for_ever(x, counts, (size_t)number_of(x)));
    } else if (path_is(x, "/slow")) {
        await(write_slowly(x, counts, (int)number_of(x), 40));
    } else if (path_is(x, "/endless")) {
        bide_reply_ends_at_stop(x);
        await(write_slowly(x, counts, 1, 20000));
    } else if (path_is(x, "/stuck")) {
        await(write_slowly(x, counts, 1, 5000));
    }
    return bide_void;
}

#define PIECES_TEST(name, ...)                                                                     \
    static async(void) client_##name(struct site *site);                                           \
    TEST(name, .real_clock = true, .timeout_ms = 20000)                                            \
    {                                                                                              \
        struct counts counts = {.site = {.options = __VA_ARGS__}};                                 \
        await(with_site(&counts.site, handle_pieces, client_##name));                              \
        check_int(counts.cleaned, counts.site.calls);                                              \
    }                                                                                              \
    static async(void) client_##name(struct site *site)

/* Everything up to the end of the connection; false: it was reset. Without its Date. */
static async(bool) read_all(struct client *client);
static async(bool) read_all(struct client *client)
{
    bide_error *error;
    size_t n;
    do
        n = attempt(&error, read_more, client);
    while (!error && n > 0);
    take_reply(client, client->held);
    return ready(bool, !error);
}

#define HEAD(framing)                                                                              \
    "HTTP/1.1 200 OK\r\n" framing "\r\nContent-Type: text/plain; x=1\r\nX-Kind: pieces\r\n\r\n"
#define CHUNKED_HEAD HEAD("Transfer-Encoding: chunked")
#define THREE "4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n0\r\n\r\n"

static const char *const close_head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; x=1\r\n"
                                      "Connection: close\r\nX-Kind: pieces\r\n\r\n";

/* ---- framing ---- */

PIECES_TEST(chunks_and_the_next_request, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/three") GET("/three") GET("/hello")));
        size_t size = 2 * strlen(CHUNKED_HEAD THREE) + strlen(HELLO) + 3 * 37;
        while (client->held < size)
            require(await(read_more(client)) > 0);
        for (int i = 0; i < 2; i++) {
            take_reply(client, strlen(CHUNKED_HEAD THREE) + 37);
            check_str(client->reply, CHUNKED_HEAD THREE);
        }
        take_reply(client, client->held);
        check_str(client->reply, HELLO);
    }
    return bide_void;
}

PIECES_TEST(the_end_of_the_connection_for_old_clients, {.requests = 0})
{
    char expected[256];
    snprintf(expected, sizeof expected, "%sone\ntwo\nthree\n", close_head);
    with(dial, client, site) {
        await(say(client, "GET /three HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"));
        check(await(read_all(client)));
        check_str(client->reply, expected);
    }
    return bide_void;
}

PIECES_TEST(nobody_gets_a_body_of_these, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, "HEAD /three HTTP/1.1\r\nHost: x\r\n\r\n", CHUNKED_HEAD));
        await(check_reply(client, "HEAD /wanted HTTP/1.1\r\nHost: x\r\n\r\n", CHUNKED_HEAD));
        await(check_reply(client, "HEAD /counted?9 HTTP/1.1\r\nHost: x\r\n\r\n",
                          HEAD("Content-Length: 9")));
        await(check_reply(client, GET("/nothing"),
                          "HTTP/1.1 204 No Content\r\nContent-Type: text/plain; x=1\r\n"
                          "X-Kind: pieces\r\n\r\n"));
        await(check_reply(client, GET("/counted?3"), HEAD("Content-Length: 3") "abc"));
        await(check_reply(client, GET("/hello"), HELLO));
    }
    return bide_void;
}

/* The bytes of a chunked body that is held from here on, or -1: it is not whole yet. */
static long decode(const char *at, size_t held, size_t *ret_used)
{
    const char *begin = at, *end = at + held;
    long size = 0;
    for (;;) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line)
            return -1;
        long chunk = strtol(at, NULL, 16);
        at = line + 2;
        if (end - at < chunk + 2)
            return -1;
        for (long i = 0; i < chunk; i++)
            require(at[i] == 'a' + (char)(i % 26));
        require(memcmp(at + chunk, "\r\n", 2) == 0);
        at += chunk + 2;
        size += chunk;
        if (chunk == 0)
            break;
    }
    *ret_used = (size_t)(at - begin);
    return size;
}

/* Around the sizes at which a piece no longer fits beside a head, or into the buffer at all. */
PIECES_TEST(pieces_of_many_sizes, {.requests = 0})
{
    static const int sizes[] = {1,
                                4095,
                                BIDE_CAP_HTTP_OUTPUT_BYTES - 200,
                                BIDE_CAP_HTTP_OUTPUT_BYTES - 8,
                                BIDE_CAP_HTTP_OUTPUT_BYTES - 7,
                                BIDE_CAP_HTTP_OUTPUT_BYTES,
                                BIDE_CAP_HTTP_OUTPUT_BYTES + 1,
                                65536,
                                1000000};
    with(dial, client, site) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char request[128];
            snprintf(request, sizeof request, "GET /bytes?%d HTTP/1.1\r\nHost: x\r\n\r\n",
                     sizes[i]);
            await(say(client, request));
            size_t head = strlen(CHUNKED_HEAD) + 37, used;
            long size;
            while (client->held < head ||
                   (size = decode(client->in + head, client->held - head, &used)) < 0)
                require(await(read_more(client)) > 0);
            check_int(size, sizes[i]);
            check_int(client->held, head + used);
            client->held = 0;
        }
        await(check_reply(client, GET("/hello"), HELLO));
    }
    return bide_void;
}

PIECES_TEST(pieces_that_are_in_files, {.requests = 0})
{
    static const char expected[] =
        CHUNKED_HEAD "c\r\nfrom memory\n\r\nb\r\nfrom a file\r\n4\r\nfile\r\n0\r\n\r\n";
    with(dial, client, site) {
        await(say(client, GET("/files") "HEAD /files HTTP/1.1\r\nHost: x\r\n\r\n" GET("/hello")));
        while (client->held < sizeof expected - 1 + strlen(CHUNKED_HEAD HELLO) + 3 * 37)
            require(await(read_more(client)) > 0);
        take_reply(client, sizeof expected - 1 + 37);
        check_str(client->reply, expected);
        take_reply(client, strlen(CHUNKED_HEAD) + 37);
        take_reply(client, client->held);
        check_str(client->reply, HELLO);
    }
    return bide_void;
}

/* ---- failing in the middle ---- */

PIECES_TEST(a_file_that_is_shorter_ends_the_reply, {.requests = 0})
{
    test_capture_stderr();
    with(dial, client, site) {
        await(say(client, GET("/short-file")));
        (void)await(read_all(client));
        check(!strstr(client->reply, "0\r\n\r\n"));
    }
    check_contains(test_captured(), "a file that is sent: it has become shorter");
    return bide_void;
}

PIECES_TEST(a_failure_in_the_middle_is_seen, {.requests = 0})
{
    test_capture_stderr();
    with(dial, client, site) {
        await(say(client, GET("/fail")));
        check(await(read_all(client)));
        check_str(client->reply, CHUNKED_HEAD "6\r\nbegun\n\r\n");
    }
    with(dial, client, site) { /* whose client would take an orderly end for the end of the body */
        await(say(client, "GET /fail HTTP/1.0\r\nHost: x\r\n\r\n"));
        check(!await(read_all(client)));
    }
    with(dial, client, site) {
        await(say(client, GET("/short?10")));
        check(await(read_all(client)));
        check_str(client->reply, HEAD("Content-Length: 10") "abc");
    }
    const char *log = test_captured();
    check_contains(log, "the handler of GET /fail failed: ");
    check_contains(log, "the disk is full");
    check_contains(log, "its handler ended 7 bytes before its end");
    return bide_void;
}

/* ---- time ---- */

PIECES_TEST(each_piece_gives_the_deadline_anew, {.handler_deadline = bide_ms(900)})
{
    with(dial, client, site) {
        await(say(client, GET("/slow?25")));
        size_t head = strlen(CHUNKED_HEAD) + 37;
        while (client->held < head + 25 * 10 + 5)
            require(await(read_more(client)) > 0);
        check(memmem(client->in, client->held, "\r\n0\r\n\r\n", 7) != NULL);
        client->held = 0;
        await(check_reply(client, GET("/hello"), HELLO));
    }
    return bide_void;
}

PIECES_TEST(a_handler_that_gives_nothing_is_too_late, {.handler_deadline = bide_ms(200)})
{
    test_capture_stderr();
    with(dial, client, site) {
        await(say(client, GET("/stuck")));
        check(await(read_all(client)));
        check_str(client->reply, CHUNKED_HEAD "5\r\ntick\n\r\n");
    }
    check_contains(test_captured(), "the handler of GET /stuck failed: ");
    return bide_void;
}

/* A piece is there before the next one is made. */
PIECES_TEST(pieces_do_not_wait_for_the_next, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/stuck")));
        while (client->held < strlen(CHUNKED_HEAD) + 37 + 10)
            require(await(read_more(client)) > 0);
        client_reset(client);
    }
    return bide_void;
}

/* ---- peers ---- */

/* Makes no more than somebody takes, and goes on when he does. */
PIECES_TEST(what_is_made_waits_for_who_reads, {.handler_deadline = bide_ms(300)})
{
    struct counts *counts = (struct counts *)site;
    with(dial, client, site) {
        long before = -1;
        await(say(client, GET("/ever?10000")));
        while (counts->written == 0 || counts->written != before) { /* until it stands still */
            before = counts->written;
            await(bide_sleep(bide_ms(60)));
        }
        await(bide_sleep(bide_ms(400))); /* its peer's time is not the handler's */
        check_int(counts->written, before);
        check_int(counts->cleaned, 0);
        while (counts->written < before + 100) {
            client->held = 0;
            require(await(read_more(client)) > 0);
        }
        client_reset(client);
    }
    return bide_void;
}

PIECES_TEST(a_peer_that_stops_reading_is_left, {.write_stall = bide_ms(150)})
{
    struct counts *counts = (struct counts *)site;
    with(dial, client, site) {
        await(say(client, GET("/ever?10000")));
        while (counts->cleaned == 0)
            await(bide_sleep(bide_ms(10)));
    }
    return bide_void;
}

PIECES_TEST(a_peer_that_is_gone_cancels_the_handler, {.handler_deadline = BIDE_FOREVER})
{
    struct counts *counts = (struct counts *)site;
    static const char *const requests[] = {GET("/stuck"), GET("/ever?100"), GET("/ever?100000")};
    for (int i = 0; i < 3; i++) {
        with(dial, client, site) {
            await(say(client, requests[i]));
            client->held = 0;
            require(await(read_more(client)) > 0);
            client_reset(client);
        }
        while (counts->cleaned <= i)
            await(bide_sleep(bide_ms(5)));
    }
    check_int(site->calls, 3);
    return bide_void;
}

PIECES_TEST(stopping_cancels_what_has_no_end, {.handler_deadline = BIDE_FOREVER})
{
    with(dial, client, site) {
        await(say(client, GET("/ever?100000")));
        require(await(read_more(client)) > 0);
    }
    return bide_void; /* the server is cancelled while the handler waits or has lost its peer */
}

/* One that has no end is over when the server stops; another comes to its end. */
static async(void) client_of_stop(struct site *site)
{
    const struct counts *counts = (struct counts *)site;
    int64_t start_ns = bide_clock_ns();
    with(dial, endless, site) {
        with(dial, client, site) {
            await(say(endless, GET("/endless")));
            await(say(client, GET("/slow?10")));
            require(await(read_more(endless)) > 0 && await(read_more(client)) > 0);
            while (counts->written < 2)
                await(bide_sleep(bide_ms(1)));
            bide_stop("the test says so");
            check(await(read_all(endless)));
            check(!strstr(endless->reply, "0\r\n\r\n"));
            check(await(read_all(client)));
            check(strstr(client->reply, "\r\n0\r\n\r\n") != NULL);
        }
    }
    check(ms_since(start_ns) < 4000);
    return bide_void;
}

TEST(a_stop_ends_what_has_no_end, .real_clock = true)
{
    struct counts counts = {.site = {.options = {.lame_duck = bide_ms(50)}}};
    await(with_site(&counts.site, handle_pieces, client_of_stop));
    check_int(counts.cleaned, 2);
}

/* ---- a body that is read while the reply is written ---- */

struct duplex {
    struct counts counts;
    size_t written;
    int read;
    bool is_full, is_done;
};

/* The byte of the reply at this offset: none looks like its neighbour's. */
static char byte_at(size_t offset)
{
    return (char)((uint32_t)offset * UINT32_C(2654435761) >> 24);
}

static async(void) write_on(bide_exchange *x, struct duplex *duplex, size_t size)
{
    char piece[15000];
    require(size <= sizeof piece);
    for (size_t i = 0; i < size; i++)
        piece[i] = byte_at(duplex->written + i);
    await(bide_reply_write(x, piece, size));
    duplex->written += size;
    return bide_void;
}

/* Until the socket takes no more, and once more when somebody waits for the body. */
static async(void) write_beside(bide_exchange *x, struct duplex *duplex);
SPAWNABLE(void, write_beside, bide_exchange *, struct duplex *)
static async(void) write_beside(bide_exchange *x, struct duplex *duplex)
{
    while (x->connection->out_length == 0) {
        await(write_on(x, duplex, 15000));
        await(bide_sleep(bide_ms(1)));
        await(bide_sleep(bide_ms(1)));
    }
    duplex->is_full = true;
    while (duplex->read == 0)
        await(bide_sleep(bide_ms(1)));
    await(bide_sleep(bide_ms(1)));
    await(write_on(x, duplex, 100));
    duplex->is_done = true;
    return bide_void;
}

static async(void) handle_duplex(bide_exchange *x, void *arg)
{
    struct duplex *duplex = arg;
    int small = 16384;
    char byte;
    setsockopt(x->connection->fd.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    (void)await(bide_reply_begin(x, 200, NULL, -1));
    with_group(g) {
        spawn_void(g, write_beside, x, duplex);
        while (await(bide_body_read(x, &byte, 1)) > 0)
            duplex->read++;
    }
    return bide_void;
}

/* Up to the end: whether it is what was written. An old client: the body is all behind the head. */
static async(void) check_duplex(struct client *client, const struct duplex *duplex)
{
    size_t at = 0;
    char *body;
    while (!(body = memmem(client->in, client->held, "\r\n\r\n", 4)))
        require(await(read_more(client)) > 0);
    client->held -= (size_t)(body + 4 - client->in);
    client->in = body + 4;
    do {
        for (size_t i = 0; i < client->held; i++, at++)
            require(client->in[i] == byte_at(at));
        client->held = 0;
    } while (await(read_more(client)) > 0);
    check_int(at, duplex->written);
    return bide_void;
}

static async(void) client_of_duplex(struct site *site)
{
    struct duplex *duplex = (struct duplex *)site;
    int small = 16384;
    with(dial, client, site) {
        setsockopt(bide_stream_fd(client->stream), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        await(say(client, "POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n"));
        while (!duplex->is_full)
            await(bide_sleep(bide_ms(1)));
        await(say(client, "a"));
        while (!duplex->is_done)
            await(bide_sleep(bide_ms(1)));
        await(say(client, "b"));
        await(check_duplex(client, duplex));
    }
    check_int(duplex->read, 2);
    return bide_void;
}

TEST(a_reader_of_the_body_leaves_the_pieces_as_they_are, .real_clock = true)
{
    struct duplex duplex = {.read = 0};
    await(with_site(&duplex.counts.site, handle_duplex, client_of_duplex));
}

/* ---- misuse ---- */

static int mistake;

static async(void) write_twice(bide_exchange *x);
SPAWNABLE(void, write_twice, bide_exchange *)
static async(void) write_twice(bide_exchange *x)
{
    static const char much[1 << 20];
    for (;;)
        await(bide_reply_write(x, much, sizeof much));
    return bide_void;
}

static async(void) handle_mistake(bide_exchange *x, void *arg)
{
    (void)arg;
    if (mistake == 0)
        await(bide_reply_write(x, "a", 1));
    (void)await(bide_reply_begin(x, 200, "text/plain", mistake == 2 ? 2 : -1));
    if (mistake == 1)
        (void)await(bide_reply_begin(x, 200, "text/plain", -1));
    if (mistake == 2)
        await(bide_reply_write(x, "abc", 3));
    with_group(g) {
        spawn_void(g, write_twice, x);
        spawn_void(g, write_twice, x);
    }
    return bide_void;
}

static async(void) client_of_mistake(struct site *site)
{
    with(dial, client, site) {
        await(say(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        while (await(read_more(client)) > 0)
            client->held = 0;
    }
    return bide_void;
}

static async(void) serve_mistake(void)
{
    struct site site = {.calls = 0};
    await(with_site(&site, handle_mistake, client_of_mistake));
    return bide_void;
}

static void make_mistake(void)
{
    bide_run(serve_mistake);
    exit(BIDE_DEBUG ? 0 : 1); /* a hostile build has aborted */
}

TEST_PLAIN(mistakes_are_misuse)
{
    static const char *const texts[] = {
        "a piece of a reply that was not begun", "a second reply to one request",
        "a reply gets 1 bytes more than it has said", "write pieces of one reply at once"};
    for (mistake = 0; mistake < 4; mistake++)
        check_dies(make_mistake, BIDE_DEBUG ? texts[mistake] : "");
}
