/*
 * The epoll backend by itself: polling and waking. Of each backend: late events, waiting for a
 * descriptor that is not a socket.
 */
#include "net_case.h"

#include "base/caps.h"
#include "core/graph.h"
#include "io/endpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define BACKEND bide__io_epoll
#include "backend_case.h"

static const struct bide__kind kind_pipe = {.noun = "pipe", .verb = "waits for"};

static int perform(struct bide__fd *fd, enum bide__op_kind kind)
{
    struct bide__op op = {.kind = (uint8_t)kind, .fd = fd};
    return fd->io->ops->perform(fd->io, &op);
}

/* A block that is in the page cache needs no thread; other threads copy what is longer. */
TEST(what_is_cached_is_read_at_once, .real_clock = true)
{
    char path[] = "/tmp/bide_epoll_XXXXXX", text[BIDE_CAP_FILE_NOW_BYTES + 1];
    struct bide__object object = {&kind_pipe, path, NULL};
    struct bide__file_op op = {.fd = mkstemp(path), .buffer = text, .size = 8, .object = &object};
    struct bide__io *io = bide__loop_here->io;
    struct iovec part = {text, 8};
    unlink(path);
    check_int(write(op.fd, "0123456789", 10), 10);
    if (io->ops != &bide__io_epoll || preadv2(op.fd, &part, 1, 0, RWF_NOWAIT) < 8)
        test_skip("another backend, or no such reading on this file system");
    check_int(io->ops->file(io, &op), 8);
    check_mem(text, "01234567", 8);
    op.offset = 8;
    check_int(io->ops->file(io, &op), 2);
    check_mem(text, "89", 2);
    op.offset = 10;
    check_int(io->ops->file(io, &op), 0);
    check(!op.waited);
    op.size = sizeof text;
    check_int(io->ops->file(io, &op), -EAGAIN);
    close(op.fd);
}

static async(int) until_readable(struct bide__fd *fd);
SPAWNABLE(int, until_readable, struct bide__fd *)
static async(int) until_readable(struct bide__fd *fd)
{
    return ready(int, perform(fd, BIDE__OP_READABLE));
}

TEST(any_descriptor_can_be_waited_for, .real_clock = true)
{
    int ends[2];
    char byte;
    struct bide__io *io = bide__loop_here->io;
    require(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    struct bide__fd reads = {.fd = ends[0], .object = {&kind_pipe, "in", NULL}};
    struct bide__fd writes = {.fd = ends[1], .object = {&kind_pipe, "out", NULL}};
    check_int(io->ops->attach(io, &reads), 0);
    check_int(io->ops->attach(io, &writes), 0);
    check_int(perform(&writes, BIDE__OP_WRITABLE), 0);
    for (int i = 0; i < 3; i++) {
        with_group(g) {
            task(int) waiter = spawn(g, until_readable, &reads);
            await(bide_sleep(bide_ms(5)));
            check(!bide_task_done(bide_ref(waiter)));
            check_int(write(ends[1], "x", 1), 1);
            check_int(await_task(waiter), 0);
        }
        /* Still readable: nothing was transferred. */
        check_int(perform(&reads, BIDE__OP_READABLE), 0);
        check_int(read(ends[0], &byte, 1), 1);
    }
    io->ops->detach(io, &reads);
    io->ops->detach(io, &writes);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_regular_file_is_refused, .real_clock = true)
{
    char path[] = "/tmp/bide_epoll_XXXXXX";
    int file = mkstemp(path);
    struct bide__io *io = bide__loop_here->io;
    struct bide__fd fd = {.fd = file, .object = {&kind_pipe, NULL, NULL}};
    unlink(path);
    check_int(io->ops->attach(io, &fd), -EPERM);
    close(file);
}

/* Events of a descriptor that somebody closed behind its stream's back, while a copy of it lives,
   go on arriving: they are not taken for events of the number's next owner. */
TEST(a_late_event_does_not_reach_the_next_owner, .real_clock = true)
{
    bide_error *err;
    char buffer[8];
    bide_stream *old[2], *new[2];
    await(bide_stream_pair(old));
    int number = bide_stream_fd(old[0]);
    int copy = dup(number);
    close(number);
    test_capture_stderr();
    await(bide_stream_pair(new));
    check_contains(test_captured(), "was closed behind its back");
    check_int(bide_stream_fd(new[0]), number);
    with_group(g) {
        task(size_t) reader = spawn(g, bide_read, new[0], buffer, sizeof buffer);
        await(bide_sleep(bide_ms(5)));
        await(bide_write(old[1], "late", 4));
        await(bide_sleep(bide_ms(20)));
        check(!bide_task_done(bide_ref(reader)));
        await(bide_write(new[1], "mine", 4));
        check_int(await_task(reader), 4);
        check_mem(buffer, "mine", 4);
    }
    attempt(&err, bide_read, old[0], (void *)buffer, sizeof buffer);
    require(err);
    check_int(err->system_errno, EBADF);
    bide_close(old[0]);
    await(bide_write(new[1], "good", 4));
    check_int(await(bide_read(new[0], buffer, sizeof buffer)), 4);
    bide_close(old[1]);
    bide_close(new[0]);
    bide_close(new[1]);
    close(copy);
}

static async(int) code_of_read(bide_stream_ptr stream);
SPAWNABLE(int, code_of_read, bide_stream_ptr)
static async(int) code_of_read(bide_stream_ptr stream)
{
    char buffer[8];
    bide_error *err;
    attempt(&err, bide_read, stream, (void *)buffer, sizeof buffer);
    return ready(int, err ? err->code : 0);
}

/* The reader was woken, and has not run yet, when its stream is closed and the number reused. */
TEST(a_close_reaches_who_was_just_woken, .real_clock = true)
{
    bide_stream *old[2], *new[2];
    struct bide__loop *loop = bide__loop_here;
    await(bide_stream_pair(old));
    int number = bide_stream_fd(old[0]);
    with_group(g) {
        task(int) reader = spawn(g, code_of_read, old[0]);
        await(bide_sleep(bide_ms(5)));
        check_int(send(bide_stream_fd(old[1]), "x", 1, 0), 1);
        loop->io->ops->poll(loop->io, 0);
        bide_close(old[0]);
        await(bide_stream_pair(new));
        check_int(bide_stream_fd(new[0]), number);
        check_int(send(bide_stream_fd(new[1]), "y", 1, 0), 1);
        int code = await_task(reader);
        check_int(code, BIDE_CLOSED);
    }
    check_int(await(code_of_read(new[0])), 0);
    bide_close(old[1]);
    bide_close(new[0]);
    bide_close(new[1]);
}

/* What is closed is out of the epoll set, even if a copy of it lives on. */
TEST(a_closed_stream_with_a_copy_wakes_nobody, .real_clock = true)
{
    bide_stream *pair[2];
    await(bide_stream_pair(pair));
    int copy = dup(bide_stream_fd(pair[0]));
    bide_close(pair[0]);
    struct bide__loop *loop = bide__loop_here;
    int64_t until_ns = bide__clock_monotonic_ns() + 20 * BIDE__NS_PER_MS;
    check_int(send(bide_stream_fd(pair[1]), "x", 1, 0), 1);
    /* The sender's own edge, then nothing. */
    loop->io->ops->poll(loop->io, 0);
    loop->io->ops->poll(loop->io, until_ns);
    check(bide__clock_monotonic_ns() >= until_ns);
    bide_close(pair[1]);
    close(copy);
}

/* Bytes that came while another object had the descriptor are the next one's. */
TEST(a_descriptor_moves_with_what_has_come, .real_clock = true)
{
    char buffer[8];
    int fds[2];
    bide_stream *stream;
    struct bide__io *io = bide__loop_here->io;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct bide__fd fd = {.fd = fds[0], .is_stream = true, .object = {&kind_pipe, "moving", NULL}};
    check_int(io->ops->attach(io, &fd), 0);
    check_int(io->ops->receive_now(&fd, buffer, sizeof buffer), -EAGAIN);
    check_int(io->ops->peek(&fd), -EAGAIN);
    io->ops->poll(io, 0);
    check_int(write(fds[1], "early", 5), 5);
    io->ops->poll(io, 0);
    check_int(io->ops->peek(&fd), 1);
    check_int(bide__stream_move(&fd, "unix:", &stream), 0);
    check_int(fd.fd, -1);
    check_int(bide__stream_peek(stream), 1);
    check_int(await(bide_read(stream, buffer, sizeof buffer)), 5);
    check_mem(buffer, "early", 5);
    with_group(g) {
        task(size_t) reader = spawn(g, bide_read, stream, buffer, sizeof buffer);
        await(bide_sleep(bide_ms(2)));
        check_int(write(fds[1], "later", 5), 5);
        check_int(await_task(reader), 5);
    }
    close(fds[1]);
    check_int(await(bide_read(stream, buffer, sizeof buffer)), 0);
    check_int(bide__stream_peek(stream), 0);
    bide_close(stream);
}

static int readable, gone;

static void count_readable(struct bide__fd *fd)
{
    (void)fd;
    readable++;
}

static void count_gone(struct bide__fd *fd)
{
    (void)fd;
    gone++;
}

/* A server closes connections that wake it for nothing. */
TEST(nobody_is_told_of_nothing, .real_clock = true)
{
    enum { SENT = 60000 };
    static char data[SENT];
    struct bide__io *io = bide__loop_here->io;
    struct tcp_pair pair = connected_pair();
    int far = dup(bide_stream_fd(pair.far)), near = dup(bide_stream_fd(pair.near));
    bide_close(pair.far);
    bide_close(pair.near);
    struct bide__fd fd = {.fd = far,
                          .is_stream = true,
                          .short_is_drained = true,
                          .on_readable = count_readable,
                          .object = {&kind_pipe, "idle", NULL}};
    check_int(io->ops->attach(io, &fd), 0);
    for (int round = 0; round < 10; round++) {
        int got = 0;
        readable = 0;
        check_int(write(near, data, SENT), SENT);
        for (int i = 0; i < 100 && readable == 0; i++)
            io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
        check(readable > 0);
        fd.on_readable = NULL;
        for (int i = 0; i < 5000 && got < SENT; i++) {
            int n = io->ops->receive_now(&fd, data, SENT);
            got += n > 0 ? n : 0;
            if (n < 0)
                io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
        }
        check_int(got, SENT);
        while (io->ops->receive_now(&fd, data, SENT) != -EAGAIN)
            continue;
        fd.on_readable = count_readable;
        readable = 0;
        for (int i = 0; i < 3; i++)
            io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
        check_int(readable, 0);
    }
    io->ops->detach(io, &fd);
    close(far);
    close(near);
}

/* A peer that has sent all and then is gone for good, while nobody reads. */
TEST(a_reset_after_the_end_is_told, .real_clock = true)
{
    char buffer[8];
    struct linger reset = {1, 0};
    struct bide__io *io = bide__loop_here->io;
    struct tcp_pair pair = connected_pair();
    int far = dup(bide_stream_fd(pair.far)), near = dup(bide_stream_fd(pair.near));
    bide_close(pair.far);
    bide_close(pair.near);
    struct bide__fd fd = {.fd = far,
                          .is_stream = true,
                          .short_is_drained = true,
                          .on_readable = count_readable,
                          .on_gone = count_gone,
                          .object = {&kind_pipe, "reset", NULL}};
    check_int(io->ops->attach(io, &fd), 0);
    io->ops->poll(io, 0);
    check_int(readable, 0);
    check_int(write(near, "all", 3), 3);
    shutdown(near, SHUT_WR);
    for (int i = 0; i < 10 && readable == 0; i++)
        io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    check(readable > 0);
    fd.on_readable = NULL;
    check_int(io->ops->receive_now(&fd, buffer, sizeof buffer), 3);
    io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    check_int(io->ops->receive_now(&fd, buffer, sizeof buffer), 0);
    check_int(gone, 0);
    setsockopt(near, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    check_int(write(far, "answer", 6), 6);
    close(near);
    for (int i = 0; i < 100 && gone == 0; i++)
        io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    check(gone > 0);
    io->ops->detach(io, &fd);
    close(far);
}

static async(void) leave_open(void);
static async(void) leave_open(void)
{
    static bide_stream *pair[2]; /* static: what is left is no leak for LeakSanitizer */
    await(bide_stream_pair(pair));
    bide_close(pair[0]);
    close(bide_stream_fd(pair[1]));
    return bide_void;
}

TEST_PLAIN(what_stays_open_is_named_at_the_end)
{
    test_capture_stderr();
    check_int(bide_run(leave_open), 0);
    const char *said = test_captured();
    check_contains(said, "stream unix: was never closed; it was opened at ");
    check_contains(said, "epoll_test.c:");
}
