/*
 * lock_order_test.c: two orders of locks are seen though they never meet.
 */
#include "sync/sync.h"

#include <bide/bide.h>
#include <bide/test.h>
#include <string.h>

static async(void) both(bide_mutex *first, bide_mutex *second)
{
    with_lock(first)
        with_lock(second)
            await(bide_yield());
    return bide_void;
}

TEST(two_orders_are_told_with_all_places, .reports = true)
{
    bide_mutex a, b;
    bide_mutex_init(&a, "a");
    bide_mutex_init(&b, "b");
    test_capture_stderr();
    await(both(&a, &b));
    await(both(&b, &a));
    const char *text = test_captured();
    check(strstr(text, "two orders of locks: task #"));
    check(strstr(text, " takes mutex 'a' at "));
    check(strstr(text, " and holds mutex 'b' since "));
    check(strstr(text, "before, mutex 'b' was taken at "));
    check(strstr(text, " while mutex 'a' was held since "));
}

TEST(a_ring_of_three_is_told, .reports = true)
{
    bide_mutex a, b, c;
    bide_mutex_init(&a, "a");
    bide_mutex_init(&b, "b");
    bide_mutex_init(&c, "c");
    test_capture_stderr();
    await(both(&a, &b));
    await(both(&b, &c));
    await(both(&c, &a));
    check(strstr(test_captured(), "takes mutex 'a'"));
}

SPAWNABLE(void, hold_for_long, bide_mutex *)
async(void) hold_for_long(bide_mutex *mutex)
{
    with_lock(mutex)
        await(bide_sleep(bide_ms(5)));
    return bide_void;
}

TEST(one_order_is_fine)
{
    bide_mutex a, b, many[2];
    bide_mutex_init(&a, "a");
    bide_mutex_init(&b, "b");
    for (int i = 0; i < 2; i++)
        bide_mutex_init(&many[i], "account");
    for (int i = 0; i < 3; i++)
        await(both(&a, &b));
    await(both(&many[0], &many[1])); /* of one place: which comes first is not known */
    await(both(&many[1], &many[0]));
    with_lock(&b)
        await(bide_yield());
    with_group(g) { /* two tasks at once are no order */
        spawn_void(g, hold_for_long, &b);
        await(bide_yield());
        with_lock(&a)
            await(bide_yield());
    }
    await(bide_lock(&a)); /* not left in the order they were taken */
    await(bide_lock(&b));
    bide_unlock(&a);
    bide_unlock(&b);
    with_lock(&b)
        check(bide_try_lock(&many[0]));
    bide_unlock(&many[0]);
}
