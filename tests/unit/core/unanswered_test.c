/*
 * unanswered_test.c: waits for a peer that no deadline would end.
 */
#include "core/unanswered.h"

#include <bide/bide.h>
#include <bide/metrics.h>
#include <bide/test.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 10 };

SPAWNABLE(void, read_bare, bide_stream_ptr)
async(void) read_bare(bide_stream_ptr stream)
{
    char byte;
    (void)await(bide_read(stream, &byte, 1));
    return bide_void;
}

SPAWNABLE(void, read_with, bide_stream_ptr, bool)
async(void) read_with(bide_stream_ptr stream, bool for_ever)
{
    with_deadline(for_ever ? BIDE_FOREVER : bide_s(60))
        await(read_bare(stream));
    return bide_void;
}

static int how;

/* The reader waits three times as long as is patient, then the peer answers. */
static async(void) app(void)
{
    bide_stream_ptr ends[2];
    await(bide_stream_pair(ends));
    with_group(g) {
        if (how == 0)
            spawn_void(g, read_bare, ends[0]);
        else if (how == 3)
            spawn_void(bide_background(), read_bare, ends[0]);
        else
            spawn_void(g, read_with, ends[0], how == 1);
        await(bide_sleep(bide_ms(3 * PATIENCE_MS)));
        await(bide_write(ends[1], "x", 1));
    }
    bide_close_stream(ends[1]);
    await(bide_sleep(bide_ms(1)));
    bide_close_stream(ends[0]);
    return bide_void;
}

static const char *told(int which, bide_duration unanswered)
{
    how = which;
    test_capture_stderr();
    check_int(
        bide_run(app, .unanswered = unanswered, .ignore_signals = true, .watchdog = BIDE_FOREVER),
        0);
    return test_captured();
}

TEST_PLAIN(a_wait_that_nothing_would_end_is_told_once)
{
    const char *text = told(0, bide_ms(PATIENCE_MS));
    check(strstr(text, "'read_bare' waits for stream 'unix:' at "));
    check(strstr(text, "unanswered_test.c"));
    check(strstr(text, "no deadline would end that"));
    check_str(told(0, bide_ms(PATIENCE_MS)), "");
}

TEST_PLAIN(what_is_meant_is_not)
{
    check_str(told(1, bide_ms(PATIENCE_MS)), ""); /* for ever, said so */
    check_str(told(2, bide_ms(PATIENCE_MS)), ""); /* a deadline */
    check_str(told(3, bide_ms(PATIENCE_MS)), ""); /* in the background */
    check_str(told(0, BIDE_FOREVER), "");
    check_str(told(0, bide_ms(0)), ""); /* the default is much longer */
}

static long found(void)
{
    static const char name[] = "bide_findings_total{kind=\"no_deadline\"} ";
    bide_buf text;
    bide_buf_init(&text, 1 << 20);
    check_int(bide_metrics_write(&text), 0);
    const char *at = strstr(bide_buf_str(&text), name);
    long count = at ? strtol(at + sizeof name - 1, NULL, 10) : 0;
    bide_buf_done(&text);
    return count;
}

enum { READERS = 30, PATIENT_MS = 40 };

/* Readers that begin one after the other: each has waited for too long at a time of its own. */
static async(void) many(void)
{
    bide_stream_ptr ends[READERS][2];
    struct bide__timer *timer = &bide__loop_here->unanswered_timer;
    int64_t armed_ns = 0;
    for (int i = 0; i < READERS; i++)
        await(bide_stream_pair(ends[i]));
    with_group(g) {
        for (int i = 0; i < READERS || found() < READERS; i++) {
            if (i < READERS)
                spawn_void(g, read_bare, ends[i][0]);
            await(bide_sleep(bide_ms(1)));
            if (timer->expires_ns == armed_ns)
                continue;
            check(timer->expires_ns - armed_ns >= bide_ms(PATIENT_MS).ns / 4);
            armed_ns = timer->expires_ns;
        }
        spawn_void(g, read_bare, ends[0][1]); /* has the timer armed once more */
        while (found() == READERS)
            await(bide_sleep(bide_ms(1)));
        bide_group_cancel(g, "enough");
    }
    check_int(found(), READERS + 1);
    for (int i = 0; i < READERS; i++) {
        bide_close_stream(ends[i][0]);
        bide_close_stream(ends[i][1]);
    }
    return bide_void;
}

TEST_PLAIN(each_wait_is_counted_once_and_the_looks_are_far_apart)
{
    test_capture_stderr();
    check_int(bide_run(many, .unanswered = bide_ms(PATIENT_MS), .ignore_signals = true,
                       .watchdog = BIDE_FOREVER),
              0);
    check_contains(test_captured(), "'read_bare' waits for stream 'unix:' at ");
}

static uint32_t reading; /* atomic */

static void close_both(bide_stream_ptr (*ends)[2])
{
    bide_close_stream((*ends)[0]);
    bide_close_stream((*ends)[1]);
}

SPAWNABLE(void, read_there)
async(void) read_there(void)
{
    bide_stream_ptr ends[2] __attribute__((cleanup(close_both))) = {NULL};
    await(bide_stream_pair(ends));
    __atomic_store_n(&reading, 1, __ATOMIC_RELEASE);
    await(read_bare(ends[0]));
    return bide_void;
}

SPAWNABLE(void, ask_there)
async(void) ask_there(void)
{
    size_t reports = bide__reports;
    with_group(g) {
        spawn_void_on(g, 1, read_there);
        while (!__atomic_load_n(&reading, __ATOMIC_ACQUIRE))
            await(bide_sleep(bide_ms(1)));
        if (how == 0)
            while (__atomic_load_n(&bide__reports, __ATOMIC_RELAXED) == reports)
                await(bide_sleep(bide_ms(1)));
        else
            await(bide_sleep(bide_ms(3 * PATIENCE_MS)));
        bide_group_cancel(g, "enough");
    }
    return bide_void;
}

static async(void) calls(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
    reading = 0;
    if (how == 3) {
        spawn_void(bide_background(), ask_there);
    } else if (how == 0) {
        await(ask_there());
    } else {
        with_deadline(how == 1 ? BIDE_FOREVER : bide_s(60))
            await(ask_there());
    }
    while (bide_group_live(bide_background()) > 0)
        await(bide_sleep(bide_ms(1)));
    bide_stop("done");
    return bide_void;
}

/* What is meant at home is meant there. */
TEST_PLAIN(a_call_on_another_loop_is_watched_as_one_here)
{
    for (how = 3; how >= 0; how--) {
        test_capture_stderr();
        check_int(bide_run(calls, .loops = 2, .unanswered = bide_ms(PATIENCE_MS),
                           .ignore_signals = true, .watchdog = BIDE_FOREVER),
                  0);
        const char *text = test_captured();
        if (how == 0)
            check_contains(text, "'read_there' waits for stream 'unix:' at ");
        else
            check_str(text, "");
    }
}

typedef bide_cross_channel(int) numbers;

static numbers *nobody_sends; /* atomic: made by loop 0 */

SPAWNABLE(void, wait_in_vain)
async(void) wait_in_vain(void)
{
    numbers *in;
    int value;
    while (!(in = __atomic_load_n(&nobody_sends, __ATOMIC_ACQUIRE)))
        await(bide_sleep(bide_us(100)));
    (void)await(bide_cross_receive(in, &value));
    return bide_void;
}

SPAWNABLE(void, write_to, bide_stream_ptr)
async(void) write_to(bide_stream_ptr stream)
{
    await(bide_sleep(bide_ms(1)));
    await(bide_write(stream, "x", 1));
    return bide_void;
}

/* A wait for a peer that is over, then one that nobody will end: on every loop. */
static async(void) answered_then_stuck(void)
{
    bide_error *error;
    if (bide_loop_index() == 0) {
        bide_stream_ptr ends[2];
        await(bide_stream_pair(ends));
        with_group(g) {
            spawn_void(g, write_to, ends[1]);
            await(read_bare(ends[0]));
        }
        bide_close_stream(ends[0]);
        bide_close_stream(ends[1]);
        check(bide__timer_armed(&bide__loop_here->unanswered_timer));
        __atomic_store_n(&nobody_sends, bide_cross_channel_new(int, 1, "in vain"),
                         __ATOMIC_RELEASE);
    }
    attempt(&error, wait_in_vain);
    if (error) {
        check_int(error->code, BIDE_DEADLOCK);
        bide_cross_close(nobody_sends);
    }
    return bide_void;
}

/* Else these tests would last as long as is patient. */
TEST_PLAIN(a_deadlock_is_told_though_the_watch_goes_on)
{
    for (int loops = 1; loops <= 2; loops++) {
        nobody_sends = NULL;
        test_capture_stderr();
        check_int(bide_run(answered_then_stuck, .loops = loops, .unanswered = bide_s(3600),
                           .ignore_signals = true, .watchdog = BIDE_FOREVER),
                  0);
        check_contains(test_captured(), "DEADLOCK");
        bide_cross_channel_free(nobody_sends);
    }
}
