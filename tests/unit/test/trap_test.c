/*
 * trap_test.c: system calls that block a loop are found where they are made; others are not.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "self.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

/* As a driver that somebody else wrote. */
int driver_waits(int ms);
OFFLOADABLE(int, driver_waits, int)
__attribute__((noinline)) int driver_waits(int ms)
{
    struct timespec time = {0, ms * 1000000L};
    return nanosleep(&time, NULL) + 7;
}

static async(void) ask_the_driver(void)
{
    await(bide_yield());
    check_int(driver_waits(3), 7);
    return bide_void;
}

TEST(hidden_sleeps, .hidden = true, .no_blocking = true)
{
    await(ask_the_driver());
}

TEST(hidden_sleeps_unseen, .hidden = true)
{
    check_int(driver_waits(1), 7);
}

int driver_asks(int fd);
__attribute__((noinline)) int driver_asks(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;
    if (poll(&polled, 1, 2) != 0)
        return -1;
    return (int)recv(fd, &byte, 1, MSG_DONTWAIT) + (int)write(fd, "x", 1);
}

EXPLORE(hidden_asks, .hidden = true, .no_blocking = true, .schedules = 3)
{
    int fds[2];
    char byte;
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    check_int(driver_asks(fds[0]), 0);
    check_int(recv(fds[1], &byte, 1, 0), 1); /* it is there, but the socket may block */
    close(fds[0]);
    close(fds[1]);
}

static void need_traps(void)
{
    run_hidden("hidden_sleeps", "");
    if (strstr(text, "cannot be trapped here"))
        test_skip("a sanitizer, valgrind, or a kernel without seccomp filters");
}

TEST_PLAIN(a_blocking_call_is_named_with_who_made_it)
{
    need_traps();
    check_int(run_hidden("hidden_sleeps", ""), 1);
    check_contains(text, "bide: BLOCKING CALL ");
    check_contains(text, "nanosleep on the loop's thread, ");
    check_contains(text, "driver_waits + 0x");
    check_contains(text, "  last await at ");
    check_contains(text, "  fix: await(bide_sleep(...))\n");
    check_int(count("BLOCKING CALL"), 1);
}

TEST_PLAIN(the_environment_asks_for_it_too)
{
    need_traps();
    check_int(run_hidden("hidden_sleeps_unseen", ""), 0);
    setenv("BIDE_TRAP", "1", 1);
    check_int(run_hidden("hidden_sleeps_unseen", ""), 1);
    check_contains(text, "driver_waits + 0x");
    unsetenv("BIDE_TRAP");
}

TEST_PLAIN(what_a_call_does_is_as_without)
{
    need_traps();
    check_int(run_hidden("hidden_asks", ""), 1);
    check_contains(text, "driver_asks + 0x");
    check_contains(text, "BLOCKING CALL recvfrom");
    check(!strstr(text, "check_int failed"));
    check_contains(text, "  fix: await(offload(BIDE_BLOCKING, ...))\n");
}

/* As a library does that wants no signals in its threads. */
static void *thread_of_a_library(void *old_way)
{
    sigset_t all, now;

    sigfillset(&all);
    check_int(
        old_way ? sigprocmask(SIG_BLOCK, &all, NULL) : pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    check_int(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    check(sigismember(&now, SIGTERM) && sigismember(&now, SIGRTMAX));
    check_int(driver_waits(1), 7);
    check_int(pthread_sigmask(SIG_UNBLOCK, &all, &now), 0);
    check(sigismember(&now, SIGTERM));
    check_int(pthread_sigmask(12345, &all, NULL), EINVAL);
    errno = 0;
    check(sigprocmask(12345, &all, NULL) == -1 && errno == EINVAL);
    return NULL;
}

static void *thread_of_another_libc(void *unused)
{
    uint64_t all = UINT64_MAX;

    (void)unused;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    driver_waits(1);
    return NULL;
}

static void in_a_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    check_int(pthread_create(&thread, NULL, run, arg), 0);
    check_int(pthread_join(thread, NULL), 0);
}

TEST(threads_that_block_signals_go_on, .no_blocking = true)
{
    in_a_thread(thread_of_a_library, NULL);
    in_a_thread(thread_of_a_library, "");
}

TEST(hidden_blocks_all_signals, .hidden = true, .no_blocking = true)
{
    in_a_thread(thread_of_another_libc, NULL);
}

TEST_PLAIN(who_dies_of_the_filter_hears_of_it)
{
    need_traps();
    check_int(run_hidden("hidden_blocks_all_signals", ""), 1);
    check_contains(
        text,
        "died by signal 31 (Bad system call); under no_blocking: in a thread that blocks it\n");
}

TEST_PLAIN(hidden_plain, .hidden = true, .no_blocking = true)
{
    check(true);
}

TEST_PLAIN(a_plain_test_cannot_ask_for_it)
{
    check_int(run_hidden("hidden_plain", ""), 1);
    check_contains(text, "no_blocking is for TEST and EXPLORE");
}

static async(void) echo(bide_listener *listener)
{
    char byte;
    with(bide_accepted, stream, listener) {
        check_int(await(bide_read(stream, &byte, 1)), 1);
        await(bide_write(stream, &byte, 1));
    }
    return bide_void;
}
SPAWNABLE(void, echo, bide_listener *)

TEST(what_does_not_block_the_loop_passes, .no_blocking = true, .real_clock = true)
{
    char byte = 'a';
    check_int(await(offload(BIDE_BLOCKING, driver_waits, 2)), 7);
    await(bide_sleep(bide_ms(2)));
    with_deadline(bide_s(10)) {
        with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
            with_group(g) {
                spawn_void(g, echo, listener);
                with(bide_tcp, stream, "127.0.0.1", bide_listener_port(listener)) {
                    await(bide_write(stream, &byte, 1));
                    check_int(await(bide_read(stream, &byte, 1)), 1);
                }
            }
        }
    }
    check_int(byte, 'a');
}
