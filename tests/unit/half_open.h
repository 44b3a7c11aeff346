/*
 * A TCP path to a server that can be cut: both ends stay open, and no byte gets through. For tests
 * of src/db and src/redis, in two kinds:
 *
 *   wire    two network namespaces with a veth pair between them; the server is in the far one,
 *           the test's thread in the near one; cut: the far end's link is down, packets are lost
 *           (veth(4), network_namespaces(7)). Needs root and iproute2, else the test is skipped.
 *   relay   tasks of the test between client and server; cut: what comes is read and dropped. The
 *           client's kernel gets all its acknowledgements: nothing but a deadline can notice.
 *
 * HALF_OPEN_TEST(name, options of TEST...) makes a test of each; `path` is what it is given.
 */
#ifndef BIDE_TEST_HALF_OPEN_H
#define BIDE_TEST_HALF_OPEN_H

#include <bide/bide.h>
#include <bide/test.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct half_open {
    bool wire;
    char server_host[16]; /* where the server is to listen */
    char host[16];        /* where the client finds it, by then */
    unsigned port;
    int near, far; /* namespaces */
    bool is_cut;
    unsigned cuts, server_port;
    bide_group *carriers;
} half_open;

static inline void half_open_enter(int space)
{
    require(setns(space, CLONE_NEWNET) == 0);
}

static inline int half_open_space(void)
{
    if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0)
        test_skip("no rights to make a network namespace, or no iproute2: ./dev deps test");
    int space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    require(space >= 0);
    return space;
}

/* Until half_open_connect what is started is started on the far side. */
static inline void half_open_begin(half_open *path)
{
    char command[512];
    snprintf(path->server_host, sizeof path->server_host, path->wire ? "10.98.0.2" : "127.0.0.1");
    if (!path->wire)
        return;
    path->near = half_open_space();
    path->far = half_open_space();
    snprintf(command, sizeof command,
             "ip link add far type veth peer name near && ip link set near netns /proc/%d/fd/%d && "
             "ip address add 10.98.0.2/24 dev far && ip link set far up",
             (int)getpid(), path->near);
    require(system(command) == 0);
    half_open_enter(path->near);
    require(system("ip address add 10.98.0.1/24 dev near && ip link set near up") == 0);
    half_open_enter(path->far);
}

/* Bytes from one to the other, as long as the path is the one of its beginning. */
static async(void) half_open_pump(const half_open *path, bide_stream *from, bide_stream *to);
SPAWNABLE(void, half_open_pump, const half_open *, bide_stream *, bide_stream *)
static async(void) half_open_pump(const half_open *path, bide_stream *from, bide_stream *to)
{
    char bytes[16384];
    unsigned cuts = path->cuts;
    size_t n;
    while ((n = await(bide_read(from, bytes, sizeof bytes))) > 0)
        if (path->cuts == cuts && to)
            await(bide_write(to, bytes, n));
    if (path->cuts == cuts && to)
        shutdown(bide_stream_fd(to), SHUT_WR);
    return bide_void;
}

static async(void) half_open_quietly(const half_open *path, bide_stream *from, bide_stream *to);
SPAWNABLE(void, half_open_quietly, const half_open *, bide_stream *, bide_stream *)
static async(void) half_open_quietly(const half_open *path, bide_stream *from, bide_stream *to)
{
    bide_error *err;
    with_deadline(BIDE_FOREVER)
        attempt(&err, half_open_pump, path, from, to);
    return bide_void;
}

static async(void) half_open_carry(const half_open *path, bide_stream *client);
SPAWNABLE(void, half_open_carry, const half_open *, bide_stream *)
static async(void) half_open_carry(const half_open *path, bide_stream *client)
{
    defer(bide_close_stream, client);
    if (path->is_cut) {
        await(half_open_quietly(path, client, NULL));
        return bide_void;
    }
    bide_error *err;
    bide_stream *server = attempt(&err, bide_connect_tcp, "127.0.0.1", (uint16_t)path->server_port);
    defer(bide_close_stream, server);
    with_group(both) {
        spawn_void(both, half_open_quietly, path, client, server);
        if (server)
            spawn_void(both, half_open_quietly, path, server, client);
    }
    return bide_void;
}

static async(void) half_open_relay(half_open *path, bide_listener *listener);
SPAWNABLE(void, half_open_relay, half_open *, bide_listener *)
static async(void) half_open_relay(half_open *path, bide_listener *listener)
{
    defer(bide_close_listener, listener);
    while (!bide_cancel_requested()) {
        bide_stream *client = await(bide_accept(listener));
        spawn_void(path->carriers, half_open_carry, path, client);
    }
    return bide_void;
}

/* The server is there: on which port of its host. */
static inline async(void) half_open_connect(half_open *path, const char *server_port)
{
    path->server_port = (unsigned)atoi(server_port);
    path->port = path->server_port;
    snprintf(path->host, sizeof path->host, "%s", path->server_host);
    if (path->wire) {
        half_open_enter(path->near);
        return bide_void;
    }
    bide_listener *listener = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    path->port = bide_listener_port(listener);
    spawn_void(path->carriers, half_open_relay, path, listener);
    return bide_void;
}

static inline void half_open_set(half_open *path, bool is_cut)
{
    path->is_cut = is_cut;
    path->cuts += is_cut;
    if (!path->wire)
        return;
    half_open_enter(path->far);
    require(system(is_cut ? "ip link set far down" : "ip link set far up") == 0);
    half_open_enter(path->near);
}

#define HALF_OPEN_TEST(...) HALF_OPEN_TEST2(__VA_ARGS__, .hidden = false)
#define HALF_OPEN_TEST2(test_name, ...)                                                            \
    static void test_name##_body(half_open *path) BIDE__TASK;                                      \
    HALF_OPEN_TEST3(test_name, _by_a_wire, true, __VA_ARGS__)                                      \
    HALF_OPEN_TEST3(test_name, _by_a_relay, false, __VA_ARGS__)                                    \
    static void test_name##_body(half_open *path)
#define HALF_OPEN_TEST3(test_name, kind, is_wire, ...)                                             \
    TEST(test_name##kind, .real_clock = true, __VA_ARGS__)                                         \
    {                                                                                              \
        with_group(carriers) {                                                                     \
            half_open path = {.wire = is_wire, .carriers = carriers};                              \
            test_name##_body(&path);                                                               \
            bide_group_cancel(carriers, "the end of a test");                                      \
        }                                                                                          \
    }

#endif
