/*
 * silence_test.c: deadlocks over several loops: concluded when every task of every loop waits for
 * another loop, and never while something else may come.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <string.h>
#include <unistd.h>

typedef bide_cross_channel(int) numbers;

static numbers *shared; /* atomic: made by loop 0, for the others */
static int deadlocks;   /* atomic */

static async(bool) receive_one(numbers *in)
{
    int value;
    return ready(bool, await(bide_cross_receive(in, &value)));
}
SPAWNABLE(bool, receive_one, numbers *)

/* Waits for what nobody sends. Who is told so closes it for the others. */
static async(void) wait_in_vain(numbers *c)
{
    bide_error *error;
    bool received = attempt(&error, receive_one, c);
    check(!received);
    if (!error)
        return bide_void;
    check_int(error->code, BIDE_DEADLOCK);
    __atomic_add_fetch(&deadlocks, 1, __ATOMIC_RELAXED);
    bide_cross_close(c);
    return bide_void;
}
SPAWNABLE(void, wait_in_vain, numbers *)

static int deadlocks_of(bide__main_void *program, int loops, const char **ret_said)
{
    shared = NULL;
    deadlocks = 0;
    test_capture_stderr();
    int status = bide_run(program, .loops = loops);
    *ret_said = test_captured();
    check_int(status, 0);
    return deadlocks;
}

static async(void) wait_there(void)
{
    numbers *c;
    while (!(c = __atomic_load_n(&shared, __ATOMIC_ACQUIRE)))
        await(bide_sleep(bide_us(100)));
    await(wait_in_vain(c));
    return bide_void;
}

static async(void) all_wait(void)
{
    if (bide_loop_index() > 0) {
        await(wait_there());
        return bide_void;
    }
    numbers *c = bide_cross_channel_new(int, 1, "never");
    __atomic_store_n(&shared, c, __ATOMIC_RELEASE);
    await(wait_in_vain(c));
    return bide_void;
}

TEST_PLAIN(loops_that_wait_for_each_other_are_told)
{
    const char *said;
    check_int(deadlocks_of(all_wait, 3, &said), 1);
    check_contains(said, "DEADLOCK: every task of every loop waits");
    check_contains(said, "tasks of loop 0");
    check_contains(said, "tasks of loop 1");
    check_contains(said, "tasks of loop 2");
    check_contains(said, "wants to receive from channel 'never'");
    bide_cross_channel_free(shared);
}

/* The other loops end at once. */
static async(void) one_is_left(void)
{
    if (bide_loop_index() == 0)
        await(all_wait());
    return bide_void;
}

TEST_PLAIN(the_last_loop_is_told)
{
    const char *said;
    check_int(deadlocks_of(one_is_left, 2, &said), 1);
    check_contains(said, "DEADLOCK");
    bide_cross_channel_free(shared);
}

/* A call on another loop waits for a channel of that loop. */
static async(void) calls(void)
{
    if (bide_loop_index() > 0) {
        await(wait_there());
        return bide_void;
    }
    numbers *c = bide_cross_channel_new(int, 1, "never");
    __atomic_store_n(&shared, c, __ATOMIC_RELEASE);
    with_group(g) {
        task(void) call = spawn_on(g, 1, wait_in_vain, c);
        await_task(call);
    }
    return bide_void;
}

TEST_PLAIN(a_call_on_another_loop_is_not_ended_from_here)
{
    const char *said;
    check_int(deadlocks_of(calls, 2, &said), 1);
    check_contains(said, "waits for its call on loop '1'");
    bide_cross_channel_free(shared);
}

static int pause_ms(int ms)
{
    usleep((unsigned)ms * 1000);
    return ms;
}
OFFLOADABLE(int, pause_ms, int)

/* What goes on is on a thread, in a timer, or in until_stop: nothing is concluded. */
static async(void) something_goes_on(void)
{
    numbers *c;
    if (bide_loop_index() == 0)
        __atomic_store_n(&shared, bide_cross_channel_new(int, 1, "late"), __ATOMIC_RELEASE);
    while (!(c = __atomic_load_n(&shared, __ATOMIC_ACQUIRE)))
        await(bide_sleep(bide_us(100)));
    if (bide_loop_index() == 0) {
        int value = 0;
        for (int i = 0; i < 2; i++)
            check(await(bide_cross_receive(c, &value)));
        bide_stop("done");
    } else if (bide_loop_index() == 1) {
        check_int(await(offload(BIDE_BLOCKING, pause_ms, 20)), 20);
        await(bide_cross_send(c, 1));
        await(bide_sleep(bide_ms(20)));
        await(bide_cross_send(c, 1));
        await(bide_until_stop());
    } else {
        await(bide_until_stop());
    }
    return bide_void;
}

TEST_PLAIN(what_goes_on_elsewhere_is_waited_for)
{
    const char *said;
    check_int(deadlocks_of(something_goes_on, 3, &said), 0);
    check(!strstr(said, "DEADLOCK"));
    bide_cross_channel_free(shared);
}

enum { ROUNDS = 3000 };

/* A value goes round: all but one wait, at each moment. */
static async(void) round_and_round(void)
{
    static numbers *ring[3]; /* atomic */
    int me = bide_loop_index(), next = (me + 1) % 3, value = 0;
    __atomic_store_n(&ring[me], bide_cross_channel_new(int, 1, NULL), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&ring[next], __ATOMIC_ACQUIRE))
        await(bide_sleep(bide_us(100)));
    for (int i = 0; i < ROUNDS; i++) {
        if (me > 0 || i > 0)
            check(await(bide_cross_receive(ring[me], &value)));
        await(bide_cross_send(ring[next], value + 1));
    }
    if (me == 0) {
        check(await(bide_cross_receive(ring[me], &value)));
        check_int(value, 3 * ROUNDS);
    }
    /* Nobody sends to this loop any more; its own letters may be on their way. */
    bide_cross_channel_free(ring[me]);
    return bide_void;
}

TEST_PLAIN(loops_in_turn_are_never_told_so, .timeout_ms = 20000)
{
    const char *said;
    check_int(deadlocks_of(round_and_round, 3, &said), 0);
    check(!strstr(said, "DEADLOCK"));
}
