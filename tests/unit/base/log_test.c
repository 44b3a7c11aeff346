/* The log: both forms, escaping, levels, the drop policy, flush, fork, and the time before it is
 * open. */
#include <bide/log.h>

#include "base/assert.h"
#include "base/caps.h"
#include "base/mem.h"

#include <bide/test.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

/* What the sink got. Read only after a flush or a close. */
static char *lines;
static size_t lines_length;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* a held gate stops the writer */
static int at_gate;

static void collect(void *arg, const char *line, size_t length)
{
    (void)arg;
    __atomic_store_n(&at_gate, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&gate);
    lines = realloc(lines, lines_length + length + 1);
    memcpy(lines + lines_length, line, length);
    lines_length += length;
    lines[lines_length] = '\0';
    pthread_mutex_unlock(&gate);
}

static void open_log(bool json)
{
    bide_log_options options = {.json = json, .sink = collect};
    require(bide_log_open(&options) == 0);
    check_int(bide_log_open(&options), -EALREADY);
}

static void close_log(void)
{
    bide_log_close();
    bide_log_close();
    free(lines);
    lines = NULL;
    lines_length = 0;
}

static int count_of(const char *part)
{
    int count = 0;
    for (const char *at = lines ? strstr(lines, part) : NULL; at; at = strstr(at + 1, part))
        count++;
    return count;
}

static uint64_t task_twelve(void)
{
    return 12;
}

TEST_PLAIN(a_text_line)
{
    open_log(false);
    bide__log_task_id = task_twelve;
    bide_log(BIDE_LOG_WARN, "client %d is slow", 7);
    int line = __LINE__ - 1;
    bide__log_task_id = NULL;
    check_int(bide_log_flush(5000), 0);
    char expected[100];
    snprintf(expected, sizeof expected, "Z WARN [task 12] log_test.c:%d client 7 is slow\n", line);
    require(lines_length > 24);
    check_str(lines + 23, expected);
    check(lines[4] == '-' && lines[7] == '-' && lines[10] == 'T' && lines[19] == '.');
    close_log();
}

TEST_PLAIN(pairs_in_text)
{
    open_log(false);
    bide_log_with(BIDE_LOG_INFO,
                  BIDE_FIELDS(bide_field_str("peer", "::1"), bide_field_str("why", "a \"b\"\n"),
                              bide_field_int("ms", -5), bide_field_str("none", NULL),
                              bide_field_str("empty", "")),
                  "closed");
    check_int(bide_log_flush(5000), 0);
    check_contains(lines, " closed peer=::1 why=\"a \\\"b\\\"\\n\" ms=-5 none=null empty=\"\"\n");
    close_log();
}

TEST_PLAIN(json_lines)
{
    open_log(true);
    bide__log_set_loop(3);
    bide_log_with(BIDE_LOG_ERROR,
                  BIDE_FIELDS(bide_field_str("path", "/a\"\\\x01\x7f"), bide_field_int("n", 42)),
                  "h\xc3\xa9 \xff \xed\xa0\x80 %s", "end");
    bide__log_set_loop(-1);
    check_int(bide_log_flush(5000), 0);
    check_contains(lines, "Z\",\"level\":\"error\",\"loop\":3,\"source\":\"log_test.c:");
    check_contains(lines, ",\"message\":\"h\xc3\xa9 \\ufffd \\ufffd\\ufffd\\ufffd end\","
                          "\"path\":\"/a\\\"\\\\\\u0001\\u007f\",\"n\":42}\n");
    check(strncmp(lines, "{\"time\":\"", 9) == 0);
    close_log();
}

TEST_PLAIN(a_message_cannot_forge_a_line)
{
    open_log(false);
    bide_log(BIDE_LOG_INFO, "%s", "one\n2026-01-01T00:00:00.000Z ERROR fake\r\x1b[2J");
    check_int(bide_log_flush(5000), 0);
    check_int(count_of("\n"), 1);
    check_contains(lines, "one\\n2026-01-01T00:00:00.000Z ERROR fake\\x0d\\x1b[2J\n");
    close_log();
}

TEST_PLAIN(long_records_are_cut)
{
    char *text = malloc(5000);
    memset(text, '\x01', 4999);
    text[4999] = '\0';
    for (int json = 0; json < 2; json++) {
        open_log(json);
        bide_log(BIDE_LOG_INFO, "%s", text);
        bide_log_with(BIDE_LOG_INFO,
                      BIDE_FIELDS(bide_field_str("a", "1"), bide_field_str("b", text)), "m%s",
                      text);
        check_int(bide_log_flush(5000), 0);
        check_int(count_of("\n"), 2);
        check_int(count_of(json ? "...\"" : "..."), 3);
        check_contains(lines, json ? "\"a\":\"1\",\"cut\":\"...\"}\n" : " a=1 cut=...\n");
        close_log();
    }
    free(text);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

TEST_PLAIN(the_level_is_settable_and_arguments_below_it_are_not_evaluated)
{
    open_log(false);
    check_int(bide_log_get_level(), BIDE_LOG_INFO);
    bide_log(BIDE_LOG_DEBUG, "hidden %d", evaluate());
    bide_log_set_level(BIDE_LOG_DEBUG);
    bide_log(BIDE_LOG_DEBUG, "shown %d", evaluate());
    bide_log_set_level(BIDE_LOG_ERROR);
    bide_log(BIDE_LOG_WARN, "hidden %d", evaluate());
    check_int(bide_log_flush(5000), 0);
    check_int(evaluated, 1);
    check_int(count_of("shown 1\n"), 1);
    check_int(count_of("hidden"), 0);
    close_log();
}

/* With the writer stopped, info fills its part of the ring, then warn the rest; all drops are told.
 */
TEST_PLAIN(a_full_ring_drops_counts_and_tells)
{
    open_log(false);
    pthread_mutex_lock(&gate);
    bide_log(BIDE_LOG_INFO, "the writer stops at this line");
    while (!__atomic_load_n(&at_gate, __ATOMIC_ACQUIRE))
        usleep(1000);
    int infos = 0, warns = 0;
    while (bide_log_dropped(BIDE_LOG_INFO) == 0) {
        require(infos < 10000);
        bide_log(BIDE_LOG_INFO, "info %d", infos++);
    }
    bide_log(BIDE_LOG_INFO, "info %d", infos++);
    while (bide_log_dropped(BIDE_LOG_WARN) == 0) {
        require(warns < 10000);
        bide_log(BIDE_LOG_WARN, "warn %d", warns++);
    }
    check(infos > 100);
    check(warns > 50);
    check_int(bide_log_dropped(BIDE_LOG_INFO), 2);
    check_int(bide_log_dropped(BIDE_LOG_WARN), 1);
    check_int(bide_log_flush(50), -ETIMEDOUT);
    pthread_mutex_unlock(&gate);
    check_int(bide_log_flush(5000), 0);
    check_int(count_of("INFO"), 1 + infos - 2);
    check_int(count_of("log_test.c"), 1 + infos - 2 + warns - 1);
    check_int(count_of(" 3 records dropped info=2 warn=1\n"), 1);
    bide_log(BIDE_LOG_INFO, "room again");
    check_int(bide_log_flush(5000), 0);
    check_int(count_of("room again"), 1);
    check_int(count_of("records dropped"), 1);
    close_log();
}

enum { THREADS = 4, RECORDS = 3000 };

static void *log_in_turn(void *index)
{
    int own = (int)(intptr_t)index;
    for (int i = 0; i < RECORDS; i++) {
        bide_log(BIDE_LOG_INFO, "thread=%d number=%d;", own, i);
        if (i % 100 == 99)
            bide_log_flush(5000);
    }
    return NULL;
}

/* Each thread's records arrive in order, none twice; those that are missing were counted. */
TEST_PLAIN(records_of_a_thread_stay_in_order)
{
    open_log(false);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, log_in_turn, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check_int(bide_log_flush(10000), 0);
    int last[THREADS] = {-1, -1, -1, -1}, seen = 0;
    for (const char *at = lines; (at = strstr(at, "thread=")); at++) {
        int thread = -1, number = -1;
        require(sscanf(at, "thread=%d number=%d;", &thread, &number) == 2);
        require(thread >= 0 && thread < THREADS && number > last[thread]);
        last[thread] = number;
        seen++;
    }
    check_int(seen + (int)bide_log_dropped(BIDE_LOG_INFO), THREADS * RECORDS);
    close_log();
}

TEST_PLAIN(a_sleeping_writer_is_woken)
{
    open_log(false);
    for (int i = 0; i < 20; i++) {
        usleep(15000); /* longer than the writer lingers */
        bide_log(BIDE_LOG_INFO, "tick");
        int waited = 0, got = 0;
        while (!got && waited++ < 500) {
            usleep(10000);
            pthread_mutex_lock(&gate);
            got = count_of("tick") == i + 1;
            pthread_mutex_unlock(&gate);
        }
        require(got);
    }
    close_log();
}

TEST_PLAIN(before_open_and_after_close_lines_go_to_stderr)
{
    test_capture_stderr();
    check_int(bide_log_flush(0), 0);
    bide_log(BIDE_LOG_INFO, "early");
    open_log(true);
    bide_log(BIDE_LOG_INFO, "inside");
    close_log();
    errno = 77;
    bide_log(BIDE_LOG_ERROR, "late");
    check_int(errno, 77);
    const char *text = test_captured();
    check_contains(text, "Z INFO log_test.c:");
    check_contains(text, " early\n");
    check_contains(text, " late\n");
    check(strstr(text, "inside") == NULL);
}

TEST_PLAIN(a_forked_child_logs_for_itself)
{
    test_capture_stderr();
    open_log(false);
    bide_log(BIDE_LOG_INFO, "parent");
    pid_t child = fork();
    if (child == 0) {
        bide_log(BIDE_LOG_INFO, "child at once");
        /* ThreadSanitizer ends a forked child that starts a thread. */
        bide_log_options options = {.fd = STDERR_FILENO};
        int status = UNDER_TSAN || bide_log_open(&options) == 0 ? 0 : 1;
        bide_log(BIDE_LOG_INFO, "child again");
        bide_log_close();
        _exit(status);
    }
    int status = -1;
    waitpid(child, &status, 0);
    check_int(status, 0);
    check_int(bide_log_flush(5000), 0);
    check_int(count_of("parent"), 1);
    close_log();
    const char *text = test_captured();
    check_contains(text, "child at once\n");
    check_contains(text, "child again\n");
    check(strstr(text, "parent") == NULL);
}

TEST_PLAIN(a_descriptor_as_sink_and_one_that_refuses)
{
    int ends[2];
    require(pipe(ends) == 0);
    bide_log_options options = {.fd = ends[1]};
    require(bide_log_open(&options) == 0);
    bide_log(BIDE_LOG_INFO, "through a pipe");
    check_int(bide_log_flush(5000), 0);
    char text[200] = {0};
    check(read(ends[0], text, sizeof text - 1) > 0);
    check_contains(text, "through a pipe\n");
    close(ends[0]);
    bide_log(BIDE_LOG_INFO, "nobody reads"); /* EPIPE, and no SIGPIPE kills the process */
    check_int(bide_log_flush(5000), 0);
    bide_log_close();
    close(ends[1]);
}

TEST_PLAIN(without_memory_records_are_dropped_not_lost_silently)
{
    bide__mem_fail_at(1, false);
    check_int(bide_log_open(NULL), -EAGAIN);
    check(bide__mem_failed());
    bide__mem_fail_at(0, false);
    open_log(false);
    bide__mem_fail_at(1, false);
    bide_log(BIDE_LOG_WARN, "no ring for this one");
    bide__mem_fail_at(0, false);
    bide_log(BIDE_LOG_WARN, "this one has one");
    check_int(bide_log_flush(5000), 0);
    check_int(count_of("no ring"), 0);
    check_int(count_of("this one has one"), 1);
    check_int(bide_log_dropped(BIDE_LOG_WARN), 1);
    close_log();
}

static void fail_an_assertion(void)
{
    bide_log_open(NULL);
    bide_log(BIDE_LOG_INFO, "the line before");
    BIDE_ASSERT(1 + 1 == 3, "sum is %d", 2);
}

static void name_the_task(int fd)
{
    dprintf(fd, "in task 'x'\n");
}

static void fail_with_a_hook(void)
{
    bide__assert_hook = name_the_task;
    BIDE_ASSERT(0, "hooked");
}

TEST_PLAIN(a_failed_assertion_says_what_and_flushes_the_log)
{
    check_dies(fail_an_assertion, "sum is 2");
    check_dies(fail_an_assertion, "bide assertion failed");
    check_dies(fail_an_assertion, "the line before");
    check_dies(fail_with_a_hook, "in task 'x'");
}
