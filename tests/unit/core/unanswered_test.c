/*
 * unanswered_test.c: waits for a peer that no deadline would end.
 */
#include "core/unanswered.h"

#include <bide/bide.h>
#include <bide/test.h>
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
