/*
 * What a pool promises, in all orders: never more connections than its limit, none lent to two at a
 * time, all given back, whoever is cancelled and whatever the driver cannot do.
 */
#include "pool_case.h"

static struct server server;
static int lent, uses;

static void give_back(void *connection)
{
    ((struct fake *)connection)->lent = false;
    lent--;
}

/* Takes its time or not, leaves it clean or not, or broken. */
static async(void) borrow(bide_pool *pool)
{
    with_pooled(connection, pool) {
        struct fake *fake = connection;
        check(!fake->lent);
        check(++lent <= (int)stats_of(pool).limit);
        fake->lent = true;
        defer(give_back, fake);
        uses++;
        await(bide_sleep(bide_ms(test_choose(2))));
        fake->dirty = test_choose(2);
        fake->gone = fake->dirty && test_choose(2);
    }
    return bide_void;
}
SPAWNABLE(void, borrow, bide_pool *)

static async(void) borrow_all(bide_pool *pool, int tasks)
{
    with_group(g) {
        for (int i = 0; i < tasks; i++)
            spawn_void(g, borrow, pool);
    }
    return bide_void;
}
SPAWNABLE(void, borrow_all, bide_pool *, int)

/* The group ends with the error of one, and cancels the others. */
static async(void) lend(int size, int tasks, bide_duration open_time)
{
    bide_error *error;
    lent = uses = 0;
    server = (struct server){.open_time = open_time,
                             .reset_time = bide_ms(1),
                             .ping_time = bide_ms(1),
                             .close_time = bide_ms(1)};
    bide_pool *pool = pool_of(&server, size);
    require(pool);
    attempt(&error, borrow_all, pool, tasks);
    shielded(bide_s(120)) {
        check_int(lent, 0);
        check_int(stats_of(pool).held, 0);
        check_int(stats_of(pool).waiting, 0);
        await(end(pool, &server));
    }
    check(uses == tasks || test_injected());
    if (error)
        fail(error);
    return bide_void;
}

EXPLORE(one_connection_for_two_tasks)
{
    await(lend(1, 2, bide_ms(0)));
}

EXPLORE(two_connections_for_three_tasks, .schedules = 4000)
{
    await(lend(2, 3, bide_ms(1)));
}
