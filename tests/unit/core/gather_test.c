/*
 * gather_test.c: gather, gather_settled, first_of, bide_each: results, failures, cancels.
 */
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

typedef int *int_ptr;
typedef bide_group *group_ptr;

static char journal[1024];

static void note(const char *format, int number)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, format, number);
}

static int64_t now_ms(void)
{
    return bide_clock_ns() / 1000000;
}

static void note_cancelled(void *arg)
{
    (void)arg;
    note("cancelled ", 0);
}

SPAWNABLE(int, after, int)
async(int) after(int ms)
{
    on_cancel(note_cancelled, NULL);
    await(bide_sleep(bide_ms(ms)));
    return ready(int, ms * 10);
}

SPAWNABLE(double, half_of, int)
async(double) half_of(int n)
{
    await(bide_yield());
    return ready(double, n / 2.0);
}

SPAWNABLE(void, say, int)
async(void) say(int n)
{
    await(bide_sleep(bide_ms(n)));
    note("said%d ", n);
    return bide_void;
}

SPAWNABLE(int, break_after, int)
async(int) break_after(int ms)
{
    await(bide_sleep(bide_ms(ms)));
    fail(bide_error_new(1000 + ms, "broke after %d", ms));
}

TEST(gather_writes_each_result_in_its_place)
{
    int a = 0, b = 0;
    double c = 0;
    await(gather(bide_into(&a, after, 9), bide_into(&b, after, 3), bide_into(&c, half_of, 7),
                 bide_into_void(say, 2)));
    check_int(a, 90);
    check_int(b, 30);
    check_near(c, 3.5, 1e-9);
    check_str(journal, "said2 ");
    check_int(now_ms(), 9);
}

TEST(gather_of_eight_and_of_one, .cancel_everywhere = true, .fail_allocations = true)
{
    int r[8] = {0};
    await(gather(bide_into(&r[0], after, 1), bide_into(&r[1], after, 2), bide_into(&r[2], after, 3),
                 bide_into(&r[3], after, 4), bide_into(&r[4], after, 5), bide_into(&r[5], after, 6),
                 bide_into(&r[6], after, 7), bide_into(&r[7], after, 8)));
    await(gather(bide_into(&r[0], after, 100)));
}

static int kept_a, kept_b;

SPAWNABLE(void, gather_with_failures)
async(void) gather_with_failures(void)
{
    int c = 0;
    await(gather(bide_into(&kept_a, after, 1), bide_into(&kept_b, after, 50),
                 bide_into(&c, break_after, 3), bide_into(&c, break_after, 3)));
    return bide_void;
}

TEST(gather_raises_the_first_failure_with_the_others_attached)
{
    bide_error *error;
    kept_b = -1;
    attempt(&error, gather_with_failures);
    if (!check(error && error->also))
        return;
    check_int(error->code, 1003);
    check_int(error->also->code, 1003);
    check_int(kept_a, 10);
    check_int(kept_b, -1);
    check_str(journal, "cancelled ");
    check_int(now_ms(), 3);
}

SPAWNABLE(void, gather_long)
async(void) gather_long(void)
{
    int a, b;
    await(gather(bide_into(&a, after, 500), bide_into(&b, after, 600)));
    return bide_void;
}

TEST(cancelling_a_gather_cancels_its_calls)
{
    bool late;
    move_on_after(&late, bide_ms(5), gather_long);
    check(late);
    check_str(journal, "cancelled cancelled ");
    check_int(now_ms(), 5);
}

TEST(gather_settled_runs_every_call_to_its_end)
{
    settled(int) a, b, c;
    settled(double) d;
    memset(&a, 1, sizeof a);
    memset(&c, 1, sizeof c);
    await(bide_gather_settled(
        bide_into_settled(&a, break_after, 1), bide_into_settled(&b, after, 5),
        bide_into_settled(&c, break_after, 3), bide_into_settled(&d, half_of, 5)));
    check(a.error && a.error->code == 1001);
    check(c.error && c.error->code == 1003);
    check_ptr(b.error, NULL);
    check_ptr(d.error, NULL);
    check_int(b.value, 50);
    check_near(d.value, 2.5, 1e-9);
    check_int(now_ms(), 5);
    char text[1024];
    bide_error_format(c.error, text, sizeof text);
    check_contains(text, "broke after 3 (1003)");
}

SPAWNABLE(void, settle_long)
async(void) settle_long(void)
{
    settled(int) a = {NULL, -1}, b = {NULL, -1};
    await(gather_settled(bide_into_settled(&a, after, 500), bide_into_settled(&b, break_after, 1)));
    return bide_void;
}

TEST(cancelling_gather_settled_is_a_cancel)
{
    bool late;
    move_on_after(&late, bide_ms(5), settle_long);
    check(late);
    check_str(journal, "cancelled ");
    check_int(now_ms(), 5);
}

TEST(settled_with_everything_failing, .cancel_everywhere = true, .fail_allocations = true)
{
    settled(int) a, b;
    await(gather_settled(bide_into_settled(&a, break_after, 1), bide_into_settled(&b, after, 5)));
    if (a.error)
        check(a.error->code == 1001 || a.error->code == BIDE_CANCELLED ||
              a.error->code == BIDE_NO_MEMORY);
}

static int a_value, b_value;

SPAWNABLE(size_t, race, int, int, bool)
async(size_t) race(int a_ms, int b_ms, bool a_fails)
{
    size_t winner = 99;
    a_value = b_value = -1;
    if (a_fails)
        winner = await(
            first_of(bide_into(&a_value, break_after, a_ms), bide_into(&b_value, after, b_ms)));
    else
        winner =
            await(first_of(bide_into(&a_value, after, a_ms), bide_into(&b_value, after, b_ms)));
    return ready(size_t, winner);
}

TEST(first_of_takes_the_first_and_cancels_the_rest)
{
    check_int(await(race(9, 4, false)), 1);
    check_int(b_value, 40);
    check_int(a_value, -1);
    check_int(now_ms(), 4);
    check_str(journal, "cancelled ");
}

TEST(first_of_passes_over_failures)
{
    check_int(await(race(1, 4, true)), 1);
    check_int(b_value, 40);
    check_int(now_ms(), 4);
    check_str(journal, "");
}

TEST(of_two_at_the_same_time_exactly_one_wins)
{
    size_t winner = await(race(4, 4, false));
    check(winner < 2);
    check_int(winner == 0 ? a_value : b_value, 40);
    check_int(winner == 0 ? b_value : a_value, -1);
}

TEST(first_of_with_everything_failing, .cancel_everywhere = true, .fail_allocations = true)
{
    bide_error *error;
    check(await(race(2, 4, false)) < 2);
    size_t winner = attempt(&error, race, 2, 4, true);
    check(error || winner == 1);
}

SPAWNABLE(size_t, race_of_losers)
async(size_t) race_of_losers(void)
{
    int a, b, c;
    size_t winner = await(first_of(bide_into(&a, break_after, 3), bide_into(&b, break_after, 1),
                                   bide_into(&c, break_after, 2)));
    return ready(size_t, winner);
}

TEST(first_of_raises_when_all_fail)
{
    bide_error *error;
    attempt(&error, race_of_losers);
    if (!check(error && error->also && error->also->next))
        return;
    check_int(error->code + error->also->code + error->also->next->code, 3006);
    check_int(now_ms(), 3);
}

SPAWNABLE(int, cancel_the_other)
async(int) cancel_the_other(void)
{
    bide_task_ref all[8];
    size_t count = bide_all_tasks(all, 8);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(bide_task_name(all[i]), "after"))
            bide_cancel_task(all[i], "x");
    await(bide_sleep(bide_ms(1)));
    fail(bide_error_new(1100, "the other"));
}

SPAWNABLE(size_t, race_with_a_cancelled_one, bool)
async(size_t) race_with_a_cancelled_one(bool first)
{
    int a, b;
    size_t winner;
    if (first)
        winner = await(first_of(bide_into(&a, after, 100), bide_into(&b, cancel_the_other)));
    else
        winner = await(first_of(bide_into(&b, cancel_the_other), bide_into(&a, after, 100)));
    return ready(size_t, winner);
}

TEST(first_of_raises_also_when_one_call_was_cancelled_alone)
{
    bide_error *error;
    attempt(&error, race_with_a_cancelled_one, true);
    check(error && error->code == 1100);
    attempt(&error, race_with_a_cancelled_one, false);
    check(error && error->code == 1100);
}

typedef struct sums {
    int at_once, most, total, order_broken, last_index;
} sums;
typedef sums *sums_ptr;

static void leave(void *arg)
{
    ((sums *)arg)->at_once--;
}

SPAWNABLE(void, add_item, int, size_t, sums_ptr)
async(void) add_item(int item, size_t index, sums_ptr to)
{
    to->at_once++;
    defer(leave, to);
    if (to->at_once > to->most)
        to->most = to->at_once;
    if ((int)index != to->last_index + 1)
        to->order_broken++;
    to->last_index = (int)index;
    check_int(item, (int)index + 1);
    await(bide_sleep(bide_ms(item)));
    if (item == 100)
        fail(bide_error_new(1000 + item, "item %d", item));
    to->total += item;
    return bide_void;
}

TEST(each_calls_for_every_item_in_order_and_within_the_limit, .in_order = true)
{
    int items[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    sums to = {.last_index = -1};
    await(bide_each(items, 10, 3, add_item, &to));
    check_int(to.total, 55);
    check_int(to.most, 3);
    check_int(to.order_broken, 0);
}

TEST(each_without_a_limit_runs_all_at_once)
{
    int items[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    sums to = {.last_index = -1};
    await(bide_each(items, 10, 0, add_item, &to));
    check_int(to.total, 55);
    check_int(to.most, 10);
    check_int(now_ms(), 10);
    await(bide_each(items, 2, 100, add_item, &to));
    check_int(to.total, 58);
}

TEST(each_of_nothing_calls_nothing)
{
    int items[1] = {1};
    sums to = {.last_index = -1};
    await(bide_each(items, 0, 3, add_item, &to));
    await(bide_each(items, 0, 0, add_item, &to));
    check_int(to.total, 0);
}

static int many[200];

SPAWNABLE(void, each_until_it_breaks, sums_ptr)
async(void) each_until_it_breaks(sums_ptr to)
{
    for (int i = 0; i < 200; i++)
        many[i] = i + 1;
    await(bide_each(many, 200, 4, add_item, to));
    return bide_void;
}

TEST(each_stops_at_the_first_failure, .in_order = true)
{
    bide_error *error;
    sums to = {.last_index = -1};
    attempt(&error, each_until_it_breaks, &to);
    check(error && error->code == 1100);
    check_int(to.at_once, 0);
    check(to.last_index >= 99 && to.last_index < 105);
    char text[2048];
    bide_error_format(error, text, sizeof text);
    check_contains(text, "item 100 (1100)");
    check_contains(text, "'add_item' spawned at ");
}

TEST(each_under_every_cancel_and_every_failed_allocation, .cancel_everywhere = true,
     .fail_allocations = true)
{
    int items[] = {1, 2, 3, 4};
    sums to = {.last_index = -1};
    await(bide_each(items, 4, 2, add_item, &to));
    check_int(to.at_once, 0);
}

SPAWNABLE(void, each_cancelled, sums_ptr)
async(void) each_cancelled(sums_ptr to)
{
    for (int i = 0; i < 200; i++)
        many[i] = i + 1;
    await(bide_each(many, 90, 2, add_item, to));
    return bide_void;
}

TEST(cancelling_each_starts_no_further_item, .in_order = true)
{
    bool late;
    sums to = {.last_index = -1};
    move_on_after(&late, bide_ms(10), each_cancelled, &to);
    check(late);
    check_int(to.at_once, 0);
    check(to.last_index < 10);
    check_int(now_ms(), 10);
}

SPAWNABLE(void, gather_cancelled_before)
async(void) gather_cancelled_before(void)
{
    bide_cancel_task(bide_current_task(), "x");
    int a;
    await(gather(bide_into(&a, after, 1)));
    note("never ", 0);
    return bide_void;
}

TEST(in_a_cancelled_scope_nothing_is_started)
{
    with_group(g) {
        spawn_void(g, gather_cancelled_before);
    }
    check_str(journal, "");
}

SPAWNABLE(void, gather_and_await)
async(void) gather_and_await(void)
{
    int a = 0, b = 0;
    await(gather(bide_into(&a, after, 5), bide_into(&b, after, 5)));
    note("gathered%d ", a + b);
    await(bide_yield());
    note("never ", 0);
    return bide_void;
}

SPAWNABLE(void, race_and_await)
async(void) race_and_await(void)
{
    int a = 0, b = 0;
    size_t winner = await(first_of(bide_into(&a, after, 100), bide_into(&b, after, 5)));
    note("won%d ", (int)winner);
    await(bide_yield());
    note("never ", 0);
    return bide_void;
}

/* The calls have ended, which ends the wait; then, before the caller runs, it is cancelled. */
TEST(a_gather_that_is_done_before_the_cancel_gives_its_results, .in_order = true)
{
    with_group(g) {
        task(void) child = spawn(g, gather_and_await);
        await(bide_yield());
        await(bide_yield());
        await(bide_sleep(bide_ms(5)));
        bide_cancel(child, "x");
    }
    check_str(journal, "gathered100 ");
}

TEST(a_race_that_is_won_before_the_cancel_is_won, .in_order = true)
{
    with_group(g) {
        task(void) child = spawn(g, race_and_await);
        await(bide_yield());
        await(bide_yield());
        await(bide_sleep(bide_ms(5)));
        await(bide_yield());
        bide_cancel(child, "x");
    }
    check_str(journal, "cancelled won1 ");
}
