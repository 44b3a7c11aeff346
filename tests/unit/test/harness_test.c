/*
 * harness_test.c: the harness tests itself. The hidden tests fail, hang, crash and leak on purpose;
 * the visible ones run this same binary again with --only for one of them and read its report.
 */
#include <bide/test.h>

#include "base/mem.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a run of this binary said and how it ended. */
struct report {
    char text[1024 * 1024];
    int status;
};

static struct report report;

static char *own_path(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

    require(length > 0);
    path[length] = 0;
    return path;
}

/* Runs this binary with the given arguments (NULL for none) and fills `report`. */
static void run_self(char *first, char *second, char *third, char *fourth)
{
    char *arguments[] = {own_path(), first, second, third, fourth, NULL};
    size_t length = 0;
    int fds[2];
    ssize_t n;
    pid_t child;

    require(pipe(fds) == 0);
    child = fork();
    require(child >= 0);
    if (child == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        execv(arguments[0], arguments);
        _exit(99);
    }
    close(fds[1]);
    while ((n = read(fds[0], report.text + length, sizeof report.text - 1 - length)) > 0)
        length += (size_t)n;
    report.text[length] = 0;
    close(fds[0]);
    require(waitpid(child, &report.status, 0) == child);
}

static void run_hidden(char *name)
{
    char only[] = "--only";

    run_self(only, name, NULL, NULL);
}

/* The run failed, counts one failed test and says each of the texts. */
static void check_failed(const char *first, const char *second)
{
    check_int(WEXITSTATUS(report.status), 1);
    check_contains(report.text, "\n0 passed, 1 failed, 0 skipped\n");
    check_contains(report.text, first);
    check_contains(report.text, second);
}

TEST_PLAIN(hidden_passes, .hidden = true)
{
    printf("nobody sees this\n");
}

TEST_PLAIN(a_passing_test_is_silent)
{
    char name[] = "hidden_passes";

    run_hidden(name);
    check_int(report.status, 0);
    check_str(report.text, "1 passed, 0 failed, 0 skipped\n");
}

TEST_PLAIN(verbose_shows_output)
{
    char name[] = "hidden_passes", only[] = "--only", verbose[] = "-v";

    run_self(only, name, verbose, NULL);
    check_contains(report.text, "    | nobody sees this\nok   hidden_passes (");
}

static int evaluations;
static int one_more(void)
{
    return ++evaluations;
}

TEST_PLAIN(checks_that_hold_are_silent_and_true)
{
    unsigned char bytes[3] = {1, 2, 3};

    check(check(true));
    check(check_int(3u, 3));
    check(check_int(UINT64_MAX, UINT64_MAX));
    check(check_str("a", "a"));
    check(check_str(NULL, NULL));
    check(check_ptr(bytes, &bytes[0]));
    check(check_mem(bytes, "\1\2\3", 3));
    check(check_contains("abc", "bc"));
    check(check_near(0.1 + 0.2, 0.3, 1e-12));
    require(true);
}

TEST_PLAIN(arguments_are_evaluated_once)
{
    evaluations = 0;
    check(one_more());
    check_int(evaluations, 1);
    check_int(one_more(), 2);
    check_int(evaluations, 2);
    require(one_more() == 3);
    check_near(one_more(), 4, 0);
    check_int(evaluations, 4);
}

/* Each failing check on a line of its own: `first_line` + 1, + 2, ... */
static const int first_line = __LINE__ + 4;
TEST_PLAIN(hidden_all_checks_fail, .hidden = true)
{
    unsigned char bytes[4] = {1, 2, 3, 4};

    check(bytes[0] == 7);
    check_int(bytes[0] + 1, 7);
    check_str("is", "should");
    check_str(NULL, "NULL");
    check_ptr(NULL, (void *)0x10);
    check_mem(bytes, "\1\2\7\4", 4);
    check_contains("abc", "%s");
    check_near(1.0, 2.0, 0.5);
    check_near(0.0 / (bytes[0] - 1.0), 1.0, 10.0);
    printf("went on to the end\n");
}

static void check_line(int line, const char *message)
{
    char text[512];

    snprintf(text, sizeof text, "    | %s:%d: %s\n", __FILE__, line, message);
    check_contains(report.text, text);
}

TEST_PLAIN(each_check_says_line_and_values)
{
    char name[] = "hidden_all_checks_fail";
    int line = first_line;

    run_hidden(name);
    check_failed("FAIL hidden_all_checks_fail: 9 failures\n", "    | went on to the end\n");
    check_line(++line, "check failed: bytes[0] == 7");
    check_line(++line,
               "check_int failed: bytes[0] + 1, 7\n    |     is       2\n    |     expected 7");
    check_line(
        ++line,
        "check_str failed: \"is\"\n    |     is       \"is\"\n    |     expected \"should\"");
    check_line(++line,
               "check_str failed: NULL\n    |     is       NULL\n    |     expected \"NULL\"");
    check_line(++line, "check_ptr failed: NULL\n    |     is       (nil)\n    |     expected 0x10");
    check_line(++line, "check_mem failed: bytes differs from byte 2 of 4 on\n"
                       "    |     is       03 04 \n    |     expected 07 04 ");
    check_line(++line, "check_contains failed: \"abc\"\n    |     is       abc\n"
                       "    |     expected a part: %s");
    check_line(++line, "check_near failed: 1.0\n    |     is       1\n"
                       "    |     expected 2 within 0.5");
    check_contains(report.text, "nan\n    |     expected 1 within 10\n");
}

TEST_PLAIN(hidden_require_fails, .hidden = true)
{
    char *leaked = malloc(10);

    require(leaked == NULL);
    printf("not reached\n");
}

TEST_PLAIN(require_ends_the_test)
{
    char name[] = "hidden_require_fails";

    run_hidden(name);
    check_failed("FAIL hidden_require_fails: 1 failure\n",
                 "require failed: leaked == NULL; the test ends here\n");
    check(!strstr(report.text, "not reached"));
}

TEST_PLAIN(hidden_hangs, .hidden = true, .timeout_ms = 20)
{
    printf("before\n");
    fflush(stdout);
    signal(SIGQUIT, SIG_IGN);
    for (;;)
        pause();
}

TEST_PLAIN(a_hanging_test_is_killed)
{
    char name[] = "hidden_hangs";

    run_hidden(name);
    check_failed("FAIL hidden_hangs: did not end within ", "ms, killed\n    | before\n");
}

static void say_tree(int signal_number)
{
    static const char text[] = "the task tree\n";

    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
}

TEST_PLAIN(hidden_hangs_with_a_tree, .hidden = true, .timeout_ms = 20)
{
    signal(SIGQUIT, say_tree);
    for (;;)
        pause();
}

TEST_PLAIN(a_hanging_test_gets_last_words)
{
    char name[] = "hidden_hangs_with_a_tree";

    run_hidden(name);
    check_failed("did not end within ", "    | the task tree\n");
}

TEST_PLAIN(hidden_crashes, .hidden = true)
{
    check_int(1, 2);
    printf("last words\n");
    signal(SIGBUS, SIG_DFL);
    raise(SIGBUS);
}

TEST_PLAIN(a_crash_names_its_signal_and_keeps_the_output)
{
    char name[] = "hidden_crashes";

    run_hidden(name);
    check_failed("FAIL hidden_crashes: died by signal 7 (Bus error)\n", "    | last words\n");
    check_contains(report.text, "check_int failed: 1, 2\n");
}

TEST_PLAIN(hidden_exits_early, .hidden = true)
{
    exit(0);
}

TEST_PLAIN(an_exit_before_the_end_fails)
{
    char name[] = "hidden_exits_early";

    run_hidden(name);
    check_failed("FAIL hidden_exits_early: left by exit(0) before its end\n", "replay: ");
}

static void exit_badly(void)
{
    _exit(3);
}

TEST_PLAIN(hidden_bad_status, .hidden = true)
{
    atexit(exit_badly);
}

TEST_PLAIN(a_bad_status_after_the_end_fails)
{
    char name[] = "hidden_bad_status";

    run_hidden(name);
    check_failed("FAIL hidden_bad_status: exit status 3 after its end\n", "replay: ");
}

TEST_PLAIN(hidden_skips, .hidden = true)
{
    test_skip("no moon tonight");
}

TEST_PLAIN(a_skip_gives_its_reason)
{
    char name[] = "hidden_skips";

    run_hidden(name);
    check_int(report.status, 0);
    check_str(report.text, "skip hidden_skips: no moon tonight\n0 passed, 0 failed, 1 skipped\n");
}

static void *fail_in_thread(void *argument)
{
    check_ptr(argument, &evaluations);
    return NULL;
}

TEST_PLAIN(hidden_thread_and_child_fail, .hidden = true)
{
    pthread_t thread;
    pid_t child;

    require(pthread_create(&thread, NULL, fail_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
    child = fork();
    require(child >= 0);
    if (child == 0) {
        check_str("child", "parent");
        _exit(0);
    }
    require(waitpid(child, NULL, 0) == child);
}

TEST_PLAIN(checks_count_in_threads_and_children)
{
    char name[] = "hidden_thread_and_child_fail";

    run_hidden(name);
    check_failed("FAIL hidden_thread_and_child_fail: 2 failures\n", "check_str failed: \"child\"");
}

TEST_PLAIN(hidden_leaves_a_process, .hidden = true)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    require(child >= 0);
    if (child == 0) {
        for (;;)
            pause();
    }
    fprintf(stderr, "left behind: %d\n", (int)child);
    check(false);
}

TEST_PLAIN(what_a_test_leaves_behind_is_killed)
{
    char name[] = "hidden_leaves_a_process";
    struct timespec pause_time = {.tv_nsec = 10 * 1000 * 1000};
    const char *number;
    int tries = 0;
    pid_t left;

    run_hidden(name);
    check_failed("    | left behind: ", "replay: ");
    number = strstr(report.text, "left behind: ");
    require(number);
    left = (pid_t)strtol(number + strlen("left behind: "), NULL, 10);
    require(left > 1);
    /* Whoever adopted it may take a moment to reap it; a zombie is as good as gone. */
    while (kill(left, 0) == 0 && tries++ < 200) {
        char path[64], state[256] = "";
        FILE *file;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)left);
        file = fopen(path, "r");
        if (!file)
            break;
        if (fgets(state, sizeof state, file) && strstr(state, ") Z ")) {
            fclose(file);
            return;
        }
        fclose(file);
        nanosleep(&pause_time, NULL);
    }
    check(tries < 200);
}

TEST_PLAIN(stderr_can_be_captured)
{
    test_capture_stderr();
    fprintf(stderr, "first %d\n", 1);
    check_str(test_captured(), "first 1\n");
    test_capture_stderr();
    check_str(test_captured(), "");
    test_capture_stderr();
    fprintf(stderr, "2");
    check_str(test_captured(), "2");
}

enum { LINES = 3000 };

static void *write_lines(void *line)
{
    for (int i = 0; i < LINES; i++)
        check_int(write(STDERR_FILENO, line, strlen(line)), strlen(line));
    return NULL;
}

TEST_PLAIN(what_threads_write_in_a_capture_is_all_there)
{
    pthread_t thread;
    test_capture_stderr();
    require(pthread_create(&thread, NULL, write_lines, (char[]){"of a thread\n"}) == 0);
    write_lines((char[]){"of the test\n"});
    pthread_join(thread, NULL);
    check_int(strlen(test_captured()), 2 * LINES * strlen("of the test\n"));
}

TEST_PLAIN(hidden_dies_in_a_capture, .hidden = true)
{
    test_capture_stderr();
    fprintf(stderr, "kept words\n");
    raise(SIGKILL);
}

TEST_PLAIN(a_capture_survives_its_test)
{
    char name[] = "hidden_dies_in_a_capture";

    run_hidden(name);
    check_failed("died by signal 9 (Killed)\n",
                 "    stderr captured by the test so far:\n    | kept words\n");
}

static void abort_with_words(void)
{
    fprintf(stderr, "the end is near\n");
    abort();
}

static void exit_with_words(void)
{
    fprintf(stderr, "leaving with 4\n");
    exit(4);
}

static void survive(void)
{
    fprintf(stderr, "still here\n");
}

TEST_PLAIN(death_tests)
{
    check(check_dies(abort_with_words, "end is near"));
    check(check_dies(exit_with_words, "leaving with 4"));
}

TEST_PLAIN(hidden_death_tests_fail, .hidden = true)
{
    check_dies(survive, "still here");
    check_dies(abort_with_words, "other words");
}

TEST_PLAIN(death_tests_can_fail)
{
    char name[] = "hidden_death_tests_fail";

    run_hidden(name);
    check_failed("FAIL hidden_death_tests_fail: 2 failures\n",
                 "check_dies failed: survive came to its end\n"
                 "    |     expected it to die with: still here\n");
    check_contains(report.text, "check_dies failed: abort_with_words\n"
                                "    |     said     the end is near\n");
    check_contains(report.text, "expected a part: other words\n");
}

TEST_PLAIN(hidden_says_its_seed, .hidden = true)
{
    fprintf(stderr, "seed %llu\n", (unsigned long long)test_seed());
    check_int(test_seed(), 0);
}

TEST_PLAIN(the_seed_is_0_by_default)
{
    char name[] = "hidden_says_its_seed";

    run_hidden(name);
    check_int(report.status, 0);
}

TEST_PLAIN(repeat_counts_the_seed_up_and_prints_the_replay)
{
    char name[] = "hidden_says_its_seed", only[] = "--only", repeat[] = "--repeat", five[] = "5";

    run_self(only, name, repeat, five);
    check_failed("    | seed 1\n", " --only hidden_says_its_seed\n");
    check_contains(report.text, "    replay: BIDE_TEST_SEED=1 ");
}

TEST_PLAIN(the_seed_comes_from_the_environment)
{
    char name[] = "hidden_says_its_seed";

    setenv("BIDE_TEST_SEED", "77", 1);
    run_hidden(name);
    check_failed("    | seed 77\n", "    replay: BIDE_TEST_SEED=77 ");
}

TEST_PLAIN(the_seed_comes_from_the_command_line)
{
    char name[] = "hidden_says_its_seed", only[] = "--only", seed[] = "--seed", nine[] = "9";

    setenv("BIDE_TEST_SEED", "77", 1);
    run_self(seed, nine, only, name);
    check_failed("    | seed 9\n", "    replay: BIDE_TEST_SEED=9 ");
}

TEST_PLAIN(a_test_may_pin_its_seed, .seed = 42)
{
    if (!getenv("BIDE_TEST_SEED"))
        check(test_seed() >= 42);
}

TEST_PLAIN(hidden_survives_no_memory, .hidden = true, .fail_allocations = true)
{
    void *first = bide__alloc(10), *second = first ? bide__alloc(20) : NULL;

    fprintf(stderr, first ? second ? "both\n" : "one\n" : "none\n");
    bide__free(second);
    bide__free(first);
}

TEST_PLAIN(each_allocation_fails_once)
{
    char name[] = "hidden_survives_no_memory", only[] = "--only", verbose[] = "-v";

    run_self(only, name, verbose, NULL);
    check_int(report.status, 0);
    /* Without a failure, then the first, then the second, then a third that is not there. */
    check_contains(report.text, "    | both\n    | none\n    | one\n    | both\nok   ");
}

TEST_PLAIN(hidden_no_memory_is_fatal, .hidden = true, .fail_allocations = true)
{
    void *first = bide__alloc(10), *second = bide__alloc(20);

    check(second != NULL);
    bide__free(second);
    bide__free(first);
}

TEST_PLAIN(a_failed_allocation_is_named)
{
    char name[] = "hidden_no_memory_is_fatal";

    run_hidden(name);
    check_failed("    with the allocation number 2 failing\n", "check failed: second != NULL");
}

TEST_PLAIN(hidden_prints_much, .hidden = true)
{
    for (int i = 0; i < 40000; i++)
        printf("line %d of many\n", i);
    check(false);
}

TEST_PLAIN(output_is_bounded)
{
    char name[] = "hidden_prints_much";

    run_hidden(name);
    check_contains(report.text, "    | line 0 of many\n");
    check_contains(report.text, " further bytes dropped)\n");
    check(!strstr(report.text, "line 39999 of many"));
}

TEST_PLAIN(list_gives_the_visible_names_in_order)
{
    char list[] = "--list";
    const char *first, *second;

    run_self(list, NULL, NULL, NULL);
    check_int(report.status, 0);
    first = strstr(report.text, "a_passing_test_is_silent\n");
    second = strstr(report.text, "list_gives_the_visible_names_in_order\n");
    check(first == report.text);
    check(second && first < second);
    check(!strstr(report.text, "hidden_"));
    check(!strstr(report.text, "passed"));
}

TEST_PLAIN(no_fork_runs_in_the_same_process)
{
    char name[] = "hidden_all_checks_fail", only[] = "--only", no_fork[] = "--no-fork";

    run_self(no_fork, only, name, NULL);
    check_int(WEXITSTATUS(report.status), 1);
    check_contains(report.text, "run  hidden_all_checks_fail\n");
    check_contains(report.text, "\nwent on to the end\nFAIL hidden_all_checks_fail: 9 failures\n");
    check_contains(report.text, "\n0 passed, 1 failed, 0 skipped\n");
}

TEST_PLAIN(misuse_of_the_command_line)
{
    char only[] = "--only", nobody[] = "nobody", pattern[] = "hidden_*", wrong[] = "--wrong";
    char seed[] = "--seed", text[] = "x1";

    run_self(only, nobody, NULL, NULL);
    check_int(WEXITSTATUS(report.status), 2);
    check_contains(report.text, "no test is named 'nobody'\n");
    run_self(only, pattern, NULL, NULL);
    check_int(WEXITSTATUS(report.status), 2);
    run_self(wrong, NULL, NULL, NULL);
    check_int(WEXITSTATUS(report.status), 2);
    check_contains(report.text, "usage: ");
    run_self(seed, text, NULL, NULL);
    check_int(WEXITSTATUS(report.status), 2);
}
