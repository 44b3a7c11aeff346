/*
 * Turns: the bound, the order, the full line, cancels, several loops.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "auth/turns.h"

#include <stdatomic.h>
#include <string.h>

static struct bide__turns turns = BIDE__TURNS(turns);
static atomic_int inside, most_inside, served;
static char order[16];

static void work(void)
{
    int n = ++inside, most = most_inside;
    while (n > most && !atomic_compare_exchange_weak(&most_inside, &most, n))
        ;
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
    served++;
    --inside;
}
OFFLOADABLE(void, work)

static async(void) take(char name);
SPAWNABLE(void, take, char)
static async(void) take(char name)
{
    struct bide__turn turn = {.turns = NULL};
    defer(bide__turn_give, &turn);
    bide__turn_take(&turn, &turns, 2, 4, "work");
    if (name)
        order[strlen(order)] = name;
    await(offload(BIDE_BLOCKING, work));
    return bide_void;
}

TEST(two_at_a_time_in_order, .in_order = true)
{
    with_group(g)
        for (char c = 'a'; c <= 'f'; c++)
            spawn_void(g, take, c);
    check_int(most_inside, 2);
    check_str(order, "abcdef");
    check_int(turns.taken, 0);
    check_int(turns.waiting, 0);
}

TEST(a_full_line, .in_order = true, .real_clock = true)
{
    with_group(g) {
        for (char c = 'a'; c <= 'f'; c++)
            spawn_void(g, take, c);
        await(bide_yield());
        bide_error *err;
        attempt(&err, take, 'x');
        require(err);
        check_int(err->code, BIDE_LIMIT);
        check_contains(err->message, "4 tasks wait for the turn to work");
    }
    check_str(order, "abcdef");
}

TEST(who_is_cancelled_leaves_the_line, .in_order = true, .real_clock = true)
{
    with_group(g) {
        bide_task_ref tasks[4];
        for (int i = 0; i < 4; i++) {
            task(void) one = spawn(g, take, (char)('a' + i));
            tasks[i] = bide_ref(one);
        }
        await(bide_yield());
        bide_cancel_task(tasks[2], "test");
        await(bide_wait(BIDE_ALL, tasks, 4));
        bide_group_cancel(g, "the results are not wanted");
    }
    check_str(order, "abd");
    check_int(turns.taken, 0);
}

static async(void) take_all_the_time(void)
{
    for (int i = 0; i < 20; i++)
        await(take(0));
    return bide_void;
}

TEST_PLAIN(one_bound_over_all_loops)
{
    check_int(bide_run(take_all_the_time, .loops = 6), 0);
    check_int(served, 120);
    check_int(most_inside, 2);
    check_int(turns.taken, 0);
}

static async(void) take_some(void);
SPAWNABLE(void, take_some)
static async(void) take_some(void)
{
    for (int i = 0; i < 3; i++)
        await(take(0));
    return bide_void;
}

TEST(a_cancel_at_every_await, .cancel_everywhere = true, .real_clock = true)
{
    with_group(g)
        for (int i = 0; i < 3; i++)
            spawn_void(g, take_some);
    check_int(turns.taken, 0);
    check_int(turns.waiting, 0);
}
