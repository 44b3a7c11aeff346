/*
 * What the tests of sockets share: an echo server, counting descriptors, an unusual peer, a
 * kernel that refuses.
 */
#ifndef NET_CASE_H
#define NET_CASE_H

#include <bide/bide.h>
#include <bide/test.h>

#include "base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((unused)) static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    require(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* For `defer`, declared first: at the end of the test nothing may be left open. */
__attribute__((unused)) static void check_descriptors(void *before)
{
    check_int(open_descriptors(), *(int *)before);
}

/* Lets the process open this many descriptors, or skips the test. */
__attribute__((unused)) static void want_descriptors(rlim_t count)
{
    struct rlimit limit;
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= count)
        return;
    if (limit.rlim_max < count)
        test_skip("the limit of descriptors is too low");
    limit.rlim_cur = count;
    require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static async(void) echo(bide_stream_ptr stream);
SPAWNABLE(void, echo, bide_stream_ptr)
static async(void) echo(bide_stream_ptr stream)
{
    char buffer[4096];
    size_t n;
    defer(bide_close_stream, stream);
    while ((n = await(bide_read(stream, buffer, sizeof buffer))) > 0)
        await(bide_write(stream, buffer, n));
    return bide_void;
}

/* Serves `count` connections to their ends. */
static async(void) echo_server(bide_listener_ptr listener, int count);
SPAWNABLE(void, echo_server, bide_listener_ptr, int)
static async(void) echo_server(bide_listener_ptr listener, int count)
{
    with_group(connections) {
        for (int i = 0; i < count; i++)
            spawn_void(connections, echo, await(bide_accept(listener)));
    }
    return bide_void;
}

/* Sends a text and checks that it comes back. */
static async(void) check_echo(bide_stream_ptr stream, const char *text);
SPAWNABLE(void, check_echo, bide_stream_ptr, const char *)
static async(void) check_echo(bide_stream_ptr stream, const char *text)
{
    char back[256];
    size_t length = strlen(text);
    require(length < sizeof back);
    await(bide_write(stream, text, length));
    await(bide_read_exactly(stream, back, length));
    check_mem(back, text, length);
    return bide_void;
}

/* A TCP connection to itself: both ends. */
struct tcp_pair {
    bide_stream *near, *far;
};
__attribute__((unused)) static struct tcp_pair connected_pair(void) BIDE__TASK;
static struct tcp_pair connected_pair(void)
{
    struct tcp_pair pair = {NULL, NULL};
    bide_listener *listener = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    pair.near = await(bide_connect_tcp("127.0.0.1", bide_listener_port(listener)));
    pair.far = await(bide_accept(listener));
    bide_close(listener);
    return pair;
}

/* From now on this system call of this process fails; with 0 as `code` it does nothing, and gives
   0. */
__attribute__((unused)) static void forbid(long number, unsigned code)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        test_skip("no seccomp here");
}

#endif
