/*
 * gen_test.c: generators: values and their order, what is sent, errors both ways, closing on every
 * way out, cancels and deadlines, deadlocks, misuse.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static char journal[256];

static void note(const char *text)
{
    strncat(journal, text, sizeof journal - strlen(journal) - 1);
}

static async(void) note_later(void *text)
{
    await(bide_sleep(bide_ms(1)));
    note(text);
    return bide_void;
}

GENERATES(int, count_to, int)
async(void) count_to(bide_gen(int) * gen, int end)
{
    defer(note_later, "closed ");
    note("begun ");
    for (int i = 0; i < end; i++) {
        if (i % 3 == 2)
            await(bide_sleep(bide_ms(1)));
        await(bide_give(gen, i));
    }
    note("ended ");
    return bide_void;
}

TEST(values_come_one_after_the_other)
{
    with_generator(numbers, count_to, 10)
    {
        int value = -1;
        check_str(journal, "");
        for (int i = 0; i < 10; i++) {
            check(await(bide_next(numbers, &value)));
            check_int(value, i);
        }
        check_str(journal, "begun ");
        check(!await(bide_next(numbers, &value)));
        check_int(value, 9);
        check(!await(bide_next(numbers, &value)));
        check_str(journal, "begun ended closed ");
    }
    check_str(journal, "begun ended closed ");
}

static async(int) leave_by(int way)
{
    for (int i = 0; i < 2; i++) {
        with_generator(numbers, count_to, 10)
        {
            int value;
            (void)await(bide_next(numbers, &value));
            (void)await(bide_next(numbers, &value));
            if (way == 0)
                return ready(int, value);
            if (way == 1)
                fail(bide_error_new(1000, "on purpose"));
            if (way == 2)
                goto out;
            if (way == 3)
                continue;
            if (way == 4)
                await(bide_gen_close(numbers));
            check(way != 4 || !await(bide_next(numbers, &value)));
            note("end ");
        }
        note("after ");
        break;
    }
out:
    return ready(int, 7);
}
SPAWNABLE(int, leave_by, int)

TEST(left_early_its_cleanups_run_first)
{
    static const char *const expected[] = {"begun closed ",           "begun closed ",
                                           "begun closed ",           "begun closed after ",
                                           "begun closed end after ", "begun end closed after "};
    for (int way = 0; way < 6; way++) {
        bide_error *error;
        journal[0] = 0;
        (void)attempt(&error, leave_by, way);
        check_int(error ? error->code : 0, way == 1 ? 1000 : 0);
        check_str(journal, expected[way]);
    }
}

TEST(one_that_was_never_asked_has_nothing_to_close)
{
    with_generator(numbers, count_to, 10)
    {
        (void)numbers;
    }
    with_generator(numbers, count_to, 10)
    {
        int value;
        await(bide_gen_close(numbers));
        check(!await(bide_next(numbers, &value)));
    }
    check_str(journal, "");
}

typedef struct point {
    int x, y;
} point;
GENERATOR(point);

GENERATES(point, diagonal)
async(void) diagonal(bide_gen(point) * gen)
{
    point at = {1, 1};
    while (at.x < 4) {
        await(bide_give(gen, at));
        if (!bide_gen_sent(gen, &at))
            at = (point){at.x + 1, at.y + 1};
    }
    await(bide_give(gen, {.x = 9}));
    return bide_void;
}

TEST(values_may_be_structures)
{
    with_generator(points, diagonal)
    {
        point at;
        check(await(bide_next(points, &at)));
        check_int(at.y, 1);
        check(await(bide_gen_send(points, at, &at)));
        check_int(at.x, 1);
        check(await(bide_next(points, &at)));
        check_int(at.y, 2);
        check(await(bide_gen_send(points, ((point){.x = 5}), &at)));
        check_int(at.x, 9);
        check(!await(bide_next(points, &at)));
    }
}

GENERATES(double, average)
async(void) average(bide_gen(double) * gen)
{
    double sum = 0, next;
    for (int count = 1;; count++) {
        await(bide_give(gen, sum / (count > 1 ? count - 1 : 1)));
        if (!bide_gen_sent(gen, &next))
            break;
        sum += next;
    }
    return bide_void;
}

TEST(what_is_sent_arrives)
{
    with_generator(g, average)
    {
        double value;
        check(await(bide_next(g, &value)));
        check(await(bide_gen_send(g, 10, &value)));
        check_near(value, 10, 1e-9);
        check(await(bide_gen_send(g, 20.0, &value)));
        check_near(value, 15, 1e-9);
        check(!await(bide_next(g, &value)));
        check(!await(bide_gen_send(g, 1, &value)));
    }
}

GENERATES(int, fails_after, int)
async(void) fails_after(bide_gen(int) * gen, int count)
{
    for (int i = 0; i < count; i++)
        await(bide_give(gen, i));
    fail(bide_error_new(1001, "the generator failed"));
}

static async(void) sum_up(int count, int *ret_sum)
{
    with_generator(g, fails_after, count)
    {
        int value;
        while (await(bide_next(g, &value)))
            *ret_sum += value;
    }
    return bide_void;
}
SPAWNABLE(void, sum_up, int, int *)

static async(void) next_of(bide_gen(int) * gen, int *ret_value)
{
    if (!await(bide_next(gen, ret_value)))
        *ret_value = -1;
    return bide_void;
}
SPAWNABLE(void, next_of, bide_gen(int) *, int *)

TEST(an_error_of_the_generator_is_raised_where_it_is_asked)
{
    int sum = 0, value;
    char report[2048];
    bide_error *error;
    attempt(&error, sum_up, 4, &sum);
    check_int(sum, 6);
    require(error);
    check_int(error->code, 1001);
    bide_error_format(error, report, sizeof report);
    check_contains(report, "fails_after");
    with_generator(g, fails_after, 1)
    {
        check(await(bide_next(g, &value)));
        attempt(&error, next_of, g, &value);
        check_int(error ? error->code : 0, 1001);
        attempt(&error, next_of, g, &value); /* once */
        check(!error);
        check_int(value, -1);
    }
}

GENERATES(int, endures)
async(void) endures(bide_gen(int) * gen)
{
    for (int i = 0;; i++) {
        bide_error *error = NULL;
        with_generator(inner, count_to, 1)
        {
            int value;
            (void)await(bide_next(inner, &value));
            await(bide_give(gen, i));
        }
        (void)error;
    }
}

static async(int) throw_into(bide_gen(int) * gen, int code)
{
    int value = 0;
    if (!await(bide_gen_throw(gen, bide_error_new(code, "thrown"), &value)))
        value = -1;
    return ready(int, value);
}
SPAWNABLE(int, throw_into, bide_gen(int) *, int)

static async(void) give_one(bide_gen(int) * gen, int value)
{
    await(bide_give(gen, value));
    return bide_void;
}
SPAWNABLE(void, give_one, bide_gen(int) *, int)

GENERATES(int, catches)
async(void) catches(bide_gen(int) * gen)
{
    bide_error *error;
    for (int i = 1;; i++) {
        attempt(&error, give_one, gen, i);
        if (error && error->code == 1)
            fail(error);
        if (error && error->code == 1002) {
            note("caught ");
            i = 100;
        } else if (error) {
            fail(error);
        }
    }
}

TEST(an_error_thrown_into_it_is_raised_at_its_give)
{
    int value;
    bide_error *error;
    with_generator(g, catches)
    {
        check(await(bide_next(g, &value)));
        check_int(await(throw_into(g, 1002)), 101);
        check_str(journal, "caught ");
        (void)attempt(&error, throw_into, g, 1003);
        check_int(error ? error->code : 0, 1003);
        check(!await(bide_next(g, &value)));
        (void)attempt(&error, throw_into, g, 1004);
        check_int(error ? error->code : 0, 1004);
    }
    with_generator(g, endures)
    {
        (void)attempt(&error, throw_into, g, 1005); /* not begun */
        check_int(error ? error->code : 0, 1005);
        check(!await(bide_next(g, &value)));
    }
    journal[0] = 0;
    with_generator(g, endures)
    {
        check(await(bide_next(g, &value)));
        (void)attempt(&error, throw_into, g, 1006);
        check_int(error ? error->code : 0, 1006);
        check_str(journal, "begun closed "); /* the generator in it */
    }
}

GENERATES(int, slow)
async(void) slow(bide_gen(int) * gen)
{
    for (int i = 0; i < 3; i++) {
        await(bide_sleep(bide_ms(10)));
        await(bide_give(gen, i));
    }
    return bide_void;
}

static async(void) next_within(bide_gen(int) * gen, int *ret_value, int64_t ms)
{
    with_deadline(bide_ms(ms)) {
        if (!await(bide_next(gen, ret_value)))
            *ret_value = -1;
    }
    return bide_void;
}
SPAWNABLE(void, next_within, bide_gen(int) *, int *, int64_t)

TEST(a_next_that_is_too_late_loses_no_value)
{
    with_generator(g, slow)
    {
        bide_error *error;
        int value = -2;
        attempt(&error, next_within, g, &value, 4);
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        attempt(&error, next_within, g, &value, 4);
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        check(await(bide_next(g, &value)));
        check_int(value, 0);
        attempt(&error, next_within, g, &value, 4);
        check_int(error ? error->code : 0, BIDE_TIMEOUT);
        await(bide_sleep(bide_ms(20))); /* given meanwhile, not taken */
        check(await(bide_next(g, &value)));
        check_int(value, 1);
        check(await(bide_next(g, &value)));
        check_int(value, 2);
        check(!await(bide_next(g, &value)));
    }
}

TEST(cancels_at_every_await, .cancel_everywhere = true)
{
    int sum = 0, value;
    journal[0] = 0;
    with_generator(g, count_to, 4)
    {
        while (await(bide_next(g, &value)))
            sum += value;
    }
    check_int(sum, 6);
    with_generator(g, endures)
    {
        check(await(bide_next(g, &value)));
        check(await(bide_next(g, &value)));
    }
}

TEST(without_memory, .fail_allocations = true)
{
    int value;
    with_generator(g, count_to, 2)
    {
        check(await(bide_next(g, &value)));
    }
}

static async(void) fail_in_cleanup(void *arg)
{
    (void)arg;
    fail(bide_error_new(1010, "the cleanup failed"));
}

GENERATES(int, leaves_badly)
async(void) leaves_badly(bide_gen(int) * gen)
{
    defer(fail_in_cleanup, NULL);
    for (int i = 0;; i++)
        await(bide_give(gen, i));
}

static async(void) use_badly(int way)
{
    with_generator(g, leaves_badly)
    {
        int value;
        (void)await(bide_next(g, &value));
        if (way == 1)
            fail(bide_error_new(1000, "on purpose"));
        if (way == 2)
            await(bide_gen_close(g));
    }
    return bide_void;
}
SPAWNABLE(void, use_badly, int)

TEST(a_failing_cleanup_is_an_error_of_the_block)
{
    bide_error *error;
    for (int way = 0; way < 3; way++) {
        attempt(&error, use_badly, way);
        require(error);
        if (way == 1) {
            check_int(error->code, 1000);
            require(error->also);
            check_int(error->also->code, 1010);
        } else {
            check_int(error->code, 1010);
        }
    }
}

GENERATES(int, locks, bide_mutex *)
async(void) locks(bide_gen(int) * gen, bide_mutex *mutex)
{
    with_lock(mutex) {
        await(bide_give(gen, 1));
    }
    return bide_void;
}

static async(void) ask_under_lock(bide_mutex *mutex)
{
    with_generator(g, locks, mutex)
    {
        with_lock(mutex) {
            int value;
            (void)await(bide_next(g, &value));
        }
    }
    return bide_void;
}
SPAWNABLE(void, ask_under_lock, bide_mutex *)

TEST(waiting_for_each_other_is_a_deadlock)
{
    bide_mutex mutex = {0};
    bide_error *error;
    test_capture_stderr();
    attempt(&error, ask_under_lock, &mutex);
    check_contains(test_captured(), "generator 'locks'");
    require(error);
    check_int(error->code, BIDE_DEADLOCK);
    check(!mutex.owner);
}

static async(void) send_first(void)
{
    with_generator(g, average)
    {
        double value;
        (void)await(bide_gen_send(g, 1, &value));
    }
    return bide_void;
}

static async(void) give_as_another(void)
{
    with_generator(g, count_to, 3)
    {
        int value;
        (void)await(bide_next(g, &value));
        await(bide_give(g, 1));
    }
    return bide_void;
}

static async(void) ask_at_once(void)
{
    with_generator(gen, slow)
    {
        int value, other;
        with_group(g) {
            spawn_void(g, next_of, gen, &value);
            spawn_void(g, next_of, gen, &other);
        }
    }
    return bide_void;
}

static void run_send_first(void)
{
    exit(bide_run(send_first));
}
static void run_give_as_another(void)
{
    exit(bide_run(give_as_another));
}
static void run_ask_at_once(void)
{
    exit(bide_run(ask_at_once));
}

TEST_PLAIN(misuse_is_told)
{
    check_dies(run_send_first, "generator 'average' has not begun");
    check_dies(run_give_as_another, "as generator 'count_to', which it does not run");
    check_dies(run_ask_at_once, "ask generator 'slow' at once");
}
