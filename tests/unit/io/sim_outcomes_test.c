/*
 * sim_outcomes_test.c: all that may happen to a connection of the simulated network does happen in
 * some schedule, for as long as io/sim.c says.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "../test/self.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *const outcomes[] = {
    "connected at once", "connected late",   "connected cut off", "refused",      "written at once",
    "written late",      "one byte written", "reset in write",    "read at once", "read late",
    "read cut off",      "one byte read",    "reset in read",
};
enum { OUTCOMES = sizeof outcomes / sizeof *outcomes };

/* Says what happens for the first time in all schedules. */
static void see(const char *what)
{
    static bool seen[OUTCOMES];

    for (int i = 0; i < OUTCOMES; i++) {
        if (strcmp(outcomes[i], what) == 0 && !seen[i]) {
            seen[i] = true;
            printf("seen: %s\n", what);
        }
    }
}

static int64_t ms_since(int64_t start_ns)
{
    return (bide_clock_ns() - start_ns) / 1000000;
}

static void see_time(const char *what, int64_t start_ns)
{
    char outcome[64];
    int64_t ms = ms_since(start_ns);

    check(ms == 0 || ms == 5 || ms == 60 * 1000);
    snprintf(outcome, sizeof outcome, "%s %s", what,
             ms == 0   ? "at once"
             : ms == 5 ? "late"
                       : "cut off");
    see(outcome);
}

static bool written;

static async(void) write_two(bide_stream *stream)
{
    int64_t start_ns = bide_clock_ns();
    bide_error *error;

    attempt(&error, bide_write, stream, "ab", 2);
    written = !error;
    if (error)
        see("reset in write");
    else if (ms_since(start_ns) <= 5)
        see_time("written", start_ns);
    return bide_void;
}
SPAWNABLE(void, write_two, bide_stream *)

static int bytes_there(bide_stream *stream)
{
    int count = 0;

    check_int(ioctl(bide_stream_fd(stream), FIONREAD, &count), 0);
    return count;
}

static async(void) read_two(bide_stream *stream)
{
    char bytes[8];
    bide_error *error;

    for (size_t size = 0, n; size < 2; size += n) {
        int64_t start_ns = bide_clock_ns();
        bool all_there = written;

        n = attempt(&error, bide_read, stream, bytes, sizeof bytes);
        if (error && written)
            see("reset in read");
        if (error || n == 0)
            break;
        if (n == 1 && size == 0)
            see(bytes_there(stream) ? "one byte read" : "one byte written");
        if (all_there)
            see_time("read", start_ns);
    }
    return bide_void;
}
SPAWNABLE(void, read_two, bide_stream *)

EXPLORE(hidden_outcomes, .hidden = true, .no_cancels = true)
{
    bide_error *error;

    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        int64_t start_ns = bide_clock_ns();
        bide_stream *here = attempt(&error, bide_connect_tcp, "10.0.0.1", 80);
        if (error) {
            check_int(error->system_errno, ECONNREFUSED);
            see("refused");
            return;
        }
        defer(bide_close_stream, here);
        see_time("connected", start_ns);
        with(bide_accepted, there, listener) {
            written = false;
            with_group(g) {
                spawn_void(g, write_two, here);
                spawn_void(g, read_two, there);
            }
        }
    }
}

TEST_PLAIN(all_that_may_happen_to_a_connection_does)
{
    char line[64];

    check_int(run_hidden("hidden_outcomes", ""), 0);
    for (int i = 0; i < OUTCOMES; i++) {
        snprintf(line, sizeof line, "| seen: %s\n", outcomes[i]);
        check_int(count(line), 1);
    }
}
