/*
 * D18: the summary, five points.
 *
 * The document: define with async def, wait with await, run several by gather, manage resources by
 * async with, start by run.
 *
 * What goes wrong: each point has its silent mistake, which the rows above show.
 *
 * In bide: the same five points in one file; gather takes calls of different functions with results
 * of different types, and the compiler checks each of them.
 */
#include <bide/bide.h>

#include <stdio.h>

/* 1. define */
SPAWNABLE(int, count_users)
async(int) count_users(void)
{
    await(bide_sleep(bide_s(1))); /* 2. wait */
    return ready(int, 3);
}

SPAWNABLE(double, fetch_load, const char *)
async(double) fetch_load(const char *host)
{
    await(bide_sleep(bide_s(2)));
    return ready(double, host[0] == 'a' ? 0.5 : 1.5);
}

SPAWNABLE(bool, is_open, int)
async(bool) is_open(int hour)
{
    await(bide_sleep(bide_s(1)));
    return ready(bool, hour >= 9 && hour < 17);
}

/* 4. manage: opened and closed by awaiting */
static async(int) door_open(int number)
{
    await(bide_sleep(bide_ms(500)));
    printf("door %d opened\n", number);
    return ready(int, number);
}

static async(void) door_close(int number, bide_error *error)
{
    await(bide_sleep(bide_ms(500)));
    printf("door %d closed%s\n", number, error ? " after an error" : "");
    return bide_void;
}

RESOURCE(door, int, door_open, door_close)

static async(void) app(void)
{
    int64_t start_ns = bide_clock_ns();
    with(door, number, 7) {
        int users;
        double load;
        bool open;
        /* 3. at the same time */
        await(gather(bide_into(&users, count_users), bide_into(&load, fetch_load, "alpha"),
                     bide_into(&open, is_open, 10)));
        printf("behind door %d: %d users, load %.1f, %s\n", number, users, load,
               open ? "open" : "closed");
    }
    printf("%.0f s\n", (double)(bide_clock_ns() - start_ns) / 1e9);
    return bide_void;
}

/* 5. run */
int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
