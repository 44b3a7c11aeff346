/*
 * watchdog_test.c: blocked loops are reported while they are blocked, with what blocks them;
 * healthy ones never.
 */
#include "base/mem.h"
#include "core/context.h"

#include <bide/bide.h>
#include <bide/metrics.h>
#include <bide/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT_MS = 50 };

/* As the watchdog does it. */
static int slowness(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return BIDE__ASAN || BIDE__TSAN || (preload && strstr(preload, "vgpreload")) ? 10 : 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reports so far, also those that were not printed. */
static long blocked_total(void)
{
    bide_buf buf;
    bide_buf_init(&buf, 1 << 20);
    require(bide_metrics_write(&buf) == 0);
    const char *at = strstr(bide_buf_str(&buf), "\nbide_loop_blocked_total ");
    require(at);
    long total = strtol(strchr(at, ' '), NULL, 10);
    bide_buf_done(&buf);
    return total;
}

static size_t count(const char *said, const char *part)
{
    size_t n = 0;
    for (const char *at = said; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static volatile unsigned sink;

__attribute__((noinline)) static void spin_ms(int64_t ms)
{
    for (int64_t end_ms = now_ms() + ms; now_ms() < end_ms;)
        sink++;
}

/* A CPU loop that ends when the watchdog has found it, which must not take long. */
__attribute__((noinline)) static void compute_report(void)
{
    int64_t end_ms = now_ms() + 5000 * slowness();
    for (long before = blocked_total(); now_ms() < end_ms && blocked_total() == before;)
        for (int i = 0; i < 100000; i++)
            sink += (unsigned)i;
}

SPAWNABLE(void, login)
static int login_line;
async(void) login(void)
{
    await(bide_yield());
    compute_report();
    return bide_void;
}

static bide_async(void) run_login(void)
{
    with_group(g) {
        login_line = __LINE__ + 1;
        spawn_void(g, login);
    }
    await(bide_sleep(bide_ms(LIMIT_MS * slowness()))); /* the report's end needs another look */
    return bide_void;
}

TEST_PLAIN(a_cpu_loop_is_reported_while_it_runs, .timeout_ms = 30000)
{
    char spawned[256];
    long elapsed_ms = 0, limit_ms = 0;
    const char *said = "";
    /* A machine that does much else may be late now and then. */
    for (int i = 0; i < 10 && (i == 0 || elapsed_ms > 2 * limit_ms); i++) {
        test_capture_stderr();
        check_int(bide_run(run_login, .watchdog = bide_ms(LIMIT_MS)), 0);
        said = test_captured();
        require(sscanf(said, "bide: LOOP 0 BLOCKED %ld ms (limit %ld)", &elapsed_ms, &limit_ms) ==
                2);
    }
    check_int(limit_ms, LIMIT_MS * slowness());
    check(elapsed_ms >= limit_ms);
    check(elapsed_ms <= 2 * limit_ms);
    snprintf(spawned, sizeof spawned, "  task #2 'login' spawned at %s:%d\n", __FILE__, login_line);
    if (!BIDE__TSAN) { /* which holds signals back until the next system call */
        check_contains(said, spawned);
        check_contains(said, " compute_report + 0x");
        check(!strstr(said, "last await"));
    }
    check_contains(said, "  on CPU\n");
    check_contains(said, "  fix: await(offload(BIDE_CPU, ...))");
    check_contains(said, "bide: loop 0 goes on after ");
}

/* Old code that sleeps until there are so many reports, which must not take long. */
__attribute__((noinline)) static void legacy_driver(long reports)
{
    int64_t chunk_ms = 2 * LIMIT_MS * slowness();
    struct timespec chunk = {chunk_ms / 1000, chunk_ms % 1000 * 1000000};
    int64_t end_ms = now_ms() + 5000 * slowness();
    for (long before = blocked_total(); now_ms() < end_ms && blocked_total() < before + reports;)
        nanosleep(&chunk, NULL);
    sink++;
}

static bide_async(void) rest(void)
{
    legacy_driver(1);
    return bide_void;
}

static int rest_line;

static bide_async(void) report_rests(void)
{
    rest_line = __LINE__ + 1;
    await(rest());
    return bide_void;
}

TEST_PLAIN(a_sleep_in_a_system_call_is_reported)
{
    char awaited[256];
    test_capture_stderr();
    check_int(bide_run(report_rests, .watchdog = bide_ms(LIMIT_MS)), 0);
    const char *said = test_captured();
    check_contains(said, "bide: LOOP 0 BLOCKED ");
    check_contains(said, "  task #1 'main'");
    check_contains(said, "nanosleep\n");
    check_contains(said, "nanosleep + 0x");
    check_contains(said, " legacy_driver + 0x");
    check(!strstr(said, "bide__task_run"));
    snprintf(awaited, sizeof awaited, "  last await at %s:%d\n", __FILE__, rest_line);
    check_contains(said, awaited);
    check_contains(said, "  fix: await(bide_sleep(...))");
}

static bide_async(void) block_long(void)
{
    legacy_driver(3);
    return bide_void;
}

TEST_PLAIN(a_long_episode_is_reported_at_doubled_times)
{
    long elapsed_ms, least_ms = LIMIT_MS * slowness();
    size_t reports = 0;
    test_capture_stderr();
    check_int(bide_run(block_long, .watchdog = bide_ms(LIMIT_MS)), 0);
    const char *at = test_captured();
    for (; (at = strstr(at, "BLOCKED ")); reports++, at++) {
        require(sscanf(at, "BLOCKED %ld", &elapsed_ms) == 1);
        check(elapsed_ms >= least_ms);
        least_ms = 2 * elapsed_ms;
    }
    check_int(reports, 3);
}

enum { EPISODES = 7, PRINTED_MAX = 5 };

static bide_async(void) block_often(void)
{
    for (int i = 0; i < EPISODES; i++) {
        compute_report();
        await(bide_sleep(bide_ms(1)));
    }
    return bide_void;
}

TEST_PLAIN(reports_are_limited, .timeout_ms = 20000)
{
    test_capture_stderr();
    check_int(bide_run(block_often, .watchdog = bide_ms(10)), 0);
    check_int(count(test_captured(), "BLOCKED"), PRINTED_MAX);
    check(blocked_total() >= EPISODES);
}

static bide_async(void) block_quietly(void)
{
    spin_ms(120);
    return bide_void;
}

TEST_PLAIN(the_watchdog_can_be_off)
{
    test_capture_stderr();
    check_int(bide_run(block_quietly, .watchdog = BIDE_FOREVER), 0);
    check_str(test_captured(), "");
}

TEST_PLAIN(without_signals_less_is_known)
{
    test_capture_stderr();
    check_int(bide_run(run_login, .watchdog = bide_ms(LIMIT_MS), .ignore_signals = true), 0);
    const char *said = test_captured();
    check_contains(said, "bide: LOOP 0 BLOCKED ");
    check_contains(said, "  (nothing more is known with ignore_signals)\n");
    check(!strstr(said, "compute_report"));
}

static bool over;

SPAWNABLE(void, work)
async(void) work(void)
{
    while (!over) {
        spin_ms(1);
        await(bide_yield());
    }
    return bide_void;
}

static int64_t late_ms;

static bide_async(void) healthy(void)
{
    with_group(g) {
        for (int i = 0; i < 20; i++)
            spawn_void(g, work);
        await(bide_sleep(bide_ms(400)));
        over = true;
    }
    await(bide_sleep(bide_ms(200)));
    return bide_void;
}

TEST_PLAIN(a_healthy_loop_is_never_reported)
{
    test_capture_stderr();
    check_int(bide_run(healthy, .watchdog = bide_ms(20)), 0);
    check_str(test_captured(), "");
    check_int(blocked_total(), 0);
}

SPAWNABLE(void, work_coarsely)
async(void) work_coarsely(void)
{
    while (!over) {
        spin_ms(10);
        await(bide_yield());
    }
    return bide_void;
}

static bide_async(void) sleep_beside_work(void)
{
    with_group(g) {
        spawn_void(g, work_coarsely);
        spawn_void(g, work_coarsely);
        int64_t start_ms = now_ms();
        await(bide_sleep(bide_ms(20)));
        late_ms = now_ms() - start_ms - 20;
        over = true;
    }
    return bide_void;
}

/* Without it the loop would look at its timers after 64 slices only, 640 ms. */
TEST_PLAIN(a_busy_loop_is_made_to_look_around)
{
    check_int(bide_run(sleep_beside_work, .watchdog = bide_ms(LIMIT_MS)), 0);
    check(late_ms < (slowness() > 1 ? 640 : 200));
}

static bide_async(void) second_loop_blocks(void)
{
    if (bide_loop_index() == 1)
        legacy_driver(1);
    return bide_void;
}

TEST_PLAIN(each_loop_is_watched)
{
    test_capture_stderr();
    check_int(bide_run(second_loop_blocks, .loops = 2, .watchdog = bide_ms(LIMIT_MS)), 0);
    const char *said = test_captured();
    check_contains(said, "bide: LOOP 1 BLOCKED ");
    check_contains(said, " legacy_driver + 0x");
    check(!strstr(said, "LOOP 0"));
}
