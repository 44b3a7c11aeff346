/*
 * The server: how many it takes, what an idle connection costs, failing allocations.
 */
#include "server_case.h"

#include "base/mem.h"

/* ---- counts -------------------------------------------------------------------------------------
 */

SITE_TEST(too_many_connections_wait, {.connections = 2})
{
    with(dial, first, site) {
        with(dial, third, site) {
            with(dial, second, site) {
                await(check_reply(first, GET("/hello"), HELLO));
                /* Of these two one was accepted. */
                await(say(second, GET("/hello")));
                await(say(third, GET("/hello")));
                await(bide_sleep(bide_ms(50)));
                check_int(site->calls, 2);
            }
            client_reset(first);
            await(next_reply(third, false));
            check_str(third->reply, HELLO);
        }
    }
    return bide_void;
}

/* A connection's task serves one request after the other: what one set is not the next one's. */
SITE_TEST(task_local_values_end_with_their_request, {.requests = 0})
{
    with(dial, client, site) {
        for (int i = 0; i < 3; i++)
            await(check_reply(client, GET("/local"), OK("6", "fresh\n")));
        await(say(client, GET("/local") GET("/local"))); /* pipelined */
        for (int i = 0; i < 2; i++) {
            await(next_reply(client, false));
            check_str(client->reply, OK("6", "fresh\n"));
        }
    }
    return bide_void;
}

/* Out of descriptors: what is connected is served, and accepting goes on when there are some. */
SITE_TEST(out_of_descriptors, {.requests = 0})
{
    with(dial, client, site) {
        await(check_reply(client, GET("/hello"), HELLO));
        struct rlimit before, limit;
        require(getrlimit(RLIMIT_NOFILE, &before) == 0);
        int waiting = socket(AF_INET, SOCK_STREAM, 0);
        limit = before;
        test_capture_stderr();
        int next = dup(waiting);
        close(next);
        limit.rlim_cur = (rlim_t)next;
        require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(site->port)};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        require(connect(waiting, (struct sockaddr *)&address, sizeof address) == 0);
        require(write(waiting, GET("/hello"), strlen(GET("/hello"))) > 0);
        for (int i = 0; i < 5; i++) {
            await(bide_sleep(bide_ms(50)));
            await(check_reply(client, GET("/hello"), HELLO));
        }
        check_int(site->calls, 6);
        require(setrlimit(RLIMIT_NOFILE, &before) == 0);
        check_contains(test_captured(), "Too many open files; connections wait");
        int64_t start_ns = bide_clock_ns();
        while (site->calls < 7 && ms_since(start_ns) < 5000)
            await(bide_sleep(bide_ms(5)));
        check(ms_since(start_ns) < 1000);
        close(waiting);
    }
    return bide_void;
}

enum { IDLE_CONNECTIONS = 1000 };

static async(void) serve_a_body(int fd, struct site *site)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    char reply[1024];
    int calls = site->calls;
    require(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    while (site->calls == calls)
        await(bide_sleep(bide_us(100)));
    for (int i = 0; i < 1000 && recv(fd, reply, sizeof reply, MSG_DONTWAIT) <= 0; i++)
        await(bide_sleep(bide_us(100)));
    return bide_void;
}

/* A connection that has served a request with a body keeps neither stack nor buffers. */
SITE_TEST(idle_connections_are_small, {.connections = 2 * IDLE_CONNECTIONS})
{
    static int fds[IDLE_CONNECTIONS];
    struct rlimit limit;
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < 3 * IDLE_CONNECTIONS)
        test_skip("the limit of descriptors is too low");
    limit.rlim_cur = limit.rlim_max < 10000 ? limit.rlim_max : 10000;
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fds[0] = plain_connect(site->port);
    await(serve_a_body(fds[0], site));
    size_t before = heap_bytes();
    for (int i = 1; i < IDLE_CONNECTIONS; i++) {
        fds[i] = plain_connect(site->port);
        require(fds[i] >= 0);
        await(serve_a_body(fds[i], site));
    }
    size_t each = (heap_bytes() - before) / IDLE_CONNECTIONS;
    if (!check(each <= 512))
        fprintf(stderr, "%zu bytes for each\n", each);
    check_int(site->calls, IDLE_CONNECTIONS);
    for (int i = 0; i < IDLE_CONNECTIONS; i++)
        close(fds[i]);
    return bide_void;
}

SITE_TEST(a_crowd_at_once, {.requests = 0})
{
    enum { CROWD = 200 };
    struct client *clients[CROWD];
    for (int i = 0; i < CROWD; i++) {
        clients[i] = await(client_open(site));
        await(say(clients[i], i % 3 ? GET("/wait?30") : GET("/hello") GET("/big?50000")));
    }
    for (int i = 0; i < CROWD; i++) {
        await(next_reply(clients[i], false));
        check_str(clients[i]->reply, i % 3 ? OK("7", "waited\n") : HELLO);
        if (i % 3 == 0) {
            await(next_reply(clients[i], false));
            check_int(strlen(clients[i]->reply), 50000 + strlen(OK("50000", "")));
        }
    }
    for (int i = 0; i < CROWD; i++)
        await(client_close(clients[i], NULL));
    check_int(site->finished, CROWD - (CROWD + 2) / 3);
    return bide_void;
}

static async(void) drain(struct client *client);
SPAWNABLE(void, drain, struct client *)
static async(void) drain(struct client *client)
{
    while (await(read_more(client)) > 0)
        client->held = 0;
    return bide_void;
}

/* A peer that never pauses must not keep the loop to itself. */
SITE_TEST(a_flood_leaves_room_for_others, {.requests = 10000000})
{
    enum { REQUESTS = 200000 };
    size_t each = sizeof GET("/hello") - 1;
    char *all = malloc(REQUESTS * each + 1);
    require(all);
    for (size_t i = 0; i < REQUESTS; i++)
        memcpy(all + i * each, GET("/hello"), each + 1);
    with(dial, flood, site) {
        with(dial, client, site) {
            with_group(g) {
                spawn_void(g, say, flood, all);
                spawn_void(g, drain, flood);
                await(check_reply(client, GET("/wait?0"), OK("7", "waited\n")));
                check(site->calls < REQUESTS);
                bide_group_cancel(g, "enough");
            }
        }
    }
    free(all);
    return bide_void;
}

/* ---- failures of the system ---------------------------------------------------------------------
 */

static async(void) one_visit(struct site *site);
SPAWNABLE(void, one_visit, struct site *)
static async(void) one_visit(struct site *site)
{
    with(dial, client, site) {
        await(say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
        await(next_reply(client, false));
        if (client->reply[0] && !strstr(client->reply, "HTTP/1.1 200 ") &&
            !strstr(client->reply, "HTTP/1.1 5"))
            check_str(client->reply, "200, 5xx, or nothing");
        await(say(client, GET("/secret")));
        await(next_reply(client, false));
    }
    return bide_void;
}

/* Where the server itself was cancelled nobody answers. */
static async(void) bounded_visit(struct site *site);
SPAWNABLE(void, bounded_visit, struct site *)
static async(void) bounded_visit(struct site *site)
{
    bool late;
    move_on_after(&late, bide_ms(300), one_visit, site);
    return bide_void;
}

/* Whichever allocation fails: an error reply or a closed connection, and the next visit is served.
 */
static async(void) two_visits(struct site *site)
{
    bide_error *error;
    for (int i = 0; i < 2; i++) {
        attempt(&error, bounded_visit, site);
        if (error)
            check(error->code == BIDE_NO_MEMORY || error->code == BIDE_SYSTEM ||
                  error->code == BIDE_CANCELLED);
    }
    return bide_void;
}

TEST(every_allocation_fails_once, .real_clock = true, .fail_allocations = true)
{
    struct site site = {.options = {.idle = bide_s(5)}};
    test_capture_stderr();
    await(with_site(&site, site_handler, two_visits));
}

TEST(every_await_is_cancelled_once, .real_clock = true, .cancel_everywhere = true)
{
    struct site site = {.options = {.idle = bide_s(5)}};
    test_capture_stderr();
    await(with_site(&site, site_handler, two_visits));
}
