/*
 * channel_test.c: channels: order, bounds, rendezvous, close and its races, cancels at every
 * position, registered ends, deadlocks, misuse.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
    char text[24];
    int number;
} message;
CHANNEL(message);

typedef const char *label;
CHANNEL(label);

SPAWNABLE(void, produce, bide_channel(int) *, int, int)
async(void) produce(bide_channel(int) *c, int from, int count)
{
    for (int i = from; i < from + count; i++)
        await(bide_send(c, i));
    return bide_void;
}

SPAWNABLE(void, consume, bide_channel(int) *, int *)
async(void) consume(bide_channel(int) *c, int *ret_sum)
{
    int value;
    while (await(bide_receive(c, &value)))
        *ret_sum += value;
    return bide_void;
}

TEST(values_arrive_in_order_whatever_the_capacity)
{
    for (size_t capacity = 0; capacity < 5; capacity++) {
        with_channel(int, c, capacity) {
            with_group(g) {
                spawn_void(g, produce, c, 0, 50);
                for (int i = 0; i < 50; i++) {
                    int value = -1;
                    check(await(bide_receive(c, &value)));
                    check_int(value, i);
                    if (i % 7 == 0)
                        await(bide_yield());
                }
            }
            check(bide_channel_high_water(c) <= capacity);
            check_int(bide_channel_count(c), 0);
        }
    }
}

TEST(every_value_reaches_exactly_one_receiver)
{
    int sums[3] = {0};
    with_channel(int, c, 2) {
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, consume, c, &sums[i]);
            with_group(producers) {
                for (int i = 0; i < 4; i++)
                    spawn_void(producers, produce, c, i * 25, 25);
            }
            bide_channel_close(c);
        }
    }
    check_int(sums[0] + sums[1] + sums[2], 99 * 100 / 2);
}

TEST(any_type_of_value)
{
    with_channel(message, c, 1) {
        message sent = {"hello", 7}, got = {"", 0};
        await(bide_send(c, sent));
        check(await(bide_receive(c, &got)));
        check_str(got.text, "hello");
        check_int(got.number, 7);
        await(bide_send(c, (message){"again", 8}));
        check(bide_try_receive(c, &got));
        check_int(got.number, 8);
    }
    with_channel(label, c, 1) {
        label got = NULL;
        await(bide_send(c, "text"));
        check(await(bide_receive(c, &got)));
        check_str(got, "text");
    }
    with_channel(bool, c, 3) {
        bool got = false;
        await(bide_send(c, true));
        check(await(bide_receive(c, &got)) && got);
    }
    with_channel(double, c, 3) {
        double got = 0;
        await(bide_send(c, 0.5F));
        check(await(bide_receive(c, &got)));
        check_near(got, 0.5, 0);
    }
    with_channel(int64_t, c, 3) {
        int64_t got = 0;
        await(bide_send(c, -3));
        check(await(bide_receive(c, &got)));
        check_int(got, -3);
    }
}

TEST(trying_never_waits)
{
    bide_channel(int) *c = bide_channel_new(int, 2, "tried");
    int value = 9;
    check(!bide_try_receive(c, &value));
    check_int(value, 9);
    check(bide_try_send(c, 1));
    check(bide_try_send(c, 2));
    check(!bide_try_send(c, 3));
    check_int(bide_channel_count(c), 2);
    check_int(bide_channel_high_water(c), 2);
    check(bide_try_receive(c, &value));
    check_int(value, 1);
    bide_channel_close(c);
    check(!bide_try_send(c, 4));
    check(bide_try_receive(c, &value));
    check_int(value, 2);
    check(!bide_try_receive(c, &value));
    check(bide_channel_closed(c));
    bide_channel_free(c);

    c = bide_channel_new(int, 0, "rendezvous");
    check(!bide_try_send(c, 1));
    check(!bide_try_receive(c, &value));
    bide_channel_free(c);
    c = NULL;
    bide_channel_free(c);
}

TEST(a_channel_too_large_is_refused)
{
    check(!bide_channel_new(message, SIZE_MAX / 4, "huge"));
    check(!bide_channel_new(message, SIZE_MAX / sizeof(message) - 1, "huge"));
}

static async(void) send_one(bide_channel(int) *c, int value)
{
    await(bide_send(c, value));
    return bide_void;
}
SPAWNABLE(void, send_one, bide_channel(int) *, int)

static int close_line;

SPAWNABLE(void, close_soon, bide_channel(int) *)
async(void) close_soon(bide_channel(int) *c)
{
    await(bide_sleep(bide_ms(1)));
    close_line = __LINE__ + 1;
    bide_channel_close(c);
    return bide_void;
}

static void check_closed_message(const bide_error *error)
{
    char place[128];
    require(error);
    check_int(error->code, BIDE_CLOSED);
    check_contains(error->message, "channel 'c' was closed by task #");
    check_contains(error->message, "'close_soon'");
    snprintf(place, sizeof place, "%s:%d", __FILE__, close_line);
    check_contains(error->message, place);
}

TEST(close_lets_receivers_drain_and_refuses_senders)
{
    int value = 0;
    bide_error *error;
    with_channel(int, c, 2) {
        with_group(g) {
            await(bide_send(c, 1));
            await(bide_send(c, 2));
            spawn_void(g, close_soon, c);
            attempt(&error, send_one, c, 3); /* waits at the close */
            check_closed_message(error);
            attempt(&error, send_one, c, 4); /* comes later */
            check_closed_message(error);
            bide_channel_close(c);
            check(await(bide_receive(c, &value)));
            check_int(value, 1);
            check(await(bide_receive(c, &value)));
            check_int(value, 2);
            check(!await(bide_receive(c, &value)));
            check(!await(bide_receive(c, &value)));
            check_int(value, 2);
        }
    }
}

TEST(close_wakes_every_receiver)
{
    int sums[4] = {0};
    with_channel(int, c, 0) {
        with_group(g) {
            for (int i = 0; i < 4; i++)
                spawn_void(g, consume, c, &sums[i]);
            await(bide_sleep(bide_ms(1)));
            await(bide_send(c, 5));
            bide_channel_close(c);
        }
        check_int(sums[0] + sums[1] + sums[2] + sums[3], 5);
    }
}

TEST(a_value_handed_over_before_the_close_is_received)
{
    int sum = 0;
    with_channel(int, c, 0) {
        with_group(g) {
            spawn_void(g, consume, c, &sum);
            await(bide_sleep(bide_ms(1)));
            check(bide_try_send(c, 3));
            bide_channel_close(c);
        }
    }
    check_int(sum, 3);
}

/* Senders and receivers, one of them cancelled at each position and moment: what was sent is what
   was received and left. */
static int sent, received;

SPAWNABLE(void, send_counted, bide_channel(int) *, int)
async(void) send_counted(bide_channel(int) *c, int value)
{
    await(bide_send(c, value));
    sent += value;
    return bide_void;
}

SPAWNABLE(void, receive_counted, bide_channel(int) *)
async(void) receive_counted(bide_channel(int) *c)
{
    int value = 0;
    if (await(bide_receive(c, &value)))
        received += value;
    return bide_void;
}

static void cancel_sender(size_t capacity, int cancelled, bool after) BIDE__TASK
{
    bide_task_ref tasks[5];
    int value;
    sent = received = 0;
    with_channel(int, c, capacity) {
        with_group(g) {
            for (int i = 0; i < 5; i++) {
                task(void) one = spawn(g, send_counted, c, 1 << (4 * i));
                tasks[i] = bide_ref(one);
            }
            await(bide_sleep(bide_ms(1)));
            if (!after)
                bide_cancel_task(tasks[cancelled], "test");
            if (bide_try_receive(c, &value))
                received += value;
            if (bide_try_receive(c, &value))
                received += value;
            if (after)
                bide_cancel_task(tasks[cancelled], "test");
            while (bide_try_receive(c, &value))
                received += value;
            await(bide_wait(BIDE_ALL, tasks, 5));
            bide_group_cancel(g, "the results are not wanted");
        }
        check_int(bide_channel_count(c), 0);
    }
    check_int(received, sent);
}

TEST(a_cancelled_send_happened_or_not_never_half)
{
    for (size_t capacity = 0; capacity < 4; capacity++)
        for (int cancelled = 0; cancelled < 5; cancelled++)
            for (int after = 0; after < 2; after++)
                cancel_sender(capacity, cancelled, after);
}

TEST(a_cancelled_receive_loses_no_value)
{
    for (int cancelled = 0; cancelled < 4; cancelled++) {
        for (int after = 0; after < 2; after++) {
            bide_task_ref tasks[4];
            received = 0;
            with_channel(int, c, 4) {
                with_group(g) {
                    for (int i = 0; i < 4; i++) {
                        task(void) one = spawn(g, receive_counted, c);
                        tasks[i] = bide_ref(one);
                    }
                    await(bide_sleep(bide_ms(1)));
                    if (!after)
                        bide_cancel_task(tasks[cancelled], "test");
                    for (int i = 0; i < 4; i++)
                        await(bide_send(c, 1));
                    if (after)
                        bide_cancel_task(tasks[cancelled], "test");
                    await(bide_wait(BIDE_ALL, tasks, 4));
                    bide_group_cancel(g, "the results are not wanted");
                }
                check_int(received + (int)bide_channel_count(c), 4);
                check_int(received, after ? 4 : 3);
            }
        }
    }
}

static async(void) produce_while_open(bide_channel(int) *c)
{
    bide_error *error;
    attempt(&error, produce, c, 0, 5);
    if (error)
        check(error->code == BIDE_CLOSED || error->code == BIDE_CANCELLED);
    return bide_void;
}
SPAWNABLE(void, produce_while_open, bide_channel(int) *)

TEST(cancels_at_every_await_leak_nothing, .cancel_everywhere = true)
{
    int sum = 0;
    with_channel(int, c, 1) {
        with_group(g) {
            spawn_void(g, consume, c, &sum);
            spawn_void(g, produce_while_open, c);
            await(bide_sleep(bide_ms(1)));
            bide_channel_close(c);
        }
    }
    check(sum <= 10);
}

TEST(no_memory_for_a_channel_is_an_error, .fail_allocations = true)
{
    with_channel(int, c, 8) {
        await(bide_send(c, 1));
    }
}

static async(void) receive_within(bide_channel(int) *c)
{
    int value;
    with_deadline(bide_ms(5)) {
        (void)await(bide_receive(c, &value));
    }
    return bide_void;
}
SPAWNABLE(void, receive_within, bide_channel(int) *)

TEST(a_deadline_ends_the_wait)
{
    bide_error *error;
    with_channel(int, c, 0) {
        attempt(&error, receive_within, c);
        require(error);
        check_int(error->code, BIDE_TIMEOUT);
        check(!bide_try_send(c, 1));
    }
}

SPAWNABLE(void, registered_producer, bide_channel(int) *, int)
async(void) registered_producer(bide_channel(int) *c, int count)
{
    with_sender(c) {
        bide_task_ready();
        for (int i = 0; i < count; i++)
            await(bide_send(c, 1));
        await(bide_sleep(bide_ms(count)));
    }
    return bide_void;
}

TEST(the_last_sender_to_leave_closes)
{
    int sum = 0, value;
    with_channel(int, c, 1) {
        with_group(g) {
            for (int i = 1; i <= 3; i++)
                await(start_ready(g, registered_producer, c, i));
            while (await(bide_receive(c, &value)))
                sum += value;
            check_int(sum, 6);
            check(bide_channel_closed(c));
        }
    }
}

SPAWNABLE(void, receive_one_as_the_receiver, bide_channel(int) *)
async(void) receive_one_as_the_receiver(bide_channel(int) *c)
{
    int value;
    with_receiver(c) {
        bide_task_ready();
        check(await(bide_receive(c, &value)));
    }
    return bide_void;
}

TEST(senders_are_told_when_the_last_receiver_has_left)
{
    bide_error *error;
    with_channel(int, c, 0) {
        with_group(g) {
            await(start_ready(g, receive_one_as_the_receiver, c));
            await(bide_send(c, 1));
            attempt(&error, send_one, c, 2);
            require(error);
            check_int(error->code, BIDE_CLOSED);
            check_contains(error->message, "left by its last receiver");
            check_contains(error->message, "receive_one_as_the_receiver");
        }
    }
}

/* A receiver and the only sender wait for each other: through a second channel, and by a lock. */
SPAWNABLE(void, answer_after_question, bide_channel(int) *, bide_channel(int) *)
async(void) answer_after_question(bide_channel(int) *questions, bide_channel(int) *answers)
{
    int value;
    with_sender(answers) {
        with_receiver(questions) {
            bide_task_ready();
            (void)await(bide_receive(questions, &value));
            await(bide_send(answers, value));
        }
    }
    return bide_void;
}

static int wait_line, sender_line;

static async(void) forget_to_ask(void)
{
    int value;
    with_channel(int, questions, 1) {
        with_channel(int, answers, 1) {
            with_group(g) {
                sender_line = __LINE__ + 1;
                with_sender(questions) {
                    await(start_ready(g, answer_after_question, questions, answers));
                    await(bide_yield());
                    wait_line = __LINE__ + 1;
                    (void)await(bide_receive(answers, &value));
                }
            }
        }
    }
    return bide_void;
}
SPAWNABLE(void, forget_to_ask)

TEST(a_receive_whose_senders_wait_for_the_receiver_is_a_deadlock)
{
    bide_error *error;
    char place[160];
    test_capture_stderr();
    attempt(&error, forget_to_ask);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "DEADLOCK among 2 tasks");
    check_contains(report, "answer_after_question");
    check_contains(report, "wants to receive from  channel 'answers'");
    check_contains(report, "wants to receive from  channel 'questions'");
    snprintf(place, sizeof place, "%s:%d", __FILE__, wait_line);
    check_contains(report, place);
    snprintf(place, sizeof place, "%s:%d", __FILE__, sender_line);
    check_contains(report, place); /* since when it is the sender of the questions */
}

static async(void) receive_from_oneself(bide_channel(int) *c)
{
    int value;
    with_sender(c) {
        (void)await(bide_receive(c, &value));
    }
    return bide_void;
}
SPAWNABLE(void, receive_from_oneself, bide_channel(int) *)

TEST(the_only_sender_that_receives_is_a_deadlock)
{
    bide_error *error;
    with_channel(int, c, 1) {
        test_capture_stderr();
        attempt(&error, receive_from_oneself, c);
        check_contains(test_captured(), "DEADLOCK among 1 task ");
        require(error);
        check_int(error->code, BIDE_DEADLOCK);
    }
}

TEST(no_deadlock_while_one_registered_sender_can_go_on)
{
    int value = 0;
    with_channel(int, c, 1) {
        with_group(g) {
            with_sender(c) {
                await(start_ready(g, registered_producer, c, 1));
                check(await(bide_receive(c, &value)));
            }
        }
    }
    check_int(value, 1);
}

TEST(a_receive_that_nobody_can_end_is_reported)
{
    bide_error *error;
    with_channel(int, c, 1) {
        test_capture_stderr();
        attempt(&error, receive_counted, c);
        const char *report = test_captured();
        require(error);
        check_int(error->code, BIDE_DEADLOCK);
        check_contains(report, "channel 'c'");
    }
}

static async(void) receive_the_end(bide_channel(int) *c)
{
    int value;
    check(!await(bide_receive(c, &value)));
    return bide_void;
}
SPAWNABLE(void, receive_the_end, bide_channel(int) *)

SPAWNABLE(void, use_until_it_ends, bide_channel(int) *, bool, bool)
async(void) use_until_it_ends(bide_channel(int) *c, bool sends, bool is_closed)
{
    bide_error *error;
    if (sends)
        attempt(&error, send_one, c, 1);
    else
        attempt(&error, receive_the_end, c);
    check(sends || !is_closed ? error != NULL : !error);
    if (error && is_closed) {
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "was closed by task #");
        check_contains(error->message, "channel_test.c:");
    }
    return bide_void;
}

/* Told of the close, or cancelled, they have not run when the channel and its name are gone. */
TEST(a_channel_may_be_freed_as_soon_as_those_that_wait_are_told)
{
    for (int i = 0; i < 4; i++) {
        bool sends = i & 1, closes = i & 2;
        char *name = strdup("a name that ends");
        bide_channel(int) *c = bide_channel_new(int, 0, name);
        require(name && c);
        with_group(g) {
            task(void) waits[] = {spawn(g, use_until_it_ends, c, sends, closes),
                                  spawn(g, use_until_it_ends, c, sends, closes)};
            await(bide_sleep(bide_ms(1)));
            if (closes)
                bide_channel_close(c);
            for (int j = 0; j < 2 && !closes; j++)
                bide_cancel(waits[j], "not wanted");
            bide_channel_free(c);
            free(name);
        }
    }
}

static async(void) send_unregistered(void)
{
    with_channel(int, c, 4) {
        with_group(g) {
            await(start_ready(g, registered_producer, c, 1));
            await(bide_send(c, 2));
        }
    }
    return bide_void;
}
static void run_send_unregistered(void)
{
    exit(bide_run(send_unregistered, .virtual_clock = true));
}

static async(void) free_in_use(void)
{
    bide_channel(int) *c = bide_channel_new(int, 0, "used");
    int sum = 0;
    with_group(g) {
        spawn_void(g, consume, c, &sum);
        await(bide_yield());
        await(bide_yield());
        bide_channel_free(c);
    }
    return bide_void;
}
static void run_free_in_use(void)
{
    exit(bide_run(free_in_use, .virtual_clock = true));
}

TEST_PLAIN(misuse_is_refused)
{
    check_dies(run_send_unregistered, "without with_sender, but task #");
    check_dies(run_free_in_use, "which task #");
    check_dies(run_free_in_use, "'consume' uses at");
}
