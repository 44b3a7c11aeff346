/*
 * Peers that mean harm: floods, crawls, silence, and too many of them. Whoever behaves is served
 * meanwhile, and memory stays within its bounds.
 */
#include "server_case.h"

#include "http/connection.h"

#include <signal.h>
#include <sys/wait.h>

enum { MB = 1 << 20 };

/* One who behaves: answered soon, whatever else goes on. */
static async(void) check_canary(struct site *site)
{
    int64_t start_ns = bide_clock_ns();
    await(check_one(site, GET("/hello"), HELLO));
    check(ms_since(start_ns) < 5000);
    return bide_void;
}

/* ---- floods ---- */

static async(size_t) pour(struct client *client, const char *piece, size_t size, size_t total);
SPAWNABLE(size_t, pour, struct client *, const char *, size_t, size_t)
static async(size_t) pour(struct client *client, const char *piece, size_t size, size_t total)
{
    for (size_t sent = 0; sent < total; sent += size)
        await(bide_write(client->stream, piece, size));
    return ready(size_t, total);
}

/* Sends `total` bytes behind `start`; is refused with `status` long before their end, at a bounded
   cost. */
static async(void) check_flood(struct site *site, const char *start, const char *piece,
                               size_t total, const char *status)
{
    bide_error *error;
    size_t before = heap_bytes();
    with(dial, client, site) {
        before = heap_bytes();
        await(say(client, start));
        attempt(&error, pour, client, piece, 65536, total);
        check(error != NULL);
        check(heap_bytes() < before + MB);
        await(check_canary(site));
        attempt(&error, next_reply, client, false); /* a reset may have overtaken it */
        if (client->reply[0])
            check_contains(client->reply, status);
    }
    return bide_void;
}

SITE_TEST(a_hundred_megabytes_of_head, {.requests = 0})
{
    char *piece = malloc(65536);
    require(piece);
    memset(piece, 'a', 65536);
    await(check_flood(site, "GET / HTTP/1.1\r\nHost: x\r\nX: ", piece, 100 * MB, " 431 "));
    await(check_flood(site, "GET /", piece, 100 * MB, " 414 "));
    for (int i = 0; i < 65536; i++)
        piece[i] = "X: 1\r\nYyyyyyyy: 2\r\n"[i % 19];
    await(check_flood(site, "GET / HTTP/1.1\r\nHost: x\r\n", piece, 100 * MB, " 431 "));
    memset(piece, 0, 65536);
    await(check_flood(site, "", piece, 100 * MB, " 400 "));
    await(check_flood(site, "GET / HTTP/1.1\r\nHost: x\r\nX: ", piece, 100 * MB, " 400 "));
    memset(piece, '\n', 65536);
    await(check_flood(site, "\r\n", piece, 100 * MB, " 400 "));
    free(piece);
    check_int(site->calls, 6);
    return bide_void;
}

/* ---- crawls and silence ---- */

enum { CROWD = 60 };

struct crowd_kind {
    const char *start;  /* what each sends at once */
    const char *crawl;  /* ... and then again and again; NULL: nothing */
    const char *answer; /* part of its reply; "": it is just closed */
};

static async(void) be_one_of(struct site *site, const struct crowd_kind *kind);
SPAWNABLE(void, be_one_of, struct site *, const struct crowd_kind *)
static async(void) be_one_of(struct site *site, const struct crowd_kind *kind)
{
    with(dial, client, site) {
        bide_error *error = NULL;
        await(say(client, kind->start));
        while (!error && client->held == 0) {
            bool quiet = true;
            if (kind->crawl)
                attempt(&error, say, client, kind->crawl);
            if (!error)
                move_on_after(&quiet, bide_ms(20), read_more, client);
            if (!quiet && client->held == 0)
                break; /* it was closed */
        }
        attempt(&error, next_reply, client, false);
        if (client->reply[0] || !kind->crawl)
            check_contains(client->reply, kind->answer);
        check((client->reply[0] != 0) || !kind->answer[0] || kind->crawl);
    }
    return bide_void;
}

/* When the last has left; buffers of 64 are kept for the next ones. */
static async(void) check_heap_falls(size_t before)
{
    size_t most = before + 64 * sizeof(struct bide__http_buffers) + MB;
    for (int i = 0; i < 1000 && heap_bytes() > most; i++)
        await(bide_sleep(bide_ms(5)));
    check(heap_bytes() <= most);
    return bide_void;
}

/* A crowd of each kind at once, while one who behaves is served. */
static async(void) check_crowds(struct site *site, const struct crowd_kind *kinds, size_t count)
{
    size_t before = heap_bytes();
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (size_t i = 0; i < count * CROWD; i++)
            spawn_void(g, be_one_of, site, &kinds[i % count]);
        for (int i = 0; i < 10; i++) {
            await(bide_sleep(bide_ms(15)));
            await(check_canary(site));
        }
    }
    check(ms_since(start_ns) < 10000);
    await(check_heap_falls(before));
    return bide_void;
}

SITE_TEST(crowds_that_crawl_or_are_silent, {.head_deadline = bide_ms(300),
                                            .body_gap = bide_ms(300),
                                            .body_grace = bide_ms(400),
                                            .idle = bide_ms(300)})
{
    static const struct crowd_kind kinds[] = {
        {"", NULL, ""},
        {"G", NULL, " 408 "},
        {"GET / HTTP/1.1\r\n", "X: y\r\n", " 408 "},
        {"GET /hello HTTP/1.1\r\nHost: x\r\n\r", NULL, " 408 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", "x", " 408 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n",
         " 408 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", NULL, " 408 "},
    };
    await(check_crowds(site, kinds, sizeof kinds / sizeof kinds[0]));
    return bide_void;
}

/* Big replies that nobody reads: each holds its body, and is left after a while. */
SITE_TEST(a_crowd_that_does_not_read, {.write_stall = bide_ms(300)})
{
    enum { READERS = 20 };
    struct client *clients[READERS];
    size_t before = heap_bytes();
    test_capture_stderr();
    for (int i = 0; i < READERS; i++) {
        clients[i] = await(client_open(site));
        await(say(clients[i], GET("/big?4000000") GET("/big?4000000")));
    }
    for (int i = 0; i < 20; i++) {
        await(bide_sleep(bide_ms(25)));
        await(check_canary(site));
    }
    for (int i = 0; i < READERS; i++)
        await(client_close(clients[i], NULL));
    await(check_heap_falls(before));
    (void)test_captured();
    return bide_void;
}

/* ---- too many ---- */

enum { CALLERS = 300, SPARE = 64 };

/* In a process of its own: CALLERS connections with a request each. A byte has it close the first
   half, the end of the pipe the rest. */
static __attribute__((noreturn)) void call_often(uint16_t port, int pipe_fd)
{
    static int fds[CALLERS];
    char byte;
    for (int i = 0; i < CALLERS; i++) {
        fds[i] = plain_connect(port);
        if (fds[i] < 0 || send(fds[i], GET("/hello"), strlen(GET("/hello")), MSG_NOSIGNAL) < 0)
            _exit(1);
    }
    if (read(pipe_fd, &byte, 1) == 1)
        for (int i = 0; i < CALLERS / 2; i++)
            close(fds[i]);
    while (read(pipe_fd, &byte, 1) > 0)
        continue;
    _exit(0);
}

static int64_t cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static async(void) until_calls(struct site *site, int calls)
{
    for (int i = 0; i < 2000 && site->calls < calls; i++)
        await(bide_sleep(bide_ms(2)));
    check(site->calls >= calls);
    return bide_void;
}

/* Without a bound on connections of its own the server meets that of the system. */
SITE_TEST(more_connections_than_descriptors, {.connections = 1000000})
{
    int ends[2];
    struct rlimit before, limit;
    require(pipe(ends) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit = before;
    limit.rlim_cur = (rlim_t)ends[1] + 1 + SPARE;
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        close(ends[1]);
        call_often(site->port, ends[0]);
    }
    close(ends[0]);
    test_capture_stderr();
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    await(until_calls(site, SPARE - 8));
    int64_t start_ms = cpu_ms();
    await(bide_sleep(bide_ms(1000)));
    check(cpu_ms() - start_ms < 200);
    int served = site->calls;
    check(served < CALLERS / 2);
    require(write(ends[1], "x", 1) == 1);
    int64_t start_ns = bide_clock_ns();
    await(until_calls(site, served + 1));
    check(ms_since(start_ns) < 5000);
    close(ends[1]);
    await(until_calls(site, CALLERS));
    require(setrlimit(RLIMIT_NOFILE, &before) == 0);
    int status, lines = 0;
    require(waitpid(child, &status, 0) == child);
    check_int(status, 0);
    for (const char *at = test_captured(); (at = strstr(at, "connections wait")); at++)
        lines++;
    check_int(lines, 1);
    await(check_canary(site));
    return bide_void;
}
