/*
 * Deadline: how long something may take is said once, around it.
 *
 * with_deadline is inherited by everything inside, also by children and by functions that know
 * nothing of it; an inner one can only be tighter. Too late is the error BIDE_TIMEOUT.
 * move_on_after is for what may be missing: it gives a zero value and says so.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(int, count_rows, int)
async(int) count_rows(int seconds)
{
    await(bide_sleep(bide_s(seconds))); /* no timeout argument anywhere */
    return ready(int, 42);
}

SPAWNABLE(int, report, int)
async(int) report(int seconds)
{
    int rows = 0;
    with_deadline(bide_s(2)) {
        printf("%.1f s left\n", (double)bide_deadline_left().ns / 1e9);
        rows = await(count_rows(seconds));
    }
    return ready(int, rows);
}

static async(void) app(void)
{
    bide_error *error;
    int rows = attempt(&error, report, 1);
    printf("in time: %d rows\n", rows);

    int64_t start_ns = bide_clock_ns();
    rows = attempt(&error, report, 60);
    printf("late: %s after %.1f s\n", bide_code_name(error->code),
           (double)(bide_clock_ns() - start_ns) / 1e9);

    bool timed_out;
    rows = move_on_after(&timed_out, bide_ms(50), count_rows, 60);
    printf("optional: %d rows, timed out: %s\n", rows, timed_out ? "yes" : "no");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
