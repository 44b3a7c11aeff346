/*
 * Host names: what is kept and for how long, shared lookups, name servers that are silent, and
 * connecting to one of several addresses. The system's lookup is replaced, but for the last test.
 */
#include "net_case.h"

#include "base/caps.h"
#include "io/name.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/* What the tests answer: NAME.test has 192.0.2.7 and 2001:db8::7; NAME.gone has none; NAME.slow is
   answered when `release` was called; NAME.two has 127.0.0.1 and 127.0.0.2, NAME.full 127.0.0.3
   and 127.0.0.2. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int calls, silent;
static bool released;

static void put(struct bide__address *to, const char *text)
{
    require(bide__address_parse(text, 0, to) == 0);
}

static int answer(const char *host, struct bide__address *addresses, size_t *count)
{
    const char *kind = strrchr(host, '.');
    pthread_mutex_lock(&lock);
    calls++;
    if (strcmp(kind, ".slow") == 0) {
        silent++;
        pthread_cond_broadcast(&changed);
        while (!released)
            pthread_cond_wait(&changed, &lock);
        silent--;
    }
    pthread_mutex_unlock(&lock);
    if (strcmp(kind, ".gone") == 0)
        return EAI_NONAME;
    bool on_loopback = strcmp(kind, ".two") == 0 || strcmp(kind, ".full") == 0;
    put(&addresses[0], strcmp(kind, ".two") == 0 ? "127.0.0.1"
                       : on_loopback             ? "127.0.0.3"
                                                 : "192.0.2.7");
    put(&addresses[1], on_loopback ? "127.0.0.2" : "2001:db8::7");
    *count = 2;
    return 0;
}

static int (*system_source)(const char *, struct bide__address *, size_t *);

__attribute__((constructor)) static void replace(void)
{
    system_source = bide__name_source;
    bide__name_source = answer;
}

static int calls_now(void)
{
    pthread_mutex_lock(&lock);
    int now = calls;
    pthread_mutex_unlock(&lock);
    return now;
}

static void release(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    released = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for_silent(int count)
{
    pthread_mutex_lock(&lock);
    while (silent < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* ---- what is found ---- */

TEST(numbers_and_localhost_ask_nobody)
{
    static const char *const hosts[][3] = {
        {"127.0.0.1", "127.0.0.1", NULL},     {"::1", "::1", NULL},
        {"2001:DB8::7", "2001:db8::7", NULL}, {"localhost", "127.0.0.1", "::1"},
        {"LocalHost.", "127.0.0.1", "::1"},   {"db.localhost", "127.0.0.1", "::1"}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        bide_resolved_list of = await(bide_resolve(hosts[i][0], 5432));
        require(of.count == (hosts[i][2] ? 2 : 1));
        for (size_t k = 0; k < of.count; k++) {
            check_str(of.items[k].host, hosts[i][1 + k]);
            check_int(of.items[k].port, 5432);
        }
    }
    check_int(calls_now(), 0);
}

TEST(what_is_no_name_is_refused)
{
    char endless[300];
    memset(endless, 'a', sizeof endless);
    endless[255] = 0;
    const char *const hosts[] = {"",           "a b",          "1.2.3",     "127.1", "0x7f.1",
                                 "0x7f000001", "017700000001", "a..b",      ".a",    "a/b",
                                 "[::1]",      "a:80",         "h\xc3\xa9", "a.1.",  ".",
                                 "a\nb.c",     endless,        NULL};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        bide_error *err = NULL;
        (void)attempt(&err, bide_resolve, hosts[i], 80);
        require(err);
        check_int(err->code, BIDE_INVALID);
    }
    check_int(calls_now(), 0);
}

TEST(a_name_is_kept_for_a_while)
{
    for (int i = 0; i < 3; i++) {
        bide_resolved_list of = await(bide_resolve(i == 1 ? "A.Test" : "a.test", 80));
        require(of.count == 2);
        check_str(of.items[0].host, "192.0.2.7");
        check_str(of.items[1].host, "2001:db8::7");
        check_int(of.items[1].port, 80);
    }
    check_int(calls_now(), 1);
    await(bide_sleep(bide_s(BIDE_CAP_NAME_TTL_S - 1)));
    (void)await(bide_resolve("a.test", 80));
    check_int(calls_now(), 1);
    await(bide_sleep(bide_s(2)));
    (void)await(bide_resolve("a.test", 80));
    check_int(calls_now(), 2);
    for (int i = 0; i < 3 * BIDE_CAP_NAMES; i++) /* and no more than so many */
        (void)await(bide_resolve(bide_arena_printf(bide_task_arena(), "n%d.test", i), 80));
    check_int(calls_now(), 2 + 3 * BIDE_CAP_NAMES);
    (void)await(bide_resolve("a.test", 80));
    check_int(calls_now(), 3 + 3 * BIDE_CAP_NAMES);
}

TEST(that_there_is_nothing_is_kept_shortly)
{
    for (int i = 0; i < 3; i++) {
        bide_error *err = NULL;
        (void)attempt(&err, bide_resolve, "a.gone", 80);
        require(err);
        check_int(err->code, BIDE_UNREACHABLE);
        check_contains(err->message, "the name \"a.gone\" has no address: Name or service");
        check_int(calls_now(), i < 2 ? 1 : 2);
        if (i == 1)
            await(bide_sleep(bide_s(BIDE_CAP_NAME_FAILED_S + 0.5)));
    }
}

/* ---- silence ---- */

static async(void) look(const char *host, int *found);
SPAWNABLE(void, look, const char *, int *)
static async(void) look(const char *host, int *found)
{
    bide_resolved_list of = await(bide_resolve(host, 80));
    *found += of.count == 2;
    return bide_void;
}

TEST(tasks_share_a_lookup, .real_clock = true)
{
    int found = 0;
    with_group(g) {
        for (int i = 0; i < 20; i++)
            spawn_void(g, look, i % 2 ? "a.slow" : "b.slow", &found);
        await(bide_sleep(bide_ms(20)));
        check_int(found, 0);
        release(NULL);
    }
    check_int(found, 20);
    check_int(calls_now(), 2);
}

/* What a name server never answers ends at the deadline; what it says in the end is kept. */
TEST(a_deadline_ends_what_nobody_answers, .real_clock = true)
{
    bool timed_out = false;
    int found = 0;
    defer(release, NULL);
    int64_t before = bide_clock_ns();
    move_on_after(&timed_out, bide_ms(30), look, "a.slow", &found);
    check(timed_out);
    check(bide_clock_ns() - before < INT64_C(5000000000));
    await(look("other.test", &found));
    check_int(found, 1);
    with_group(g) {
        spawn_void(g, look, "a.slow", &found);
        await(bide_sleep(bide_ms(5)));
        bide_group_cancel(g, "the test wants it");
    }
    check_int(found, 1);
    release(NULL);
    await(look("a.slow", &found));
    check_int(found, 2);
    check_int(calls_now(), 2);
}

TEST(only_so_many_are_asked_at_a_time, .real_clock = true)
{
    enum { THREADS = BIDE_CAP_NAME_THREADS, NAMES = BIDE_CAP_NAMES };
    static char hosts[NAMES + 1][24];
    bool timed_out = false;
    int found = 0;
    defer(release, NULL);
    with_group(g) {
        for (int i = 0; i < NAMES - 1; i++) {
            snprintf(hosts[i], sizeof hosts[i], "n%d.slow", i);
            spawn_void(g, look, hosts[i], &found);
        }
        await(bide_sleep(bide_ms(20)));
        wait_for_silent(THREADS);
        check_int(calls_now(), THREADS);
        move_on_after(&timed_out, bide_ms(20), look, "given.up.slow", &found);
        check(timed_out);
        spawn_void(g, look, "last.slow", &found);
        await(bide_sleep(bide_ms(5)));
        bide_error *err = NULL;
        (void)attempt(&err, bide_resolve, "one.too.many.test", 80);
        require(err);
        check_int(err->code, BIDE_LIMIT);
        (void)await(bide_resolve("127.0.0.1", 80));
        release(NULL);
    }
    check_int(found, NAMES);
    check_int(calls_now(), NAMES); /* the one that was given up in the line was never asked for */
}

TEST(a_lookup_may_be_cancelled_anywhere, .cancel_everywhere = true)
{
    int found = 0;
    with_group(g) {
        spawn_void(g, look, "a.test", &found);
        spawn_void(g, look, "b.test", &found);
        spawn_void(g, look, "a.test", &found);
    }
}

/* ---- connecting ---- */

TEST(the_next_address_is_tried, .real_clock = true)
{
    int before = open_descriptors();
    defer(check_descriptors, &before);
    with(bide_tcp_listener, listener, "127.0.0.2", 0, NULL) {
        uint16_t port = bide_listener_port(listener);
        with(bide_tcp, stream, "a.two", port) {
            check_contains(bide_stream_peer(stream), "127.0.0.2:");
            bide_stream *accepted = await(bide_accept(listener));
            bide_close(accepted);
        }
    }
}

TEST(no_address_answers, .real_clock = true)
{
    bide_error *err = NULL;
    uint16_t port;
    with(bide_tcp_listener, listener, "127.0.0.2", 0, NULL)
        port = bide_listener_port(listener);
    (void)attempt(&err, bide_connect_tcp, "a.two", port);
    require(err);
    check_int(err->code, BIDE_SYSTEM);
    check_int(err->system_errno, ECONNREFUSED);
    check_contains(err->message, "connect to a.two:");
    check_contains(err->message, " (127.0.0.1:");
    (void)attempt(&err, bide_connect_tcp, "a.gone", port);
    require(err);
    check_int(err->code, BIDE_UNREACHABLE);
}

/* A host that drops what comes is not waited for: its queue is full, so the kernel is silent. */
TEST(a_silent_address_does_not_hold_the_others, .real_clock = true)
{
    int before = open_descriptors(), fds[3];
    defer(check_descriptors, &before);
    with(bide_tcp_listener, listener, "127.0.0.2", 0, NULL) {
        uint16_t port = bide_listener_port(listener);
        struct sockaddr_in full = {.sin_family = AF_INET, .sin_port = htons(port)};
        require(inet_pton(AF_INET, "127.0.0.3", &full.sin_addr) == 1);
        for (int i = 0; i < 3; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            require(fds[i] >= 0);
            if (i == 0)
                require(bind(fds[0], (struct sockaddr *)&full, sizeof full) == 0 &&
                        listen(fds[0], 0) == 0);
            else
                (void)connect(fds[i], (struct sockaddr *)&full, sizeof full);
        }
        await(bide_sleep(bide_ms(10)));
        int64_t began = bide_clock_ns();
        with(bide_tcp, stream, "a.full", port)
            check_contains(bide_stream_peer(stream), "127.0.0.2:");
        int64_t took_ms = (bide_clock_ns() - began) / 1000000;
        check(took_ms >= BIDE_CAP_CONNECT_STAGGER_MS - 1 && took_ms < 20000);
        for (int i = 0; i < 3; i++)
            close(fds[i]);
    }
}

TEST(a_race_may_be_cancelled_anywhere, .real_clock = true, .cancel_everywhere = true,
     .fail_allocations = true)
{
    int before = open_descriptors();
    defer(check_descriptors, &before);
    bide_error *err = NULL;
    (void)attempt(&err, bide_resolve, "a.two", 80);
    if (err && err->code == BIDE_LIMIT) /* no thread */
        return;
    with(bide_tcp_listener, listener, "127.0.0.2", 0, NULL)
        with(bide_tcp, stream, "a.two", bide_listener_port(listener))
            check(stream != NULL);
}

/* ---- the system's own lookup, in a network of this test's own ---- */

/* Files of /etc as this test wants them, and a loopback with nobody on it. */
static void put_file(const char *path, const char *text)
{
    char own[] = "/tmp/bide_name_XXXXXX";
    int fd = mkstemp(own);
    require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    int code = mount(own, path, NULL, MS_BIND, NULL);
    unlink(own);
    if (code < 0)
        test_skip("no mount here");
}

static void enter_network(void)
{
    struct ifreq loopback = {.ifr_flags = IFF_UP | IFF_RUNNING};
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
        test_skip("no namespaces here");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(loopback.ifr_name, sizeof loopback.ifr_name, "lo");
    require(ioctl(fd, SIOCSIFFLAGS, &loopback) == 0);
    close(fd);
    put_file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n");
    put_file("/etc/hosts", "192.0.2.8 shire.example\n2001:db8::8 shire.example\n");
    put_file("/etc/nsswitch.conf", "hosts: files dns\n");
    bide__name_source = system_source;
}

/* Receives questions and is silent. */
static int silent_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

static async(int) ask_the_system(void)
{
    bide_error *err = NULL;
    bool timed_out = false;
    int found = 0;
    bide_resolved_list of = await(bide_resolve("shire.example", 80));
    require(of.count == 2);
    bool six_first = strchr(of.items[0].host, ':');
    check_str(of.items[six_first].host, "192.0.2.8");
    check_str(of.items[!six_first].host, "2001:db8::8");
    (void)attempt(&err, bide_resolve, "mordor.example", 80); /* the port is closed */
    require(err);
    check_int(err->code, BIDE_UNREACHABLE);
    int server = silent_server();
    int64_t began = bide_clock_ns();
    move_on_after(&timed_out, bide_ms(100), look, "moria.example", &found);
    check(timed_out);
    check(bide_clock_ns() - began < INT64_C(1500000000));
    (void)attempt(&err, bide_resolve, "moria.example", 80); /* the same question */
    require(err);
    check_int(err->code, BIDE_UNREACHABLE);
    close(server);
    return ready(int, 0);
}

TEST_PLAIN(a_name_server_that_never_answers)
{
    enter_network();
    check_int(bide_run(ask_the_system), 0);
}
