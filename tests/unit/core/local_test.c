/*
 * local_test.c: task-local values: setting, blocks, who inherits by which rule, when they end.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include "core/local.h"

#include <stdio.h>
#include <string.h>

typedef struct who {
    int number;
    char name[20];
} who;

static TASK_LOCAL(int, own, BIDE_LOCAL_OWN);
static TASK_LOCAL(who, of_request, BIDE_LOCAL_REQUEST);
static TASK_LOCAL(int, of_all, BIDE_LOCAL_ALL);

static int ended, ended_sum;

static void end_value(void *value)
{
    ended++;
    ended_sum += *(int *)value;
}

static TASK_LOCAL_WITH(int, counted, BIDE_LOCAL_ALL, end_value);

static int value_of(const int *value)
{
    return value ? *value : -1;
}

TEST(set_get_clear)
{
    check(!bide_local_get(own));
    for (int i = 0; i < 5; i++) {
        bide_local_set(own, i);
        check_int(value_of(bide_local_get(own)), i);
        await(bide_yield());
        check_int(value_of(bide_local_get(own)), i);
    }
    bide_local_clear(own);
    bide_local_clear(own);
    check(!bide_local_get(own));
    bide_local_set(of_request, {.number = 7, .name = "frodo"});
    check_str(bide_local_get(of_request)->name, "frodo");
}

static async(void) see(int expected_own, int expected_request, int expected_all)
{
    const who *one = bide_local_get(of_request);
    check_int(value_of(bide_local_get(own)), expected_own);
    check_int(one ? one->number : -1, expected_request);
    check_int(value_of(bide_local_get(of_all)), expected_all);
    bide_local_set(of_all, 1000); /* the parent does not see that */
    await(bide_yield());
    check_int(value_of(bide_local_get(of_all)), 1000);
    return bide_void;
}
SPAWNABLE(void, see, int, int, int)

TEST(each_slot_has_its_rule)
{
    bide_local_set(own, 1);
    bide_local_set(of_request, {.number = 2});
    bide_local_set(of_all, 3);
    with_group(g) {
        spawn_void(g, see, -1, 2, 3);
        spawn_void(bide_background(), see, -1, -1, 3);
        bide_local_set(of_all, 4);
        spawn_void(g, see, -1, 2, 4);
        bide_local_clear(of_request);
        spawn_void(g, see, -1, -1, 4);
        await(bide_sleep(bide_ms(1)));
        check_int(value_of(bide_local_get(of_all)), 4);
    }
}

static async(void) see_nested(int depth, int expected)
{
    check_int(value_of(bide_local_get(of_all)), expected);
    if (depth == 0)
        return bide_void;
    with_group(g) {
        spawn_void(g, see, -1, -1, expected);
        await(see_nested(depth - 1, expected));
    }
    return bide_void;
}

static async(int) leave_by(int way)
{
    with_local(of_all, 10)
    {
        check_int(value_of(bide_local_get(of_all)), 10);
        with_local(of_all, 20)
        {
            await(see_nested(3, 20));
            bide_local_set(of_all, 21);
            if (way == 0)
                return ready(int, 0);
            if (way == 1)
                fail(bide_error_new(1000, "on purpose"));
        }
        check_int(value_of(bide_local_get(of_all)), 10);
        bide_local_clear(of_all);
    }
    return ready(int, 0);
}
SPAWNABLE(int, leave_by, int)

TEST(a_block_puts_back_what_was_there)
{
    bide_error *error;
    for (int set = 0; set < 2; set++) {
        for (int way = 0; way < 3; way++) {
            (void)attempt(&error, leave_by, way);
            check_int(error ? error->code : 0, way == 1 ? 1000 : 0);
            check_int(value_of(bide_local_get(of_all)), set ? 5 : -1);
        }
        bide_local_set(of_all, 5);
    }
}

static async(void) hold_on(int64_t ms)
{
    await(bide_sleep(bide_ms(ms)));
    check_int(value_of(bide_local_get(counted)), 1);
    return bide_void;
}
SPAWNABLE(void, hold_on, int64_t)

static async(void) start_some(void)
{
    bide_local_set(counted, 1);
    with_group(g) {
        for (int i = 1; i <= 3; i++)
            spawn_void(g, hold_on, i);
        bide_local_set(counted, 2);
        check_int(ended, 0);
        bide_local_set(counted, 4);
        check_int(ended_sum, 2);
        await(bide_sleep(bide_us(2500)));
        check_int(ended, 1);
    }
    check_int(ended_sum, 2 + 1); /* with the last child */
    return bide_void;
}
SPAWNABLE(void, start_some)

TEST(a_value_ends_once_with_the_last_that_has_it)
{
    with_group(g) {
        spawn_void(g, start_some);
    }
    check_int(ended, 3);
    check_int(ended_sum, 1 + 2 + 4);
    with_local(counted, 10)
    {
        with_group(g) {
            task(void) never = spawn(g, hold_on, 1); /* cancelled before it began */
            bide_cancel(never, "test");
        }
    }
    check_int(ended_sum, 17);
}

static async(void) two_requests(void)
{
    check_int(value_of(bide_local_get(of_all)), 3);
    for (int i = 0; i < 2; i++) {
        check(!bide_local_get(own));
        check_int(value_of(bide_local_get(of_all)), 3);
        bide_local_set(own, i);
        bide_local_set(of_all, 100 + i);
        bide_local_set(of_request, {.number = i});
        bide__locals_end_request((struct bide_task *)bide_current_task().task);
        check(!bide_local_get(of_request));
    }
    return bide_void;
}
SPAWNABLE(void, two_requests)

TEST(the_end_of_a_request_leaves_what_was_there_before)
{
    bide_local_set(of_all, 3);
    with_group(g) {
        spawn_void(g, two_requests);
    }
}

TEST(cancels_at_every_await, .cancel_everywhere = true)
{
    bide_local_set(of_all, 5);
    (void)await(leave_by(2));
    check_int(value_of(bide_local_get(of_all)), 5);
}

TEST(without_memory, .fail_allocations = true)
{
    for (int i = 0; i < 3; i++) {
        bide_local_set(own, i);
        bide_local_set(of_all, i);
        bide_local_set(counted, i);
    }
    with_group(g) {
        spawn_void(g, see, -1, -1, 2);
    }
}

TEST_PLAIN(outside_of_tasks_there_are_none)
{
    check(!bide_local_get(own));
}
