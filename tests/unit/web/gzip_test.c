/* bide_gzip: which replies are compressed, and what then becomes of their fields. */
#include "web_case.h"

#if !__has_include(<zlib.h>)

TEST_PLAIN(without_zlib_it_is_an_error_at_start)
{
    bide_app *app = bide_app_new(.title = "gzip");
    bide_app_use(app, bide_gzip, NULL);
    check_contains(bide_app_check(app), "without zlib");
    bide_app_free(app);
}

#else

#include <stdlib.h>
#include <zlib.h>

enum { MANY_BYTES = 300000 };

/* As many letters as the query says, of a type that it names. */
GET(letters, "/letters", text, query(i64, size, range(0, 1000000)), query(str, field, optional),
    query(str, value, optional))
{
    char *body = bide_arena_alloc(bide_arena_of(req), (size_t)size + 1);
    if (!body)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for letters"));
    for (int64_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 7);
    body[size] = 0;
    if (field)
        bide_set_header(req, field, value);
    return body;
}

/* What zlib makes no smaller: bytes of a generator, as letters of all kinds. */
GET(noise, "/noise", text)
{
    char *body = bide_arena_alloc(bide_arena_of(req), 601);
    uint32_t state = 7;
    require(body);
    for (int i = 0; i < 600; i++) {
        state = state * 1664525 + 1013904223;
        body[i] = (char)(1 + (state >> 24) % 255);
    }
    body[600] = 0;
    return body;
}

GET(nothing_at_all, "/nothing", nothing)
{
    (void)req;
}

/* Answers with a type and a status. */
static async(void) answer_as(bide_request *req, bide_next *next, const void *arg)
{
    bide_text type = bide_header_of(req, "x-type"), status = bide_header_of(req, "x-status");
    static char body[2000];
    (void)arg;
    if (!type.at && !status.at) {
        await(bide_proceed(next));
        return bide_void;
    }
    memset(body, 'x', sizeof body);
    bide_answer(req, status.at ? atoi(status.at) : 200, type.at ? type.at : "text/plain", body,
                sizeof body);
    return bide_void;
}

static bide_app *make_app(const bide_gzip_options *options)
{
    bide_app *app = bide_app_new(.title = "gzip");
    bide_app_add(app, "", &letters_route, &noise_route, &nothing_at_all_route);
    bide_app_use(app, bide_gzip, options);
    bide_app_use(app, answer_as, NULL);
    return app;
}

static void check_letters(bide_client_reply r, size_t size)
{
    char *plain = malloc(size + 1);
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)r.body,
                       .avail_in = (unsigned)r.length,
                       .next_out = (unsigned char *)plain,
                       .avail_out = (unsigned)size + 1};
    require(plain);
    check_int(inflateInit2(&stream, 15 + 16), Z_OK);
    check_int(inflate(&stream, Z_FINISH), Z_STREAM_END);
    check_int(stream.total_out, size);
    check_int(stream.avail_in, 0);
    for (size_t i = 0; i < size; i++)
        if (plain[i] != (char)('a' + i % 7))
            require(plain[i] == (char)('a' + i % 7));
    inflateEnd(&stream);
    free(plain);
}

TEST(small_and_large_replies_are_compressed)
{
    with_client(c, make_app(NULL)) {
        client_header(c, "accept-encoding", "gzip, br");
        reply r = await(client_get(c, "/letters?size=500"));
        check_int(r.status, 200);
        check_str(reply_header(r, "Content-Encoding"), "gzip");
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        check_str(reply_header(r, "Content-Type"), "text/plain; charset=utf-8");
        check(r.length < 100);
        check_letters(r, 500);
        for (int i = 0; i < 3; i++) { /* a compressor is used again */
            r = await(client_get(c, "/letters?size=300000"));
            check_str(reply_header(r, "Content-Encoding"), "gzip");
            check(r.length < 5000);
            check_letters(r, MANY_BYTES);
        }
    }
}

TEST(what_is_not_wanted_or_not_worth_it_stays_plain)
{
    with_client(c, make_app(NULL)) {
        reply r = await(client_get(c, "/letters?size=500"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        check_int(r.length, 500);
        client_header(c, "accept-encoding", "gzip;q=0, *");
        r = await(client_get(c, "/letters?size=500"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        client_header(c, "accept-encoding", "gzip");
        r = await(client_get(c, "/letters?size=499"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_str(reply_header(r, "Vary"), NULL);
        r = await(client_get(c, "/noise"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        check_int(r.length, 600);
        r = await(client_get(c, "/nothing"));
        check_int(r.status, 204);
        check_str(reply_header(r, "Vary"), NULL);
        r = await(client_get(c, "/letters?size=900&field=Content-Encoding&value=br"));
        check_str(reply_header(r, "Content-Encoding"), "br");
        check_int(r.length, 900);
        r = await(client_get(c, "/letters?size=900&field=cache-control&value=No-Transform"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
    }
}

TEST(types_and_statuses)
{
    static const struct {
        const char *type, *status;
        bool compressed;
    } cases[] = {
        {"application/json", NULL, true},
        {"APPLICATION/Problem+JSON; charset=utf-8", NULL, true},
        {"image/svg+xml", NULL, true},
        {"text/html ;charset=utf-8", NULL, true},
        {"application/wasm", NULL, true},
        {"image/png", NULL, false},
        {"application/octet-stream", NULL, false},
        {"application/zip", NULL, false},
        {"text/event-stream", NULL, false},
        {"+json", "404", true},
        {"text/css", "500", true},
        {"text/css", "206", false},
        {"text/css", "204", false},
        {"text/css", "304", false},
    };
    with_client(c, make_app(NULL)) {
        client_header(c, "accept-encoding", "gzip");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            client_header(c, "x-type", cases[i].type);
            client_header(c, "x-status", cases[i].status);
            reply r = await(client_get(c, "/"));
            if (!check_str(reply_header(r, "Content-Encoding"),
                           cases[i].compressed ? "gzip" : NULL))
                fprintf(stderr, "%s\n", cases[i].type);
        }
    }
}

TEST(a_strong_tag_becomes_weak_and_vary_is_one_field)
{
    with_client(c, make_app(NULL)) {
        client_header(c, "accept-encoding", "gzip");
        reply r = await(client_get(c, "/letters?size=900&field=ETag&value=%22a%22"));
        check_str(reply_header(r, "ETag"), "W/\"a\"");
        r = await(client_get(c, "/letters?size=900&field=ETag&value=W/%22a%22"));
        check_str(reply_header(r, "ETag"), "W/\"a\"");
        r = await(client_get(c, "/letters?size=400&field=ETag&value=%22a%22"));
        check_str(reply_header(r, "ETag"), "\"a\"");
        r = await(client_get(c, "/letters?size=900&field=vary&value=Origin"));
        check_str(reply_header(r, "Vary"), "Origin, Accept-Encoding");
        r = await(client_get(c, "/letters?size=900&field=vary&value=accept-encoding"));
        check_str(reply_header(r, "Vary"), "accept-encoding");
        r = await(client_get(c, "/letters?size=900&field=vary&value=*"));
        check_str(reply_header(r, "Vary"), "*");
    }
}

/* A reply that bide_etags makes to 304 before it comes here says what the whole one says. */
TEST(a_reply_that_is_not_modified_varies_too)
{
    bide_app *app = make_app(NULL);
    bide_app_use(app, bide_etags, NULL);
    with_client(c, app) {
        client_header(c, "accept-encoding", "gzip");
        client_header(c, "if-none-match", "*");
        reply r = await(client_get(c, "/letters?size=900"));
        check_int(r.status, 304);
        check_str(reply_header(r, "Vary"), "Accept-Encoding");
        r = await(client_get(c, "/letters?size=400"));
        check_int(r.status, 304);
        check_str(reply_header(r, "Vary"), NULL);
    }
}

TEST(options_are_heeded_and_checked)
{
    static const bide_gzip_options small = {.level = 9, .least_bytes = 20}, wrong = {.level = 10};
    with_client(c, make_app(&small)) {
        client_header(c, "accept-encoding", "gzip");
        reply r = await(client_get(c, "/letters?size=60"));
        check_str(reply_header(r, "Content-Encoding"), "gzip");
        check_letters(r, 60);
    }
    bide_app *app = make_app(&wrong);
    check_contains(bide_app_check(app), "level 10");
    bide_app_free(app);
}

/* A computation does not stall the loop: a task beside it runs while the lane compresses. */
static int ticks;
static async(void) tick(void);
SPAWNABLE(void, tick)
static async(void) tick(void)
{
    for (;; ticks++)
        await(bide_yield());
    return bide_void;
}

TEST(a_large_body_is_compressed_beside_the_loop, .real_clock = true)
{
    with_client(c, make_app(NULL)) {
        client_header(c, "accept-encoding", "gzip");
        with_group(g) {
            spawn_void(g, tick);
            reply r = await(client_get(c, "/letters?size=1000000"));
            check_str(reply_header(r, "Content-Encoding"), "gzip");
            check(ticks > 3);
            bide_group_cancel(g, "enough");
        }
    }
}

static async(void) use(void)
{
    with_client(c, make_app(NULL)) {
        client_header(c, "accept-encoding", "gzip");
        reply r = await(client_get(c, "/letters?size=600"));
        check(r.status == 200 || r.status == 413 || r.status == 500);
        r = await(client_get(c, "/letters?size=40000"));
        if (r.status == 200 && reply_header(r, "Content-Encoding"))
            check_letters(r, 40000);
    }
    return bide_void;
}
static async(void) use_it(void);
SPAWNABLE(void, use_it)
static async(void) use_it(void)
{
    await(use());
    return bide_void;
}

TEST(every_allocation_fails_once, .fail_allocations = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, use_it);
    bide_log_flush(1000);
    (void)test_captured();
    if (error)
        check(error->code == BIDE_NO_MEMORY || error->code == BIDE_INVALID ||
              error->code == BIDE_LIMIT);
}

TEST(every_await_is_cancelled_once, .cancel_everywhere = true)
{
    bide_error *error;
    attempt(&error, use_it);
    if (error)
        fail(error);
}

#endif
