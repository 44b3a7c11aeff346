/*
 * cross_channel_test.c: channels between loops: every value once and in order, many on both sides,
 * bounds, closing, cancels, deadlines, freeing while a letter is on its way.
 */
#include "../loops_case.h"

#include <bide/bide.h>
#include <bide/test.h>

#include "base/caps.h"
#include "base/mem.h"
#include "core/loop.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

typedef bide_cross_channel(int) numbers;

static async(void) send_numbers(numbers *out, int from, int to)
{
    for (int i = from; i < to; i++)
        await(bide_cross_send(out, i));
    return bide_void;
}
SPAWNABLE(void, send_numbers, numbers *, int, int)

static async(void) receive_in_order(void)
{
    with_cross_channel(int, c, 7)
    {
        with_group(g) {
            spawn_void_on(g, 1, send_numbers, c, 0, 3000);
            for (int i = 0; i < 3000; i++) {
                int value = -1;
                check(await(bide_cross_receive(c, &value)));
                if (!check_int(value, i))
                    break;
            }
        }
        check_int(bide_cross_count(c), 0);
    }
    return bide_void;
}

TEST_PLAIN(values_of_one_sender_arrive_in_order, .timeout_ms = 20000)
{
    run_on(2, receive_in_order);
}

enum { VALUES = 2000, SENDERS = 4 };
static uint32_t times[SENDERS * VALUES]; /* atomic: how often each was received */

static async(void) receive_all(numbers *in)
{
    int value, last[SENDERS] = {-1, -1, -1, -1};
    while (await(bide_cross_receive(in, &value))) {
        __atomic_add_fetch(&times[value], 1, __ATOMIC_RELAXED);
        check(value > last[value / VALUES]); /* also of several senders: each in its order */
        last[value / VALUES] = value;
    }
    return bide_void;
}
SPAWNABLE(void, receive_all, numbers *)

static async(void) all_to_all(void)
{
    with_cross_channel(int, c, 16)
    {
        with_group(receivers) {
            for (int i = 0; i < 4; i++)
                spawn_void_on(receivers, i % 3, receive_all, c);
            with_group(senders) {
                for (int i = 0; i < SENDERS; i++)
                    spawn_void_on(senders, (i + 1) % 3, send_numbers, c, i * VALUES,
                                  (i + 1) * VALUES);
            }
            bide_cross_close(c);
        }
        check(bide_cross_closed(c));
    }
    for (int i = 0; i < SENDERS * VALUES; i++)
        if (!check_int(times[i], 1))
            break;
    return bide_void;
}

TEST_PLAIN(many_senders_and_receivers_each_value_once, .timeout_ms = 30000)
{
    run_on(3, all_to_all);
}

static async(void) echo(numbers *in, numbers *out)
{
    int value;
    while (await(bide_cross_receive(in, &value)))
        await(bide_cross_send(out, value + 1));
    return bide_void;
}
SPAWNABLE(void, echo, numbers *, numbers *)

static async(void) ping_pong(void)
{
    with_cross_channel(int, there, 1)
    {
        with_cross_channel(int, back, 1)
        {
            with_group(g) {
                spawn_void_on(g, 1, echo, there, back);
                for (int i = 0; i < 2000; i++) {
                    int value = 0;
                    await(bide_cross_send(there, i));
                    check(await(bide_cross_receive(back, &value)));
                    if (!check_int(value, i + 1))
                        break;
                    if (i % 500 == 499)
                        await(bide_sleep(bide_ms(1))); /* now the other one sleeps */
                }
                bide_cross_close(there);
            }
        }
    }
    return bide_void;
}

TEST_PLAIN(one_value_there_and_back, .timeout_ms = 20000)
{
    run_on(2, ping_pong);
}

static const struct bide__io_ops *backend;
static uint32_t polls;

static void poll_counted(struct bide__io *io, int64_t deadline_ns)
{
    polls++;
    backend->poll(io, deadline_ns);
}

/* Of this loop: the message back is looked for once, not again when its task is ready. */
static async(void) ping_pong_counted(void)
{
    static struct bide__io_ops counted;
    struct bide__io *io = bide__loop_here->io;
    backend = io->ops;
    counted = *backend;
    counted.poll = poll_counted;
    io->ops = &counted;
    await(ping_pong()); /* others may look at the backend from here on: it stays */
    return bide_void;
}

TEST_PLAIN(a_message_costs_at_most_one_poll, .timeout_ms = 20000)
{
    run_on(2, ping_pong_counted);
    check(polls > 0);
    check(polls < 2000 + 200);
}

static async(void) receive_one(numbers *in)
{
    int value;
    (void)await(bide_cross_receive(in, &value));
    return bide_void;
}
SPAWNABLE(void, receive_one, numbers *)

static async(void) send_one(numbers *out)
{
    await(bide_cross_send(out, 1));
    return bide_void;
}
SPAWNABLE(void, send_one, numbers *)

static int close_line;

static async(void) close_there(numbers *c)
{
    await(bide_sleep(bide_ms(5)));
    close_line = __LINE__ + 1;
    bide_cross_close(c);
    return bide_void;
}
SPAWNABLE(void, close_there, numbers *)

static async(void) closing(void)
{
    bide_error *error;
    char line[160];
    with_cross_channel(int, c, 1)
    {
        int value = 0;
        with_group(g) {
            await(bide_cross_send(c, 5));
            spawn_void_on(g, 1, close_there, c);
            attempt(&error, send_one, c); /* waits: it is full */
        }
        require(error);
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "channel 'c'");
        check_contains(error->message, "'close_there'");
        snprintf(line, sizeof line, "%s:%d", __FILE__, close_line);
        check_contains(error->message, line);
        attempt(&error, send_one, c);
        check_int(error ? error->code : 0, BIDE_CLOSED);
        check(await(bide_cross_receive(c, &value)));
        check_int(value, 5);
        check(!await(bide_cross_receive(c, &value)));
        check_int(value, 5);
        bide_cross_close(c);
    }
    with_cross_channel(int, c, 1)
    {
        int value;
        with_group(g) {
            for (int i = 0; i < 6; i++)
                spawn_void_on(g, i % 3, receive_one, c);
            spawn_void_on(g, 2, close_there, c);
            check(!await(bide_cross_receive(c, &value)));
        }
    }
    return bide_void;
}

TEST_PLAIN(closing_wakes_all_and_keeps_what_is_buffered)
{
    run_on(3, closing);
}

static async(bool) receive_within(numbers *in, int64_t ms)
{
    int value;
    bool received = false;
    with_deadline(bide_ms(ms)) {
        received = await(bide_cross_receive(in, &value));
    }
    return ready(bool, received);
}
SPAWNABLE(bool, receive_within, numbers *, int64_t)

static async(void) cancels(void)
{
    bide_error *error;
    with_cross_channel(int, c, 2)
    {
        (void)attempt(&error, receive_within, c, 3);
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        for (int i = 0; i < 200; i++) {
            with_group(g) {
                task(void) sends = spawn_on(g, 1, send_one, c);
                task(void) receives = spawn_on(g, 1, receive_one, c);
                task(void) here = spawn(g, receive_one, c);
                for (int j = 0; j < i % 13; j++)
                    await(bide_yield());
                bide_cancel(receives, "race");
                bide_cancel(i % 2 ? here : sends, "race");
                bide_task_ref all[] = {bide_ref(sends), bide_ref(receives), bide_ref(here)};
                if (i % 2 == 0)
                    bide_cancel(here, "race");
                await(bide_wait(BIDE_ALL, all, 3));
                bide_group_cancel(g, "not wanted");
            }
            int value;
            while (bide_cross_count(c) > 0)
                check(await(bide_cross_receive(c, &value)));
        }
    }
    return bide_void;
}

TEST_PLAIN(cancels_and_deadlines_lose_nothing, .timeout_ms = 20000)
{
    run_on(2, cancels);
}

/* The waiting task is cancelled while a letter to it is on its way, and the channel is freed. */
static async(void) free_early(void)
{
    for (int i = 0; i < 300; i++) {
        with_cross_channel(int, c, 4)
        {
            with_group(g) {
                spawn_void_on(g, 1, receive_one, c);
                for (int j = 0; j < i % 17; j++)
                    await(bide_yield());
                await(bide_cross_send(c, 1));
                bide_group_cancel(g, "enough");
            }
        }
    }
    return bide_void;
}

TEST_PLAIN(a_channel_may_end_while_a_letter_is_on_its_way, .timeout_ms = 20000)
{
    run_on(2, free_early);
}

static void close_numbers(void *c)
{
    bide_cross_close((numbers *)c);
}

static async(void) send_nine(numbers *out)
{
    defer(close_numbers, out);
    await(send_numbers(out, 0, 9));
    return bide_void;
}
SPAWNABLE(void, send_nine, numbers *)

TEST(on_one_loop, .cancel_everywhere = true)
{
    with_cross_channel(int, c, 2)
    {
        with_group(g) {
            task(void) sending = spawn(g, send_nine, c);
            int value, next = 0;
            while (await(bide_cross_receive(c, &value)))
                check_int(value, next++);
            await_task(sending); /* cancelled, it raises here */
            check_int(next, 9);
        }
    }
}

static async(void) wait_for_nobody(void)
{
    with_cross_channel(int, c, 1)
    {
        int value;
        (void)await(bide_cross_receive(c, &value));
    }
    return bide_void;
}
SPAWNABLE(void, wait_for_nobody)

TEST(on_one_loop_a_wait_that_nobody_can_end_is_reported)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, wait_for_nobody);
    check_contains(test_captured(), "channel 'c'");
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
}

static async(void) nothing(void)
{
    await(bide_yield());
    return bide_void;
}
SPAWNABLE(void, nothing)

static async(void) send_for_ever(numbers *out)
{
    for (;;)
        await(bide_cross_send(out, -1));
    return bide_void;
}
SPAWNABLE(void, send_for_ever, numbers *)

enum { WAITING = 8 };

/* A sender here waits again before each receive; those on the other loop wait from the start. */
static async(void) senders_take_turns(void)
{
    with_cross_channel(int, c, 1)
    {
        int value, received = 0, from_there = 0;
        with_group(g) {
            await(bide_cross_send(c, -1));
            for (int i = 0; i < WAITING; i++)
                spawn_void_on(g, 1, send_numbers, c, i, i + 1);
            task(void) last = spawn_on(g, 1, nothing); /* after it all of them wait */
            await_task(last);
            spawn_void(g, send_for_ever, c);
            while (from_there < WAITING && received < 100 * BIDE_CAP_CROSS_PASSED) {
                await(bide_yield());
                check(await(bide_cross_receive(c, &value)));
                received++;
                from_there += value >= 0;
            }
            bide_group_cancel(g, "enough");
        }
        check_int(from_there, WAITING);
        check(received <= WAITING * (BIDE_CAP_CROSS_PASSED + 3));
        check(received >= WAITING * BIDE_CAP_CROSS_PASSED / 2); /* not one by one: it costs */
    }
    return bide_void;
}

static async(void) receive_for_ever(numbers *in)
{
    int value;
    while (await(bide_cross_receive(in, &value)))
        check_int(value, 1);
    return bide_void;
}
SPAWNABLE(void, receive_for_ever, numbers *)

static int had; /* atomic */

static async(void) receive_there(numbers *in)
{
    int value;
    if (await(bide_cross_receive(in, &value)))
        __atomic_add_fetch(&had, 1, __ATOMIC_RELAXED);
    return bide_void;
}
SPAWNABLE(void, receive_there, numbers *)

static async(void) receivers_take_turns(void)
{
    had = 0;
    with_cross_channel(int, c, 1)
    {
        with_group(g) {
            for (int i = 0; i < WAITING; i++)
                spawn_void_on(g, 1, receive_there, c);
            task(void) last = spawn_on(g, 1, nothing);
            await_task(last);
            spawn_void(g, receive_for_ever, c);
            for (int i = 0; i < WAITING * (BIDE_CAP_CROSS_PASSED + 3); i++) {
                await(bide_yield());
                await(bide_cross_send(c, 1));
            }
            bide_cross_close(c);
        }
        check_int(had, WAITING);
    }
    return bide_void;
}

TEST_PLAIN(loops_that_wait_have_their_turn, .timeout_ms = 20000)
{
    run_on(2, senders_take_turns);
    run_on(2, receivers_take_turns);
}

static async(void) send_as_one_end(numbers *out, int count)
{
    with_cross_sender(out)
    {
        await(send_numbers(out, 0, count));
    }
    return bide_void;
}
SPAWNABLE(void, send_as_one_end, numbers *, int)

static async(void) receive_as_one_end(numbers *in, int count)
{
    int value;
    with_cross_receiver(in)
    {
        for (int i = 0; i < count; i++)
            check(await(bide_cross_receive(in, &value)));
    }
    return bide_void;
}
SPAWNABLE(void, receive_as_one_end, numbers *, int)

/* Senders that are slow to come, and one that fails at its first value, are all waited for. */
static async(void) ends_close(void)
{
    bide_error *error;
    with_cross_channel(int, c, 4)
    {
        int value, received = 0;
        bide_cross_will_come(c, 3, 0);
        with_group(g) {
            spawn_void(g, send_as_one_end, c, 5);
            await(bide_sleep(bide_ms(1)));
            check(!bide_cross_closed(c));
            spawn_void_on(g, 1, send_as_one_end, c, 7);
            spawn_void_on(g, 2, send_as_one_end, c, 0);
            while (await(bide_cross_receive(c, &value)))
                received++;
        }
        check_int(received, 12);
        check(bide_cross_closed(c));
    }
    with_cross_channel(int, c, 1)
    {
        with_group(g) {
            spawn_void_on(g, 1, receive_as_one_end, c, 3);
            attempt(&error, send_numbers, c, 0, 100);
        }
        require(error);
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "channel 'c' was left by its last receiver");
        check_contains(error->message, "'receive_as_one_end'");
    }
    return bide_void;
}

TEST_PLAIN(the_last_end_that_leaves_closes)
{
    run_on(3, ends_close);
}

static async(void) use_until_it_ends(numbers *c, bool sends, bool is_closed)
{
    bide_error *error;
    if (sends)
        attempt(&error, send_one, c);
    else
        attempt(&error, receive_one, c);
    check(sends || !is_closed ? error != NULL : !error);
    if (error && is_closed) {
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "was closed by task #");
        check_contains(error->message, "cross_channel_test.c:");
    }
    return bide_void;
}
SPAWNABLE(void, use_until_it_ends, numbers *, bool, bool)

/* Told of the close, or cancelled, they have not run when the channel and its name are gone. */
TEST(a_channel_may_be_freed_as_soon_as_those_that_wait_here_are_told)
{
    for (int i = 0; i < 4; i++) {
        bool sends = i & 1, closes = i & 2;
        char *name = strdup("a name that ends");
        numbers *c = bide_cross_channel_new(int, 1, name);
        require(name && c);
        if (sends)
            await(bide_cross_send(c, 0)); /* full */
        with_group(g) {
            task(void) waits[] = {spawn(g, use_until_it_ends, c, sends, closes),
                                  spawn(g, use_until_it_ends, c, sends, closes)};
            await(bide_sleep(bide_ms(1)));
            if (closes)
                bide_cross_close(c);
            for (int j = 0; j < 2 && !closes; j++)
                bide_cancel(waits[j], "not wanted");
            bide_cross_channel_free(c);
            free(name);
        }
    }
}

static async(void) select_to_send_one(numbers *c)
{
    bide_select_case cases[] = {bide_case_cross_send(c, 1)};
    (void)await(bide_select(cases, 1));
    return bide_void;
}
SPAWNABLE(void, select_to_send_one, numbers *)

SPAWNABLE(void, send_until, numbers *, bool, const bool *)
async(void) send_until(numbers *c, bool selects, const bool *gone)
{
    bide_error *error;
    for (int i = 0; i < 2 * BIDE_CAP_OP_BUDGET && !*gone; i++) {
        if (selects)
            attempt(&error, select_to_send_one, c);
        else
            attempt(&error, send_one, c);
        check(error && error->code == BIDE_CLOSED);
    }
    return bide_void;
}

/* Others run between such sends at the most: the channel may be freed then. */
TEST(a_send_that_is_refused_at_once_lets_nobody_run)
{
    for (int i = 0; i < 2; i++) {
        bool gone = false;
        numbers *c = bide_cross_channel_new(int, 1, "closed");
        require(c);
        bide_cross_close(c);
        with_group(g) {
            spawn_void(g, send_until, c, i == 1, &gone);
            await(bide_yield());
            bide_cross_channel_free(c);
            gone = true;
        }
    }
}

static async(void) no_places(void)
{
    bide_cross_channel_free(bide_cross_channel_new(int, 0, NULL));
    return bide_void;
}

static void run_no_places(void)
{
    exit(bide_run(no_places));
}

static async(void) free_under_a_task(void)
{
    numbers *c = bide_cross_channel_new(int, 1, "early");
    with_group(g) {
        spawn_void(g, receive_one, c);
        await(bide_yield());
        bide_cross_channel_free(c);
    }
    return bide_void;
}

static async(void) free_under_an_end(void)
{
    numbers *c = bide_cross_channel_new(int, 1, "early");
    with_cross_sender(c)
    {
        bide_cross_channel_free(c);
    }
    return bide_void;
}

static void run_free_under_an_end(void)
{
    exit(bide_run(free_under_an_end));
}

static void run_free_under_a_task(void)
{
    exit(bide_run(free_under_a_task));
}

TEST_PLAIN(misuse_is_told)
{
    check_dies(run_no_places, "without places");
    check_dies(run_free_under_a_task, "frees channel 'early'");
    check_dies(run_free_under_an_end, "inside with_cross_sender or with_cross_receiver of 1 task");
    bide_cross_channel_free((numbers *)NULL);
}

TEST(without_memory, .fail_allocations = true)
{
    with_cross_channel(int, c, 2)
    {
        await(bide_cross_send(c, 1));
    }
}
