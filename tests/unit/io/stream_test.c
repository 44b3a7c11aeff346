/*
 * Streams: bytes there and back, ends, resets, closing under a waiting task, deadlines, misuse.
 */
#include "net_case.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

TEST(echo_over_tcp, .real_clock = true)
{
    int before = open_descriptors();
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, echo_server, listener, 1);
            with(bide_tcp, stream, "localhost", bide_listener_port(listener)) {
                char text[BIDE_ADDRESS_BYTES];
                check_str(bide_stream_peer(stream), bide_listener_address(listener));
                check_contains(bide_stream_local(stream, text, sizeof text), "127.0.0.1:");
                await(check_echo(stream, "to and fro"));
                await(check_echo(stream, "and again"));
            }
        }
    }
    check_int(open_descriptors(), before);
}

TEST(echo_over_ipv6, .real_clock = true)
{
    bide_error *err;
    bide_listener *listener = attempt(&err, bide_listen_tcp, "::1", 0, NULL);
    if (err)
        test_skip("no IPv6 on this machine");
    check_contains(bide_listener_address(listener), "[::1]:");
    with_group(g) {
        spawn_void(g, echo_server, listener, 1);
        with(bide_tcp, stream, "::1", bide_listener_port(listener)) {
            await(check_echo(stream, "six"));
        }
    }
    bide_close(listener);
}

TEST(connections_have_no_delay, .real_clock = true)
{
    struct tcp_pair pair = connected_pair();
    int fds[] = {bide_stream_fd(pair.near), bide_stream_fd(pair.far)};
    for (int i = 0; i < 2; i++) {
        int on = 0;
        socklen_t size = sizeof on;
        check_int(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
        check_int(on, 1);
    }
    bide_close(pair.near);
    bide_close(pair.far);
}

static async(void) talk(uint16_t port, int rounds);
SPAWNABLE(void, talk, uint16_t, int)
static async(void) talk(uint16_t port, int rounds)
{
    with(bide_tcp, stream, "127.0.0.1", port) {
        for (int i = 0; i < rounds; i++)
            await(check_echo(stream, "hello"));
    }
    return bide_void;
}

TEST(a_thousand_connections, .real_clock = true, .timeout_ms = 30000)
{
    want_descriptors(2100);
    int before = open_descriptors();
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, echo_server, listener, 1000);
            for (int i = 0; i < 1000; i++)
                spawn_void(g, talk, bide_listener_port(listener), 3);
        }
    }
    check_int(open_descriptors(), before);
}

enum { MANY = 8 << 20 };

static async(void) send_pattern(bide_stream_ptr stream);
SPAWNABLE(void, send_pattern, bide_stream_ptr)
static async(void) send_pattern(bide_stream_ptr stream)
{
    unsigned char *data = malloc(MANY);
    require(data);
    defer(free, data);
    for (size_t i = 0; i < MANY; i++)
        data[i] = (unsigned char)(i * 31 + i / 997);
    await(bide_write(stream, data, MANY));
    bide_shutdown_write(stream);
    return bide_void;
}

static async(void) check_pattern(bide_stream_ptr stream);
SPAWNABLE(void, check_pattern, bide_stream_ptr)
static async(void) check_pattern(bide_stream_ptr stream)
{
    unsigned char buffer[10007];
    size_t at = 0, n, wrong = 0;
    while ((n = await(bide_read(stream, buffer, sizeof buffer))) > 0)
        for (size_t i = 0; i < n; i++, at++)
            wrong += buffer[i] != (unsigned char)(at * 31 + at / 997);
    check_int(at, MANY);
    check_int(wrong, 0);
    return bide_void;
}

/* Both directions at once: each stream has a reader and a writer, and all writes are partial. */
static void exchange(bide_stream *a, bide_stream *b) BIDE__TASK
{
    int small = 4096;
    setsockopt(bide_stream_fd(a), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(bide_stream_fd(b), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    with_group(g) {
        spawn_void(g, send_pattern, a);
        spawn_void(g, send_pattern, b);
        spawn_void(g, check_pattern, a);
        spawn_void(g, check_pattern, b);
    }
    bide_close(a);
    bide_close(b);
}

TEST(much_at_once_in_both_directions, .real_clock = true, .timeout_ms = 30000)
{
    struct tcp_pair pair = connected_pair();
    exchange(pair.near, pair.far);
}

TEST(much_at_once_over_a_unix_pair, .real_clock = true, .timeout_ms = 30000)
{
    bide_stream *pair[2];
    await(bide_stream_pair(pair));
    exchange(pair[0], pair[1]);
}

TEST(half_close_ends_one_direction, .real_clock = true)
{
    char buffer[16];
    struct tcp_pair pair = connected_pair();
    await(bide_write(pair.near, "last", 4));
    bide_shutdown_write(pair.near);
    await(bide_read_exactly(pair.far, buffer, 4));
    check_mem(buffer, "last", 4);
    check_int(await(bide_read(pair.far, buffer, sizeof buffer)), 0);
    check_int(await(bide_read(pair.far, buffer, sizeof buffer)), 0);
    await(bide_write(pair.far, "answer", 6));
    bide_close(pair.far);
    await(bide_read_exactly(pair.near, buffer, 6));
    check_mem(buffer, "answer", 6);
    check_int(await(bide_read(pair.near, buffer, sizeof buffer)), 0);
    bide_close(pair.near);
}

TEST(an_end_too_early_says_after_how_much, .real_clock = true)
{
    char buffer[16];
    bide_error *err;
    struct tcp_pair pair = connected_pair();
    await(bide_write(pair.near, "abc", 3));
    bide_close(pair.near);
    attempt(&err, bide_read_exactly, pair.far, (void *)buffer, 10);
    require(err);
    check_int(err->code, BIDE_CLOSED);
    check_contains(err->message, "it ended after 3 of 10 bytes");
    check_contains(err->message, bide_stream_peer(pair.far));
    bide_close(pair.far);
}

TEST(a_reset_names_the_peer, .real_clock = true)
{
    char buffer[16];
    bide_error *err;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct tcp_pair pair = connected_pair();
    setsockopt(bide_stream_fd(pair.near), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    bide_close(pair.near);
    attempt(&err, bide_read, pair.far, (void *)buffer, sizeof buffer);
    require(err);
    check_int(err->code, BIDE_SYSTEM);
    check_int(err->system_errno, ECONNRESET);
    check_contains(err->message, "read from 127.0.0.1:");
    attempt(&err, bide_write, pair.far, "x", 1);
    require(err);
    check_int(err->system_errno, EPIPE);
    check_contains(err->message, "write to 127.0.0.1:");
    bide_close(pair.far);
}

static async(int) code_of_read(bide_stream_ptr stream);
SPAWNABLE(int, code_of_read, bide_stream_ptr)
static async(int) code_of_read(bide_stream_ptr stream)
{
    char buffer[16];
    bide_error *err;
    attempt(&err, bide_read, stream, (void *)buffer, sizeof buffer);
    return ready(int, err ? err->code : 0);
}

static async(int) code_of_long_write(bide_stream_ptr stream);
SPAWNABLE(int, code_of_long_write, bide_stream_ptr)
static async(int) code_of_long_write(bide_stream_ptr stream)
{
    bide_error *err;
    char *data = calloc(1, MANY);
    require(data);
    attempt(&err, bide_write, stream, data, MANY);
    free(data);
    return ready(int, err ? err->code : 0);
}

TEST(a_reset_reaches_a_waiting_reader, .real_clock = true)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct tcp_pair pair = connected_pair();
    with_group(g) {
        task(int) reader = spawn(g, code_of_read, pair.far);
        await(bide_sleep(bide_ms(5)));
        setsockopt(bide_stream_fd(pair.near), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        bide_close(pair.near);
        check_int(await_task(reader), BIDE_SYSTEM);
    }
    bide_close(pair.far);
}

TEST(closing_wakes_who_waits, .real_clock = true)
{
    struct tcp_pair pair = connected_pair();
    with_group(g) {
        task(int) reader = spawn(g, code_of_read, pair.far);
        task(int) writer = spawn(g, code_of_long_write, pair.far);
        await(bide_sleep(bide_ms(10)));
        bide_close(pair.far);
        check_int(await_task(reader), BIDE_CLOSED);
        check_int(await_task(writer), BIDE_CLOSED);
    }
    bide_close(pair.near);
}

static async(size_t) read_late(bide_stream_ptr stream);
SPAWNABLE(size_t, read_late, bide_stream_ptr)
static async(size_t) read_late(bide_stream_ptr stream)
{
    char buffer[64];
    size_t n = 0;
    with_deadline(bide_ms(20)) {
        n = await(bide_read(stream, buffer, sizeof buffer));
    }
    return ready(size_t, n);
}

TEST(a_read_out_of_time_leaves_the_stream_usable, .real_clock = true)
{
    bide_error *err;
    struct tcp_pair pair = connected_pair();
    attempt(&err, read_late, pair.far);
    require(err);
    check_int(err->code, BIDE_TIMEOUT);
    await(bide_write(pair.near, "later", 5));
    check_int(attempt(&err, read_late, pair.far), 5);
    check_ptr(err, NULL);
    bide_close(pair.near);
    bide_close(pair.far);
}

static async(void) write_late(bide_stream_ptr stream);
SPAWNABLE(void, write_late, bide_stream_ptr)
static async(void) write_late(bide_stream_ptr stream)
{
    char *data = calloc(1, MANY);
    require(data);
    defer(free, data);
    with_deadline(bide_ms(20)) {
        await(bide_write(stream, data, MANY));
    }
    return bide_void;
}

TEST(a_write_out_of_time_cuts_its_direction_only, .real_clock = true)
{
    bide_error *err;
    struct tcp_pair pair = connected_pair();
    attempt(&err, write_late, pair.near);
    require(err);
    check_int(err->code, BIDE_TIMEOUT);
    attempt(&err, bide_write, pair.near, "x", 1);
    require(err);
    check_int(err->code, BIDE_CLOSED);
    check_contains(err->message, "cut off");
    await(bide_write(pair.far, "other way", 9));
    check_int(attempt(&err, read_late, pair.near), 9);
    check_ptr(err, NULL);
    bide_close(pair.near);
    bide_close(pair.far);
}

/* ---- buffers ---- */

static async(void) read_into(bide_stream_ptr stream, char *buffer, size_t size);
SPAWNABLE(void, read_into, bide_stream_ptr, char *, size_t)
static async(void) read_into(bide_stream_ptr stream, char *buffer, size_t size)
{
    with_deadline(bide_ms(10)) {
        (void)await(bide_read(stream, buffer, size));
    }
    return bide_void;
}

/* The kernel must not write into what is somebody else's by then. */
TEST(a_cancelled_read_leaves_its_buffer_alone, .real_clock = true)
{
    bide_error *err;
    char buffer[64], untouched[64], next[8];
    struct tcp_pair pair = connected_pair();
    memset(untouched, '#', sizeof untouched);
    for (int i = 0; i < 5; i++) {
        memset(buffer, '#', sizeof buffer);
        attempt(&err, read_into, pair.far, (char *)buffer, sizeof buffer);
        require(err);
        check_int(err->code, BIDE_TIMEOUT);
        await(bide_write(pair.near, "later", 5));
        await(bide_sleep(bide_ms(5)));
        check_mem(buffer, untouched, sizeof untouched);
        await(bide_read_exactly(pair.far, next, 5));
        check_mem(next, "later", 5);
    }
    bide_close(pair.near);
    bide_close(pair.far);
}

static async(void) write_from(bide_stream_ptr stream, char *data, size_t size);
SPAWNABLE(void, write_from, bide_stream_ptr, char *, size_t)
static async(void) write_from(bide_stream_ptr stream, char *data, size_t size)
{
    with_deadline(bide_ms(10)) {
        await(bide_write(stream, data, size));
    }
    return bide_void;
}

/* What is sent is what stood there while the writer waited, whatever he does with it later. */
TEST(a_cancelled_write_leaves_its_buffer_alone, .real_clock = true)
{
    bide_error *err;
    size_t n, seen = 0, other = 0;
    char part[4096];
    struct tcp_pair pair = connected_pair();
    char *data = malloc(MANY);
    require(data);
    defer(free, data);
    memset(data, 'a', MANY);
    attempt(&err, write_from, pair.near, data, (size_t)MANY);
    require(err);
    check_int(err->code, BIDE_TIMEOUT);
    memset(data, 'b', MANY);
    bide_close(pair.near);
    while ((n = await(bide_read(pair.far, part, sizeof part))) > 0) {
        for (size_t i = 0; i < n; i++)
            other += part[i] != 'a';
        seen += n;
    }
    check(seen > 0 && seen < MANY);
    check_int((int)other, 0);
    bide_close(pair.far);
}

static async(int) code_of_write(bide_stream_ptr stream, const char *data);
SPAWNABLE(int, code_of_write, bide_stream_ptr, const char *)
static async(int) code_of_write(bide_stream_ptr stream, const char *data)
{
    bide_error *err;
    attempt(&err, bide_write, stream, data, 4);
    return ready(int, err ? err->code : 0);
}

/* Who is cancelled between his write and the next poll has sent all, or nothing and says so. */
TEST(a_write_that_has_just_begun_is_cancelled, .real_clock = true)
{
    enum { WRITERS = 40 };
    struct tcp_pair pairs[WRITERS];
    static char data[WRITERS][4];
    task(int) writers[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        pairs[i] = connected_pair();
    with_group(g) {
        memset(data, 'a', sizeof data);
        for (int i = 0; i < WRITERS; i++)
            writers[i] = spawn(g, code_of_write, pairs[i].near, data[i]);
        await(bide_yield());
        for (int i = 0; i < WRITERS; i++)
            if (i % 4 != 3)
                bide_cancel(writers[i], "the test");
        for (int i = 0; i < WRITERS; i++) {
            char back[8];
            bide_task_ref one = bide_ref(writers[i]);
            await(bide_wait(BIDE_ALL, &one, 1));
            memset(data[i], 'b', sizeof data[i]);
            bide_close(pairs[i].near);
            size_t n = await(bide_read(pairs[i].far, back, sizeof back));
            check(n == 0 || n == 4);
            for (size_t k = 0; k < n; k++)
                check_int(back[k], 'a');
            if (i % 4 == 3)
                check_int((int)n, 4);
            bide_close(pairs[i].far);
        }
    }
}

static size_t drain(const bide_stream *stream)
{
    static char bytes[1 << 16];
    size_t count = 0;
    ssize_t n;
    while ((n = recv(bide_stream_fd(stream), bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        count += (size_t)n;
    return count;
}

/* A cancel ends a write in its middle, although there is room for more when its task runs. */
TEST(a_long_write_ends_with_its_cancel, .real_clock = true)
{
    static char data[MANY];
    int cut = 0;
    for (int round = 0; round < 8; round++) {
        bide_stream *pair[2], *other[2];
        bide_error *err;
        size_t taken = 0;
        await(bide_stream_pair(pair));
        await(bide_stream_pair(other));
        with_group(g) {
            task(int) reader = spawn(g, code_of_read, other[0]);
            await(bide_sleep(bide_ms(1)));
            task(void) writer = spawn(g, bide_write, pair[0], data, MANY);
            await(bide_yield());
            bide_close(other[0]); /* the kernel gets what is queued, and its answers wait */
            taken = drain(pair[1]);
            bide_cancel(writer, "the test");
            check_int(await_task(reader), BIDE_CLOSED);
        }
        check_int(drain(pair[1]), 0);
        if (taken > 0) {
            attempt(&err, bide_write, pair[0], "more", 4);
            require(err);
            check_contains(err->message, "cut off in the middle");
            cut++;
        }
        bide_close(pair[0]);
        bide_close(pair[1]);
        bide_close(other[1]);
    }
    check(cut > 0); /* where the order of tasks is shuffled, some have not begun */
}

/* A write that has begun is not for the next stream with the number. */
TEST(a_write_that_has_just_begun_is_closed_under, .real_clock = true)
{
    for (int round = 0; round < 5; round++) {
        bide_stream *old[2], *new[2];
        char back[8];
        bide_error *err;
        await(bide_stream_pair(old));
        int number = bide_stream_fd(old[0]);
        with_group(g) {
            task(int) writer = spawn(g, code_of_write, old[0], "aaaa");
            await(bide_yield());
            bide_close(old[0]);
            await(bide_stream_pair(new));
            check_int(bide_stream_fd(new[0]), number);
            await(bide_write(new[0], "mine", 4)); /* before the writer knows */
            int code = await_task(writer);
            check(code == 0 || code == BIDE_CLOSED);
        }
        await(bide_read_exactly(new[1], back, 4));
        check_mem(back, "mine", 4);
        attempt(&err, read_into, new[1], (char *)back, sizeof back);
        require(err);
        check_int(err->code, BIDE_TIMEOUT);
        bide_close(old[1]);
        bide_close(new[0]);
        bide_close(new[1]);
    }
}

/* Readers that do not read take nothing away from those who do, and get everything later, in
   order. */
TEST(a_reader_that_does_not_read_holds_up_nobody, .real_clock = true, .timeout_ms = 30000)
{
    enum { IDLERS = 8, SENT = 60000 };
    struct tcp_pair idle[IDLERS], busy = connected_pair();
    static char data[SENT], back[SENT];
    for (int i = 0; i < SENT; i++)
        data[i] = (char)(i * 31 + i / 251);
    for (int i = 0; i < IDLERS; i++) {
        bide_error *err;
        idle[i] = connected_pair();
        attempt(&err, read_into, idle[i].far, (char *)back, sizeof back); /* it has waited */
        require(err);
        await(bide_write(idle[i].near, data, SENT));
    }
    with_group(g) {
        spawn_void(g, echo, busy.far);
        for (int i = 0; i < 50; i++)
            await(check_echo(busy.near, "not held up by anybody, though there are few buffers"));
        bide_close(busy.near);
    }
    for (int i = 0; i < IDLERS; i++) {
        size_t done = 0;
        memset(back, 0, SENT);
        while (done < SENT) {
            size_t want = (size_t)(1 + done * 7 % 999);
            want = want < SENT - done ? want : SENT - done;
            done += await(bide_read(idle[i].far, back + done, want));
        }
        check_mem(back, data, SENT);
        bide_close(idle[i].near);
        check_int(await(bide_read(idle[i].far, back, 1)), 0);
        check_int(await(bide_read(idle[i].far, back, 1)), 0);
        bide_close(idle[i].far);
    }
}

TEST(two_readers_are_misuse, .real_clock = true)
{
    bide_error *err;
    char buffer[4];
    bide_stream *pair[2];
    if (BIDE_DEBUG)
        test_skip("misuse aborts in this build");
    await(bide_stream_pair(pair));
    with_group(g) {
        spawn_void(g, code_of_read, pair[0]);
        await(bide_sleep(bide_ms(5)));
        test_capture_stderr();
        attempt(&err, bide_read, pair[0], (void *)buffer, sizeof buffer);
        const char *printed = test_captured();
        require(err);
        check_int(err->code, BIDE_MISUSE);
        check_contains(err->message, "two tasks read from unix: at once");
        check_contains(err->message, "stream_test.c");
        check_contains(err->message, "'code_of_read'");
        check_contains(printed, "misuse: two tasks read from");
        await(bide_write(pair[1], "x", 1));
    }
    bide_close(pair[0]);
    bide_close(pair[1]);
}

/* Out-of-band data ends a read in the middle of what is there: the rest must not be forgotten. */
TEST(urgent_data_does_not_stall_a_stream, .real_clock = true)
{
    char buffer[16];
    size_t got = 0;
    struct tcp_pair pair = connected_pair();
    int fd = bide_stream_fd(pair.near);
    check_int(send(fd, "abc", 3, 0), 3);
    check_int(send(fd, "!", 1, MSG_OOB), 1);
    check_int(send(fd, "def", 3, 0), 3);
    await(bide_sleep(bide_ms(5)));
    with_deadline(bide_s(2)) {
        while (got < 6)
            got += await(bide_read(pair.far, buffer + got, sizeof buffer - got));
    }
    check_mem(buffer, "abcdef", 6);
    bide_close(pair.near);
    bide_close(pair.far);
}

/* So does a descriptor that is passed over a unix socket. */
TEST(a_passed_descriptor_does_not_stall_a_stream, .real_clock = true)
{
    char buffer[16];
    size_t got = 0;
    bide_stream *pair[2];
    await(bide_stream_pair(pair));
    int fd = bide_stream_fd(pair[1]);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = {{0}};
    struct iovec part = {"abc", 3};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *passed = CMSG_FIRSTHDR(&message);
    *passed = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(passed), &fd, sizeof fd);
    check_int(sendmsg(fd, &message, 0), 3);
    check_int(send(fd, "def", 3, 0), 3);
    with_deadline(bide_s(2)) {
        while (got < 6)
            got += await(bide_read(pair[0], buffer + got, sizeof buffer - got));
    }
    check_mem(buffer, "abcdef", 6);
    bide_close(pair[0]);
    bide_close(pair[1]);
}

static async(void) two_talks(uint16_t port);
SPAWNABLE(void, two_talks, uint16_t)
static async(void) two_talks(uint16_t port)
{
    bide_error *err;
    for (int i = 1; i <= 2; i++) {
        attempt(&err, talk, port, i);
        /* If it is the server that is cancelled, the stream ends or is reset. */
        if (err && err->code == BIDE_CANCELLED)
            fail(err);
    }
    return bide_void;
}

static void round_trips(void) BIDE__TASK
{
    bool late;
    int before = open_descriptors();
    defer(check_descriptors, &before);
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, echo_server, listener, 2);
            /* ... or nobody answers. */
            move_on_after(&late, bide_ms(100), two_talks, bide_listener_port(listener));
            bide_group_cancel(g, "enough");
        }
    }
    bide_stream *pair[2];
    await(bide_stream_pair(pair));
    defer(bide_close_stream, pair[0]);
    defer(bide_close_stream, pair[1]);
    with_group(g) {
        spawn_void(g, code_of_read, pair[0]);
        await(bide_write(pair[1], "x", 1));
    }
}

TEST(a_cancel_at_every_await_leaks_nothing, .real_clock = true, .cancel_everywhere = true)
{
    round_trips();
}

TEST(a_failed_allocation_leaks_nothing, .real_clock = true, .fail_allocations = true)
{
    round_trips();
}
