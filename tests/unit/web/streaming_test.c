/* Bodies that are made while they are sent: functions, generators, events; around them middleware,
   providers, the log. */
#include "socket_case.h"
#include "web/web.h"

#include <bide/middleware.h>
#include <bide/observe.h>
#include <stdlib.h>

/* ---- producers ---- */

static int torn_down; /* teardowns of providers that were through when a body began */
static int teardowns, cleaned;

static void count(void *arg)
{
    ++*(int *)arg;
}

static async(void) send_lines(bide_request *req, int n, const char *word);
SPAWNABLE(void, send_lines, bide_request *, int, const char *)
static async(void) send_lines(bide_request *req, int n, const char *word)
{
    defer(count, &cleaned);
    torn_down = teardowns;
    check(bide_request_here() == req);
    for (int i = 0; i < n; i++)
        await(bide_send_format(req, "%d %s\n", i, word));
    return bide_void;
}

static async(void) fail_later(bide_request *req);
SPAWNABLE(void, fail_later, bide_request *)
static async(void) fail_later(bide_request *req)
{
    await(bide_send_text(req, "begun\n"));
    fail(bide_error_new(BIDE_SYSTEM, "the tape has torn"));
}

static async(void) words(bide_gen(bide_text) * gen, const char *word, int n);
GENERATES(bide_text, words, const char *, int)
static async(void) words(bide_gen(bide_text) * gen, const char *word, int n)
{
    defer(count, &cleaned);
    for (int i = 0; i < n; i++) {
        await(bide_sleep(bide_ms(1)));
        await(bide_give(gen, (bide_text){word, strlen(word)}));
    }
    return bide_void;
}

static async(void) no_words(bide_gen(bide_text) * gen);
GENERATES(bide_text, no_words)
static async(void) no_words(bide_gen(bide_text) * gen)
{
    (void)gen;
    fail(bide_error_new(BIDE_SYSTEM, "there are no words"));
}

static async(void) send_events(bide_request *req, const char *last);
SPAWNABLE(void, send_events, bide_request *, const char *)
static async(void) send_events(bide_request *req, const char *last)
{
    await(bide_send_event(req, .retry_ms = 3000, .comment = "hello"));
    await(bide_send_event(req, .name = "tick", .id = "7", .data = last ? last : "none"));
    await(bide_send_event(req, .data = "one\r\ntwo\rthree\n\nfive"));
    await(bide_send_event(req, .data = ""));
    return bide_void;
}

static async(void) bad_event(bide_request *req, const char *name);
SPAWNABLE(void, bad_event, bide_request *, const char *)
static async(void) bad_event(bide_request *req, const char *name)
{
    await(bide_send_event(req, .name = name, .data = "x"));
    return bide_void;
}

static async(void) tick_for_ever(bide_request *req);
SPAWNABLE(void, tick_for_ever, bide_request *)
static async(void) tick_for_ever(bide_request *req)
{
    defer(count, &cleaned);
    for (;;) {
        await(bide_send_event(req, .data = "tick"));
        await(bide_sleep(bide_ms(5)));
    }
    return bide_void;
}

/* ---- routes ---- */

PROVIDER(int, undo)
{
    provide(1);
    teardowns++;
}

static async(void) note_end(int unused);
SPAWNABLE(void, note_end, int)
static int ended_after; /* bodies that had ended when the background task ran */
static async(void) note_end(int unused)
{
    (void)unused;
    ended_after = cleaned;
    return bide_void;
}

GET(lines, "/lines", stream("text/csv; charset=utf-8"), query(i32, n, dflt(3)),
    depends(int, one, undo))
{
    bide_after_reply(req, note_end, one);
    return bide_stream_with(req, send_lines, n, "line");
}
GET(torn, "/torn", stream("text/plain"))
{
    return bide_stream_with(req, fail_later);
}
GET(spoken, "/spoken", stream("text/plain"), query(i32, n, dflt(3)))
{
    return bide_stream_from(req, words, "ah ", n);
}
GET(silent, "/silent", stream("text/plain"))
{
    return bide_stream_from(req, no_words);
}
GET(events, "/events", stream("text/event-stream"), header(str, last_event_id, optional))
{
    return bide_stream_with(req, send_events, last_event_id);
}
GET(typed, "/typed", stream("text/plain"), query(str, type))
{
    bide_set_header(req, "Content-Type", type);
    return bide_stream_with(req, send_lines, 1, "line");
}

GET(bad_events, "/bad-events", stream("text/event-stream"))
{
    return bide_stream_with(req, bad_event, "two\nlines");
}
GET(ticks, "/ticks", stream("text/event-stream"))
{
    return bide_stream_with(req, tick_for_ever);
}
POST(made, "/made", stream("text/plain"), status(202))
{
    bide_set_header(req, "Content-Type", "text/x-own");
    return bide_stream_with(req, send_lines, 1, "made");
}
GET(refused, "/refused", stream("text/plain"))
{
    (void)bide_stream_with(req, send_lines, 1, "never");
    fail(http_error(409, "not now"));
}
GET(none, "/none", stream("text/plain"))
{
    return (bide_streamed){NULL};
}

/* In place of a body that will never be made. */
static async(void) answer_instead(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    await(bide_proceed(next));
    if (bide_header_of(req, "x-instead").at)
        bide_answer(req, 503, "text/plain", "instead", 7);
    return bide_void;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "streams");
    bide_app_use(app, bide_gzip, NULL);
    bide_app_use(app, bide_etags, NULL);
    bide_app_use(app, answer_instead, NULL);
    bide_app_add_all(app, "");
    return app;
}

/* ---- the client inside the program ---- */

TEST(a_function_makes_the_body)
{
    teardowns = cleaned = 0;
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/lines?n=2"));
        check_int(r.status, 200);
        check_str(r.body, "0 line\n1 line\n");
        check_int(r.length, 14);
        check_str(reply_header(r, "Content-Type"), "text/csv; charset=utf-8");
        check_int(torn_down, 1);
        check_int(ended_after, 1);
        r = await(client_send(c, "HEAD", "/lines", no_body));
        check_int(r.status, 200);
        check_str(r.body, "");
        check_int(cleaned, 1);
        r = await(client_post(c, "/made", no_body));
        check_int(r.status, 202);
        check_str(r.body, "0 made\n");
        check_str(reply_header(r, "Content-Type"), "text/x-own");
    }
}

TEST(a_generator_makes_the_body)
{
    cleaned = 0;
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/spoken?n=3"));
        check_str(r.body, "ah ah ah ");
        check_int(cleaned, 1);
        r = await(client_get(c, "/spoken?n=0"));
        check_int(r.status, 200);
        check_str(r.body, "");
    }
}

TEST(events_are_lines)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/events"));
        check_str(r.body, ": hello\nretry: 3000\n\n"
                          "event: tick\nid: 7\ndata: none\n\n"
                          "data: one\ndata: two\ndata: three\ndata: \ndata: five\n\n"
                          "data: \n\n");
        check_str(reply_header(r, "Content-Type"), "text/event-stream");
        check_str(reply_header(r, "Cache-Control"), "no-cache");
        check_str(reply_header(r, "X-Accel-Buffering"), "no");
    }
}

static async(int) status_of(bide_client_ptr client, const char *target);
SPAWNABLE(int, status_of, bide_client_ptr, const char *)
static async(int) status_of(bide_client_ptr client, const char *target)
{
    reply r = await(client_get(client, target));
    return ready(int, r.status);
}

TEST(the_type_of_the_reply_says_whether_it_is_events)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/typed?type=text/event-stream;charset=utf-8"));
        check_str(reply_header(r, "Content-Type"), "text/event-stream;charset=utf-8");
        check_str(reply_header(r, "Cache-Control"), "no-cache");
        r = await(client_get(c, "/typed?type=text/csv"));
        check_str(reply_header(r, "Cache-Control"), NULL);
    }
}

TEST(what_a_body_fails_with_is_raised_to_a_test)
{
    static const struct {
        const char *target, *text;
    } rows[] = {{"/torn", "the tape has torn"},
                {"/silent", "there are no words"},
                {"/bad-events", "the name of an event has several lines"}};
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            bide_error *error;
            (void)attempt(&error, status_of, c, rows[i].target);
            require(error);
            check_str(error->message, rows[i].text);
        }
        check_int(await(client_get(c, "/lines")).status, 200);
    }
}

TEST(before_it_begins_a_failure_is_a_reply)
{
    cleaned = 0;
    test_capture_stderr();
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/refused"));
        check_int(r.status, 409);
        check_str(r.body, "{\"detail\":\"not now\"}");
        check_int(await(client_get(c, "/none")).status, 500);
        check_int(await(client_get(c, "/lines?n=x")).status, 422);
        client_header(c, "X-Instead", "1");
        r = await(client_get(c, "/lines"));
        check_int(r.status, 503);
        check_str(r.body, "instead");
        check_int(cleaned, 0);
    }
    check_contains(test_captured(), "`none` returned no stream");
}

TEST(middleware_leaves_it_as_it_is)
{
    with_client(c, make_app()) {
        client_header(c, "Accept-Encoding", "gzip");
        reply r = await(client_get(c, "/lines?n=500"));
        check_str(reply_header(r, "Content-Encoding"), NULL);
        check_str(reply_header(r, "ETag"), NULL);
        check_contains(r.body, "\n499 line\n");
    }
}

TEST(the_documentation_says_the_type)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/openapi.json"));
        check_contains(r.body, "\"text/csv\":{\"schema\":{\"type\":\"string\"}}");
        check_contains(r.body, "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}");
    }
}

/* ---- on a connection ---- */

TEST(chunks_on_a_connection, .real_clock = true)
{
    char answer[4096];
    bide_app *app = make_app();
    teardowns = cleaned = 0;
    with_server(app, port, {
        talk(port,
             "GET /lines?n=2 HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET /spoken?n=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             answer, sizeof answer);
    }) check_contains(answer, "Content-Type: text/csv; charset=utf-8\r\n");
    check_contains(answer, "Transfer-Encoding: chunked\r\n");
    check_contains(answer,
                   "\r\n\r\n7\r\n0 line\n\r\n7\r\n1 line\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n");
    check_contains(answer, "\r\n\r\n3\r\nah \r\n0\r\n\r\n");
    check_int(ended_after, 1);
}

TEST(a_body_that_fails_is_cut, .real_clock = true)
{
    char answer[4096];
    bide_app *app = make_app();
    bide_app_access_log(app, false);
    test_capture_stderr();
    with_server(app, port, {
        talk(port, "GET /torn HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof answer);
        check_contains(answer, "\r\n\r\n6\r\nbegun\n\r\n");
        check(!strstr(answer, "\r\n0\r\n"));
        talk(port, "GET /lines?n=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
             sizeof answer);
    }) const char *log = test_captured();
    check_contains(log, "the tape has torn");
    check_contains(log, "path=/torn status=200 bytes=6 ");
    check_contains(log, "path=/lines status=200 bytes=14 ");
}

/* Reads some events and goes. */
static void leave_early(uint16_t port) BIDE__TASK;
static void leave_early(uint16_t port)
{
    char bytes[512];
    size_t got = 0;
    with(bide_tcp, stream, "127.0.0.1", port) {
        await(bide_write(stream, "GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n", 33));
        while (got < 300)
            got += await(bide_read(stream, bytes, sizeof bytes));
        check_int(cleaned, 0);
    }
    while (cleaned == 0)
        await(bide_sleep(bide_ms(2)));
}

TEST(a_peer_that_leaves_ends_the_function, .real_clock = true)
{
    bide_app *app = make_app();
    cleaned = 0;
    with_server(app, port, { leave_early(port); }) check_int(cleaned, 1);
}

/* ---- two tasks write at once ---- */

enum { MUCH_BYTES = 1 << 20, MUCH_PIECES = 32 };

static bool is_refused; /* the second one's */
static bool intact;     /* the first one's bytes */

static async(void) send_much(bide_request *req);
SPAWNABLE(void, send_much, bide_request *)
static async(void) send_much(bide_request *req)
{
    static char much[MUCH_BYTES + 1];
    memset(much, 'a', MUCH_BYTES);
    for (int i = 0; i < MUCH_PIECES; i++)
        await(bide_send_format(req, "%s", much));
    return bide_void;
}

static async(void) send_between(bide_request *req);
SPAWNABLE(void, send_between, bide_request *)
static async(void) send_between(bide_request *req)
{
    await(bide_send_format(req, "%*s", 2 * MUCH_BYTES, "between")); /* the buffer would grow */
    return bide_void;
}

/* While the other one's piece lies in the request's buffer and the socket takes no more. */
static async(void) send_beside(bide_request *req);
SPAWNABLE(void, send_beside, bide_request *)
static async(void) send_beside(bide_request *req)
{
    bide_error *error;
    with_group(g) {
        spawn_void(g, send_much, req);
        while (!req->writing)
            await(bide_sleep(bide_ms(1)));
        attempt(&error, send_between, req);
        is_refused = error && error->code == BIDE_MISUSE;
    }
    return bide_void;
}

GET(overlap, "/overlap", stream("text/plain"))
{
    return bide_stream_with(req, send_beside);
}

static void read_overlap(uint16_t port) BIDE__TASK;
static void read_overlap(uint16_t port)
{
    static char bytes[65536 + 1];
    const char *body;
    size_t total = 0, wrong = 0, got;
    with(bide_tcp, stream, "127.0.0.1", port) {
        await(bide_write(stream, "GET /overlap HTTP/1.0\r\n\r\n", 25));
        while (!is_refused)
            await(bide_sleep(bide_ms(1)));
        while ((got = await(bide_read(stream, bytes, sizeof bytes - 1))) > 0) {
            body = total > 0 ? bytes : strstr(bytes, "\r\n\r\n") + 4;
            for (; body < bytes + got; body++, total++)
                wrong += *body != 'a';
        }
    }
    intact = wrong == 0 && total == (size_t)MUCH_BYTES * MUCH_PIECES;
}

static async(void) serve_overlap(void)
{
    bide_app *app = bide_app_new(.title = "overlap");
    bide_app_add(app, "", &overlap_route);
    with_server(app, port, { read_overlap(port); }) return bide_void;
}

static void write_at_once(void)
{
    bide_run(serve_overlap);
    exit(intact && !BIDE_DEBUG); /* a hostile build has aborted */
}

TEST_PLAIN(of_two_that_write_at_once_the_second_is_wrong)
{
    check_dies(write_at_once, BIDE_DEBUG ? "while another task's is on its way" : "");
}
