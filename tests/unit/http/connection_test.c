/*
 * A connection's life through real sockets: framing of requests, pipelining, deadlines, ends.
 */
#include "server_case.h"

SITE_TEST(a_connection_serves_one_request_after_another, {.requests = 0})
{
    with(dial, client, site) {
        for (int i = 0; i < 3; i++)
            await(check_reply(client, GET("/hello"), HELLO));
    }
    check_int(site->calls, 3);
    return bide_void;
}

SITE_TEST(http_1_0_is_closed_unless_it_asks, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                          HEAD_200("6") "Connection: keep-alive\r\n\r\nhello\n"));
        await(check_reply(client, "GET /hello HTTP/1.0\r\n\r\n", HELLO_CLOSE));
        await(check_ended(client));
    }
    return bide_void;
}

SITE_TEST(connection_close_is_obeyed, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                          HELLO_CLOSE));
        await(check_ended(client));
    }
    with(dial, client, site) { /* what comes behind is never served, and does not hurt the reply */
        await(say(client, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        await(check_reply(client, GET("/hello"), HELLO_CLOSE));
        await(check_ended(client));
    }
    check_int(site->calls, 2);
    return bide_void;
}

SITE_TEST(head_has_the_head_of_get, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", OK("6", "")));
        await(check_reply(client, "HEAD /secret HTTP/1.1\r\nHost: x\r\n\r\n",
                          "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 22\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
        await(check_reply(client, GET("/hello"), HELLO));
    }
    return bide_void;
}

SITE_TEST(the_request_in_its_parts, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, "GET http://h/hello HTTP/1.1\r\nHost: x\r\n\r\n", HELLO));
        await(check_reply(client, "\r\n\r\n" GET("/hello"), HELLO)); /* RFC 9112 2.2 */
        await(check_reply(client, "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
                          "HTTP/1.1 501 Not Implemented\r\nContent-Length: 17\r\nContent-Type: "
                          "text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthis is no "
                          "proxy\n"));
        await(check_ended(client));
    }
    return bide_void;
}

SITE_TEST(a_hundred_pipelined_requests_in_one_write, {.requests = 0})
{
    enum { REQUESTS = 100 };
    char *all = calloc(REQUESTS, 64);
    require(all);
    for (int i = 0; i < REQUESTS; i++)
        strcat(all, i % 2 ? GET("/hello")
                          : "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
                            "3\r\n\r\nabc");
    with(dial, client, site) {
        await(say(client, all));
        for (int i = 0; i < REQUESTS; i++) {
            await(next_reply(client, false));
            check_str(client->reply, i % 2 ? HELLO : OK("3", "abc"));
        }
    }
    free(all);
    check_int(site->calls, REQUESTS);
    return bide_void;
}

/* More than one buffer of requests, and of replies. */
SITE_TEST(pipelined_requests_larger_than_the_buffers, {.requests = 100000})
{
    enum { REQUESTS = 3000 };
    char *all = malloc(REQUESTS * sizeof GET("/hello"));
    require(all);
    size_t each = sizeof GET("/hello") - 1;
    for (size_t i = 0; i < REQUESTS; i++)
        memcpy(all + i * each, GET("/hello"), each + 1);
    with(dial, client, site) {
        with_group(g) {
            spawn_void(g, say, client, all);
            for (int i = 0; i < REQUESTS; i++) {
                await(next_reply(client, false));
                if (!check_str(client->reply, HELLO))
                    break;
            }
        }
    }
    free(all);
    check_int(site->calls, REQUESTS);
    return bide_void;
}

/* Sends a text in two pieces, so that the server sees the first alone. */
static async(void) say_cut(struct client *client, const char *text, size_t cut)
{
    await(bide_write(client->stream, text, cut));
    await(bide_sleep(bide_us(300)));
    await(bide_write(client->stream, text + cut, strlen(text) - cut));
    return bide_void;
}

SITE_TEST(pipelined_requests_cut_anywhere, {.requests = 0})
{
    static const char two[] =
        GET("/hello") "POST /echo HTTP/1.1\r\nHost: x\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n"
                      "2;a=b\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\n" GET("/hello");
    with(dial, client, site) {
        for (size_t cut = 1; cut < sizeof two - 1; cut++) {
            await(say_cut(client, two, cut));
            await(next_reply(client, false));
            check_str(client->reply, HELLO);
            await(next_reply(client, false));
            check_str(client->reply, OK("3", "abc"));
            await(next_reply(client, false));
            if (!check_str(client->reply, HELLO)) {
                fprintf(stderr, "cut at %zu\n", cut);
                break;
            }
        }
    }
    return bide_void;
}

SITE_TEST(a_request_byte_by_byte, {.requests = 0})
{
    static const char request[] = "POST /stream?3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n";
    with(dial, client, site) {
        for (size_t i = 0; i < sizeof request - 1; i++) {
            await(bide_write(client->stream, request + i, 1));
            await(bide_sleep(bide_us(300)));
        }
        await(next_reply(client, false));
        check_str(client->reply, OK("10", "4 2987074\n"));
    }
    return bide_void;
}

/* ---- bad requests -------------------------------------------------------------------------------
 */

/* The reply has this status, says that the connection ends, and is received although the peer goes
   on sending. */
static async(void) check_refused(struct site *site, const char *request, size_t size, int status)
{
    char expected[32];
    static char junk[100000];
    int calls = site->calls;
    snprintf(expected, sizeof expected, "HTTP/1.1 %d ", status);
    with(dial, client, site) {
        await(bide_write(client->stream, request, size));
        await(bide_write(client->stream, junk, sizeof junk));
        await(next_reply(client, false));
        check_contains(client->reply, expected);
        check_contains(client->reply, "\r\nConnection: close\r\n");
        bide_shutdown_write(client->stream);
        await(check_ended(client));
    }
    check_int(site->calls, calls);
    return bide_void;
}

SITE_TEST(bad_requests_are_answered_and_closed, {.body_bytes = 1000})
{
    static const struct {
        const char *request;
        int status;
    } bad[] = {
        {"GET\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\nHost: x\n\n", 400},
        {"GET /hello HTTP/1.1\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n1", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\n\r\n", 417},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"\x16\x03\x01\x02", 400},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        await(check_refused(site, bad[i].request, strlen(bad[i].request), bad[i].status));
    static const char with_nul[] = "GET /\0hello HTTP/1.1\r\nHost: x\r\n\r\n";
    await(check_refused(site, with_nul, sizeof with_nul - 1, 400));
    await(check_one(site, GET("/hello"), HELLO));
    return bide_void;
}

SITE_TEST(heads_over_their_caps, {.requests = 0})
{
    enum { BYTES = 300000 };
    char *text = malloc(BYTES);
    require(text);
    memset(text, 'a', BYTES);
    memcpy(text, "GET /", 5);
    await(check_refused(site, text, BYTES, 414));
    memcpy(text, "GET / HTTP/1.1\r\nHost: x\r\nCookie: ", 33);
    await(check_refused(site, text, BYTES, 431));
    size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 101; i++)
        at += (size_t)sprintf(text + at, "X: y\r\n");
    await(check_refused(site, text, at, 431));
    free(text);
    return bide_void;
}

SITE_TEST(a_refusal_comes_behind_the_replies_before_it, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, GET("/hello") "bad\r\n\r\n" GET("/hello"), HELLO));
        await(next_reply(client, false));
        check_contains(client->reply, "HTTP/1.1 400 Bad Request\r\n");
        await(check_ended(client));
    }
    check_int(site->calls, 1);
    return bide_void;
}

/* ---- deadlines ----------------------------------------------------------------------------------
 */

SITE_TEST(a_head_that_dribbles_is_answered_with_408, {.head_deadline = bide_ms(100)})
{
    int64_t start_ns = bide_clock_ns();
    with(dial, client, site) {
        bide_error *error = NULL;
        for (int i = 0; i < 100 && !error && client->held == 0; i++) {
            bool quiet;
            attempt(&error, say, client, "x");
            if (!error)
                move_on_after(&quiet, bide_ms(10), read_more, client);
        }
        await(next_reply(client, false));
        check_contains(client->reply, "HTTP/1.1 408 Request Timeout\r\n");
        check_contains(client->reply, "\r\nConnection: close\r\n");
    }
    check(ms_since(start_ns) < 1000);
    check_int(site->calls, 0);
    return bide_void;
}

SITE_TEST(a_body_that_stops_is_answered_with_408, {.body_gap = bide_ms(80)})
{
    with(dial, client, site) {
        await(check_reply(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
                          "HTTP/1.1 408 Request Timeout\r\nContent-Length: 23\r\nContent-Type: "
                          "text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthe body took too "
                          "long\n"));
        bide_shutdown_write(client->stream);
        await(check_ended(client));
    }
    return bide_void;
}

/* Sends a body of `size` bytes, one every 5 ms, to /echo until it is answered; gives how many. */
static async(int) dribble_body(struct site *site, int size, const char *expected)
{
    int sent = 0;
    with(dial, client, site) {
        bide_error *error = NULL;
        char head[96];
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                 size);
        await(say(client, head));
        for (; sent < size && !error && client->held == 0; sent++) {
            bool quiet;
            attempt(&error, say, client, "x");
            if (!error)
                move_on_after(&quiet, bide_ms(5), read_more, client);
        }
        await(next_reply(client, false));
        check_contains(client->reply, expected);
    }
    return ready(int, sent);
}

/* About 200 bytes a second. */
SITE_TEST(a_body_below_the_rate_is_answered_with_408,
          {.body_grace = bide_ms(300), .body_rate = 1000})
{
    int sent = await(dribble_body(site, 1000, "HTTP/1.1 408 Request Timeout\r\n"));
    check(sent > 5 && sent < 300);
    return bide_void;
}

/* The time in which a handler waits for its peer is not its own. */
SITE_TEST(a_body_above_the_rate_is_read,
          {.body_grace = bide_ms(50), .body_rate = 20, .handler_deadline = bide_ms(100)})
{
    check_int(await(dribble_body(site, 100, "HTTP/1.1 200 OK\r\n")), 100);
    return bide_void;
}

SITE_TEST(a_body_that_takes_too_long_is_answered_with_408,
          {.body_grace = bide_ms(50), .body_rate = 20, .body_deadline = bide_ms(300)})
{
    int sent = await(dribble_body(site, 1000, "HTTP/1.1 408 Request Timeout\r\n"));
    check(sent > 5 && sent < 300);
    return bide_void;
}

/* The rest of a body that nobody reads must not hold a connection for long, either. */
SITE_TEST(an_unread_body_that_dribbles_is_left, {.body_gap = bide_ms(100)})
{
    int64_t start_ns = bide_clock_ns();
    with(dial, client, site) {
        bide_error *error = NULL;
        await(check_reply(client, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n",
                          HELLO));
        for (int i = 0; i < 900 && !error; i++) {
            attempt(&error, say, client, "x");
            await(bide_sleep(bide_ms(20)));
        }
        check(error != NULL);
    }
    check(ms_since(start_ns) < 10000);
    return bide_void;
}

SITE_TEST(a_slow_handler_is_answered_with_503, {.handler_deadline = bide_ms(60)})
{
    with(dial, client, site) {
        test_capture_stderr();
        await(check_reply(client, GET("/wait?5000"),
                          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 26\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\n\r\nthe request took too "
                          "long\n"));
        check_contains(test_captured(), "the handler of GET /wait failed: ");
        check_int(site->cancelled, 1);
        await(check_reply(client, GET("/wait?1"), OK("7", "waited\n")));
    }
    return bide_void;
}

SITE_TEST(a_quiet_connection_is_closed, {.idle = bide_ms(120)})
{
    with(dial, fresh, site) {
        with(dial, client, site) {
            await(check_reply(client, GET("/hello"), HELLO));
            for (int i = 0; i < 5; i++) {
                await(bide_sleep(bide_ms(60)));
                await(check_reply(client, GET("/hello"), HELLO));
            }
            int64_t start_ns = bide_clock_ns();
            await(check_ended(client));
            check(ms_since(start_ns) >= 100 && ms_since(start_ns) < 2000);
        }
        await(check_ended(fresh));
    }
    return bide_void;
}

/* Urgent bytes, which are no input, do not count as a sign of life. */
SITE_TEST(urgent_data_does_not_keep_a_connection, {.idle = bide_ms(150)})
{
    int64_t start_ns = bide_clock_ns();
    with(dial, client, site) {
        int fd = bide_stream_fd(client->stream);
        for (int i = 0; i < 100 && send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1; i++)
            await(bide_sleep(bide_ms(20)));
    }
    check(ms_since(start_ns) < 1500);
    return bide_void;
}

/* ---- a peer that does not read ------------------------------------------------------------------
 */

/* The kernel keeps nothing for it either: a reset is what it finds when it reads again. */
SITE_TEST(a_reader_that_stops_is_left, {.write_stall = bide_ms(150)})
{
    with(dial, other, site) {
        with(dial, client, site) {
            int64_t start_ns = bide_clock_ns();
            for (int i = 0; i < 16; i++) /* more than the sockets of both ends take */
                await(say(client, GET("/big?4000000")));
            while (site->calls == 0 || ms_since(start_ns) < 500) {
                await(check_reply(other, GET("/hello"), HELLO));
                await(bide_sleep(bide_ms(10)));
            }
            bide_error *error;
            do {
                client->held = 0;
                attempt(&error, read_more, client);
            } while (!error);
            check_int(error->system_errno, ECONNRESET);
        }
        int calls = site->calls;
        await(check_reply(other, GET("/hello"), HELLO));
        check_int(site->calls, calls + 1);
    }
    return bide_void;
}

/* While its peer takes the reply, slowly but steadily, the handler's deadline stands still. */
SITE_TEST(a_slow_reader_gets_all, {.handler_deadline = bide_ms(150), .write_stall = bide_s(2)})
{
    with(dial, client, site) {
        int small = 65536;
        setsockopt(bide_stream_fd(client->stream), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        await(say(client, GET("/big?4000000")));
        size_t got = 0;
        for (int i = 0; i < 20; i++) {
            await(bide_sleep(bide_ms(20)));
            got += await(bide_read(client->stream, client->buffer, 8192));
        }
        while (got < 4000000) {
            size_t n = await(bide_read(client->stream, client->buffer, REPLY_BYTES));
            if (!check(n > 0))
                break;
            got += n;
        }
        await(say(client, GET("/hello")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
    }
    return bide_void;
}

/* What is finished does not wait for a later one. */
SITE_TEST(replies_do_not_wait_for_a_slow_one_behind_them, {.requests = 0})
{
    with(dial, client, site) {
        int64_t start_ns = bide_clock_ns();
        await(say(client, GET("/hello") GET("/big?3000") GET("/wait?1000") GET("/hello")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(next_reply(client, false));
        check_int(strlen(client->reply), 3000 + strlen(OK("3000", "")));
        check(ms_since(start_ns) < 700);
        await(next_reply(client, false));
        check_str(client->reply, OK("7", "waited\n"));
        check(ms_since(start_ns) >= 1000);
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(say(client, GET("/hello") GET("/wait?10000")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        client_reset(client);
    }
    return bide_void;
}

/* What does not fit into the socket at once is tried again while the slow one waits. */
SITE_TEST(unsent_replies_are_tried_again, {.requests = 100000})
{
    enum { MANY = 1500 };
    size_t each = strlen(GET("/big?9000")), whole = 9000 + strlen(OK("9000", ""));
    char *batch = malloc(MANY * each + 64);
    require(batch);
    for (size_t i = 0; i < MANY; i++)
        memcpy(batch + i * each, GET("/big?9000"), each + 1);
    memcpy(batch + MANY * each, GET("/wait?10000"), sizeof GET("/wait?10000"));
    with(dial, client, site) {
        with_group(g) {
            spawn_void(g, say, client, batch);
            await(bide_sleep(bide_ms(100)));
            for (int i = 0; i < MANY; i++) {
                await(next_reply(client, false));
                if (!check_int(strlen(client->reply), whole))
                    break;
            }
        }
        check_int(site->under_way, 1);
        client_reset(client);
    }
    free(batch);
    return bide_void;
}

/* A peer that sends without reading: the server must stop reading, too, and lose nothing. */
SITE_TEST(requests_that_come_while_a_reply_waits_are_served, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/big?3000000")));
        await(bide_sleep(bide_ms(50)));
        await(say(client, GET("/hello")));
        await(bide_sleep(bide_ms(50)));
        await(next_reply(client, false));
        check_int(strlen(client->reply), 3000000 + strlen(OK("3000000", "")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
    }
    return bide_void;
}

/* A batch of replies does not fit into the socket, and waits; the request that comes meanwhile
   finds nobody who reads. */
SITE_TEST(a_request_that_comes_while_the_output_waits_is_seen, {.requests = 1000000})
{
    enum { BATCH = 50 };
    char batch[BATCH * sizeof GET("/fail404")] = "";
    int sent = 0;
    for (int i = 0; i < BATCH; i++)
        strcat(batch, GET("/fail404"));
    with(dial, client, site) {
        while (site->calls == sent && sent < 1000000) {
            await(say(client, batch));
            sent += BATCH;
            for (int i = 0; i < 100 && site->calls < sent; i++)
                await(bide_sleep(bide_us(200)));
        }
        check(site->calls < sent);
        for (int i = 0; i < sent; i++) {
            await(next_reply(client, false));
            if (!check_contains(client->reply, "HTTP/1.1 404 Not Found\r\n"))
                break;
        }
        await(check_reply(client, GET("/hello"), HELLO));
    }
    check_int(site->calls, sent + 1);
    return bide_void;
}

/* ---- ends ---------------------------------------------------------------------------------------
 */

static async(void) until_under_way(struct site *site, int count)
{
    for (int i = 0; i < 1000 && site->under_way != count; i++)
        await(bide_sleep(bide_ms(1)));
    check_int(site->under_way, count);
    return bide_void;
}

SITE_TEST(a_reset_cancels_the_handler, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/wait?10000")));
        await(until_under_way(site, 1));
        client_reset(client);
        await(until_under_way(site, 0));
    }
    check_int(site->cancelled, 1);
    check_int(site->finished, 0);
    await(check_one(site, GET("/hello"), HELLO));
    return bide_void;
}

SITE_TEST(a_handler_that_says_so_outlives_its_peer, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/keep?100") GET("/hello")));
        await(until_under_way(site, 1));
        client_reset(client);
        await(until_under_way(site, 0));
    }
    check_int(site->cancelled, 0);
    check_int(site->finished, 1); /* its reply went nowhere, and it was not told */
    check_int(site->calls, 1);
    with(dial, other, site) { /* what it said was about that one request */
        await(check_reply(other, GET("/keep?1"), OK("7", "waited\n")));
        await(say(other, GET("/wait?10000")));
        await(until_under_way(site, 1));
        client_reset(other);
        await(until_under_way(site, 0));
    }
    check_int(site->cancelled, 1);
    return bide_void;
}

SITE_TEST(a_keeping_handler_has_its_deadline, {.handler_deadline = bide_ms(60)})
{
    with(dial, client, site) {
        test_capture_stderr();
        await(say(client, GET("/keep?10000")));
        await(until_under_way(site, 1));
        client_reset(client);
        await(until_under_way(site, 0));
        await(bide_sleep(bide_ms(1))); /* the log of it */
        check_contains(test_captured(), "the handler of GET /keep failed: ");
    }
    check_int(site->cancelled, 1);
    return bide_void;
}

SITE_TEST(a_half_close_is_answered, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, GET("/wait?50") GET("/hello")));
        bide_shutdown_write(client->stream);
        await(next_reply(client, false));
        check_str(client->reply, OK("7", "waited\n"));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(check_ended(client));
    }
    check_int(site->cancelled, 0);
    return bide_void;
}

SITE_TEST(peers_that_leave_in_the_middle, {.requests = 0})
{
    static const char *const parts[] = {
        "",
        "G",
        "GET /hello HTTP/1.1\r\nHost",
        GET("/wait?20"),
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
        "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na",
        GET("/big?2000000"),
    };
    for (size_t i = 0; i < 3 * sizeof parts / sizeof parts[0]; i++) {
        with(dial, client, site) {
            await(say(client, parts[i / 3]));
            if (i % 3 > 0)
                await(bide_sleep(bide_ms(5)));
            if (i % 3 == 2)
                client_reset(client);
        }
    }
    await(bide_sleep(bide_ms(60)));
    check_int(site->under_way, 0);
    await(check_one(site, GET("/hello"), HELLO));
    return bide_void;
}

SITE_TEST(a_body_that_ends_early_is_answered_with_400, {.requests = 0})
{
    with(dial, client, site) {
        await(say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"));
        bide_shutdown_write(client->stream);
        await(next_reply(client, false));
        check_contains(client->reply, "HTTP/1.1 400 Bad Request\r\n");
        await(check_ended(client));
    }
    return bide_void;
}

/* Many that come together leave one after another. */
SITE_TEST(an_old_connection_is_told_to_leave, {.age = bide_ms(400)})
{
    enum { CLIENTS = 12 };
    struct client *clients[CLIENTS];
    int64_t start_ns = bide_clock_ns(), first_ms = 0, last_ms = 0;
    int left = CLIENTS;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = await(client_open(site));
    while (left > 0) {
        for (int i = 0; i < CLIENTS; i++) {
            if (!clients[i])
                continue;
            await(say(clients[i], GET("/hello")));
            await(next_reply(clients[i], false));
            if (strcmp(clients[i]->reply, HELLO) == 0)
                continue;
            check_str(clients[i]->reply, HELLO_CLOSE);
            await(check_ended(clients[i]));
            await(client_close(clients[i], NULL));
            clients[i] = NULL;
            last_ms = ms_since(start_ns);
            first_ms = left-- == CLIENTS ? last_ms : first_ms;
        }
        await(bide_sleep(bide_ms(2)));
    }
    check(first_ms >= 350);
    check(last_ms > first_ms);
    return bide_void;
}

SITE_TEST(the_last_request_of_a_connection_says_so, {.requests = 3})
{
    with(dial, client, site) {
        await(say(client, GET("/hello") GET("/hello") GET("/hello") GET("/hello") GET("/hello")));
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(next_reply(client, false));
        check_str(client->reply, HELLO);
        await(next_reply(client, false));
        check_str(client->reply, HELLO_CLOSE);
        await(check_ended(client));
    }
    check_int(site->calls, 3);
    return bide_void;
}
