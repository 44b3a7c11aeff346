/*
 * select_test.c: select: exactly one case happens, fairness, close, cancels, both sides at once.
 */
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

TEST_PLAIN(a_select_without_cases_is_misuse)
{
    check_dies(run_select_nothing, "selects from 0 cases");
}
