/*
 * The io_uring backend by itself: polling and waking, what a detach leaves, a kernel that refuses.
 * What both backends must do is in the other tests of this folder, which run on both.
 */
#include "net_case.h"

#include "base/caps.h"
#include "core/graph.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BACKEND bide__io_uring
#include "backend_case.h"

static const struct bide__kind kind_pipe = {.noun = "pipe", .verb = "waits for"};

/* More edges at once than the completion queue holds (of a debug build; a user's has 4096). */
TEST_PLAIN(an_overflown_completion_queue_loses_no_edge)
{
    enum { PIPES = 200 };
    struct bide__io *io = open_io();
    struct bide__fd fds[PIPES];
    int ends[PIPES][2];
    want_descriptors(2 * PIPES + 50);
    for (int i = 0; i < PIPES; i++) {
        require(pipe2(ends[i], O_NONBLOCK | O_CLOEXEC) == 0);
        fds[i] = (struct bide__fd){.fd = ends[i][0], .object = {&kind_pipe, NULL, NULL}};
        check_int(io->ops->attach(io, &fds[i]), 0);
    }
    for (int round = 0; round < 3; round++) {
        char byte;
        for (int i = 0; i < PIPES; i++) {
            fds[i].readiness &= (uint8_t)~BIDE__FD_READ;
            io->ops->want(&fds[i]);
            check_int(write(ends[i][1], "x", 1), 1);
        }
        int seen = 0;
        for (int polls = 0; polls < 2 * PIPES && seen < PIPES; polls++) {
            io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
            seen = 0;
            for (int i = 0; i < PIPES; i++)
                seen += bide__fd_may_read(&fds[i]);
        }
        check_int(seen, PIPES);
        for (int i = 0; i < PIPES; i++)
            check_int(read(ends[i][0], &byte, 1), 1);
    }
    for (int i = 0; i < PIPES; i++) {
        io->ops->detach(io, &fds[i]);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    io->ops->close(io);
}

/* Hands over what is queued, and gets completions, which nobody sees before the next poll. */
static void submit_without_poll(struct bide__io *io)
{
    int ends[2];
    require(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    struct bide__fd other = {.fd = ends[0], .object = {&kind_pipe, NULL, NULL}};
    check_int(io->ops->attach(io, &other), 0);
    other.readiness &= (uint8_t)~BIDE__FD_READ;
    io->ops->want(&other);
    io->ops->detach(io, &other);
    close(ends[0]);
    close(ends[1]);
}

static void tcp_sockets(int ret_ends[2])
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    require(bind(listening, (void *)&any, sizeof any) == 0 && listen(listening, 1) == 0);
    require(getsockname(listening, (void *)&any, &size) == 0);
    ret_ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(ret_ends[0], (void *)&any, size) == 0);
    setsockopt(ret_ends[0], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ret_ends[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    require(ret_ends[1] >= 0);
    close(listening);
}

/* A receive that was stopped, because much was held, has not ended its stream. */
TEST_PLAIN(a_look_ahead_sees_no_end_where_a_receive_ended)
{
    int ends[2];
    char bytes[8];
    struct bide__io *io = open_io();
    tcp_sockets(ends);
    struct bide__fd fd = {.fd = ends[1],
                          .is_stream = true,
                          .short_is_drained = true,
                          .object = {&kind_pipe, NULL, NULL}};
    check_int(io->ops->attach(io, &fd), 0);
    /* Twice: at first there are few buffers. */
    for (int round = 0; round < 4 * BIDE_CAP_URING_HELD; round++) {
        int count = 1 + round % (2 * BIDE_CAP_URING_HELD);
        while (io->ops->receive_now(&fd, bytes, sizeof bytes) > 0)
            continue;
        io->ops->want(&fd);
        io->ops->poll(io, 0);
        for (int i = 0; i < count; i++) {
            check_int(write(ends[0], "x", 1), 1);
            io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
        }
        check_int(io->ops->peek(&fd), 1);
        while (io->ops->receive_now(&fd, bytes, sizeof bytes) > 0)
            continue;
        submit_without_poll(io);
        check_int(io->ops->peek(&fd), -EAGAIN);
        check_int(write(ends[0], "x", 1), 1);
        check_int(io->ops->peek(&fd), 1);
        io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    }
    close(ends[0]);
    io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    while (io->ops->receive_now(&fd, bytes, sizeof bytes) > 0)
        continue;
    check_int(io->ops->peek(&fd), 0);
    io->ops->detach(io, &fd);
    close(ends[1]);
    io->ops->close(io);
}

static struct bide__fd stream_fd(int fd)
{
    return (struct bide__fd){
        .fd = fd, .is_stream = true, .short_is_drained = true, .object = {&kind_pipe, NULL, NULL}};
}

/* Also what does not fit into the socket, and then nothing else before it. */
TEST_PLAIN(copies_are_sent_whole_and_in_order)
{
    enum { BYTES = BIDE_CAP_URING_COPY_BYTES };
    int ends[2];
    size_t sent = 0, got = 0;
    unsigned char bytes[BYTES];
    struct bide__io *io = open_io();
    tcp_sockets(ends);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int)); /* soon full */
    setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int));
    struct bide__fd fd = stream_fd(ends[1]);
    check_int(io->ops->attach(io, &fd), 0);
    check(!io->ops->send_copy(&fd, "", BYTES + 1));
    for (int refused = 0; refused < 3;) {
        for (size_t i = 0; i < BYTES; i++)
            bytes[i] = (unsigned char)((sent + i) % 251);
        if (io->ops->send_copy(&fd, bytes, BYTES)) {
            check_int(io->ops->send_now(&fd, bytes, BYTES), -EAGAIN);
            sent += BYTES;
        } else {
            refused++;
        }
        io->ops->poll(io, 0);
    }
    while (got < sent) {
        ssize_t n = recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++)
            require(bytes[i] == (got + (size_t)i) % 251);
        got += n > 0 ? (size_t)n : 0;
        io->ops->poll(io, bide__clock_monotonic_ns() + (n > 0 ? 0 : BIDE__NS_PER_MS));
    }
    check(io->ops->send_copy(&fd, "x", 1));
    io->ops->detach(io, &fd); /* it goes first */
    close(ends[1]);
    check_int(recv(ends[0], bytes, sizeof bytes, 0), 1);
    check_int(recv(ends[0], bytes, sizeof bytes, 0), 0);
    close(ends[0]);
    io->ops->close(io);
}

/* Peers that read nothing keep no places from others for longer than they are connected. */
TEST_PLAIN(a_copy_that_never_fits_goes_with_its_descriptor)
{
    char bytes[BIDE_CAP_URING_COPY_BYTES] = "";
    struct bide__io *io = open_io();
    for (int i = 0; i <= BIDE_CAP_URING_COPIES; i++) {
        int ends[2], small = 8192, refused = 0;
        tcp_sockets(ends);
        setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        struct bide__fd fd = stream_fd(ends[1]);
        check_int(io->ops->attach(io, &fd), 0);
        check(io->ops->send_copy(&fd, bytes, sizeof bytes));
        while (refused < 3) {
            io->ops->poll(io, 0);
            refused += !io->ops->send_copy(&fd, bytes, sizeof bytes);
        }
        io->ops->detach(io, &fd);
        close(ends[1]);
        close(ends[0]);
    }
    io->ops->close(io);
}

/* The end of a peer, told by the poll of a socket that was full once, comes before the completion
   of a copy that the kernel has sent. It goes out once, and its place is given back once. */
TEST_PLAIN(a_copy_that_the_kernel_has_sent_is_sent_once)
{
    char bytes[BIDE_CAP_URING_COPY_BYTES] = "";
    int ends[2], others[2][2], n;
    size_t sent = 0;
    struct bide__io *io = open_io();
    tcp_sockets(ends);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int)); /* soon full */
    setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int));
    struct bide__fd fd = stream_fd(ends[1]), other_fds[2];
    check_int(io->ops->attach(io, &fd), 0);
    for (int i = 0; i < 2; i++) {
        tcp_sockets(others[i]);
        other_fds[i] = stream_fd(others[i][1]);
        check_int(io->ops->attach(io, &other_fds[i]), 0);
    }
    while ((n = io->ops->send_now(&fd, bytes, sizeof bytes)) > 0)
        sent += (size_t)n;
    while (sent > 0 || io->ops->send_now(&fd, bytes, 0) < 0) {
        n = (int)recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT);
        sent -= n > 0 ? (size_t)n : 0;
        io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
    }
    shutdown(ends[0], SHUT_WR);
    submit_without_poll(io);
    check(io->ops->send_copy(&fd, "once", 4));
    io->ops->poll(io, 0);
    io->ops->poll(io, 0);
    for (int i = 0; i < 2; i++)
        check(io->ops->send_copy(&other_fds[i], i ? "for 1" : "for 0", 6));
    io->ops->poll(io, 0);
    check_int(recv(ends[0], bytes, sizeof bytes, 0), 4);
    for (int i = 0; i < 2; i++) {
        check_int(recv(others[i][0], bytes, sizeof bytes, 0), 6);
        check_str(bytes, i ? "for 1" : "for 0");
    }
    check_int(recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT), -1);
    for (int i = 0; i < 3; i++) {
        struct bide__fd *each = i < 2 ? &other_fds[i] : &fd;
        io->ops->detach(io, each);
        close(i < 2 ? others[i][0] : ends[0]);
        close(i < 2 ? others[i][1] : ends[1]);
    }
    io->ops->close(io);
}

/* More in one turn than there are places, while other completions wait for the poll. */
TEST_PLAIN(many_copies_in_one_turn)
{
    enum { PAIRS = 3 * BIDE_CAP_URING_COPIES, ROUNDS = 5 };
    int ends[PAIRS][2];
    char bytes[8];
    struct bide__fd fds[PAIRS];
    struct bide__io *io = open_io();
    want_descriptors(2 * PAIRS + 50);
    for (int i = 0; i < PAIRS; i++) {
        tcp_sockets(ends[i]);
        fds[i] = stream_fd(ends[i][1]);
        check_int(io->ops->attach(io, &fds[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PAIRS; i++) {
            check(io->ops->send_copy(&fds[i], "copied", 6));
            (void)io->ops->receive_now(&fds[i], bytes, sizeof bytes);
            io->ops->want(&fds[i]);
            check_int(write(ends[i][0], "x", 1), 1);
        }
        for (int polls = 0; polls < 10; polls++)
            io->ops->poll(io, 0);
        for (int i = 0; i < PAIRS; i++) {
            check_int(recv(ends[i][0], bytes, sizeof bytes, 0), 6);
            check_int(io->ops->receive_now(&fds[i], bytes, sizeof bytes), 1);
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        io->ops->detach(io, &fds[i]);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    io->ops->close(io);
}

/* Bytes and a reset, both since the last look and before the kernel knows of the receive. */
TEST_PLAIN(a_reset_that_comes_before_the_receive_is_told)
{
    int ends[2], n;
    char bytes[8];
    struct linger reset = {1, 0};
    struct bide__io *io = open_io();
    tcp_sockets(ends);
    struct bide__fd fd = stream_fd(ends[1]);
    check_int(io->ops->attach(io, &fd), 0);
    check_int(io->ops->receive_now(&fd, bytes, sizeof bytes), -EAGAIN);
    io->ops->want(&fd);
    check_int(write(ends[0], "last", 4), 4);
    setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(ends[0]);
    for (int want = 4; want != 0; want = want > 0 ? -ECONNRESET : 0) {
        for (int i = 0; i < 100 && !bide__fd_may_read(&fd); i++)
            io->ops->poll(io, bide__clock_monotonic_ns() + BIDE__NS_PER_MS);
        while ((n = io->ops->receive_now(&fd, bytes, sizeof bytes)) == -EAGAIN &&
               bide__fd_may_read(&fd))
            continue;
        check_int(n, want);
    }
    io->ops->detach(io, &fd);
    close(ends[1]);
    io->ops->close(io);
}

/* A port is free as soon as its listener is closed, and a peer sees the end of a closed stream:
   no request in the kernel holds on to them. */
static async(void) close_and_listen_again(void);
static async(void) close_and_listen_again(void)
{
    char byte;
    bide_listener *first = await(bide_listen_tcp("127.0.0.1", 0, NULL));
    uint16_t port = bide_listener_port(first);
    with_group(g) {
        task(void) accepting = spawn(g, echo_server, first, 1);
        await(bide_sleep(bide_ms(2)));
        bide_cancel(accepting, "the test is over");
    }
    bide_close(first);
    bide_listener *again = await(bide_listen_tcp("127.0.0.1", port, NULL));
    bide_close(again);
    for (int i = 0; i < 20; i++) {
        struct tcp_pair pair = connected_pair();
        int far = bide_stream_fd(pair.far);
        with_group(g) {
            task(void) reading = spawn(g, check_echo, pair.near, "never answered");
            await(bide_sleep(bide_ms(1)));
            check_int(recv(far, &byte, 1, 0), 1);
            bide_cancel(reading, "the test is over");
        }
        bide_close(pair.near);
        while (recv(far, &byte, 1, 0) > 0)
            continue;
        check_int(recv(far, &byte, 1, 0), 0); /* and not EAGAIN */
        bide_close(pair.far);
    }
    return bide_void;
}

TEST_PLAIN(what_is_closed_is_closed_at_once)
{
    struct bide__io *io = open_io();
    io->ops->close(io);
    check_int(bide_run(close_and_listen_again, .io = BIDE_IO_URING), 0);
}

/* A child has copies of all descriptors, also of the ring's, but not the ring: whatever it does,
   and however it ends, its parent goes on. */
static async(void) fork_and_go_on(void);
static async(void) fork_and_go_on(void)
{
    int status;
    struct tcp_pair pair = connected_pair();
    check_str(bide_io_name(), "io_uring");
    with_group(g) {
        spawn_void(g, echo, pair.far);
        await(check_echo(pair.near, "before"));
        pid_t child = fork();
        require(child >= 0);
        if (child == 0) {
            bide__loop_here->io->ops->wake(bide__loop_here->io);
            raise(SIGSTOP); /* it lives on while its parent works */
            _exit(0);
        }
        for (int i = 0; i < 20; i++)
            await(check_echo(pair.near, "meanwhile"));
        check_int(waitpid(child, &status, WUNTRACED), child);
        kill(child, SIGKILL);
        check_int(waitpid(child, &status, 0), child);
        await(check_echo(pair.near, "after"));
        bide_close(pair.near);
    }
    return bide_void;
}

TEST_PLAIN(a_child_does_not_disturb_its_parent)
{
    struct bide__io *io = open_io();
    io->ops->close(io);
    check_int(bide_run(fork_and_go_on, .io = BIDE_IO_URING), 0);
}

static async(int) read_pipe(int fd, char *text);
SPAWNABLE(int, read_pipe, int, char *)
static async(int) read_pipe(int fd, char *text)
{
    struct bide__object object = {&kind_pipe, "waiting", NULL};
    struct bide__file_op op = {.fd = fd, .buffer = text, .size = 4, .object = &object};
    struct bide__io *io = bide__loop_here->io;
    int code = bide__checkpoint(bide__task_current());
    return ready(int, code < 0 ? code : io->ops->file(io, &op));
}

/* A pipe stands for a file that keeps its reader waiting. What comes after the cancelled call has
   returned is the next reader's. */
static async(void) read_pipes(void);
static async(void) read_pipes(void)
{
    enum { ROUNDS = 10 };
    int ends[2];
    char text[2][5] = {"", ""};
    require(pipe2(ends, O_CLOEXEC) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        with_group(g) {
            task(int) reading = spawn(g, read_pipe, ends[0], text[0]);
            for (int i = 0; i < round; i++)
                await(bide_yield());
            if (round > ROUNDS / 2)
                await(bide_sleep(bide_ms(1)));
            bide_cancel(reading, "the test");
            bide_cancel(reading, "again");
        }
        check_int(write(ends[1], "late", 4), 4);
        check_int(await(read_pipe(ends[0], text[1])), 4);
        check_str(text[1], "late");
        check_str(text[0], "");
    }
    close(ends[0]);
    close(ends[1]);
    return bide_void;
}

TEST_PLAIN(a_cancelled_call_on_a_file_is_over_when_it_returns)
{
    struct bide__io *io = open_io();
    io->ops->close(io);
    check_int(bide_run(read_pipes, .io = BIDE_IO_URING), 0);
}

static async(void) echo_once(void);
static async(void) echo_once(void)
{
    check_str(bide_io_name(), "epoll");
    struct tcp_pair pair = connected_pair();
    with_group(g) {
        spawn_void(g, echo, pair.far);
        await(check_echo(pair.near, "hello"));
        bide_close(pair.near);
    }
    return bide_void;
}

static void check_refused(unsigned code, const char *hint)
{
    struct bide__io *io = open_io();
    io->ops->close(io);
    forbid(SYS_io_uring_setup, code);
    test_capture_stderr();
    check_int(bide_run(echo_once, .io = BIDE_IO_URING, .loops = 2), 0);
    const char *said = test_captured();
    const char *line = strstr(said, "io_uring: ");
    check_contains(said, hint);
    check_contains(said, "going on with epoll");
    require(line);
    check_ptr(strstr(line + 1, "io_uring: "), NULL); /* once, not for each loop */
}

TEST_PLAIN(a_container_that_forbids_it_gets_epoll)
{
    check_refused(EPERM, "seccomp");
}

TEST_PLAIN(a_kernel_without_it_gets_epoll)
{
    check_refused(ENOSYS, "built without it");
}

TEST_PLAIN(a_kernel_that_is_too_old_gets_epoll)
{
    check_refused(EINVAL, "older than 6.1");
}

TEST_PLAIN(without_memory_for_a_ring_it_is_epoll)
{
    check_refused(ENOMEM, "Cannot allocate memory");
}

static async(int) name_of_backend(void);
static async(int) name_of_backend(void)
{
    return ready(int, strcmp(bide_io_name(), "epoll") == 0 ? 3 : 4);
}

TEST_PLAIN(the_environment_chooses_where_the_program_does_not)
{
    struct bide__io *io = open_io();
    io->ops->close(io);
    setenv("BIDE_IO", "uring", 1);
    check_int(bide_run(name_of_backend), 4);
    check_int(bide_run(name_of_backend, .io = BIDE_IO_EPOLL), 3);
    setenv("BIDE_IO", "epoll", 1);
    check_int(bide_run(name_of_backend), 3);
    check_int(bide_run(name_of_backend, .io = BIDE_IO_URING), 4);
    setenv("BIDE_IO", "", 1);
    check_int(bide_run(name_of_backend), 3);
    setenv("BIDE_IO", "iocp", 1);
    test_capture_stderr();
    check_int(bide_run(name_of_backend), 3);
    check_contains(test_captured(), "none of auto, epoll, uring");
}
