/*
 * The tests that each backend passes by itself, without a loop: polling, waking, opening. The file
 * that includes it says which: `#define BACKEND bide__io_epoll`.
 */
#ifndef BACKEND_CASE_H
#define BACKEND_CASE_H

#include "net_case.h"

#include "base/clock.h"
#include "core/loop.h"

#include <pthread.h>

static const struct bide__io_ops *const backend = &BACKEND;
static struct bide__loop no_loop;

static struct bide__io *open_io(void)
{
    struct bide__io *io = NULL;
    if (backend->open(&no_loop, &io) < 0 && backend != &bide__io_epoll)
        test_skip("no io_uring here");
    require(io);
    return io;
}

static int64_t poll_ns(struct bide__io *io, int64_t deadline_ns)
{
    int64_t start_ns = bide__clock_monotonic_ns();
    io->ops->poll(io, deadline_ns);
    return bide__clock_monotonic_ns() - start_ns;
}

TEST_PLAIN(a_poll_keeps_its_deadline)
{
    struct bide__io *io = open_io();
    check(poll_ns(io, 0) < 50 * BIDE__NS_PER_MS);
    check(poll_ns(io, 1) < 50 * BIDE__NS_PER_MS);
    check(poll_ns(io, bide__clock_monotonic_ns() - 1) < 50 * BIDE__NS_PER_MS);
    for (int i = 1; i <= 5; i++) {
        int64_t until_ns = bide__clock_monotonic_ns() + i * 300000;
        poll_ns(io, until_ns);
        check(bide__clock_monotonic_ns() >= until_ns);
    }
    io->ops->close(io);
}

TEST_PLAIN(a_wake_before_the_poll_is_not_lost)
{
    struct bide__io *io = open_io();
    for (int i = 0; i < 3; i++) {
        io->ops->wake(io);
        io->ops->wake(io);
        check(poll_ns(io, bide__clock_monotonic_ns() + 5 * BIDE__NS_PER_S) < BIDE__NS_PER_S);
        /* Both wake-ups are one. */
        check(poll_ns(io, bide__clock_monotonic_ns() + 20 * BIDE__NS_PER_MS) >=
              20 * BIDE__NS_PER_MS);
    }
    io->ops->close(io);
}

static void *wake_soon(void *io_)
{
    struct bide__io *io = io_;
    usleep(20000);
    io->ops->wake(io);
    return NULL;
}

TEST_PLAIN(another_thread_wakes_the_poll)
{
    pthread_t thread;
    struct bide__io *io = open_io();
    require(pthread_create(&thread, NULL, wake_soon, io) == 0);
    check(poll_ns(io, INT64_MAX) >= 10 * BIDE__NS_PER_MS);
    pthread_join(thread, NULL);
    io->ops->close(io);
}

TEST_PLAIN(a_backend_without_descriptors_says_so)
{
    struct bide__io *io = open_io();
    struct rlimit limit;
    io->ops->close(io);
    io = NULL;
    require(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int before = open_descriptors();
    for (int left = 0; left < 2; left++) {
        struct rlimit tight = limit;
        int lowest_free = dup(0);
        close(lowest_free);
        tight.rlim_cur = (rlim_t)(lowest_free + left);
        require(setrlimit(RLIMIT_NOFILE, &tight) == 0);
        check_int(backend->open(&no_loop, &io), -EMFILE);
        require(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    check_ptr(io, NULL);
    check_int(open_descriptors(), before);
}

#endif
