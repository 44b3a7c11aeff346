/*
 * semaphore_test.c: the semaphore: its bound, order, hand-over, cancels, deadlock of its holders,
 * misuse.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int inside, most;
static char journal[256];

static void note(const char *text)
{
    strncat(journal, text, sizeof journal - strlen(journal) - 1);
}

SPAWNABLE(void, work, bide_semaphore *)
async(void) work(bide_semaphore *semaphore)
{
    with_slot(semaphore) {
        inside++;
        if (inside > most)
            most = inside;
        await(bide_sleep(bide_s(1)));
        inside--;
    }
    return bide_void;
}

TEST(never_more_than_its_slots_and_as_many_as_possible)
{
    bide_semaphore semaphore;
    bide_semaphore_init(&semaphore, 3, "workers");
    int64_t start_ns = bide_clock_ns();
    with_group(g) {
        for (int i = 0; i < 100; i++)
            spawn_void(g, work, &semaphore);
    }
    check_int(most, 3);
    check_int(bide_semaphore_available(&semaphore), 3);
    check_near((double)(bide_clock_ns() - start_ns) / 1e9, 34.0, 0.1);
    check(!semaphore.holders);
}

SPAWNABLE(void, acquire_and_note, bide_semaphore *, int)
async(void) acquire_and_note(bide_semaphore *semaphore, int number)
{
    char text[2] = {(char)('0' + number), 0};
    await(bide_acquire(semaphore));
    note(text);
    await(bide_yield());
    bide_release(semaphore);
    return bide_void;
}

TEST(first_come_first_served, .in_order = true)
{
    bide_semaphore semaphore;
    bide_semaphore_init(&semaphore, 2, NULL);
    with_group(g) {
        await(bide_acquire(&semaphore));
        check(bide_try_acquire(&semaphore));
        check(!bide_try_acquire(&semaphore));
        for (int i = 0; i < 5; i++)
            spawn_void(g, acquire_and_note, &semaphore, i);
        await(bide_sleep(bide_ms(1)));
        check_str(journal, "");
        bide_release(&semaphore);
        check(!bide_try_acquire(&semaphore)); /* the slot was handed over */
        bide_release(&semaphore);
    }
    check_str(journal, "01234");
    check_int(bide_semaphore_available(&semaphore), 2);
}

static async(int) leave_by(bide_semaphore *semaphore, int way)
{
    with_slot(semaphore) {
        check_int(bide_semaphore_available(semaphore), 0);
        if (way == 0)
            return ready(int, 10);
        if (way == 1)
            fail(bide_error_new(1000, "on purpose"));
    }
    return ready(int, 20);
}
SPAWNABLE(int, leave_by, bide_semaphore *, int)

TEST(every_way_out_of_the_block_gives_the_slot_back)
{
    bide_semaphore semaphore;
    bide_error *error;
    bide_semaphore_init(&semaphore, 1, NULL);
    for (int way = 0; way < 3; way++) {
        attempt(&error, leave_by, &semaphore, way);
        check_int(error ? error->code : 0, way == 1 ? 1000 : 0);
        check_int(bide_semaphore_available(&semaphore), 1);
    }
}

TEST(a_cancel_at_any_position_loses_no_slot)
{
    for (int cancelled = 0; cancelled < 5; cancelled++) {
        for (int after = 0; after < 2; after++) {
            bide_semaphore semaphore;
            bide_task_ref tasks[5];
            bide_semaphore_init(&semaphore, 2, NULL);
            inside = most = 0;
            with_group(g) {
                for (int i = 0; i < 5; i++) {
                    task(void) one = spawn(g, work, &semaphore);
                    tasks[i] = bide_ref(one);
                }
                await(bide_sleep(bide_ms(after ? 1001 : 1)));
                bide_cancel_task(tasks[cancelled], "test");
                await(bide_wait(BIDE_ALL, tasks, 5));
                bide_group_cancel(g, "the results are not wanted");
            }
            check(most <= 3); /* `inside` is not counted down by an unwound task */
            check_int(bide_semaphore_available(&semaphore), 2);
            check(!semaphore.waiting.first);
            check(!semaphore.holders);
        }
    }
}

TEST(cancels_at_every_await_lose_no_slot, .cancel_everywhere = true)
{
    static bide_semaphore semaphore;
    bide_semaphore_init(&semaphore, 2, NULL);
    with_group(g) {
        for (int i = 0; i < 4; i++)
            spawn_void(g, work, &semaphore);
    }
    check_int(bide_semaphore_available(&semaphore), 2);
    check(!semaphore.holders);
}

static async(void) slot_within(bide_semaphore *semaphore)
{
    with_deadline(bide_ms(5)) {
        with_slot(semaphore) {
            note("in");
        }
    }
    return bide_void;
}
SPAWNABLE(void, slot_within, bide_semaphore *)

TEST(a_deadline_ends_the_wait)
{
    bide_semaphore semaphore;
    bide_error *error;
    bide_semaphore_init(&semaphore, 1, NULL);
    with_group(g) {
        spawn_void(g, work, &semaphore);
        await(bide_sleep(bide_ms(1)));
        attempt(&error, slot_within, &semaphore);
        require(error);
        check_int(error->code, BIDE_TIMEOUT);
        check_str(journal, "");
    }
    check_int(bide_semaphore_available(&semaphore), 1);
}

static int nested_line;

SPAWNABLE(void, nest, bide_semaphore *)
async(void) nest(bide_semaphore *semaphore)
{
    with_slot(semaphore) {
        await(bide_sleep(bide_ms(1)));
        nested_line = __LINE__ + 1;
        with_slot(semaphore) {
            note("both");
        }
    }
    return bide_void;
}

static async(void) nest_twice(bide_semaphore *semaphore)
{
    with_group(g) {
        spawn_void(g, nest, semaphore);
        spawn_void(g, nest, semaphore);
    }
    return bide_void;
}
SPAWNABLE(void, nest_twice, bide_semaphore *)

TEST(holders_that_all_wait_for_it_are_a_deadlock)
{
    bide_semaphore semaphore;
    bide_error *error;
    char line[160];
    bide_semaphore_init(&semaphore, 2, "connections");
    test_capture_stderr();
    attempt(&error, nest_twice, &semaphore);
    const char *report = test_captured();
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check_contains(report, "DEADLOCK");
    check_contains(report, "semaphore 'connections'");
    check_contains(report, "nest");
    snprintf(line, sizeof line, "%s:%d", __FILE__, nested_line);
    check_contains(report, line);
    snprintf(line, sizeof line, "%s:%d", __FILE__, nested_line - 3);
    check_contains(report, line);
    check_int(bide_semaphore_available(&semaphore), 2);
}

TEST(no_deadlock_while_one_holder_can_go_on)
{
    bide_semaphore semaphore;
    bide_semaphore_init(&semaphore, 2, NULL);
    with_group(g) {
        spawn_void(g, nest, &semaphore);
        spawn_void(g, work, &semaphore);
    }
    check_str(journal, "both");
}

/* The slot of a bare acquire may be given back by anybody: nothing is concluded. */
SPAWNABLE(void, release_later, bide_semaphore *)
async(void) release_later(bide_semaphore *semaphore)
{
    await(bide_sleep(bide_ms(5)));
    bide_release(semaphore);
    return bide_void;
}

TEST(a_slot_may_be_given_back_by_another_task)
{
    bide_semaphore semaphore;
    bide_semaphore_init(&semaphore, 1, NULL);
    with_group(g) {
        await(bide_acquire(&semaphore));
        spawn_void(g, release_later, &semaphore);
        await(bide_acquire(&semaphore));
        bide_release(&semaphore);
    }
    check_int(bide_semaphore_available(&semaphore), 1);
}

static bide_semaphore misused;

enum { FIRST_RELEASE_LINE = __LINE__ + 6 };

static async(void) release_too_often(void)
{
    bide_semaphore_init(&misused, 2, "pair");
    await(bide_acquire(&misused));
    bide_release(&misused);
    bide_release(&misused);
    return bide_void;
}
static void run_release_too_often(void)
{
    exit(bide_run(release_too_often));
}

static async(void) release_of_a_block(void)
{
    bide_semaphore_init(&misused, 2, "pair");
    with_slot(&misused) {
        bide_release(&misused);
    }
    return bide_void;
}
static void run_release_of_a_block(void)
{
    exit(bide_run(release_of_a_block));
}

static async(void) without_init(void)
{
    static bide_semaphore zero;
    await(bide_acquire(&zero));
    return bide_void;
}
static void run_without_init(void)
{
    exit(bide_run(without_init));
}

TEST_PLAIN(misuse_is_refused)
{
    char text[160];
    snprintf(text, sizeof text, "releases semaphore 'pair' at %s:%d more often", __FILE__,
             FIRST_RELEASE_LINE + 1);
    check_dies(run_release_too_often, text);
    snprintf(text, sizeof text, "at %s:%d", __FILE__, FIRST_RELEASE_LINE);
    check_dies(run_release_too_often, text);
    check_dies(run_release_of_a_block, "of which bide_acquire took nothing");
    check_dies(run_without_init, "not prepared by bide_semaphore_init");
}
