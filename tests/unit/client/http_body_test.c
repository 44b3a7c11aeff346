/*
 * Bodies piece by piece, on bide's own server over loopback: sinks and sources that are slow, fail,
 * or are cancelled; servers that die; large bodies in little memory.
 */
#include <bide/bide.h>
#include <bide/test.h>

#if __has_include(<curl/curl.h>)
#define BIDE_CURL 1
#include "../effects.h"
#include "base/mem.h"
#include "client/client.h"
#include "core/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef bide_group *group_ptr;

/* ---- a server ---- */

enum { PIECE = 65536 };

static const char *field(bide_exchange *x, const char *name)
{
    bide_text value = bide_request_header(x, name);
    return value.at ? bide_arena_strndup(bide_exchange_arena(x), value.at, value.length) : "-";
}

static int64_t query_number(bide_exchange *x)
{
    bide_text query = bide_request_query(x);
    char text[24];
    snprintf(text, sizeof text, "%.*s", (int)query.length, query.at ? query.at : "");
    return strtoll(text, NULL, 10);
}

static int64_t sent_down; /* bytes that the server has given away */

/* As many bytes as the query says; each tells its place. */
static async(void) stream_down(bide_exchange *x)
{
    static char piece[PIECE];
    int64_t left = query_number(x);
    for (size_t i = 0; i < sizeof piece; i++)
        piece[i] = (char)(i % 251);
    (void)await(bide_reply_begin(x, 200, "application/octet-stream", left));
    for (sent_down = 0; left > 0; left -= PIECE) {
        size_t size = left < PIECE ? (size_t)left : PIECE;
        await(bide_reply_write(x, piece, size));
        sent_down += (int64_t)size;
    }
    return bide_void;
}

/* What came up, in bytes and in a sum. */
static async(void) count_up(bide_exchange *x)
{
    static unsigned char piece[PIECE];
    uint64_t count = 0, sum = 0;
    size_t size;
    bide_request_allow(x, 300 << 20, bide_s(60));
    while ((size = await(bide_body_read(x, piece, sizeof piece))) > 0) {
        count += size;
        for (size_t i = 0; i < size; i++)
            sum += piece[i];
    }
    bide_text method = bide_request_method(x);
    char *text = bide_arena_printf(bide_exchange_arena(x), "%.*s %llu %llu length %s type %s",
                                   (int)method.length, method.at, (unsigned long long)count,
                                   (unsigned long long)sum, field(x, "Content-Length"),
                                   field(x, "Content-Type"));
    await(bide_reply(x, 200, "text/plain", text, strlen(text)));
    return bide_void;
}

static bool is_path(bide_exchange *x, const char *wanted)
{
    bide_text path = bide_request_path(x);
    return path.length == strlen(wanted) && memcmp(path.at, wanted, path.length) == 0;
}

static int held; /* requests for /hold */

/* "a"; the zero at the end belongs to it */
static const char a_in_gzip[] = "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0";

static async(void) handle(bide_exchange *x, void *unused)
{
    (void)unused;
    if (is_path(x, "/stream"))
        await(stream_down(x));
    else if (is_path(x, "/encoded")) {
        bide_reply_header(x, "X-Asked", field(x, "Accept-Encoding"));
        bide_reply_header(x, "Content-Encoding", "gzip");
        await(bide_reply(x, 200, "text/plain", a_in_gzip, sizeof a_in_gzip));
    } else if (is_path(x, "/count"))
        await(count_up(x));
    else if (is_path(x, "/hold")) {
        held++;
        await(bide_sleep(bide_s(3600)));
    } else if (is_path(x, "/to/307")) {
        bide_reply_header(x, "Location", "/count");
        await(bide_reply(x, 307, "text/plain", "elsewhere", 9));
    } else
        await(bide_reply(x, 404, "text/plain", "nothing here", 12));
    return bide_void;
}

static async(void) serve(bide_listener_ptr listener)
{
    await(bide_http_serve(listener, handle, NULL,
                          &(struct bide_http_options){.most_body_bytes = 300 << 20}));
    return bide_void;
}
SPAWNABLE(void, serve, bide_listener_ptr)

static const char *url_of(const bide_listener *listener)
{
    const char *url =
        bide_arena_printf(bide_task_arena(), "http://127.0.0.1:%u", bide_listener_port(listener));
    require(url);
    return url;
}

static const char *begin_site(group_ptr servers, bide_listener_ptr listener)
{
    spawn_void(servers, serve, listener);
    return url_of(listener);
}

/* with_site(base) { ... }: the server, and its URL */
#define with_site(base)                                                                            \
    with(bide_tcp_listener, listener_, "127.0.0.1", 0, NULL)                                       \
        with_group(servers_)                                                                       \
            for (const char *base = begin_site(servers_, listener_); base;                         \
                 base = NULL, bide_group_cancel(servers_, "the test is over"))

#define OPEN(...)                                                                                  \
    &(bide_http_client_options)                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* ---- replies into sinks ---- */

struct watched {
    uint64_t bytes, most_ahead;
    bool slow, fails, wrong;
};

static async(void) watch_piece(void *arg, const void *bytes, size_t size)
{
    struct watched *w = arg;
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        w->wrong |= at[i] != (w->bytes + i) % PIECE % 251;
    w->bytes += size;
    if (w->fails)
        fail(bide_error_new(BIDE_CONFLICT, "the disk is full"));
    if (w->slow && w->bytes < 4 * PIECE)
        await(bide_sleep(bide_ms(20))); /* then the server has sent what it can */
    uint64_t ahead = (uint64_t)sent_down - w->bytes;
    if (w->slow && (int64_t)ahead > (int64_t)w->most_ahead)
        w->most_ahead = ahead;
    return bide_void;
}

/* 0 where a checker of memory keeps what was freed. */
static long peak_kib(void)
{
    struct rusage usage;
    const char *preload = getenv("LD_PRELOAD");
    if (BIDE__ASAN || BIDE__TSAN || (preload && strstr(preload, "vgpreload")))
        return 0;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

enum { MIB = 1 << 20, LARGE = 100 * MIB };

TEST(a_large_reply_goes_into_a_sink, .real_clock = true, .timeout_ms = 60000)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .most_bytes = 1000))
    {
        struct watched w = {.bytes = 0};
        long before = peak_kib();
        bide_http_request request = {
            .url = "/stream?104857600", .sink = watch_piece, .sink_arg = &w};
        bide_client_reply r = await(bide_http_send(c, &request));
        check_int(r.status, 200);
        check_int(r.length, 0);
        check_int(w.bytes, LARGE);
        check(!w.wrong);
        check(peak_kib() - before < 20 * 1024);
        request.url = "/no-thanks"; /* not 2xx: not for the sink */
        r = await(bide_http_send(c, &request));
        check_str(r.body, "nothing here");
        check_int(w.bytes, LARGE);
    }
}

static async(void) check_encoded(void *times, const void *bytes, size_t size)
{
    ++*(int *)times;
    check_int(size, sizeof a_in_gzip);
    check(memcmp(bytes, a_in_gzip, size) == 0);
    return bide_void;
}

/* While it waits libcurl would keep all that it has decoded. */
TEST(what_goes_into_a_sink_is_not_decoded, .real_clock = true)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        int times = 0;
        bide_http_request request = {.url = "/encoded"};
        bide_client_reply r = await(bide_http_send(c, &request));
        check_contains(bide_client_reply_header(r, "X-Asked"), "gzip");
        check_str(r.body, "a");
        request.sink = check_encoded;
        request.sink_arg = &times;
        r = await(bide_http_send(c, &request));
        check_str(bide_client_reply_header(r, "X-Asked"), "-");
        check_str(bide_client_reply_header(r, "Content-Encoding"), "gzip");
        check_int(times, 1);
    }
}

TEST(a_slow_sink_holds_the_server_back, .real_clock = true, .timeout_ms = 60000)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        struct watched w = {.slow = true};
        bide_http_request request = {
            .url = "/stream?20971520", .sink = watch_piece, .sink_arg = &w};
        check_int(await(bide_http_send(c, &request)).status, 200);
        check_int(w.bytes, 20 * MIB);
        check(!w.wrong);
        check(w.most_ahead < 20 * MIB / 2); /* what sockets hold is the kernel's matter */
    }
}

TEST(other_requests_go_on_beside_a_sink_that_waits, .real_clock = true)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        bide_stream_ptr ends[2];
        await(bide_stream_pair(ends));
        defer(bide_close_stream, ends[0]);
        defer(bide_close_stream, ends[1]);
        {
            with_group(g) {
                bide_http_request request = {
                    .url = "/stream?8000000", .sink = bide_http_to_stream, .sink_arg = ends[0]};
                task(bide_client_reply) large = spawn(g, bide_http_send, c, &request);
                await(bide_sleep(bide_ms(5)));
                for (int i = 0; i < 5; i++) /* nobody reads the stream */
                    check_int(await(bide_http_get(c, "/missing")).status, 404);
                char *bytes = bide_arena_alloc(bide_task_arena(), 8000000);
                await(bide_read_exactly(ends[1], bytes, 8000000));
                check_int(await_task(large).status, 200);
                check(bytes[7999999] == (char)(7999999 % PIECE % 251));
            }
        }
    }
}

TEST(what_ends_a_streamed_reply, .real_clock = true)
{
    bide_error *error;
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        struct watched w = {.fails = true};
        bide_http_request request = {.url = "/stream?1000000", .sink = watch_piece, .sink_arg = &w};
        (void)attempt(&error, bide_http_send, c, &request);
        require(error);
        check_int(error->code, BIDE_CONFLICT);
        w = (struct watched){.bytes = 0};
        request.most_bytes = 500000;
        (void)attempt(&error, bide_http_send, c, &request);
        require(error);
        check_int(error->code, BIDE_LIMIT);
        check(w.bytes <= 500000);
        request.most_bytes = 1000000;
        w.bytes = 0;
        check_int(await(bide_http_send(c, &request)).status, 200);
        check_int(w.bytes, 1000000);
        check_int(bide_semaphore_available(&c->slots), c->options.connections);
    }
}

/* The server has done it: what fails afterwards does not make it do so again. */
static async(void) sink_in_haste(void *pieces, const void *bytes, size_t size)
{
    (void)bytes, (void)size;
    ++*(int *)pieces;
    with_deadline(bide_ms(1))
        await(bide_sleep(bide_s(3600)));
    return bide_void;
}

SPAWNABLE(void, ask_into, bide_http_client_ptr, const bide_http_request *, int *)
async(void) ask_into(bide_http_client_ptr c, const bide_http_request *request, int *calls)
{
    ++*calls;
    (void)await(bide_http_send(c, request));
    return bide_void;
}

TEST(a_post_is_not_sent_again_when_its_sink_fails_or_its_reply_is_too_large, .real_clock = true)
{
    static const bide_retry_policy again = {
        .tries = 3, .first = {1000000}, .codes = {BIDE_TIMEOUT, BIDE_LIMIT}};
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        int pieces = 0;
        bide_http_request sinks = {.url = "/count", .sink = sink_in_haste, .sink_arg = &pieces};
        bide_http_request limited = {.url = "/count", .most_bytes = 1};
        bide_http_request *requests[] = {&sinks, &limited};
        for (int i = 0; i < 4; i++) {
            bide_http_request *request = requests[i % 2];
            struct bide__memory memory;
            bide_error *error;
            int calls = 0;
            effects_begin(&memory);
            request->method = i < 2 ? "POST" : "PUT"; /* twice is as good as once */
            retry(&error, &again, ask_into, c, request, &calls);
            require(error);
            check_int(error->code, i % 2 ? BIDE_LIMIT : BIDE_TIMEOUT);
            check_int(calls, i < 2 ? 1 : 3);
            check_int(effects_end(&memory), i < 2);
        }
        check_int(pieces, 4);
    }
}

/* Takes one request, and dies in the middle of its reply. */
static async(void) half_a_reply(bide_listener_ptr listener)
{
    static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\0\1\2\3";
    char bytes[1000];
    bide_stream_ptr stream = await(bide_accept(listener));
    (void)await(bide_read(stream, bytes, sizeof bytes));
    await(bide_write(stream, half, sizeof half - 1));
    bide_close(stream);
    return bide_void;
}
SPAWNABLE(void, half_a_reply, bide_listener_ptr)

TEST(a_server_that_dies_in_the_middle, .real_clock = true)
{
    bide_error *error;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        with(bide_http_client, c, OPEN(.base_url = url_of(listener)))
            with_group(g) {
                spawn_void(g, half_a_reply, listener);
                struct watched w = {.bytes = 0};
                bide_http_request request = {.url = "/", .sink = watch_piece, .sink_arg = &w};
                (void)attempt(&error, bide_http_send, c, &request);
                require(error);
                check_int(error->code, BIDE_UNREACHABLE);
                check_int(w.bytes, 4);
                check(!w.wrong);
            }
}

/* ---- requests out of sources ---- */

struct giver {
    uint64_t left;
    bool slow;
};

static async(size_t) give_piece(void *arg, void *buffer, size_t size)
{
    struct giver *giver = arg;
    if (size > giver->left)
        size = (size_t)giver->left;
    giver->left -= size;
    if (giver->slow)
        await(bide_sleep(bide_ms(1)));
    return ready(size_t, (memset(buffer, 1, size), size));
}

static bide_client_reply give(bide_http_client_ptr c, const char *method, uint64_t bytes,
                              uint64_t said, bool slow) BIDE__TASK;
static bide_client_reply give(bide_http_client_ptr c, const char *method, uint64_t bytes,
                              uint64_t said, bool slow)
{
    struct giver giver = {bytes, slow};
    bide_http_request request = {.method = method,
                                 .url = "/count",
                                 .source = give_piece,
                                 .source_arg = &giver,
                                 .source_bytes = said,
                                 .body.content_type = "application/x-bytes"};
    return await(bide_http_send(c, &request));
}

TEST(a_source_gives_a_body, .real_clock = true, .timeout_ms = 60000)
{
    bide_error *error;
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        long before = peak_kib();
        check_str(give(c, NULL, LARGE, LARGE, false).body,
                  "POST 104857600 104857600 length 104857600 type application/x-bytes");
        check(peak_kib() - before < 20 * 1024);
        check_str(give(c, "PUT", 300000, 0, true).body,
                  "PUT 300000 300000 length - type application/x-bytes");
        check_str(give(c, "PATCH", 0, 0, false).body,
                  "PATCH 0 0 length - type application/x-bytes");
        check_str(give(c, "PUT", 10, 7, false).body, "PUT 7 7 length 7 type application/x-bytes");
        struct giver giver = {5, false};
        bide_http_request request = {
            .url = "/count", .source = give_piece, .source_arg = &giver, .source_bytes = 6};
        (void)attempt(&error, bide_http_send, c, &request);
        require(error);
        check_int(error->code, BIDE_INVALID);
        check_contains(error->message, "the source ends 1 bytes before");
        /* It can be sent only once. */
        giver.left = 5;
        request = (bide_http_request){.url = "/to/307", .source = give_piece, .source_arg = &giver};
        check_int(await(bide_http_send(c, &request)).status, 307);
    }
}

TEST(bodies_out_of_files_and_into_them, .real_clock = true)
{
    char path[] = "/tmp/bide-client-XXXXXX";
    int fd = mkstemp(path);
    require(fd >= 0);
    close(fd);
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
        with(bide_opened_file, file, path, BIDE_FILE_READ | BIDE_FILE_WRITE, 0600)
    {
        bide_http_file place = {.file = file};
        bide_http_request down = {
            .url = "/stream?200000", .sink = bide_http_to_file, .sink_arg = &place};
        check_int(await(bide_http_send(c, &down)).status, 200);
        check_int(place.offset, 200000);
        place.offset = 100000;
        bide_http_request up = {
            .url = "/count", .source = bide_http_from_file, .source_arg = &place};
        check_contains(await(bide_http_send(c, &up)).body, "POST 100000 ");
    }
    unlink(path);
}

static async(void) both_ways(bide_http_client_ptr c)
{
    struct watched w = {.bytes = 0};
    struct giver giver = {150000, false};
    bide_http_request down = {.url = "/stream?200000", .sink = watch_piece, .sink_arg = &w};
    bide_http_request up = {.url = "/count", .source = give_piece, .source_arg = &giver};
    (void)await(bide_http_send(c, &down));
    (void)await(bide_http_send(c, &up));
    return bide_void;
}
SPAWNABLE(void, both_ways, bide_http_client_ptr)

TEST(a_cancel_at_every_await_of_a_stream, .real_clock = true, .cancel_everywhere = true,
     .timeout_ms = 60000)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .timeout = bide_ms(50)))
    {
        bide_error *error;
        attempt(&error, both_ways, c);
        check(!error || error->code == BIDE_CANCELLED || error->code == BIDE_TIMEOUT ||
              error->code == BIDE_OUTCOME_UNKNOWN || error->code == BIDE_UNREACHABLE);
        check_int(bide_semaphore_available(&c->slots), c->options.connections);
    }
}
/* ---- cancelled on the way ---- */

static async(void) order(bide_http_client_ptr c, const char *method)
{
    (void)await(bide_http_send(c, &(bide_http_request){.method = method, .url = "/hold"}));
    return bide_void;
}
SPAWNABLE(void, order, bide_http_client_ptr, const char *)

static async(void) fail_after(int before)
{
    while (held == before)
        await(bide_sleep(bide_ms(1)));
    fail(bide_error_new(BIDE_UNREACHABLE, "the other server is down"));
}
SPAWNABLE(void, fail_after, int)

/* A sibling, or the block, fails when the server has the order, which is cancelled by that. */
static async(void) order_beside_a_failure(bide_http_client_ptr c, const char *method, bool sibling)
{
    int before = held;
    with_group(g) {
        spawn_void(g, order, c, method);
        if (sibling)
            spawn_void(g, fail_after, before);
        else
            await(fail_after(before));
    }
    return bide_void;
}
SPAWNABLE(void, order_beside_a_failure, bide_http_client_ptr, const char *, bool)

/* Its deadline passes when the server has the order. */
static async(void) order_in_time(bide_http_client_ptr c, const char *method)
{
    with_deadline(bide_ms(500)) {
        with_group(g) {
            spawn_void(g, order, c, method);
        }
    }
    return bide_void;
}
SPAWNABLE(void, order_in_time, bide_http_client_ptr, const char *)

TEST(what_was_cancelled_on_its_way_is_not_done_again, .real_clock = true)
{
    static const bide_retry_policy policy = {
        .tries = 2, .first = {1000000}, .codes = {BIDE_UNREACHABLE, BIDE_TIMEOUT}};
    bide_error *error;
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        for (int sibling = 0; sibling < 2; sibling++) {
            held = 0;
            retry(&error, &policy, order_beside_a_failure, c, "POST", sibling);
            check_int(error ? error->code : 0, BIDE_UNREACHABLE);
            check_int(held, 1);
        }
        retry(&error, &policy, order_beside_a_failure, c, "PUT", true); /* as good as once */
        check_int(error ? error->code : 0, BIDE_UNREACHABLE);
        check_int(held, 3);
        retry(&error, &policy, order_in_time, c, "POST");
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        check_int(held, 4);
    }
}

#else

TEST_PLAIN(without_libcurl)
{
    test_skip("built without libcurl");
}
#endif
