/*
 * Requests to other servers: bide's own server on a real socket, servers that misbehave, and one
 * with TLS (openssl s_server).
 */
#include "../peer.h"

#include <bide/bide.h>
#include <bide/test.h>

#if __has_include(<curl/curl.h>)
#define BIDE_CURL 1
#include "client/client.h"
#include "io/name.h"

#include <signal.h>
#include <stdlib.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

MODEL(person, "", (i64, id), (str, name, len(1, 20)));

typedef bide_group *group_ptr;

/* ---- a server that tells what it has got ---- */

static int served, under_way, most_under_way;
static uint16_t other_port; /* of a second server, another origin */

static bool is_path(bide_text path, const char *wanted)
{
    return path.length == strlen(wanted) && memcmp(path.at, wanted, path.length) == 0;
}

static const char *field(bide_exchange *x, const char *name)
{
    bide_text value = bide_request_header(x, name);
    return value.at ? bide_arena_strndup(bide_exchange_arena(x), value.at, value.length) : "-";
}

static char last_host[60];

/* What a request was, a line for each. */
static async(void) tell(bide_exchange *x)
{
    bide_text body = await(bide_body_all(x));
    bide_text method = bide_request_method(x), query = bide_request_query(x);
    snprintf(last_host, sizeof last_host, "%s", field(x, "Host"));
    char *text = bide_arena_printf(
        bide_exchange_arena(x),
        "method %.*s\nquery %.*s\ntype %s\nagent %s\nown %s\nusual %s\nsecret %s\ncookie %s\n"
        "body %.*s\n",
        (int)method.length, method.at, (int)query.length, query.at, field(x, "Content-Type"),
        field(x, "User-Agent"), field(x, "X-Own"), field(x, "X-Usual"), field(x, "Authorization"),
        field(x, "Cookie"), (int)body.length, body.at);
    await(bide_reply(x, 200, "text/plain", text, strlen(text)));
    return bide_void;
}

static async(void) redirect(bide_exchange *x, int status, const char *to)
{
    bide_reply_header(x, "Location", to);
    await(bide_reply(x, status, "text/plain", "elsewhere", 9));
    return bide_void;
}

static async(void) slow(bide_exchange *x)
{
    under_way++;
    most_under_way = under_way > most_under_way ? under_way : most_under_way;
    await(bide_sleep(bide_ms(30)));
    under_way--;
    await(bide_reply(x, 200, "text/plain", "slow", 4));
    return bide_void;
}

/* 40 of 200 bytes each; the query says which. */
static async(void) many_cookies(bide_exchange *x)
{
    char value[220];
    bide_text query = bide_request_query(x);
    for (int i = 0; i < 40; i++) {
        snprintf(value, sizeof value, "c%lldx%d=%0150d; Path=/many", strtoll(query.at, NULL, 10), i,
                 i);
        bide_reply_header(x, "Set-Cookie", value);
    }
    await(bide_reply(x, 200, "text/plain", "set", 3));
    return bide_void;
}

static async(void) handle(bide_exchange *x, void *unused)
{
    static char big[100000];
    bide_text path = bide_request_path(x);
    (void)unused;
    served++;
    if (is_path(path, "/person"))
        await(bide_reply(x, 200, "application/json", "{\"id\":7,\"name\":\"Sam\"}", 21));
    else if (is_path(path, "/missing"))
        await(bide_reply(x, 404, "application/json", "{\"detail\":\"no\"}", 15));
    else if (is_path(path, "/slow"))
        await(slow(x));
    else if (is_path(path, "/never"))
        await(bide_sleep(bide_s(3600)));
    else if (is_path(path, "/big"))
        await(bide_reply(x, 200, "text/plain", memset(big, 'b', sizeof big), sizeof big));
    else if (is_path(path, "/empty"))
        await(bide_reply(x, 204, NULL, NULL, 0));
    else if (is_path(path, "/to/303"))
        await(redirect(x, 303, "/tell?x=1"));
    else if (is_path(path, "/to/302"))
        await(redirect(x, 302, "/tell"));
    else if (is_path(path, "/to/307"))
        await(redirect(x, 307, "/tell"));
    else if (is_path(path, "/to/lost"))
        await(redirect(x, 303, "http://127.0.0.1:1/"));
    else if (is_path(path, "/round"))
        await(redirect(x, 302, "/round"));
    else if (is_path(path, "/to/file"))
        await(redirect(x, 302, "file:///etc/passwd"));
    else if (is_path(path, "/to/other"))
        await(redirect(
            x, 307,
            bide_arena_printf(bide_exchange_arena(x), "http://127.0.0.1:%u/tell", other_port)));
    else if (is_path(path, "/many-cookies"))
        await(many_cookies(x));
    else if (is_path(path, "/cookie")) {
        bide_reply_header(x, "Set-Cookie", "sid=abc; Path=/");
        await(bide_reply(x, 200, "text/plain", "set", 3));
    } else
        await(tell(x));
    return bide_void;
}

static async(void) serve(bide_listener_ptr listener);
SPAWNABLE(void, serve, bide_listener_ptr)
static async(void) serve(bide_listener_ptr listener)
{
    await(bide_http_serve(listener, handle, NULL, NULL));
    return bide_void;
}

static const char *url_of(const bide_listener *listener)
{
    const bide_arena *arena = bide_task_arena();
    const char *url = arena ? bide_arena_printf(bide_task_arena(), "http://127.0.0.1:%u",
                                                bide_listener_port(listener))
                            : NULL;
    if (!url)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for the test"));
    return url;
}

/* with_site(base) { ... }: the server, and its URL */
#define with_site(base)                                                                            \
    with(bide_tcp_listener, listener_, "127.0.0.1", 0, NULL)                                       \
        with_group(servers_)                                                                       \
            for (const char *base = begin_site(servers_, listener_); base;                         \
                 base = NULL, bide_group_cancel(servers_, "the test is over"))

static const char *begin_site(group_ptr servers, bide_listener_ptr listener)
{
    spawn_void(servers, serve, listener);
    return url_of(listener);
}

#define OPEN(...)                                                                                  \
    &(bide_http_client_options)                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* ---- what is sent ---- */

TEST(a_request_says_what_it_was_told, .real_clock = true)
{
    bide_http_field usual[] = {{"X-Usual", "always"}, {"X-Own", "weaker"}, {0}};
    bide_http_field own[] = {{"X-Own", "stronger"}, {0}};
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .fields = usual))
    {
        bide_client_reply r = await(bide_http_get(c, "/a%20b?q=1&r=%2F"));
        check_int(r.status, 200);
        check_str(r.body, "method GET\nquery q=1&r=%2F\ntype -\nagent bide/0.1.0\nown weaker\n"
                          "usual always\nsecret -\ncookie -\nbody \n");
        check_int(r.length, strlen(r.body));
        check_str(bide_client_reply_header(r, "content-TYPE"), "text/plain");
        check(!bide_client_reply_header(r, "x-nothing"));

        r = await(bide_http_send(
            c, &(bide_http_request){
                   .method = "PATCH",
                   .url = "/a",
                   .fields = own,
                   .body = bide_body_model(person, &((person){.id = 1, .name = "Sam"})),
                   .user = "sam",
                   .password = "p:\n",
               }));
        check_str(r.body, "method PATCH\nquery \ntype application/json\nagent bide/0.1.0\n"
                          "own stronger\nusual always\nsecret Basic c2FtOnA6Cg==\ncookie -\n"
                          "body {\"id\":1,\"name\":\"Sam\"}\n");

        r = await(bide_http_send(
            c, &(bide_http_request){.method = "DELETE", .url = "/a", .bearer = "t0ken"}));
        check_contains(r.body, "method DELETE\n");
        check_contains(r.body, "type -\n");
        check_contains(r.body, "secret Bearer t0ken\n");

        r = await(bide_http_post(c, "/a", (bide_client_body){0}));
        check_contains(r.body, "method POST\nquery \ntype -\n");

        r = await(bide_http_send(c, &(bide_http_request){.method = "HEAD", .url = "/big"}));
        check_int(r.status, 200);
        check_int(r.length, 0);
        check_str(bide_client_reply_header(r, "content-length"), "100000");

        r = await(bide_http_get(c, "/empty"));
        check_int(r.status, 204);
        check_str(r.body, "");
    }
}

TEST(a_reply_fits_a_model_or_does_not, .real_clock = true)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        bide_client_reply r = await(bide_http_get(c, "/person"));
        person sam = bide_reply_as(person, r);
        check_int(sam.id, 7);
        check_str(sam.name, "Sam");
        check_int(bide_json_int(r, "id"), 7);
        r = await(bide_http_get(c, "/missing")); /* a reply, not an error */
        check_int(r.status, 404);
        check_str(bide_json_str(r, "detail"), "no");
    }
}

static async(void) get(bide_http_client_ptr c, const char *url)
{
    (void)await(bide_http_get(c, url));
    return bide_void;
}
SPAWNABLE(void, get, bide_http_client_ptr, const char *)

/* What a GET of this URL ends with. */
static int code_of(bide_http_client_ptr c, const char *url, const char *said) BIDE__TASK;
static int code_of(bide_http_client_ptr c, const char *url, const char *said)
{
    bide_error *error;
    attempt(&error, get, c, url);
    if (error)
        check_contains(error->message, said);
    return error ? error->code : 0;
}

static async(void) send_one(bide_http_client_ptr c, const bide_http_request *request);
SPAWNABLE(void, send_one, bide_http_client_ptr, const bide_http_request *)
static async(void) send_one(bide_http_client_ptr c, const bide_http_request *request)
{
    (void)await(bide_http_send(c, request));
    return bide_void;
}

TEST(what_makes_no_sense_is_refused_before_anything_is_sent, .real_clock = true)
{
    static bide_http_field split[] = {{"X-Own", "a\r\nX-Evil: b"}, {0}};
    static bide_http_field spaced[] = {{"X Own", "a"}, {0}},
                           framing[] = {{"content-LENGTH", "3"}, {0}};
    static bide_http_field nothing[] = {{"X-Own", NULL}, {0}};
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
    {
        bide_http_request bad[] = {
            {.url = NULL},
            {.url = "relative"},
            {.url = "ftp://127.0.0.1/"},
            {.url = "/a b"},
            {.url = "/a\r\nX-Evil: b"},
            {.url = "http://sam:secret@127.0.0.1/"},
            {.url = "http://"},
            {.url = "/", .method = "GET / HTTP/1.1\r\nX"},
            {.url = "/", .method = ""},
            {.url = "/", .fields = split},
            {.url = "/", .fields = spaced},
            {.url = "/", .fields = framing},
            {.url = "/", .fields = nothing},
            {.url = "/", .bearer = "a\r\nX-Evil: b"},
            {.url = "/", .body = {"text/plain\r\nX-Evil: b", "", 0}},
        };
        served = 0;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            bide_error *error;
            attempt(&error, send_one, c, &bad[i]);
            check(error && error->code == BIDE_INVALID);
            check(!error || !strstr(error->message, "secret"));
        }
        check_int(served, 0);
    }
    bide_http_client_options wrong[] = {{.base_url = "example.org"},
                                        {.base_url = "http://example.org/"},
                                        {.base_url = "http://example.org?q"},
                                        {.fields = split},
                                        {.timeout = {-1}}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bide_error *error;
        attempt(&error, bide_http_client_open, &wrong[i]);
        check(error && error->code == BIDE_INVALID);
    }
}

/* ---- connections ---- */

/* How many TCP connections a server of one word per connection has seen. */
static int accepted;
static const char *said_first; /* what each connection is answered with ... */
static bool then_closed;       /* ... and whether it then ends */

static async(void) answer(bide_stream_ptr stream);
SPAWNABLE(void, answer, bide_stream_ptr)
static async(void) answer(bide_stream_ptr stream)
{
    char bytes[4000];
    defer(bide_close_stream, stream);
    while (await(bide_read(stream, bytes, sizeof bytes)) > 0) {
        if (said_first)
            await(bide_write(stream, said_first, strlen(said_first)));
        if (then_closed)
            break;
    }
    return bide_void;
}

static async(void) accept_all(bide_listener_ptr listener, group_ptr group);
SPAWNABLE(void, accept_all, bide_listener_ptr, group_ptr)
static async(void) accept_all(bide_listener_ptr listener, group_ptr group)
{
    for (;;) {
        bide_stream_ptr stream = await(bide_accept(listener));
        accepted++;
        spawn_void(group, answer, stream);
    }
    return bide_void;
}

static const char *begin_raw(group_ptr servers, bide_listener_ptr listener, const char *said,
                             bool closed)
{
    accepted = 0;
    said_first = said;
    then_closed = closed;
    spawn_void(servers, accept_all, listener, servers);
    return url_of(listener);
}

#define with_raw(base, said, closed)                                                               \
    with(bide_tcp_listener, listener_, "127.0.0.1", 0, NULL)                                       \
        with_group(servers_)                                                                       \
            for (const char *base = begin_raw(servers_, listener_, said, closed); base;            \
                 base = NULL, bide_group_cancel(servers_, "the test is over"))

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

TEST(connections_are_kept, .real_clock = true)
{
    with_raw(base, HELLO, false) with(bide_http_client, c, OPEN(.base_url = base))
    {
        for (int i = 0; i < 5; i++)
            check_str(await(bide_http_get(c, "/")).body, "hello");
        check_int(accepted, 1);
    }
}

TEST(no_more_requests_at_a_time_than_allowed, .real_clock = true)
{
    most_under_way = 0;
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .connections = 3))
    {
        with_group(g) {
            for (int i = 0; i < 12; i++)
                spawn_void(g, get, c, "/slow");
        }
    }
    check_int(most_under_way, 3);
}

TEST(a_cancel_frees_the_place, .real_clock = true, .timeout_ms = 30000)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .connections = 2))
    {
        for (int i = 0; i < 20; i++) {
            with_group(g) {
                for (int k = 0; k < 4; k++) /* two under way, two wait */
                    spawn_void(g, get, c, "/never");
                await(bide_sleep(bide_ms(i % 4)));
                bide_group_cancel(g, "seen enough");
            }
            check_int(await(bide_http_get(c, "/person")).status, 200);
        }
    }
}

/* Nobody is there at the first address. */
static int at_two_addresses(const char *host, struct bide__address *ret_addresses,
                            size_t *ret_count)
{
    if (strcmp(host, "shop.test") != 0)
        return EAI_NONAME;
    *ret_count = 2;
    return bide__address_parse("127.0.0.2", 0, &ret_addresses[0]) ||
                   bide__address_parse("127.0.0.1", 0, &ret_addresses[1])
               ? EAI_FAIL
               : 0;
}

TEST(names_are_found_by_the_resolver_of_all, .real_clock = true)
{
    bide__name_source = at_two_addresses;
    with_site(base) with(bide_http_client, c, NULL)
    {
        const char *url =
            bide_arena_printf(bide_task_arena(), "http://shop.test%s/person", strrchr(base, ':'));
        check_int(await(bide_http_get(c, url)).status, 200);
        check_int(await(bide_http_get(c, url)).status, 200);
        check_int(code_of(c, "http://nobody.test/", "nobody.test"), BIDE_UNREACHABLE);
        check_int(code_of(c, "http://a..b/", "a..b"), BIDE_INVALID);
    }
}

TEST(deadlines_end_a_request, .real_clock = true)
{
    with_site(base)
    {
        with(bide_http_client, c, OPEN(.base_url = base, .timeout = bide_ms(50))) {
            bide_http_request patient = {.url = "/slow", .timeout = bide_s(10)};
            bide_error *error;
            check_int(code_of(c, "/never", "GET http://127.0.0.1:"), BIDE_TIMEOUT);
            attempt(&error, send_one, c, &(bide_http_request){.method = "POST", .url = "/never"});
            check(error && error->code == BIDE_OUTCOME_UNKNOWN);
            check_int(await(bide_http_send(c, &patient)).status, 200);
        }
        with(bide_http_client, c, OPEN(.base_url = base)) {
            bool late;
            move_on_after(&late, bide_ms(30), get, c, "/never");
            check(late);
        }
    }
}

/* The cancel may come to the server as well: then the request ends by its time. */
TEST(a_cancel_at_every_await, .real_clock = true, .cancel_everywhere = true)
{
    with_site(base)
        with(bide_http_client, c, OPEN(.base_url = base, .redirects = 2, .timeout = bide_ms(200)))
    {
        bide_error *error;
        attempt(&error, get, c, "/to/302");
        check(!error || error->code == BIDE_CANCELLED || error->code == BIDE_TIMEOUT ||
              error->code == BIDE_UNREACHABLE);
        check_int(bide_semaphore_available(&c->slots), c->options.connections);
    }
}

/* ---- servers that misbehave ---- */

TEST(what_goes_wrong_has_its_code, .real_clock = true)
{
    char port[8];
    peer_free_port(port);
    with(bide_http_client, c, OPEN(.timeout = bide_s(10))) {
        const char *nobody =
            bide_arena_printf(bide_task_arena(), "http://127.0.0.1:%s/a?key=1", port);
        check_int(code_of(c, nobody, "/a: "), BIDE_UNREACHABLE);
        check_int(code_of(c, "http://no-such-host.invalid/", "no-such-host"), BIDE_UNREACHABLE);
    }
    with_raw(base, "", true) with(bide_http_client, c, OPEN(.base_url = base))
    {
        bide_error *error;
        check_int(code_of(c, "/", "GET"), BIDE_UNREACHABLE);
        attempt(&error, send_one, c, &(bide_http_request){.method = "POST", .url = "/"});
        check(error && error->code == BIDE_OUTCOME_UNKNOWN);
    }
    with_raw(base, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true)
        with(bide_http_client, c, OPEN(.base_url = base))
            check_int(code_of(c, "/", "GET"), BIDE_UNREACHABLE);
    with_raw(base, "HELO there\r\n", true) with(bide_http_client, c, OPEN(.base_url = base))
        check_int(code_of(c, "/", "GET"), BIDE_UNREACHABLE);
}

/* A kept connection may end just when the next request is sent. What is not idempotent is not sent
   a second time then; what is, may be. */
TEST(nothing_is_done_twice, .real_clock = true)
{
    with_raw(base, HELLO, false) with(bide_http_client, c, OPEN(.base_url = base))
    {
        bide_error *error;
        for (int i = 0; i < 2; i++) {
            bide_http_request request = {.method = i == 0 ? "POST" : "GET", .url = "/"};
            said_first = HELLO;
            then_closed = false;
            check_int(await(bide_http_get(c, "/")).status, 200);
            accepted = 0;
            said_first = NULL; /* it reads the next request, and ends */
            then_closed = true;
            attempt(&error, send_one, c, &request);
            check(error && error->code == (i == 0 ? BIDE_OUTCOME_UNKNOWN : BIDE_UNREACHABLE));
            check_int(accepted, i); /* a new connection for the GET only */
        }
    }
}

TEST(what_a_server_sends_is_bounded, .real_clock = true)
{
    with_site(base)
    {
        with(bide_http_client, c, OPEN(.base_url = base, .most_bytes = 99999)) {
            bide_http_request more = {.url = "/big", .most_bytes = 100000};
            check_int(code_of(c, "/big", "most_bytes"), BIDE_LIMIT);
            check_int(await(bide_http_send(c, &more)).length, 100000);
        }
    }
    char *head = bide_arena_alloc_zero(bide_task_arena(), 1, 200000);
    strcpy(head, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(head + strlen(head), 'x', 90000);
    strcat(head, "\r\nContent-Length: 0\r\n\r\n");
    with_raw(base, head, false) with(bide_http_client, c, OPEN(.base_url = base))
        check_int(code_of(c, "/", "head"), BIDE_LIMIT);
}

static async(void) expect_limit(bide_http_client_ptr c, const char *url);
SPAWNABLE(void, expect_limit, bide_http_client_ptr, const char *)
static async(void) expect_limit(bide_http_client_ptr c, const char *url)
{
    check_int(code_of(c, url, "most_bytes"), BIDE_LIMIT);
    return bide_void;
}

/* 10 KB of gzip that are 10 MB. */
TEST(a_bomb_does_not_go_off, .real_clock = true)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
    FILE *pipe = popen("head -c 10000000 /dev/zero | gzip -9", "re");
    char *all = bide_arena_alloc_zero(bide_task_arena(), 1, 100000);
    require(pipe);
    memcpy(all, head, sizeof head - 1);
    size_t size = sizeof head - 1 + fread(all + sizeof head - 1, 1, 90000, pipe);
    require(pclose(pipe) == 0);
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        with(bide_http_client, c, OPEN(.most_bytes = 100000)) {
            with_group(g) {
                const char *url = url_of(listener);
                char bytes[1000];
                spawn_void(g, expect_limit, c, url);
                bide_stream_ptr stream = await(bide_accept(listener));
                (void)await(bide_read(stream, bytes, sizeof bytes));
                await(bide_write(stream, all, size));
                bide_close(stream);
            }
        }
}

/* ---- redirections, credentials, cookies ---- */

TEST(redirections_are_followed_if_asked_for, .real_clock = true)
{
    bide_client_body body = bide_body_text("text/x-own", "hello");
    with_site(base)
    {
        with(bide_http_client, c, OPEN(.base_url = base))
            check_int(await(bide_http_get(c, "/to/302")).status, 302);
        with(bide_http_client, c, OPEN(.base_url = base, .redirects = 3)) {
            check_contains(await(bide_http_get(c, "/to/303")).body, "method GET\nquery x=1\n");
            bide_client_reply r = await(bide_http_post(c, "/to/302", body));
            check_contains(r.body, "method GET\n");
            check_contains(r.body, "type -\n");
            check_contains(r.body, "body \n");
            r = await(bide_http_post(c, "/to/307", body));
            check_contains(r.body, "method POST\n");
            check_contains(r.body, "type text/x-own\n");
            check_contains(r.body, "body hello\n");
            r = await(bide_http_send(
                c, &(bide_http_request){.method = "PUT", .url = "/to/302", .body = body}));
            check_contains(r.body, "method PUT\n");
            served = 0;
            check_int(code_of(c, "/round", "more than 3 times"), BIDE_LIMIT);
            check_int(served, 4);
            check_int(code_of(c, "/to/file", "not http"), BIDE_INVALID);
            bide_error *error;
            check_int(code_of(c, "/to/lost", "127.0.0.1:1"), BIDE_UNREACHABLE);
            attempt(&error, send_one, c, &(bide_http_request){.method = "POST", .url = "/to/lost"});
            check(error && error->code == BIDE_OUTCOME_UNKNOWN); /* the first one has done it */
        }
    }
}

TEST(another_origin_gets_no_credentials, .real_clock = true)
{
    bide_http_field secrets[] = {
        {"Cookie", "sid=1"}, {"X-Own", "1"}, {"Host", "internal.example"}, {0}};
    with(bide_tcp_listener, second, "127.0.0.1", 0, NULL)
        with_group(g) {
            spawn_void(g, serve, second);
            other_port = bide_listener_port(second);
            with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .redirects = 3))
            {
                bide_http_request request = {
                    .url = "/to/other", .bearer = "t0ken", .fields = secrets};
                bide_client_reply r = await(bide_http_send(c, &request));
                check_contains(r.body, "own 1\n");
                check_contains(last_host, "127.0.0.1:");
                check_contains(r.body, "secret -\n");
                check_contains(r.body, "cookie -\n");
                request.url = "/to/307"; /* the same origin */
                r = await(bide_http_send(c, &request));
                check_str(last_host, "internal.example");
                check_contains(r.body, "secret Bearer t0ken\n");
                check_contains(r.body, "cookie sid=1\n");
            }
            bide_group_cancel(g, "the test is over");
        }
}

TEST(cookies_are_kept_if_asked_for, .real_clock = true)
{
    with_site(base)
    {
        for (int kept = 0; kept < 2; kept++)
            with(bide_http_client, c, OPEN(.base_url = base, .cookies = kept)) {
                check_int(await(bide_http_get(c, "/cookie")).status, 200);
                check_contains(await(bide_http_get(c, "/tell")).body,
                               kept ? "cookie sid=abc\n" : "cookie -\n");
            }
    }
}

TEST(cookies_are_bounded, .real_clock = true, .timeout_ms = 30000)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .cookies = true))
    {
        struct curl_slist *kept = NULL;
        CURL *easy = curl_easy_init();
        const char *url =
            bide_arena_printf(bide_task_arena(), "http://localhost%s/cookie", strrchr(base, ':'));
        check_int(await(bide_http_get(c, url)).status, 200); /* of another host */
        for (int i = 0, most = BIDE_CAP_CLIENT_COOKIES / 40 + 2; i < 2 * most; i++) {
            char path[40];
            bide_error *error;
            bide_http_request request = {.url = path, .most_bytes = i < most ? 0 : 1};
            snprintf(path, sizeof path, "/many-cookies?%d", i);
            (void)attempt(&error, bide_http_send, c, &request);
            check_int(error ? error->code : 0, i < most ? 0 : BIDE_LIMIT);
        }
        require(easy);
        curl_easy_setopt(easy, CURLOPT_SHARE, c->jar);
        curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &kept);
        int count = 0, others = 0;
        for (const struct curl_slist *line = kept; line; line = line->next) {
            count++;
            others += strncmp(line->data, "localhost", 9) == 0;
        }
        curl_slist_free_all(kept);
        curl_easy_cleanup(easy);
        check_int(count, BIDE_CAP_CLIENT_COOKIES);
        check_int(others, 1);
    }
}

/* ---- TLS ---- */

struct tls_peer {
    char folder[32], port[8];
    pid_t pid;
};

static void end_tls(void *peer_)
{
    struct tls_peer *peer = peer_;
    char path[64];
    if (peer->pid > 0) {
        kill(peer->pid, SIGKILL);
        waitpid(peer->pid, NULL, 0);
    }
    snprintf(path, sizeof path, "%s/key.pem", peer->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/cert.pem", peer->folder);
    unlink(path);
    rmdir(peer->folder);
}

static void begin_tls(struct tls_peer *peer, const char *name)
{
    char key[64], cert[64];
    *peer = (struct tls_peer){.folder = "/tmp/bide-tls-XXXXXX"};
    require(mkdtemp(peer->folder));
    peer_certificate(peer->folder, name);
    peer_free_port(peer->port);
    snprintf(key, sizeof key, "%s/key.pem", peer->folder);
    snprintf(cert, sizeof cert, "%s/cert.pem", peer->folder);
    const char *args[] = {"openssl", "s_server", "-quiet", "-www", "-accept", peer->port,
                          "-key",    key,        "-cert",  cert,   NULL};
    peer->pid = peer_spawn(args);
}

TEST(certificates_are_verified, .real_clock = true, .timeout_ms = 30000)
{
    for (int i = 0; i < 3; i++) { /* trusted; not trusted; trusted, of another name */
        struct tls_peer peer;
        begin_tls(&peer, i == 2 ? "DNS:example.org" : "IP:127.0.0.1");
        defer(end_tls, &peer);
        char ca[64], url[64];
        int code = BIDE_UNREACHABLE;
        snprintf(ca, sizeof ca, "%s/cert.pem", peer.folder);
        snprintf(url, sizeof url, "https://127.0.0.1:%s/", peer.port);
        with(bide_http_client, c, OPEN(.ca = i == 1 ? NULL : ca))
            for (int k = 0; k < 500 && code == BIDE_UNREACHABLE; k++) { /* until it listens */
                code = code_of(c, url, "https://127.0.0.1");
                await(bide_sleep(bide_ms(10)));
            }
        check_int(code, i == 0 ? 0 : BIDE_TLS);
    }
}

/* ---- where it does not belong ---- */

TEST(a_request_inside_a_transaction_is_reported, .real_clock = true, .reports = true)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base))
        with(bide_database, db, "sqlite://:memory:")
    {
        await(bide_do(db, "create table t (a integer)"));
        test_capture_stderr();
        (void)await(bide_http_get(c, "/person"));
        check_str(test_captured(), "");
        test_capture_stderr();
        for (int i = 0; i < 2; i++)
            with_tx(tx, db) {
                (void)await(bide_http_get(c, "/person")); /* it has not begun */
                await(bide_do(tx, "insert into t values (1)"));
                (void)await(bide_http_get(c, "/person?key=secret"));
            }
        (void)await(bide_http_get(c, "/person"));
        const char *said = test_captured();
        check_contains(said, "/person inside the transaction of ");
        check_contains(said, "http_client_test.c:");
        check(!strstr(said, "secret"));
        check(!strstr(strstr(said, "inside") + 1, "inside")); /* once */
    }
}

TEST(a_closed_client_is_closed, .real_clock = true)
{
    with_site(base) with_group(g)
    {
        bide_http_client_ptr c =
            await(bide_http_client_open(OPEN(.base_url = base, .timeout = bide_ms(100))));
        task(void) one = spawn(g, get, c, "/slow"); /* goes on, and keeps the client */
        await(bide_sleep(bide_ms(5)));
        await(bide_http_client_close(c, NULL));
        check_int(code_of(c, "/person", "closed"), BIDE_CLOSED);
        await_task(one);
    }
}

/* The server's allocations fail as well. */
TEST(every_allocation_fails_once, .real_clock = true, .fail_allocations = true)
{
    with_site(base) with(bide_http_client, c, OPEN(.base_url = base, .cookies = true))
    {
        bide_error *error;
        attempt(&error, get, c, "/person");
        check(!error || error->code == BIDE_NO_MEMORY || error->code == BIDE_UNREACHABLE);
    }
}
#else
TEST_PLAIN(without_libcurl)
{
    test_skip("no libcurl: ./dev deps more");
}
#endif
