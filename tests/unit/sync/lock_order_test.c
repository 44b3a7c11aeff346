/*
 * lock_order_test.c: two orders of locks are seen though they never meet.
 */
#include "base/mem.h"
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

TEST(a_try_is_no_order_but_what_is_taken_behind_it_is, .reports = true)
{
    bide_mutex a, b;
    bide_mutex_init(&a, "a");
    bide_mutex_init(&b, "b");
    test_capture_stderr();
    await(both(&a, &b));
    await(bide_lock(&b));
    require(bide_try_lock(&a)); /* cannot wait */
    bide_unlock(&b);
    bide_unlock(&a);
    check_str(test_captured(), "");
    test_capture_stderr();
    require(bide_try_lock(&b));
    with_lock(&a)
        await(bide_yield());
    bide_unlock(&b);
    check(strstr(test_captured(), "takes mutex 'a'"));
}

static async(void) use_new_ones(bide_mutex *parent, bide_mutex *child)
{
    *parent = *child = (bide_mutex){.owner = NULL};
    await(both(parent, child));
    return bide_void;
}

/* All zero ones are known by their place: what is made there later is another one. */
TEST(new_mutexes_at_the_places_of_old_ones_are_in_no_order_with_them, .reports = true)
{
    static bide_mutex first, second;
    test_capture_stderr();
    await(use_new_ones(&first, &second));
    await(use_new_ones(&second, &first));
    check_str(test_captured(), "");
    test_capture_stderr();
    await(both(&first, &second)); /* these are the same */
    check(strstr(test_captured(), "two orders of locks"));
}

static bide_mutex kept[2];

static async(void) take_kept(void)
{
    await(both(&kept[0], &kept[1]));
    return bide_void;
}

static async(void) take_kept_in_turn(void)
{
    await(both(&kept[1], &kept[0]));
    return bide_void;
}

/* Tasks of two runs do not meet. */
TEST_PLAIN(what_was_seen_ends_with_the_run)
{
    int64_t live = bide__mem_live();
    test_capture_stderr();
    bide__lock_order_watched = true;
    check_int(bide_run(take_kept), 0);
    check_int(bide_run(take_kept_in_turn), 0);
    check_str(test_captured(), "");
    check_int(bide__mem_live(), live);
}
