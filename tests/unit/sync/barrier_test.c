/*
 * barrier_test.c: the barrier: rounds, places, cancels, known parties and their deadlocks,
 * breaking.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static int phase_of[8];

static async(void) walk(bide_barrier *line, int number, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        await(bide_sleep(bide_ms(number)));
        phase_of[number] = round;
        size_t place = await(bide_barrier_wait(line));
        check_int(place, number); /* they come in the order of their sleeps */
        for (size_t i = 0; i < line->parties; i++)
            check(phase_of[i] >= round);
    }
    return bide_void;
}
SPAWNABLE(void, walk, bide_barrier *, int, int)

TEST(all_cross_together_round_after_round)
{
    bide_barrier line;
    bide_barrier_init(&line, 5, "phases");
    with_group(g) {
        for (int i = 0; i < 5; i++)
            spawn_void(g, walk, &line, i, 10);
    }
    check_int(line.rounds, 10);
    check_int(line.arrived, 0);
}

TEST(one_party_never_waits)
{
    bide_barrier line;
    bide_barrier_init(&line, 1, NULL);
    for (int i = 0; i < 300; i++)
        check_int(await(bide_barrier_wait(&line)), 0);
    check_int(line.rounds, 300);
}

static async(size_t) come(bide_barrier *line)
{
    return ready(size_t, await(bide_barrier_wait(line)));
}
SPAWNABLE(size_t, come, bide_barrier *)

TEST(a_task_that_is_cancelled_has_not_come, .in_order = true)
{
    bide_barrier line;
    bide_barrier_init(&line, 3, NULL);
    with_group(g) {
        task(size_t) a = spawn(g, come, &line);
        task(size_t) b = spawn(g, come, &line);
        await(bide_sleep(bide_ms(1)));
        bide_cancel(a, "test");
        await(bide_sleep(bide_ms(1)));
        check_int(line.arrived, 1);
        task(size_t) c = spawn(g, come, &line);
        await(bide_sleep(bide_ms(1)));
        check_int(line.arrived, 2);
        task(size_t) d = spawn(g, come, &line);
        check_int(await_task(b), 0); /* it has moved up */
        check_int(await_task(c), 1);
        check_int(await_task(d), 2);
        bide_group_cancel(g, "a has no result");
    }
    check_int(line.rounds, 1);
}

static async(void) known(bide_barrier *line, int rounds)
{
    with_party(line)
    {
        for (int i = 0; i < rounds; i++)
            await(bide_barrier_wait(line));
    }
    return bide_void;
}
SPAWNABLE(void, known, bide_barrier *, int)

static async(void) all_known(bide_barrier *line)
{
    with_group(g) {
        for (int i = 0; i < 3; i++)
            spawn_void(g, known, line, 2);
    }
    return bide_void;
}
SPAWNABLE(void, all_known, bide_barrier *)

TEST(cancels_at_every_await_leave_nobody_waiting, .cancel_everywhere = true)
{
    bide_barrier line;
    bide_error *error;
    bide_barrier_init(&line, 3, NULL);
    attempt(&error, all_known, &line);
    check_int(line.arrived, 0);
    check(!line.known);
    if (error && error->code != BIDE_CLOSED) /* a party that was cancelled breaks it */
        fail(error);
}

static async(void) party_behind(bide_barrier *line, bide_mutex *mutex)
{
    with_party(line)
    {
        await(bide_sleep(bide_ms(1)));
        with_lock(mutex) {
            await(bide_barrier_wait(line));
        }
    }
    return bide_void;
}
SPAWNABLE(void, party_behind, bide_barrier *, bide_mutex *)

static async(void) two_behind(bide_barrier *line, bide_mutex *mutex)
{
    with_group(g) {
        spawn_void(g, party_behind, line, mutex);
        spawn_void(g, party_behind, line, mutex);
    }
    return bide_void;
}
SPAWNABLE(void, two_behind, bide_barrier *, bide_mutex *)

TEST(a_known_party_that_waits_for_one_at_the_barrier_is_a_deadlock)
{
    bide_barrier line;
    bide_mutex mutex;
    bide_error *error;
    bide_barrier_init(&line, 2, "phases");
    bide_mutex_init(&mutex, "results");
    test_capture_stderr();
    attempt(&error, two_behind, &line, &mutex);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "barrier 'phases'");
    check_contains(report, "mutex 'results'");
    check_int(line.arrived, 0);
}

static async(void) leave_early(bide_barrier *line)
{
    with_party(line)
    {
        await(bide_sleep(bide_ms(5)));
    }
    return bide_void;
}
SPAWNABLE(void, leave_early, bide_barrier *)

TEST(a_party_that_leaves_early_breaks_it)
{
    bide_barrier line;
    bide_error *error;
    bide_barrier_init(&line, 2, "phases");
    with_group(g) {
        spawn_void(g, leave_early, &line);
        (void)attempt(&error, come, &line);
        require(error);
        check_int(error->code, BIDE_CLOSED);
        check_contains(error->message, "barrier 'phases' was broken by task #");
        check_contains(error->message, "barrier_test.c:");
    }
    (void)attempt(&error, come, &line);
    check_int(error ? error->code : 0, BIDE_CLOSED);
    bide_barrier_init(&line, 1, "anew");
    check_int(await(bide_barrier_wait(&line)), 0);
}

TEST(breaking_by_hand)
{
    bide_barrier line;
    bide_error *error;
    bide_barrier_init(&line, 2, NULL);
    bide_barrier_break(&line);
    bide_barrier_break(&line);
    (void)attempt(&error, come, &line);
    check_int(error ? error->code : 0, BIDE_CLOSED);
}

static async(void) no_parties(void)
{
    bide_barrier line;
    bide_barrier_init(&line, 0, NULL);
    return bide_void;
}

static async(void) unprepared(void)
{
    static bide_barrier line;
    (void)await(bide_barrier_wait(&line));
    return bide_void;
}

static async(void) too_many(void)
{
    bide_barrier line;
    bide_barrier_init(&line, 1, "narrow");
    with_party(&line)
    {
        with_party(&line)
        {
            await(bide_yield());
        }
    }
    return bide_void;
}

static void run_no_parties(void)
{
    exit(bide_run(no_parties));
}
static void run_unprepared(void)
{
    exit(bide_run(unprepared));
}
static void run_too_many(void)
{
    exit(bide_run(too_many));
}

static bide_barrier everywhere; /* used by tasks of two loops */

static async(void) come_everywhere(void)
{
    (void)await(bide_barrier_wait(&everywhere));
    return bide_void;
}
SPAWNABLE(void, come_everywhere)

static async(void) break_everywhere(void)
{
    bide_barrier_break(&everywhere);
    return bide_void;
}
SPAWNABLE(void, break_everywhere)

static async(void) enter_everywhere(void)
{
    with_party(&everywhere)
    {
        await(bide_yield());
    }
    return bide_void;
}
SPAWNABLE(void, enter_everywhere)

static size_t parties;
static int what_comes; /* 0: one more, 1: a known one, 2: one that breaks it */

static async(void) two_loops(void)
{
    if (bide_loop_index() > 0) {
        await(bide_until_stop());
        return bide_void;
    }
    bide_barrier_init(&everywhere, parties, "everywhere");
    with_group(g) {
        spawn_void(g, come_everywhere);
        await(bide_yield());
        if (what_comes == 0)
            spawn_void_on(g, 1, come_everywhere);
        else if (what_comes == 1)
            spawn_void_on(g, 1, enter_everywhere);
        else
            spawn_void_on(g, 1, break_everywhere);
    }
    return bide_void;
}

static void run_two_loops(void)
{
    exit(bide_run(two_loops, .loops = 2));
}

TEST_PLAIN(a_task_of_another_loop_is_misuse)
{
    for (what_comes = 0; what_comes < 3; what_comes++) {
        for (parties = 2; parties < 4; parties++) { /* the last to come, and one that would wait */
            check_dies(run_two_loops, "of loop 1 uses at");
            check_dies(run_two_loops, "a barrier of loop 0, which task #");
        }
    }
}

TEST_PLAIN(misuse_is_told)
{
    check_dies(run_no_parties, "a barrier without parties");
    check_dies(run_unprepared, "was not prepared by bide_barrier_init");
    check_dies(run_too_many, "enters barrier 'narrow'");
}
