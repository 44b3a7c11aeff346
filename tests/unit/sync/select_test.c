/*
 * select_test.c: select: exactly one case happens, fairness, close, cancels, both sides at once.
 */
#include "../loops_case.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <stdlib.h>

SPAWNABLE(void, send_after, bide_channel(int) *, int, int)
async(void) send_after(bide_channel(int) *c, int milliseconds, int value)
{
    await(bide_sleep(bide_ms(milliseconds)));
    await(bide_send(c, value));
    return bide_void;
}

TEST(the_first_case_that_can_happens_alone)
{
    with_channel(int, a, 0) {
        with_channel(int, b, 0) {
            with_group(g) {
                int x = 0, y = 0;
                spawn_void(g, send_after, a, 20, 1);
                spawn_void(g, send_after, b, 10, 2);
                bide_select_case cases[] = {bide_case_receive(a, &x), bide_case_receive(b, &y)};
                check_int(await(bide_select(cases, 2)), 1);
                check_int(x, 0);
                check_int(y, 2);
                check(!cases[1].closed);
                check(!a->channel.receivers.first && !b->channel.receivers.first);
                check_int(await(bide_select(cases, 2)), 0);
                check_int(x, 1);
            }
        }
    }
}

TEST(a_send_case_sends_once)
{
    int value = 0;
    with_channel(int, a, 1) {
        with_channel(int, b, 0) {
            int got = 0;
            bide_select_case cases[] = {bide_case_send(a, 7), bide_case_receive(b, &got)};
            check_int(await(bide_select(cases, 2)), 0);
            check_int(bide_channel_count(a), 1);
            with_group(g) {
                spawn_void(g, send_after, b, 5, 3);
                check_int(await(bide_select(cases, 2)), 1); /* a is full */
                check_int(got, 3);
            }
            check_int(bide_channel_count(a), 1);
            check(!a->channel.senders.first);
            check(bide_try_receive(a, &value));
            check_int(value, 7);
        }
    }
}

static int picked[3];

SPAWNABLE(void, keep_full, bide_channel(int) *, int)
async(void) keep_full(bide_channel(int) *c, int value)
{
    for (;;)
        await(bide_send(c, value));
}

TEST(ready_cases_are_picked_fairly)
{
    with_channel(int, a, 4) {
        with_channel(int, b, 4) {
            with_channel(int, c, 4) {
                with_group(g) {
                    spawn_void(g, keep_full, a, 0);
                    spawn_void(g, keep_full, b, 1);
                    spawn_void(g, keep_full, c, 2);
                    await(bide_sleep(bide_ms(1)));
                    for (int i = 0; i < 3000; i++) {
                        int value = -1;
                        bide_select_case cases[] = {bide_case_receive(a, &value),
                                                    bide_case_receive(b, &value),
                                                    bide_case_receive(c, &value)};
                        size_t index = await(bide_select(cases, 3));
                        check_int(value, index);
                        picked[index]++;
                        if (i % 4 == 0)
                            await(bide_yield());
                    }
                    bide_group_cancel(g, "enough");
                }
            }
        }
    }
    for (int i = 0; i < 3; i++)
        check_near(picked[i], 1000, 150);
}

TEST(trying_never_waits)
{
    with_channel(int, a, 1) {
        int value = 0;
        size_t index = 9;
        bide_select_case receive[] = {bide_case_receive(a, &value)};
        bide_select_case both[] = {bide_case_receive(a, &value), bide_case_send(a, 5)};
        check(!bide_try_select(receive, 1, &index));
        check_int(index, 9);
        check(bide_try_select(both, 2, &index));
        check_int(index, 1);
        check(bide_try_select(receive, 1, &index));
        check_int(index, 0);
        check_int(value, 5);
    }
}

SPAWNABLE(void, close_after, bide_channel(int) *, int)
async(void) close_after(bide_channel(int) *c, int milliseconds)
{
    await(bide_sleep(bide_ms(milliseconds)));
    bide_channel_close(c);
    return bide_void;
}

static async(void) select_send(bide_channel(int) *c)
{
    bide_select_case cases[] = {bide_case_send(c, 1)};
    (void)await(bide_select(cases, 1));
    return bide_void;
}
SPAWNABLE(void, select_send, bide_channel(int) *)

TEST(a_closed_channel_is_ready)
{
    bide_error *error;
    with_channel(int, a, 0) {
        with_channel(int, b, 0) {
            int x = 4;
            bide_select_case cases[] = {bide_case_receive(a, &x), bide_case_receive(b, &x)};
            with_group(g) {
                spawn_void(g, close_after, b, 3);
                check_int(await(bide_select(cases, 2)), 1);
                check(cases[1].closed);
                check(!a->channel.receivers.first);
                check_int(await(bide_select(cases, 2)), 1); /* still */
                check_int(x, 4);
            }
            attempt(&error, select_send, b);
            require(error);
            check_int(error->code, BIDE_CLOSED);
            check_contains(error->message, "close_after");
            with_group(g) {
                spawn_void(g, close_after, a, 3);
                attempt(&error, select_send, a);
                require(error);
                check_int(error->code, BIDE_CLOSED);
            }
        }
    }
}

static int total;

SPAWNABLE(void, either, bide_channel(int) *, bide_channel(int) *)
async(void) either(bide_channel(int) *a, bide_channel(int) *b)
{
    int value = 0;
    bide_select_case cases[] = {bide_case_receive(a, &value), bide_case_receive(b, &value)};
    (void)await(bide_select(cases, 2));
    total += value;
    return bide_void;
}

TEST(a_cancelled_select_loses_no_value_and_leaves_all_queues)
{
    for (int cancelled = 0; cancelled < 4; cancelled++) {
        for (int after = 0; after < 2; after++) {
            bide_task_ref tasks[4];
            total = 0;
            with_channel(int, a, 4) {
                with_channel(int, b, 4) {
                    with_group(g) {
                        for (int i = 0; i < 4; i++) {
                            task(void) one = spawn(g, either, a, b);
                            tasks[i] = bide_ref(one);
                        }
                        await(bide_sleep(bide_ms(1)));
                        if (!after)
                            bide_cancel_task(tasks[cancelled], "test");
                        for (int i = 0; i < 2; i++) {
                            await(bide_send(a, 1));
                            await(bide_send(b, 1));
                        }
                        if (after)
                            bide_cancel_task(tasks[cancelled], "test");
                        await(bide_wait(BIDE_ALL, tasks, 4));
                        bide_group_cancel(g, "the results are not wanted");
                    }
                    check_int(total + (int)bide_channel_count(a) + (int)bide_channel_count(b), 4);
                    check_int(total, after ? 4 : 3);
                    check(!a->channel.receivers.first && !b->channel.receivers.first);
                }
            }
        }
    }
}

TEST(a_case_of_a_time)
{
    with_channel(int, a, 0) {
        int value = 0;
        size_t index = 9;
        bide_select_case cases[] = {bide_case_after(bide_ms(20)), bide_case_receive(a, &value),
                                    bide_case_after(bide_ms(5))};
        bide_select_case soon[] = {bide_case_after(bide_ms(0))};
        int64_t began_ns = bide_clock_ns();
        check(!bide_try_select(cases, 3, &index));
        check_int(await(bide_select(cases, 3)), 2);
        check(bide_clock_ns() - began_ns >= 5000000);
        check(bide_try_select(soon, 1, &index));
        check_int(index, 0);
        with_group(g) {
            spawn_void(g, send_after, a, 1, 7);
            cases[2].after = BIDE_FOREVER;
            check_int(await(bide_select(cases, 3)), 1);
            check_int(value, 7);
        }
        check(!a->channel.receivers.first);
    }
}

typedef bide_cross_channel(int) crossing;

/* As many values as it is told, of its own or of the other loops; the sum. */
static async(int) take_either(crossing *there, bide_channel(int) *here, int count)
{
    int sum = 0;
    while (count > 0) {
        int value = 0;
        bide_select_case cases[] = {bide_case_cross_receive(there, &value),
                                    bide_case_receive(here, &value), bide_case_after(bide_us(50))};
        size_t index = await(bide_select(cases, 3));
        check(!cases[index].closed);
        sum += value;
        count -= index != 2;
    }
    return ready(int, sum);
}
SPAWNABLE(int, take_either, crossing *, bide_channel(int) *, int)

static async(void) give(crossing *there, int count)
{
    for (int i = 0; i < count; i++) {
        bide_select_case cases[] = {bide_case_cross_send(there, 1)};
        check_int(await(bide_select(cases, 1)), 0);
        if (i % 7 == 0)
            await(bide_yield());
    }
    return bide_void;
}
SPAWNABLE(void, give, crossing *, int)

enum { MANY = 2000, TAKERS = 3 };

static async(void) each_value_once(void)
{
    with_cross_channel(int, there, 3)
    {
        with_channel(int, here, 1) {
            with_group(g) {
                task(int) takers[TAKERS];
                int sum = 0;
                for (int i = 0; i < TAKERS; i++)
                    takers[i] = spawn(g, take_either, there, here, MANY);
                for (int i = 0; i < 2 * TAKERS; i++)
                    spawn_void_on(g, 1 + i % 2, give, there, MANY / 4);
                for (int i = 0; i < MANY / 2 * TAKERS; i++)
                    await(bide_send(here, 1000));
                for (int i = 0; i < TAKERS; i++)
                    sum += await_task(takers[i]);
                check_int(sum, TAKERS * (MANY / 2 * 1000 + MANY / 2));
            }
            check_int(bide_channel_count(here), 0);
        }
        check_int(bide_cross_count(there), 0);
    }
    return bide_void;
}

TEST_PLAIN(of_both_kinds_of_channels_each_value_once, .timeout_ms = 30000)
{
    run_on(3, each_value_once);
}

static async(void) close_crossing(crossing *c)
{
    await(bide_sleep(bide_ms(2)));
    bide_cross_close(c);
    return bide_void;
}
SPAWNABLE(void, close_crossing, crossing *)

static async(void) select_cross_send(crossing *c)
{
    bide_select_case cases[] = {bide_case_cross_send(c, 1)};
    (void)await(bide_select(cases, 1));
    return bide_void;
}
SPAWNABLE(void, select_cross_send, crossing *)

static async(void) both_sides(void)
{
    bide_error *error;
    with_cross_channel(int, a, 1)
    {
        with_cross_channel(int, b, 1)
        {
            int x = 0;
            size_t index = 9;
            bide_select_case cases[] = {bide_case_cross_receive(a, &x),
                                        bide_case_cross_receive(b, &x), bide_case_cross_send(b, 6)};
            check(!bide_try_select(cases, 2, &index));
            check_int(await(bide_select(cases, 3)), 2);
            check_int(await(bide_select(cases, 3)), 1); /* b is full */
            check_int(x, 6);
            with_group(g) {
                spawn_void_on(g, 1, close_crossing, a);
                check_int(await(bide_select(cases, 2)), 0);
                check(cases[0].closed);
            }
            attempt(&error, select_cross_send, a);
            require(error);
            check_int(error->code, BIDE_CLOSED);
            check_contains(error->message, "close_crossing");
        }
    }
    return bide_void;
}

TEST_PLAIN(channels_between_loops_close_and_send_in_a_select)
{
    run_on(2, both_sides);
}

static async(void) take_into(crossing *there, bide_channel(int) *here, int *ret_sum)
{
    *ret_sum = await(take_either(there, here, 1));
    return bide_void;
}
SPAWNABLE(void, take_into, crossing *, bide_channel(int) *, int *)

static async(void) cancelled_selects(void)
{
    with_cross_channel(int, there, 1)
    {
        with_channel(int, here, 0) {
            for (int i = 0; i < 300; i++) {
                int received = 0;
                with_group(g) {
                    task(void) taker = spawn(g, take_into, there, here, &received);
                    task(void) sender = spawn_on(g, 1, give, there, 1);
                    bide_task_ref both[] = {bide_ref(taker), bide_ref(sender)};
                    for (int j = 0; j < i % 11; j++)
                        await(bide_yield());
                    bide_cancel(taker, "race");
                    await(bide_wait(BIDE_ALL, both, 2));
                    bide_group_cancel(g, "the results are not wanted");
                }
                check_int(received + (int)bide_cross_count(there), 1);
                int value;
                if (received == 0)
                    check(await(bide_cross_receive(there, &value)));
            }
            check(!here->channel.receivers.first);
        }
    }
    return bide_void;
}

TEST_PLAIN(a_cancelled_select_takes_nothing_of_other_loops, .timeout_ms = 20000)
{
    run_on(2, cancelled_selects);
}

TEST(cross_cases_survive_cancels_everywhere, .cancel_everywhere = true)
{
    with_cross_channel(int, there, 1)
    {
        with_channel(int, here, 1) {
            with_group(g) {
                task(int) taker = spawn(g, take_either, there, here, 2);
                await(bide_yield());
                await(bide_cross_send(there, 1));
                await(bide_send(here, 2));
                check_int(await_task(taker), 3);
            }
        }
    }
}

SPAWNABLE(void, until_told, bide_channel(int) *, crossing *, bool)
async(void) until_told(bide_channel(int) *quit, crossing *there, bool sends)
{
    int value = 0;
    bide_select_case receive[] = {bide_case_receive(quit, &value),
                                  bide_case_cross_receive(there, &value)};
    bide_select_case send[] = {bide_case_receive(quit, &value), bide_case_cross_send(there, 3)};
    check_int(await(bide_select(sends ? send : receive, 2)), 0);
    return bide_void;
}

/* The select was decided, and its task has not run: it touches the other channel no more. */
TEST(a_decided_select_lets_the_channel_of_another_case_be_freed)
{
    for (int i = 0; i < 4; i++) {
        bool sends = i & 1, closes = i & 2;
        crossing *there = bide_cross_channel_new(int, 1, "there");
        require(there);
        if (sends)
            await(bide_cross_send(there, 1)); /* full */
        with_channel(int, quit, 1) {
            with_group(g) {
                spawn_void(g, until_told, quit, there, sends);
                await(bide_sleep(bide_ms(1)));
                check(bide_try_send(quit, 1));
                if (closes)
                    bide_cross_close(there);
                bide_cross_channel_free(there);
            }
        }
    }
}

static async(void) send_either_way(bide_channel(int) *here, crossing *there)
{
    bide_select_case cases[] = {bide_case_send(here, 1), bide_case_cross_send(there, 1)};
    (void)await(bide_select(cases, 2));
    return bide_void;
}
SPAWNABLE(void, send_either_way, bide_channel(int) *, crossing *)

static async(void) receive_either_way(bide_channel(int) *here, crossing *there)
{
    int value;
    bide_select_case cases[] = {bide_case_receive(here, &value),
                                bide_case_cross_receive(there, &value)};
    check(cases[await(bide_select(cases, 2))].closed);
    return bide_void;
}
SPAWNABLE(void, receive_either_way, bide_channel(int) *, crossing *)

SPAWNABLE(void, until_closed, bide_channel(int) *, crossing *, bool)
async(void) until_closed(bide_channel(int) *here, crossing *there, bool sends)
{
    bide_error *error;
    if (sends)
        attempt(&error, send_either_way, here, there);
    else
        attempt(&error, receive_either_way, here, there);
    check(sends == (error != NULL));
    if (error) {
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "was closed by task #");
    }
    return bide_void;
}

/* The select was told of the close, and its task has not run. */
TEST(a_select_that_was_told_of_a_close_lets_both_channels_be_freed)
{
    for (int i = 0; i < 4; i++) {
        bool sends = i & 1, closes_here = i & 2;
        bide_channel(int) *here = bide_channel_new(int, 0, "here");
        crossing *there = bide_cross_channel_new(int, 1, "there");
        require(here && there);
        if (sends)
            await(bide_cross_send(there, 1)); /* full */
        with_group(g) {
            spawn_void(g, until_closed, here, there, sends);
            spawn_void(g, until_closed, here, there, sends);
            await(bide_sleep(bide_ms(1)));
            if (closes_here)
                bide_channel_close(here);
            else
                bide_cross_close(there);
            bide_channel_free(here);
            bide_cross_channel_free(there);
        }
    }
}

TEST(two_selects_meet_and_one_does_not_meet_itself)
{
    with_channel(int, c, 0) {
        size_t index = 9;
        int value = 0;
        bide_select_case both[] = {bide_case_send(c, 8), bide_case_receive(c, &value)};
        check(!bide_try_select(both, 2, &index));
        total = 0;
        with_group(g) {
            with_channel(int, unused, 0) {
                task(void) other = spawn(g, either, c, unused);
                check_int(await(bide_select(both, 2)), 0);
                await_task(other);
            }
        }
        check_int(total, 8);
        check(!c->channel.senders.first && !c->channel.receivers.first);
        with_group(g) {
            spawn_void(g, send_after, c, 5, 6);
            check_int(await(bide_select(both, 2)), 1);
            check_int(value, 6);
        }
        check(!c->channel.senders.first && !c->channel.receivers.first);
    }
}

TEST(cancels_at_every_await_leak_nothing, .cancel_everywhere = true)
{
    with_channel(int, a, 0) {
        with_channel(int, b, 1) {
            with_group(g) {
                spawn_void(g, either, a, b);
                spawn_void(g, either, a, b);
                await(bide_send(a, 1));
                await(bide_send(b, 1));
            }
        }
    }
}

static async(void) select_nothing(void)
{
    (void)await(bide_select(NULL, 0));
    return bide_void;
}
static void run_select_nothing(void)
{
    exit(bide_run(select_nothing));
}

static async(void) select_from_no_channel(void)
{
    crossing *none = NULL;
    int value;
    bide_select_case cases[] = {bide_case_after(bide_ms(0)), bide_case_cross_receive(none, &value)};
    (void)await(bide_select(cases, 2));
    return bide_void;
}
static void run_select_from_no_channel(void)
{
    exit(bide_run(select_from_no_channel));
}

TEST_PLAIN(a_select_without_cases_or_of_no_channel_is_misuse)
{
    check_dies(run_select_nothing, "selects from 0 cases");
    check_dies(run_select_from_no_channel, "case 1 has neither a channel");
}
