/*
 * process_test.c: child processes: words, streams, environment, folder, how they end, signals, the
 * end of the block with a child that ignores SIGTERM, cancels. The clock is the real one: children
 * do not follow another.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SCRIPT(text) WORDS("/bin/sh", "-c", text)

/* What was open when this program began. */
static bool inherited[256];

__attribute__((constructor)) static void remember_inherited(void)
{
    for (int number = 0; number < 256; number++)
        inherited[number] = fcntl(number, F_GETFD) >= 0;
}

static bool is_inherited(long number)
{
    return number < 256 && inherited[number];
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *own = opendir("/proc/self/fd");
    while (readdir(own))
        count++;
    closedir(own);
    return count;
}

static bool has_children(void)
{
    return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

static async(void) read_all(bide_stream *stream, char *text, size_t size)
{
    size_t used = 0, n;
    while ((n = await(bide_read(stream, text + used, size - used - 1))) > 0)
        used += n;
    text[used] = 0;
    return bide_void;
}

static const bide_process_options reads = {.in = BIDE_IO_NOTHING, .out = BIDE_IO_STREAM};

TEST(words_reach_the_program_as_they_are, .real_clock = true)
{
    char text[256];
    size_t before = open_descriptors();
    with(bide_child, child, WORDS("printf", "%s|%s|%s", "two words", "$HOME;", "*"), &reads) {
        check(!bide_process_in(child) && !bide_process_error(child));
        await(read_all(bide_process_out(child), text, sizeof text));
        check_str(text, "two words|$HOME;|*");
        check(bide_process_ok(await(bide_process_wait(child))));
        check(bide_process_ok(await(bide_process_wait(child))));
        check(!bide_process_signal(child, SIGTERM));
    }
    check_int(open_descriptors(), before);
    check(!has_children());
}

TEST(there_and_back_through_streams, .real_clock = true)
{
    char text[256];
    bide_process_options options = {
        .in = BIDE_IO_STREAM, .out = BIDE_IO_STREAM, .error = BIDE_IO_STREAM};
    with(bide_child, child, SCRIPT("cat; echo done >&2"), &options) {
        await(bide_write(bide_process_in(child), "some bytes", 10));
        await(bide_read_exactly(bide_process_out(child), text, 10));
        check_mem(text, "some bytes", 10);
        bide_shutdown_write(bide_process_in(child));
        await(read_all(bide_process_error(child), text, sizeof text));
        check_str(text, "done\n");
        check(bide_process_ok(await(bide_process_wait(child))));
    }
    options = (bide_process_options){.out = BIDE_IO_STREAM, .error = BIDE_IO_OUT};
    with(bide_child, child, SCRIPT("echo one; echo two >&2"), &options) {
        await(read_all(bide_process_out(child), text, sizeof text));
        check_str(text, "one\ntwo\n");
    }
}

TEST(how_it_ended, .real_clock = true)
{
    bide_process_end end;
    with(bide_child, child, SCRIPT("exit 7"), NULL) {
        end = await(bide_process_wait(child));
        check_int(end.status, 7);
        check_int(end.signal, 0);
        check(!bide_process_ok(end));
    }
    with(bide_child, child, SCRIPT("kill -USR1 $$"), NULL) {
        end = await(bide_process_wait(child));
        check_int(end.status, -1);
        check_int(end.signal, SIGUSR1);
    }
    with(bide_child, child, WORDS("sleep", "100"), NULL) {
        check(bide_process_id(child) > 0);
        check(bide_process_signal(child, SIGINT));
        end = await(bide_process_wait(child));
        check_int(end.signal, SIGINT);
    }
}

TEST(environment_and_folder, .real_clock = true)
{
    char text[256];
    bide_process_options options = reads;
    options.environment = WORDS("GREETING=hello", "PATH=/bin:/usr/bin");
    options.folder = "/usr";
    with(bide_child, child, SCRIPT("echo $GREETING $HOME; pwd"), &options) {
        await(read_all(bide_process_out(child), text, sizeof text));
        check_str(text, "hello\n/usr\n");
    }
}

TEST(the_child_has_no_signals_of_ours_and_no_descriptors, .real_clock = true)
{
    char text[2048];
    with(bide_child, child, WORDS("grep", "^Sig[IB]", "/proc/self/status"), &reads) {
        await(read_all(bide_process_out(child), text, sizeof text));
        check_contains(text, "SigBlk:\t0000000000000000");
        /* glibc itself ignores its two own signals while it starts a program. */
        check(strstr(text, "SigIgn:\t0000000000000000") ||
              strstr(text, "SigIgn:\t0000000180000000"));
    }
    /* Those that the library has now, the standard ones, our maker's, and where ls reads. */
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with(bide_tcp, stream, "127.0.0.1", bide_listener_port(listener)) {
            bide_stream *accepted = await(bide_accept(listener));
            with(bide_child, child, WORDS("ls", "/proc/self/fd"), &reads) {
                int more = 0;
                await(read_all(bide_process_out(child), text, sizeof text));
                for (char *at = text; *at; at = strchr(at, '\n') + 1) {
                    long number = strtol(at, NULL, 10);
                    more += number > 2 && !is_inherited(number);
                }
                check_int(more, 1);
            }
            bide_close(accepted);
            check(bide_stream_fd(stream) > 2);
        }
    }
}

static async(void) run_nothing(const char *name, const char *folder)
{
    bide_process_options options = {.folder = folder, .out = BIDE_IO_STREAM};
    with(bide_child, child, WORDS(name), &options) {
        (void)child;
    }
    return bide_void;
}
SPAWNABLE(void, run_nothing, const char *, const char *)

TEST(what_cannot_be_started_is_told, .real_clock = true)
{
    bide_error *error;
    size_t before = open_descriptors();
    attempt(&error, run_nothing, "no-such-program-here", NULL);
    require(error);
    check_int(error->code, BIDE_NOT_FOUND);
    check_str(error->message, "start no-such-program-here: there is no such program");
    attempt(&error, run_nothing, "true", "/no/such/folder");
    require(error);
    check_str(error->message, "start true: there is no folder /no/such/folder");
    attempt(&error, run_nothing, "/etc/passwd", NULL);
    require(error);
    check_int(error->system_errno, EACCES);
    attempt(&error, run_nothing, NULL, NULL);
    check_int(error ? error->code : 0, BIDE_INVALID);
    check_int(open_descriptors(), before);
    check(!has_children());
}

/* Says when it has its trap. */
static const char *const stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done";

static async(void) leave_stubborn(int way)
{
    char line[8];
    bide_process_options options = reads;
    options.patience = bide_ms(150);
    options.own_group = true; /* its sleep, too */
    with(bide_child, child, SCRIPT(stubborn), &options) {
        await(bide_read_exactly(bide_process_out(child), line, 6));
        if (way == 1)
            fail(bide_error_new(1000, "on purpose"));
        if (way == 2)
            (void)await(bide_process_wait(child));
    }
    return bide_void;
}
SPAWNABLE(void, leave_stubborn, int)

TEST(a_child_that_ignores_sigterm_is_killed, .real_clock = true)
{
    for (int way = 0; way < 3; way++) {
        bide_error *error = NULL;
        size_t before = open_descriptors();
        int64_t start_ns = bide_clock_ns();
        if (way < 2) {
            attempt(&error, leave_stubborn, way);
            check_int(error ? error->code : 0, way == 1 ? 1000 : 0);
        } else {
            bool late;
            move_on_after(&late, bide_ms(400), leave_stubborn, way);
            check(late);
        }
        check(bide_clock_ns() - start_ns >= 150 * 1000000);
        check(!has_children());
        check_int(open_descriptors(), before);
    }
}

static bool finished; /* who has not begun to wait by then must not */

static async(int) wait_for_status(bide_process *child)
{
    if (finished)
        return ready(int, 3);
    return ready(int, await(bide_process_wait(child)).status);
}
SPAWNABLE(int, wait_for_status, bide_process *)

/* Its owner may finish it before they have run; the last of them frees it. */
TEST(many_wait_for_one_that_is_finished, .real_clock = true)
{
    enum { ROUNDS = 20 };
    int64_t live = 0;
    for (int round = 0; round < ROUNDS; round++) {
        task(int) waiters[3];
        finished = false;
        with_group(g) {
            with(bide_child, child,
                 SCRIPT("trap 'exit 3' TERM; echo; while :; do sleep 0.01; done"), &reads) {
                char byte;
                await(bide_read_exactly(bide_process_out(child), &byte, 1));
                for (int i = 0; i < 3; i++)
                    waiters[i] = spawn(g, wait_for_status, child);
                if (round % 2)
                    await(bide_yield());
            }
            finished = true;
            for (int i = 0; i < 3; i++)
                check_int(await_task(waiters[i]), 3);
        }
        check(!has_children());
        if (round == 1)
            live = bide__mem_live();
    }
    check(bide__mem_live() - live < ROUNDS / 5);
}

/* Whether the process of a pidfd has ended. */
static bool has_ended(int pidfd)
{
    struct pollfd one = {.fd = pidfd, .events = POLLIN};
    return poll(&one, 1, 5000) == 1;
}

TEST(nothing_of_a_group_outlives_the_block, .real_clock = true)
{
    /* The leader ends by SIGTERM, or by itself and is waited for, or by itself. */
    static const char *const leaders[] = {" & wait", " & read line", " & read line"};
    for (int way = 0; way < 3; way++) {
        char script[256], line[32];
        int pidfd = -1;
        bide_process_options options = {
            .in = BIDE_IO_STREAM, .out = BIDE_IO_STREAM, .own_group = true};
        snprintf(script, sizeof script, "sh -c 'trap \"\" TERM; echo $$; exec sleep 100'%s",
                 leaders[way]);
        with(bide_child, child, SCRIPT(script), &options) {
            size_t n = await(bide_read(bide_process_out(child), line, sizeof line - 1));
            line[n] = 0;
            pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(line, NULL, 10), 0);
            require(pidfd >= 0);
            if (way > 0)
                await(bide_write(bide_process_in(child), "\n", 1));
            if (way == 1) {
                check(bide_process_ok(await(bide_process_wait(child))));
                check(!bide_process_signal(child, SIGTERM));
            }
        }
        check(has_ended(pidfd));
        close(pidfd);
        check(!has_children());
    }
}

TEST(one_that_obeys_is_not_waited_for_long, .real_clock = true)
{
    bide_process_options options = reads;
    char line[8];
    options.patience = bide_s(4);
    int64_t start_ns = bide_clock_ns();
    with(bide_child, child, SCRIPT("trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done"),
         &options) {
        await(bide_read_exactly(bide_process_out(child), line, 6));
    }
    check(bide_clock_ns() - start_ns < 3 * INT64_C(1000000000));
    check(!has_children());
}

static async(void) run_one(void *unused)
{
    char text[32];
    (void)unused;
    with(bide_child, child, WORDS("echo", "there"), &reads) {
        await(read_all(bide_process_out(child), text, sizeof text));
        check_str(text, "there\n");
        check(bide_process_ok(await(bide_process_wait(child))));
    }
    return bide_void;
}
SPAWNABLE(void, run_one, void *)

TEST(many_at_once, .real_clock = true, .timeout_ms = 30000)
{
    with_group(g, .max_concurrency = 8) {
        for (int i = 0; i < 40; i++)
            spawn_void(g, run_one, NULL);
    }
    check(!has_children());
}

static void check_nothing_left(void *before)
{
    check_int(open_descriptors(), *(size_t *)before);
    check(!has_children());
}

TEST(cancels_at_every_await, .real_clock = true, .cancel_everywhere = true)
{
    size_t before = open_descriptors();
    defer(check_nothing_left, &before);
    await(run_one(NULL));
}

TEST(without_memory, .real_clock = true, .fail_allocations = true)
{
    bide_error *error;
    attempt(&error, run_one, NULL);
    if (error && error->code != BIDE_LIMIT) /* the lane had no thread yet */
        fail(error);
}
