/*
 * Another protocol on a connection: what is echoed after a 101, and who closes it.
 */
#include "server_case.h"

/* Echoes until the peer ends, or "bye" comes. */
static async(void) echo(bide_exchange *x, struct site *site)
{
    char buffer[256];
    size_t n;
    site->under_way++;
    defer(waiting_over, site);
    on_cancel(waiting_cancelled, site);
    if (path_is(x, "/with-field"))
        bide_reply_header(x, "X-Key", "abc");
    bide_stream *stream = await(bide_exchange_upgrade(x, "echo/1"));
    check_str(bide_stream_peer(stream), "127.0.0.1");
    while ((n = await(bide_read(stream, buffer, path_is(x, "/slow") ? 2 : sizeof buffer))) > 0) {
        await(bide_write(stream, buffer, n));
        if (n == 3 && memcmp(buffer, "bye", 3) == 0)
            break;
    }
    if (path_is(x, "/closes"))
        bide_close(stream);
    site->finished++;
    return bide_void;
}

static async(void) handler(bide_exchange *x, void *arg)
{
    if (path_is(x, "/hello") || path_is(x, "/wait"))
        await(site_handler(x, arg));
    else
        await(echo(x, arg));
    return bide_void;
}

#define UPGRADE(path, fields, behind) "GET " path " HTTP/1.1\r\nHost: x\r\n" fields "\r\n" behind
#define ASKS "Connection: Upgrade\r\nUpgrade: other, ECHO/1\r\n"
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n"
#define REFUSED                                                                                    \
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 38\r\nContent-Type: text/plain; "                 \
    "charset=utf-8\r\n\r\nthe request does not ask for 'echo/1'\n"

#define UPGRADE_TEST(name, ...)                                                                    \
    static async(void) client_##name(struct site *site);                                           \
    TEST(name, .real_clock = true, .timeout_ms = 20000)                                            \
    {                                                                                              \
        struct site site = {.options = __VA_ARGS__};                                               \
        await(with_site(&site, handler, client_##name));                                           \
        check_int(site.under_way, 0);                                                              \
    }                                                                                              \
    static async(void) client_##name(struct site *site)

/* What comes back for it, as it is. */
static async(void) check_echo(struct client *client, const char *text, const char *expected)
{
    size_t length = strlen(expected);
    if (*text)
        await(say(client, text));
    while (client->held < length)
        if (await(read_more(client)) == 0)
            break;
    check_int(client->held, length);
    check(client->held == length && memcmp(client->in, expected, length) == 0);
    client->in += client->held;
    client->held = 0;
    return bide_void;
}

UPGRADE_TEST(what_comes_with_the_head_is_read_first, {.requests = 0})
{
    static const char *const paths[] = {"/echo", "/slow", "/closes"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char request[256];
        snprintf(request, sizeof request, UPGRADE("%s", ASKS, "early bytes"), paths[i]);
        with(dial, client, site) {
            await(check_echo(client, request, SWITCHED "\r\nearly bytes"));
            await(check_echo(client, "later", "later"));
            await(check_echo(client, "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"));
            bide_shutdown_write(client->stream);
            await(check_ended(client));
        }
    }
    check_int(site->finished, 3);
    with(dial, client, site) {
        await(check_echo(client, UPGRADE("/with-field", ASKS, ""), SWITCHED "X-Key: abc\r\n\r\n"));
        await(check_echo(client, "bye", "bye"));
        await(check_ended(client));
    }
    return bide_void;
}

UPGRADE_TEST(an_upgrade_follows_the_replies_before_it, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/hello") GET("/wait?20") UPGRADE("/", ASKS, "x")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(next_reply(client, false));
        check_str(client->reply, OK("7", "waited\n"));
        await(check_echo(client, "", SWITCHED "\r\nx"));
    }
    return bide_void;
}

UPGRADE_TEST(a_body_before_an_upgrade_belongs_to_the_request, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" ASKS "\r\nab"));
        await(bide_sleep(bide_ms(20)));
        await(check_echo(client, "cdmore", SWITCHED "\r\nmore"));
    }
    return bide_void;
}

/* Nobody gets a protocol that he did not ask for, and nobody who asks must get it. */
UPGRADE_TEST(who_does_not_ask_is_not_upgraded, {.requests = 0})
{
    static const char *const fields[] = {
        "",
        "Upgrade: echo/1\r\n",
        "Connection: upgrade\r\n",
        "Connection: upgrade\r\nUpgrade: echo\r\n",
        "Connection: upgrade\r\nUpgrade: echo/1x\r\n",
    };
    with(dial, client, site) {
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            char request[256];
            snprintf(request, sizeof request, UPGRADE("/", "%s", ""), fields[i]);
            await(check_reply(client, request, REFUSED));
        }
        await(check_reply(client, UPGRADE("/hello", ASKS, ""), HELLO));
        await(say(client, "GET / HTTP/1.0\r\n" ASKS "\r\n"));
        await(next_reply(client, false));
        check_contains(client->reply, "HTTP/1.1 400 Bad Request\r\n");
    }
    return bide_void;
}

UPGRADE_TEST(an_upgraded_handler_has_no_deadline, {.handler_deadline = bide_ms(50)})
{
    with(dial, client, site) {
        await(check_echo(client, UPGRADE("/", ASKS, ""), SWITCHED "\r\n"));
        await(bide_sleep(bide_ms(150)));
        await(check_echo(client, "still there", "still there"));
    }
    return bide_void;
}

UPGRADE_TEST(a_reset_ends_the_stream, {.requests = 0})
{
    with(dial, client, site) {
        await(check_echo(client, UPGRADE("/", ASKS, ""), SWITCHED "\r\n"));
        check_int(site->under_way, 1);
        client_reset(client);
        for (int i = 0; i < 1000 && site->under_way; i++)
            await(bide_sleep(bide_ms(1)));
    }
    check_int(site->under_way, 0);
    check_int(site->cancelled, 0);
    return bide_void;
}

static async(void) cancel_under_it(struct site *site)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site->port = bide_listener_port(listener);
        struct client *client;
        with_group(g) {
            spawn_void(g, site_serve, listener, site, handler);
            client = await(client_open(site));
            await(check_echo(client, UPGRADE("/", ASKS, "x"), SWITCHED "\r\nx"));
            bide_group_cancel(g, "the end");
        }
        check_int(site->cancelled, 1);
        await(check_ended(client));
        await(client_close(client, NULL));
    }
    return bide_void;
}

TEST(a_cancelled_server_closes_it, .real_clock = true)
{
    struct site site = {.calls = 0};
    int descriptors = open_descriptors();
    await(cancel_under_it(&site));
    check_int(open_descriptors(), descriptors);
}

static async(void) stop_under_it(struct site *site)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site->port = bide_listener_port(listener);
        with_group(g) {
            spawn_void(g, site_serve, listener, site, handler);
            struct client *client = await(client_open(site));
            await(check_echo(client, UPGRADE("/", ASKS, "x"), SWITCHED "\r\nx"));
            bide_stop("the test says so");
            await(bide_sleep(bide_ms(200)));
            await(check_echo(client, "still there", "still there"));
            await(check_echo(client, "bye", "bye"));
            await(check_ended(client));
            await(client_close(client, NULL));
        }
    }
    return bide_void;
}

TEST(a_stop_waits_for_it, .real_clock = true)
{
    struct site site = {.options = {.lame_duck = bide_ms(50)}};
    await(stop_under_it(&site));
    check_int(site.finished, 1);
    check_int(site.cancelled, 0);
}

/* ---- failures of the system ---- */

static async(void) one_visit(struct site *site);
SPAWNABLE(void, one_visit, struct site *)
static async(void) one_visit(struct site *site)
{
    with(dial, client, site) {
        await(say(client, UPGRADE("/", ASKS, "bye")));
        bide_shutdown_write(client->stream);
        while (await(read_more(client)) > 0)
            continue;
    }
    return bide_void;
}

static async(void) bounded_visit(struct site *site);
SPAWNABLE(void, bounded_visit, struct site *)
static async(void) bounded_visit(struct site *site)
{
    bool late;
    move_on_after(&late, bide_ms(300), one_visit, site);
    return bide_void;
}

static async(void) two_visits(struct site *site)
{
    bide_error *error;
    for (int i = 0; i < 2; i++)
        attempt(&error, bounded_visit, site);
    return bide_void;
}

TEST(every_allocation_fails_once, .real_clock = true, .fail_allocations = true)
{
    struct site site = {.options = {.idle = bide_s(5)}};
    test_capture_stderr();
    await(with_site(&site, handler, two_visits));
}

TEST(every_await_is_cancelled_once, .real_clock = true, .cancel_everywhere = true)
{
    struct site site = {.options = {.idle = bide_s(5)}};
    test_capture_stderr();
    await(with_site(&site, handler, two_visits));
}
