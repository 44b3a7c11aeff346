/*
 * event_test.c: the event: setting wakes all, a wait that was woken stays woken, cancels.
 */
#include <bide/bide.h>
#include <bide/test.h>

static int woken;

SPAWNABLE(void, wait_for_it, bide_event *)
async(void) wait_for_it(bide_event *event)
{
    await(bide_event_wait(event));
    woken++;
    return bide_void;
}

TEST(setting_wakes_all_that_wait_and_later_waits_do_not_suspend)
{
    static bide_event event;
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, wait_for_it, &event);
        await(bide_sleep(bide_ms(1)));
        check_int(woken, 0);
        check(!bide_event_is_set(&event));
        bide_event_set(&event);
        check(bide_event_is_set(&event));
        bide_event_set(&event);
        spawn_void(g, wait_for_it, &event);
    }
    check_int(woken, 6);
}

TEST(clearing_at_once_does_not_take_a_wake_up_back)
{
    bide_event event;
    bide_event_init(&event, "pulse");
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, wait_for_it, &event);
        await(bide_sleep(bide_ms(1)));
        bide_event_set(&event);
        bide_event_clear(&event);
        await(bide_sleep(bide_ms(1)));
        check_int(woken, 3);
        spawn_void(g, wait_for_it, &event);
        await(bide_sleep(bide_ms(1)));
        check_int(woken, 3);
        bide_event_set(&event);
    }
    check_int(woken, 4);
}

TEST(a_cancelled_waiter_leaves_the_others)
{
    for (int i = 0; i < 3; i++) {
        bide_event event = {0};
        bide_task_ref tasks[3];
        woken = 0;
        with_group(g) {
            for (int k = 0; k < 3; k++) {
                task(void) one = spawn(g, wait_for_it, &event);
                tasks[k] = bide_ref(one);
            }
            await(bide_sleep(bide_ms(1)));
            bide_cancel_task(tasks[i], "test");
            bide_event_set(&event);
            await(bide_wait(BIDE_ALL, tasks, 3));
            check_int(woken, 2);
            check(!event.waiting.first);
            bide_group_cancel(g, "the results are not wanted");
        }
    }
}

TEST(a_wake_up_before_the_cancel_stands)
{
    bide_event event = {0};
    with_group(g) {
        task(void) one = spawn(g, wait_for_it, &event);
        await(bide_sleep(bide_ms(1)));
        bide_event_set(&event);
        bide_cancel(one, "too late");
        await_task(one);
    }
    check_int(woken, 1);
}

static async(void) wait_within(bide_event *event)
{
    with_deadline(bide_ms(5)) {
        await(bide_event_wait(event));
    }
    return bide_void;
}
SPAWNABLE(void, wait_within, bide_event *)

TEST(a_deadline_ends_the_wait)
{
    bide_event event = {0};
    bide_error *error;
    attempt(&error, wait_within, &event);
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check(!event.waiting.first);
}

SPAWNABLE(void, wait_for_event, bide_event *)
async(void) wait_for_event(bide_event *event)
{
    await(bide_event_wait(event));
    return bide_void;
}

TEST(an_event_that_nobody_can_set_is_reported)
{
    bide_event event;
    bide_error *error;
    bide_event_init(&event, "never");
    test_capture_stderr();
    attempt(&error, wait_for_event, &event);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "event 'never'");
    bide_event unnamed = {0};
    test_capture_stderr();
    attempt(&error, wait_for_event, &unnamed);
    check_contains(test_captured(), "waits for an event");
}
