/*
 * signals_test.c: the signal policy of bide_run, and the report of an overflown stack. What ends
 * the process runs in a child, whose stderr is kept.
 */
#include "base/mem.h"
#include "core/context.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char text[32 * 1024];

/* Runs `program` in a child; its stderr is in `text` then; gives what waitpid(2) says. */
static int run_child(int (*program)(void))
{
    int status, fd = memfd_create("child_stderr", MFD_CLOEXEC);
    require(fd >= 0);
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(fd, STDERR_FILENO);
        _exit(program());
    }
    while (waitpid(child, &status, 0) < 0)
        require(errno == EINTR);
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    require(length >= 0);
    text[length] = 0;
    close(fd);
    return status;
}

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

/* Whether this is on stderr already, which is a file here. */
static bool was_said(const char *part)
{
    char said[4096];
    ssize_t length = pread(STDERR_FILENO, said, sizeof said - 1, 0);
    said[length > 0 ? length : 0] = 0;
    return strstr(said, part) != NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Does what a program must not do: keeps its loop until somebody has said this. */
static void block_until_said(const char *part)
{
    for (int64_t end_ms = now_ms() + 5000; !was_said(part) && now_ms() < end_ms;)
        continue;
}

static bool in_order;

static bide_async(void) serve(void)
{
    kill(getpid(), SIGTERM);
    await(bide_until_stop());
    in_order = true;
    return bide_void;
}

TEST_PLAIN(sigterm_stops_in_order)
{
    check_int(bide_run(serve), 0);
    check(in_order);
}

static bide_async(void) wait_for_stop(void)
{
    await(bide_until_stop());
    return bide_void;
}

static void wait_for_policy(void)
{
    struct sigaction action = {.sa_flags = 0};
    while (!(action.sa_flags & SA_SIGINFO)) {
        sched_yield();
        sigaction(SIGTERM, NULL, &action);
    }
}

static void *send_from_elsewhere(void *unused)
{
    wait_for_policy();
    raise(SIGTERM); /* to this very thread, which is no loop's */
    return unused;
}

TEST_PLAIN(any_thread_may_get_the_signal)
{
    pthread_t thread;
    require(pthread_create(&thread, NULL, send_from_elsewhere, NULL) == 0);
    check_int(bide_run(wait_for_stop), 0);
    pthread_join(thread, NULL);
}

static bide_async(void) only_sleep(void)
{
    kill(getpid(), SIGINT);
    await(bide_sleep(bide_s(100)));
    in_order = true;
    return bide_void;
}

TEST_PLAIN(sigint_cancels_a_main_task_that_does_not_wait_for_a_stop)
{
    check_int(bide_run(only_sleep), 0);
    check(!in_order);
}

static bide_async(void) look_at_dispositions(void)
{
    struct sigaction action;
    int ends[2];
    require(pipe(ends) == 0);
    close(ends[0]);
    check_int(write(ends[1], "x", 1), -1);
    check_int(errno, EPIPE);
    close(ends[1]);
    sigaction(SIGTERM, NULL, &action);
    check(action.sa_flags & SA_RESTART);
    check(action.sa_flags & SA_ONSTACK);
    return bide_void;
}

static void note(int number)
{
    (void)number;
}

TEST_PLAIN(sigpipe_is_ignored_and_all_is_put_back)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGPIPE, SIGXFSZ, SIGURG};
    struct sigaction mine = {.sa_handler = note}, action;
    stack_t before, after;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &mine, NULL);
    sigaltstack(NULL, &before);
    check_int(bide_run(look_at_dispositions), 0);
    sigaltstack(NULL, &after);
    check_int(after.ss_flags, before.ss_flags);
    if (!(before.ss_flags & SS_DISABLE))
        check_ptr(after.ss_sp, before.ss_sp);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], NULL, &action);
        check(action.sa_handler == note);
    }
}

static bide_async(void) look_at_ignored(void)
{
    struct sigaction action;
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP && sigaction(number, NULL, &action) == 0)
            check(number == SIGCHLD || BIDE__ASAN || BIDE__TSAN || action.sa_handler == SIG_DFL ||
                  action.sa_handler == note);
    return bide_void;
}

TEST_PLAIN(ignore_signals_leaves_all_alone)
{
    signal(SIGTERM, note);
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP && number != SIGSEGV && number != SIGBUS)
            signal(number, note);
    check_int(bide_run(look_at_ignored, .ignore_signals = true), 0);
}

SPAWNABLE(void, lingers)
async(void) lingers(void)
{
    await(bide_sleep(BIDE_FOREVER));
    return bide_void;
}

static bide_async(void) does_not_stop(void)
{
    spawn_void(bide_background(), lingers);
    kill(getpid(), SIGINT);
    await(bide_until_stop());
    kill(getpid(), SIGINT);
    await(bide_sleep(BIDE_FOREVER));
    return bide_void;
}

static int run_does_not_stop(void)
{
    return bide_run(does_not_stop);
}

TEST_PLAIN(the_second_sigint_says_what_is_waited_for)
{
    int status = run_child(run_does_not_stop);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 130);
    check_contains(text, "bide: interrupted twice; still waiting for:\nbide: tasks of loop 0\n");
    check_contains(text, " lingers  sleeps for ");
}

static bide_async(void) blocks_for_ever(void)
{
    kill(getpid(), SIGINT);
    kill(getpid(), SIGINT);
    block_until_said("never");
    return bide_void;
}

static int run_blocks_for_ever(void)
{
    return bide_run(blocks_for_ever, .watchdog = bide_s(5));
}

TEST_PLAIN(the_second_sigint_ends_a_blocked_program_too)
{
    int status = run_child(run_blocks_for_ever);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 130);
    check_contains(text, "bide: interrupted twice; still waiting for:\n");
    check_contains(text, "  #1 main  running");
}

static bide_async(void) interrupted_thrice(void)
{
    for (int i = 0; i < 3; i++)
        kill(getpid(), SIGINT);
    return bide_void;
}

static int run_interrupted_thrice(void)
{
    return bide_run(interrupted_thrice, .watchdog = BIDE_FOREVER);
}

TEST_PLAIN(the_third_sigint_asks_nobody)
{
    int status = run_child(run_interrupted_thrice);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 130);
    check_str(text, "");
}

static bide_async(void) asked_for_its_tree(void)
{
    kill(getpid(), SIGQUIT);
    while (!was_said("1 task\n"))
        await(bide_sleep(bide_ms(1)));
    return bide_void;
}

TEST_PLAIN(sigquit_prints_the_tree_and_goes_on)
{
    test_capture_stderr();
    check_int(bide_run(asked_for_its_tree), 0);
    const char *said = test_captured();
    check_contains(said, "bide: tasks of loop 0\n  #1 main  ");
    check_contains(said, "bide: 1 task\n");
}

static bide_async(void) one_of_two(void)
{
    if (bide_loop_index() == 1) { /* then both are there */
        wait_for_policy();
        kill(getpid(), SIGQUIT);
    }
    await(bide_until_stop());
    return bide_void;
}

static void *stop_when_both_have_printed(void *unused)
{
    for (int64_t end_ms = now_ms() + 20000; now_ms() < end_ms; usleep(1000))
        if (was_said("tasks of loop 0") && was_said("tasks of loop 1"))
            break;
    kill(getpid(), SIGTERM);
    return unused;
}

TEST_PLAIN(sigquit_is_for_all_loops)
{
    pthread_t thread;
    test_capture_stderr();
    require(pthread_create(&thread, NULL, stop_when_both_have_printed, NULL) == 0);
    check_int(bide_run(one_of_two, .loops = 2), 0);
    pthread_join(thread, NULL);
    const char *said = test_captured();
    check_contains(said, "bide: tasks of loop 0\n");
    check_contains(said, "bide: tasks of loop 1\n");
}

static bide_async(void) asked_while_it_blocks(void)
{
    kill(getpid(), SIGQUIT);
    block_until_said("bide: 1 task");
    fprintf(stderr, "it goes on\n");
    return bide_void;
}

TEST_PLAIN(sigquit_reaches_a_blocked_loop)
{
    test_capture_stderr();
    check_int(bide_run(asked_while_it_blocks, .watchdog = bide_s(5)), 0);
    const char *said = test_captured();
    const char *tree = strstr(said, "  #1 main  running"), *after = strstr(said, "it goes on");
    if (check(tree) && check(after))
        check(tree < after);
}

/* Overflows. */

static volatile int sink;

__attribute__((noinline)) static int dig(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    if (depth > 100000000)
        return frame[0];
    return dig(depth + 1) + frame[0];
}

SPAWNABLE(void, render, int)
static int render_line;
async(void) render(int depth)
{
    await(bide_yield());
    sink = dig(depth);
    return bide_void;
}

static bide_async(void) overflow(void)
{
    with_group(g) {
        render_line = __LINE__ + 1;
        spawn_void(g, render, 1);
    }
    return bide_void;
}

static int run_overflow(void)
{
    return bide_run(overflow);
}

TEST_PLAIN(an_overflow_is_named)
{
    if (getenv("BIDE_TEST_EMULATED"))
        test_skip("qemu-user says yes to guards and makes none");
    char spawned[256];
    if (under_valgrind())
        test_skip("valgrind reports overflows itself");
    int status = run_child(run_overflow);
    check(status != 0);
    if (!BIDE__ASAN && !BIDE__TSAN)
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    check_contains(text, "bide: STACK OVERFLOW in task #2 'render', spawned at ");
    snprintf(spawned, sizeof spawned, "%s:", __FILE__);
    check_contains(text, spawned);
    check_contains(text, " KiB");
    check_contains(text, "    #0 dig + 0x");
    check_contains(text, " more of dig\n");
    check_contains(text, "  fix: ");
}

static void on_fault(int number)
{
    _exit(number == SIGSEGV ? 42 : 43);
}

static bide_async(void) wild_pointer(void)
{
    char *volatile page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    return bide_void;
}

static int run_wild_pointer_with_a_handler(void)
{
    signal(SIGSEGV, on_fault);
    return bide_run(wild_pointer);
}

static int run_wild_pointer(void)
{
    signal(SIGSEGV, SIG_DFL);
    return bide_run(wild_pointer);
}

TEST_PLAIN(other_faults_go_where_they_went_before)
{
    if (under_valgrind())
        test_skip("valgrind reports the access itself");
    int status = run_child(run_wild_pointer_with_a_handler);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 42);
    check(!strstr(text, "OVERFLOW"));
    status = run_child(run_wild_pointer);
    check(WIFSIGNALED(status));
    check_int(WTERMSIG(status), SIGSEGV);
    check(!strstr(text, "OVERFLOW"));
}

static bide_async(void) sent_to_itself(void)
{
    raise(SIGSEGV);
    await(bide_sleep(bide_s(5)));
    return bide_void;
}

static int run_sent_to_itself(void)
{
    signal(SIGSEGV, SIG_DFL);
    return bide_run(sent_to_itself);
}

TEST_PLAIN(a_sent_fault_kills_too)
{
    int status = run_child(run_sent_to_itself);
    check(WIFSIGNALED(status));
    check_int(WTERMSIG(status), SIGSEGV);
}
