/*
 * tree_test.c: random trees of tasks under random cancels, deadlines, shields, failures and waits.
 *
 * Every task draws what it does from its own generator, so one seed gives one program. Checked at
 * the end, whatever happened: every child that started has ended and run its handlers, no group is
 * left early, nothing outlives its group, and the loop's counters balance.
 */
#include "core/loop.h"

#include "base/mem.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TASKS = 100000, DEPTH = 7, REAL_MS = 9000 };

struct world {
    struct bide__rng random;
    int64_t spawned, started, ended, handlers, opened, closed, caught, deadlocks;
    int64_t until_ns; /* of the real clock */
    bool hurry;       /* spawn no more */
};
static struct world world;

static int64_t real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static unsigned below(unsigned n)
{
    return (unsigned)bide__rng_below(&world.random, n);
}

static void count_end(void *unused)
{
    (void)unused;
    world.ended++;
}

static void count_handler(void *unused)
{
    (void)unused;
    world.handlers++;
}

static bide_async(void) clean_slowly(void *unused)
{
    (void)unused;
    world.handlers++;
    await(bide_sleep(bide_us(below(300))));
    if (below(8) == 0)
        fail(bide_error_new(1100, "a cleanup"));
    return bide_void;
}

static void count_caught(const bide_error *error)
{
    world.caught += error != NULL;
    world.deadlocks += error && error->code == BIDE_DEADLOCK;
}

static async(int) thing_open(void)
{
    if (below(4) == 0)
        await(bide_yield());
    if (below(16) == 0)
        fail(bide_error_new(1200, "cannot open"));
    world.opened++;
    return ready(int, 5);
}

static async(void) thing_close(int thing, bide_error *error)
{
    (void)error;
    world.closed++;
    check_int(thing, 5);
    if (below(2))
        await(bide_sleep(bide_us(below(100))));
    if (below(16) == 0)
        fail(bide_error_new(1201, "cannot close"));
    return bide_void;
}
RESOURCE(thing, int, thing_open, thing_close)

SPAWNABLE(int, live, int, unsigned)
SPAWNABLE(int, act, int, unsigned)

SPAWNABLE(void, each_item, int, size_t, int *)
async(void) each_item(int item, size_t index, int *depth)
{
    (void)index;
    (void)await(act(*depth, (unsigned)item));
    return bide_void;
}

/* Children in a group: some joined, some cancelled, some left. */
SPAWNABLE(int, have_children, int, unsigned)
async(int) have_children(int depth, unsigned what)
{
    static const size_t limits[] = {0, 0, 1, 3};
    int sum = 0;
    with_group(g, .max_concurrency = limits[below(4)]) {
        unsigned count = 1 + below(5);
        task(int) children[5];
        bide_task_ref refs[5];
        for (unsigned i = 0; i < count; i++) {
            world.spawned++;
            children[i] = spawn(g, live, depth - 1, below(1u << 30));
            refs[i] = bide_ref(children[i]);
        }
        if (below(3) == 0)
            await(bide_sleep(bide_us(below(200))));
        if (below(4) == 0)
            bide_cancel(children[below(count)], "random");
        if (below(8) == 0)
            bide_group_cancel(g, "random group");
        if (below(4) == 0)
            (void)await(bide_wait((enum bide_wait_mode)below(3), refs, count));
        if (what % 16 == 0)
            fail(bide_error_new(1300, "a body"));
        if (what % 16 == 1)
            return ready(int, 1);
        for (unsigned i = 0; i < count; i++)
            if (below(2))
                sum += await_task(children[i]);
    }
    return ready(int, sum);
}

static async(int) race_children(int depth, unsigned what)
{
    int a = 0, b = 0;
    settled(int) c = {NULL, 0}, d = {NULL, 0};
    switch (what % 3) {
    case 0:
        await(gather(bide_into(&a, act, depth - 1, what / 3),
                     bide_into(&b, act, depth - 1, what / 5)));
        break;
    case 1:
        await(gather_settled(bide_into_settled(&c, act, depth - 1, what / 3),
                             bide_into_settled(&d, act, depth - 1, what / 5)));
        break;
    default:
        (void)await(first_of(bide_into(&a, act, depth - 1, what / 3),
                             bide_into(&b, act, depth - 1, what / 5)));
        break;
    }
    return ready(int, a + b);
}

static async(int) limit_time(int depth, unsigned what)
{
    bool late;
    switch (what % 4) {
    case 0:
        return ready(int, move_on_after(&late, bide_us(below(400)), act, depth - 1, what / 4));
    case 1:
        with_deadline(bide_us(below(400))) {
            return act(depth - 1, what / 4);
        }
        break;
    case 2:
        shielded(bide_us(1 + below(400))) {
            return act(depth - 1, what / 4);
        }
        break;
    default:
        with(thing, it) {
            (void)it;
            return act(depth - 1, what / 4);
        }
    }
    return ready(int, 0);
}

async(int) act(int depth, unsigned what)
{
    int items[4];
    bide_error *error;
    unsigned next = what / 10;
    if (depth <= 0 || world.hurry) {
        await(bide_sleep(bide_us(next % 500)));
        return ready(int, 1);
    }
    switch (what % 10) {
    case 0:
    case 1:
        return have_children(depth, next);
    case 2:
        return race_children(depth, next);
    case 3:
    case 4:
        return limit_time(depth, next);
    case 5: {
        defer(clean_slowly, NULL);
        on_cancel(count_handler, NULL);
        return act(depth - 1, next);
    }
    case 6: {
        int value = attempt(&error, act, depth - 1, next);
        count_caught(error);
        if (error && next % 8 == 0)
            fail(next % 16 ? bide_error_because(bide_error_new(1400, "wrapped"), error) : error);
        return ready(int, value);
    }
    case 7:
        for (int i = 0; i < 4; i++)
            items[i] = (int)(next % 1000) + i * 37;
        depth--;
        await(bide_each(items, 4, 2, each_item, &depth));
        return ready(int, 4);
    case 8:
        await(bide_yield());
        if (next % 8 == 0)
            fail(bide_error_new(1500, "by chance"));
        return act(depth - 1, next);
    default:
        await(bide_sleep(bide_us(next % 500)));
        return ready(int, 1);
    }
}

async(int) live(int depth, unsigned what)
{
    world.started++;
    defer(count_end, NULL);
    if (world.spawned >= TASKS || real_ns() > world.until_ns)
        world.hurry = true;
    return act(depth, what);
}

static void grow_trees(uint64_t seed) BIDE__TASK
{
    bide_error *error;
    memset(&world, 0, sizeof world);
    bide__rng_init(&world.random, seed);
    world.until_ns = real_ns() + REAL_MS * 1000000LL;
    for (int tree = 0; !world.hurry; tree++) {
        (void)attempt(&error, have_children, DEPTH, below(1u << 30));
        count_caught(error);
        check_int(world.ended, world.started);
        check_int(world.closed, world.opened);
        check_int(world.started, world.spawned);
        check_int(bide_all_tasks(NULL, 0), 1);
        if (world.ended != world.started)
            return;
    }
    struct bide__loop *loop = bide__loop_here;
    check(world.spawned > 1000 && world.caught > 0 && world.handlers > 0);
    check_int(loop->timers.armed, 0);
    check_int(loop->outside, 0);
    check_int(loop->stacks.used, 1);
    check_ptr(loop->starved, NULL);
    check_ptr(bide_current_task().task->scope, NULL);
    check(bide_current_task().task->error_count <= BIDE_CAP_ERRORS_KEPT);
    printf("%lld tasks, %lld errors caught, %lld handlers, %lld things\n", (long long)world.spawned,
           (long long)world.caught, (long long)world.handlers, (long long)world.opened);
}

TEST(random_trees_seed_1, .timeout_ms = 30000)
{
    grow_trees(1 + test_seed() * 10);
    check_int(world.deadlocks, 0);
}

TEST(random_trees_seed_2, .timeout_ms = 30000)
{
    grow_trees(2 + test_seed() * 10);
    check_int(world.deadlocks, 0);
}

TEST(random_trees_shuffled, .timeout_ms = 30000, .seed = 77)
{
    grow_trees(3 + test_seed() * 10);
    check_int(world.deadlocks, 0);
}

TEST(random_trees_with_few_stacks, .timeout_ms = 30000)
{
    bide__loop_here->stacks.limit = 400;
    grow_trees(4 + test_seed() * 10);
    check_int(world.deadlocks, 0);
}
