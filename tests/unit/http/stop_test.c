/*
 * Stopping: in phases, without losing a request, bounded, with a report of what held it.
 */
#include "server_case.h"

#include <pthread.h>

/* ---- stopping -----------------------------------------------------------------------------------
 */

static async(void) cancel_everything(struct site *site)
{
    bide_error *error;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site->port = bide_listener_port(listener);
        struct client *idle, *busy;
        with_group(g) {
            spawn_void(g, site_serve, listener, site, site_handler);
            idle = await(client_open(site));
            busy = await(client_open(site));
            await(check_reply(idle, GET("/hello"), HELLO));
            await(say(busy, GET("/hello") GET("/wait?10000")));
            while (site->under_way == 0)
                await(bide_sleep(bide_ms(1)));
            bide_group_cancel(g, "the end");
        }
        check_int(site->under_way, 0);
        check_int(site->cancelled, 1);
        await(check_ended(idle));
        await(next_reply(busy, false)); /* what was done is told */
        check_str(busy->reply, HELLO);
        (void)attempt(&error, read_more, busy);
        await(client_close(idle, NULL));
        await(client_close(busy, NULL));
    }
    return bide_void;
}

TEST(a_cancel_ends_connections_in_every_state, .real_clock = true)
{
    struct site site = {.calls = 0};
    int descriptors = open_descriptors();
    int64_t start_ns = bide_clock_ns();
    await(cancel_everything(&site));
    check(ms_since(start_ns) < 3000);
    check_int(open_descriptors(), descriptors);
}

/* A server that is stopped ends by itself when nothing is under way any more. */
static async(void) stop_in_phases(struct site *site)
{
    int64_t start_ns = bide_clock_ns();
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site->port = bide_listener_port(listener);
        struct client *idle, *busy, *steady;
        with_group(g) {
            spawn_void(g, site_serve, listener, site, site_handler);
            idle = await(client_open(site));
            busy = await(client_open(site));
            steady = await(client_open(site));
            await(check_reply(idle, GET("/hello"), HELLO));
            await(check_reply(steady, GET("/hello"), HELLO));
            await(say(busy, GET("/wait?700")));
            while (site->under_way == 0)
                await(bide_sleep(bide_ms(1)));
            bide_stop("the test says so");
            await(bide_sleep(bide_ms(20)));
            /* Still a lame duck: new connections are served, and told. */
            await(check_one(site, GET("/hello"), HELLO_CLOSE));
            await(check_reply(steady, GET("/hello"), HELLO_CLOSE));
            await(check_ended(steady));
            await(check_ended(idle));
            check(ms_since(start_ns) >= 200);
            check_int(site->finished, 0);
            await(next_reply(busy, false));
            check_str(busy->reply, OK_CLOSE("7", "waited\n"));
            await(check_ended(busy));
        }
        await(client_close(idle, NULL));
        await(client_close(busy, NULL));
        await(client_close(steady, NULL));
    }
    check_int(site->cancelled, 0);
    return bide_void;
}

TEST(stopping_goes_in_phases, .real_clock = true)
{
    struct site site = {.options = {.lame_duck = bide_ms(200)}};
    int descriptors = open_descriptors();
    await(stop_in_phases(&site));
    check_int(open_descriptors(), descriptors);
}

/* ---- no request is lost in a stop ---------------------------------------------------------------
 */

enum { STOP_CLIENTS = 6 };

struct stop_client {
    pthread_t thread;
    uint16_t port;
    int pause_us;
    const bool *over;  /* atomic: no new connections */
    int answered;      /* atomic: replies ... */
    int told;          /* ... and of those, with `Connection: close` */
    int closed_before; /* connections that had ended before the next request was sent */
    int lost;          /* requests that were sent, and got no reply */
};

/* One exchange. False when the connection is over. */
static bool ask(struct stop_client *client, int fd)
{
    char reply[1024], byte;
    size_t held = 0;
    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        client->closed_before++;
        return false;
    }
    if (send(fd, GET("/hello"), strlen(GET("/hello")), MSG_NOSIGNAL) < 0) {
        client->lost++;
        return false;
    }
    do {
        ssize_t n = recv(fd, reply + held, sizeof reply - 1 - held, 0);
        if (n <= 0) {
            client->lost++;
            return false;
        }
        held += (size_t)n;
        reply[held] = 0;
    } while (!strstr(reply, "hello\n"));
    __atomic_add_fetch(&client->answered, 1, __ATOMIC_RELAXED);
    if (!strstr(reply, "\r\nConnection: close\r\n"))
        return true;
    client->told++;
    return false;
}

static void *stop_client_main(void *arg)
{
    struct stop_client *client = arg;
    struct timeval limit = {.tv_sec = 5};
    while (!__atomic_load_n(client->over, __ATOMIC_ACQUIRE)) {
        int fd = plain_connect(client->port);
        if (fd < 0)
            break;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        while (ask(client, fd))
            usleep((useconds_t)client->pause_us);
        close(fd);
    }
    return NULL;
}

enum { STOP_ROUNDS = 20 };

static struct site stop_site;
static struct stop_client stop_clients[STOP_CLIENTS];
static bool stop_over, stop_stays_open;

static async(void) stop_under_load(void)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        stop_site.port = bide_listener_port(listener);
        with_group(g) {
            spawn_void(g, site_serve, listener, &stop_site, site_handler);
            for (int i = 0; i < STOP_CLIENTS; i++) {
                stop_clients[i] = (struct stop_client){
                    .port = stop_site.port, .pause_us = i * i * 300, .over = &stop_over};
                require(!pthread_create(&stop_clients[i].thread, NULL, stop_client_main,
                                        &stop_clients[i]));
            }
            for (int i = 0; i < STOP_CLIENTS; i++) /* all are there, and go on asking */
                while (!__atomic_load_n(&stop_clients[i].answered, __ATOMIC_RELAXED))
                    await(bide_sleep(bide_ms(1)));
            await(bide_sleep(bide_ms(30)));
            bide_stop("the test says so");
            await(bide_sleep(bide_ms(50)));
            /* No new connections from here on, well before the end of the lame duck. */
            __atomic_store_n(&stop_over, !stop_stays_open, __ATOMIC_RELEASE);
        }
    }
    return bide_void;
}

TEST_PLAIN(no_request_is_lost_in_a_stop, .timeout_ms = 60000)
{
    for (int round = 0; round < STOP_ROUNDS; round++) {
        int answered = 0, told = 0, lost = 0;
        stop_over = false;
        stop_site = (struct site){.options = {.lame_duck = bide_ms(250), .requests = 1000000}};
        check_int(bide_run(stop_under_load), 0);
        for (int i = 0; i < STOP_CLIENTS; i++) {
            pthread_join(stop_clients[i].thread, NULL);
            answered += stop_clients[i].answered;
            told += stop_clients[i].told;
            lost += stop_clients[i].lost;
        }
        check_int(lost, 0);
        check(told > 0); /* the others were quiet for too long */
        check_int(stop_site.calls, answered);
    }
}

/* They connect again and again, until they are refused: the kernel tries for a second. */
TEST_PLAIN(who_comes_too_late_is_refused, .timeout_ms = 60000)
{
    enum { ROUNDS = 5 };
    int lost = 0;
    stop_stays_open = true;
    for (int round = 0; round < ROUNDS; round++) {
        stop_over = false;
        stop_site = (struct site){.options = {.lame_duck = bide_ms(120), .requests = 1000000}};
        check_int(bide_run(stop_under_load), 0);
        for (int i = 0; i < STOP_CLIENTS; i++) {
            pthread_join(stop_clients[i].thread, NULL);
            check(stop_clients[i].told > 0);
            lost += stop_clients[i].lost;
        }
    }
    check_int(lost, 0);
}

/* ---- what holds a stop ---- */

/* Sends one request and takes all that comes back. */
struct visitor {
    pthread_t thread;
    uint16_t port;
    const char *request;
    char reply[1024];
};

static void *visitor_main(void *arg)
{
    struct visitor *visitor = arg;
    size_t held = 0;
    ssize_t n;
    int fd = plain_connect(visitor->port);
    require(fd >= 0);
    require(send(fd, visitor->request, strlen(visitor->request), MSG_NOSIGNAL) > 0);
    while ((n = recv(fd, visitor->reply + held, sizeof visitor->reply - 1 - held, 0)) > 0)
        held += (size_t)n;
    close(fd);
    return NULL;
}

static struct visitor visitors[] = {
    {.request = GET("/wait?100000")},
    {.request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"},
    {.request = "GET /never-ends"},
    {.request = "POST /reply-first HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"},
};
enum { VISITORS = sizeof visitors / sizeof visitors[0] };

static async(void) stop_with_visitors(void)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, site_serve, listener, &stop_site, site_handler);
            for (int i = 0; i < VISITORS; i++) {
                visitors[i].port = bide_listener_port(listener);
                require(!pthread_create(&visitors[i].thread, NULL, visitor_main, &visitors[i]));
            }
            while (stop_site.calls < 3)
                await(bide_sleep(bide_ms(1)));
            bide_stop("the test says so");
        }
    }
    return bide_void;
}

TEST_PLAIN(a_stop_that_takes_long_is_reported_and_cut_off)
{
    int64_t start_ns = bide_clock_ns();
    stop_site = (struct site){.options = {.lame_duck = bide_ms(100)}};
    test_capture_stderr();
    check_int(bide_run(stop_with_visitors, .drain = bide_ms(800)), 0);
    for (int i = 0; i < VISITORS; i++)
        pthread_join(visitors[i].thread, NULL);
    const char *said = test_captured(), *cut = strstr(said, "bide: stopping takes too long");
    check(ms_since(start_ns) < 5000);
    check_int(stop_site.cancelled, 1);
    check_contains(visitors[0].reply, "HTTP/1.1 503 Service Unavailable\r\n");
    check_contains(visitors[0].reply, "\r\nConnection: close\r\n");
    check_contains(visitors[0].reply, "\r\n\r\nthe server is stopping\n");
    check_contains(visitors[1].reply, "HTTP/1.1 503 Service Unavailable\r\n");
    check_str(visitors[2].reply, "");
    check_contains(visitors[3].reply, "\r\n\r\nfirst\n");
    check(!strstr(visitors[3].reply, "503"));
    /* Twice: when it begins to be long, and at its end. */
    check_contains(said, "stopping waits for GET /wait of 127.0.0.1, for 0.");
    check_contains(said, "stopping waits for POST /echo of 127.0.0.1, for 0.");
    check_contains(said, "stopping waits for no request yet of 127.0.0.1: ");
    require(cut);
    check_contains(cut, "\n  GET /wait of 127.0.0.1, for 0.");
    check_contains(strstr(cut, "\n  GET /wait of"), " s: sleeps for 0.");
    check_contains(strstr(cut, "\n  GET /wait of"), "server_case.h:");
    check_contains(cut, "\n  POST /echo of 127.0.0.1, for 0.");
}

static async(void) refuse_to_end(bide_exchange *x, void *arg)
{
    (void)x;
    (void)arg;
    shielded(BIDE_FOREVER) {
        await(bide_sleep(bide_s(1e6)));
    }
    return bide_void;
}

static async(void) stop_a_stubborn_one(void)
{
    struct site site = {.options = {.lame_duck = bide_ms(100)}};
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        site.port = bide_listener_port(listener);
        with_group(g) {
            spawn_void(g, site_serve, listener, &site, refuse_to_end);
            with(dial, client, &site) {
                await(say(client, GET("/stubborn")));
                await(bide_sleep(bide_ms(50)));
                bide_stop("the test says so");
                await(next_reply(client, false));
            }
        }
    }
    return bide_void;
}

static void run_a_stubborn_one(void)
{
    bide_run(stop_a_stubborn_one, .virtual_clock = true, .drain = bide_ms(500));
}

TEST_PLAIN(a_handler_that_ignores_everything_is_abandoned)
{
    check_dies(run_a_stubborn_one, "bide: gave up waiting");
    check_dies(run_a_stubborn_one, "  GET /stubborn of 127.0.0.1, for ");
}
