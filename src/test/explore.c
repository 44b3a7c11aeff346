/*
 * explore.c: runs the body of an EXPLORE, schedule after schedule, until one fails. decide.c
 * decides within a schedule.
 *
 * Called by harness.c in the test's process; calls the runtime, which runs all schedules one after
 * the other: a task for each. The trail of the one that runs lies in shared memory, so the harness
 * knows which one failed even if it crashed.
 *
 * Which ones: first depth first with at most 0, 1, ... `.preemptions` preemptions, cancels and
 * faults; if that ends, all of them have been run. What is left of `.schedules` is drawn at random.
 */
#include "explore.h"
#include "trap.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "core/graph.h"
#include "core/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    default_schedules = 2000,
    default_preemptions = 2,
    default_steps = 100 * 1000,
    twice_first = 8,   /* so many schedules are run twice, to see that they are the same, ... */
    twice_one_of = 64, /* ... and then one of so many */
    linger_ms_max = 60 * 1000, /* virtual: for what the body left in the background */
};

/* The wall clock at the start of each schedule: 2026-01-01 00:00 UTC. */
static const int64_t wall_clock_us = INT64_C(1767225600) * 1000000;

static struct {
    struct bide__test_options options; /* with the defaults */
    unsigned long long done;           /* schedules */
    int64_t until_ns;                  /* when to stop, by the real clock */
    struct bide__trail trail;          /* of a schedule that is run again */
    struct bide__step steps[BIDE__STEPS_KEPT];
} search;

static void judge(const bide_error *error, const char *what)
{
    if (!error || test_injected()) /* or what came of that, perhaps in another task */
        return;
    fprintf(stderr, "%s\n", what);
    bide_error_print(error);
    bide__explorer.failed = true;
}

static void on_error_nobody_owns(const bide_error *error, void *arg)
{
    (void)arg;
    judge(error, "an error that nobody owns fails the test:");
}

/* The allocation that is to fail in this schedule; 0: none. */
static uint32_t allocation_at(const struct bide__explorer *e)
{
    if (e->search != BIDE__SEARCH_REPLAY)
        return e->fail_allocation_at;
    for (uint32_t i = 0; i < e->replay->count; i++)
        if (e->replay->decisions[i].kind == BIDE__DECIDE_ALLOCATION)
            return e->replay->decisions[i].at;
    return 0;
}

/* It is in the trail from the start, though it may turn out that there is no such allocation. */
static void arm_allocation(struct bide__explorer *e)
{
    uint32_t at = allocation_at(e);

    if (at == 0)
        return;
    bide__test_trail->decisions[bide__test_trail->count++] =
        (struct bide__decision){.at = at, .kind = BIDE__DECIDE_ALLOCATION, .value = 1};
    bide__mem_fail_at(at, false);
}

static void call_body(void *arg)
{
    (void)arg;
    arm_allocation(&bide__explorer);
    bide__explorer.body();
}

static bide_async(void) explored(void);
SPAWNABLE(void, explored)
static bide_async(void) explored(void)
{
    bide_error *error = bide__boundary(call_body, NULL);

    judge(error, "an error that left the test's body fails the test:");
    if (!bide__mem_failed())
        bide__mem_fail_at(0, false);
    return bide_void;
}

/* What the body left in the background ends by itself, or the schedule fails. */
static bide_async(void) linger(struct bide__loop *loop)
{
    for (int64_t ms = 1; loop->background->live > 0; ms *= 2) {
        if (ms > linger_ms_max) {
            fprintf(stderr, "a minute after the body's end tasks still run in the background:\n");
            bide__print_tree(loop, STDERR_FILENO);
            atomic_fetch_add(&bide__test_verdict->failures, 1);
            exit(1);
        }
        bide_await(bide_sleep(bide_ms(ms)));
    }
    return bide_void;
}

/* The same clocks, numbers of tasks, ports and random bytes for each schedule. */
static void start_anew(struct bide__loop *loop)
{
    if (loop->timers.armed == 0) {
        loop->runtime->virtual_now_ns = loop->now_ns = 0;
        bide__timers_init(&loop->timers, 0);
    }
    loop->runtime->virtual_real_us = wall_clock_us;
    bide__rng_init(&loop->jitter, 1);
    bide__random_fix(1);
    loop->io->ops->start_anew(loop->io);
    loop->next_task_id = loop->main_task->head.id;
    __atomic_add_fetch(&bide__task_era, 1, __ATOMIC_RELAXED);
}

/* Runs one schedule; whether it passed. */
BIDE__TASK static bool run_schedule(struct bide__explorer *e)
{
    struct bide__loop *loop = bide__loop_here;
    int failures = atomic_load(&bide__test_verdict->failures);
    size_t reports = bide__reports, deadlocks = bide__deadlocks;

    bide__decide_begin(e);
    bide__mem_fail_at(0, false);
    start_anew(loop);
    e->active = true;
    bide_with_group(g)
    {
        bide_spawn_void(g, explored);
    }
    bide_await(linger(loop));
    e->active = false;
    bide__random_fix(0);
    if (bide__reports > reports && !e->options->reports) {
        fprintf(stderr, "what was reported, see above, fails the test; `.reports = true` in its "
                        "options allows it\n");
        e->failed = true;
    }
    if (bide_stopping()) {
        fprintf(stderr, "bide_stop ends all schedules: explore what is below it\n");
        e->failed = true;
    }
    return !e->failed && bide__deadlocks == deadlocks &&
           atomic_load(&bide__test_verdict->failures) == failures;
}

static void say_step(const char *what, const struct bide__step *step)
{
    fprintf(stderr, "    %s: task %llu '%s' at %s:%d\n", what, (unsigned long long)step->task,
            step->name ? step->name : "?", step->at ? step->at->file : "?",
            step->at ? step->at->line : 0);
}

/* Compares the steps of two runs of one schedule: the earlier one is in `search`. */
static bool same_steps(const struct bide__explorer *e, uint64_t steps)
{
    uint64_t kept = steps < BIDE__STEPS_KEPT ? steps : BIDE__STEPS_KEPT;

    for (uint64_t i = 0; i < kept && i < e->steps; i++) {
        if (e->kept[i].task == search.steps[i].task && e->kept[i].at == search.steps[i].at)
            continue;
        fprintf(stderr,
                "NOT DETERMINISTIC: a schedule went another way when it was run again, at "
                "its step %llu:\n",
                (unsigned long long)i);
        say_step("first", &search.steps[i]);
        say_step("then ", &e->kept[i]);
        return false;
    }
    if (e->steps == steps)
        return true;
    fprintf(stderr,
            "NOT DETERMINISTIC: a schedule took %llu steps, then %llu when it was run again\n",
            (unsigned long long)steps, (unsigned long long)e->steps);
    return false;
}

/* Runs the schedule that has just run once more. Only statics, real clocks, addresses, threads and
   the like can make a difference. */
BIDE__TASK static bool same_again(struct bide__explorer *e)
{
    enum bide__search how = e->search;
    uint64_t steps = e->steps;

    search.trail.count = bide__test_trail->count;
    memcpy(search.trail.decisions, bide__test_trail->decisions,
           bide__test_trail->count * sizeof *bide__test_trail->decisions);
    memcpy(search.steps, e->kept,
           (steps < BIDE__STEPS_KEPT ? steps : BIDE__STEPS_KEPT) * sizeof *e->kept);
    e->search = BIDE__SEARCH_REPLAY;
    e->replay = &search.trail;
    if (!run_schedule(e) || !same_steps(e, steps))
        return false;
    e->search = how;
    return true;
}

static bool in_time(void)
{
    return search.done < search.options.schedules && bide__clock_monotonic_ns() < search.until_ns;
}

BIDE__TASK static bool passes(struct bide__explorer *e)
{
    if (!run_schedule(e))
        return false;
    if (e->went_astray || (e->search == BIDE__SEARCH_ALL && e->depth < e->length)) {
        fprintf(stderr, "NOT DETERMINISTIC: after the same beginning a schedule had other choices "
                        "than the one before\n");
        return false;
    }
    search.done++;
    return (search.done > twice_first && search.done % twice_one_of != 0) || same_again(e);
}

/* Depth first, with more and more that may be out of the ordinary. Whether none failed; `*ret_all`:
   there are no others. */
BIDE__TASK static bool run_all(struct bide__explorer *e, unsigned long most, bool *ret_all)
{
    e->search = BIDE__SEARCH_ALL;
    e->bounded = true;
    for (e->bound = 0; e->bounded && e->bound <= e->options->preemptions; e->bound++) {
        e->bounded = false;
        e->length = 0;
        do {
            if (search.done >= most || !in_time())
                return true;
            if (!passes(e))
                return false;
        } while (bide__decide_next(e));
    }
    *ret_all = !e->cut;
    return true;
}

/* The ordinary order, with each allocation failing in turn. */
BIDE__TASK static bool fail_allocations(struct bide__explorer *e)
{
    bool reached = true;

    e->search = BIDE__SEARCH_ALL;
    e->bound = 0;
    for (uint32_t n = 1; reached && in_time(); n++) {
        e->fail_allocation_at = n;
        e->length = 0;
        if (!passes(e))
            return false;
        reached = bide__mem_failed();
        e->seen[BIDE__DECIDE_ALLOCATION] = n; /* decide.c draws from so many */
    }
    e->fail_allocation_at = 0;
    return true;
}

BIDE__TASK static bool run_random(struct bide__explorer *e)
{
    enum test_search how = e->options->search;

    while (in_time()) {
        uint32_t allocations = e->seen[BIDE__DECIDE_ALLOCATION];

        e->search = how == TEST_PRIORITIES || (how != TEST_UNIFORM && search.done % 2)
                        ? BIDE__SEARCH_PRIORITY
                        : BIDE__SEARCH_UNIFORM;
        if (!passes(e))
            return false;
        e->seen[BIDE__DECIDE_ALLOCATION] = allocations;
    }
    return true;
}

BIDE__TASK static bool run_search(struct bide__explorer *e)
{
    enum test_search how = e->options->search;
    unsigned long most = e->options->schedules;
    bool all = false, bounded = false;

    if (bide__test_replay) {
        e->search = BIDE__SEARCH_REPLAY;
        e->replay = bide__test_replay;
        e->telling = true;
        bool passed = run_schedule(e);
        e->telling = false;
        return passed && same_again(e);
    }
    if (how == TEST_MIXED || how == TEST_ALL) {
        if (!run_all(e, how == TEST_ALL ? most : most / 2 + 1, &all))
            return false;
        bounded = e->bounded;
    }
    if (e->options->fail_allocations && !fail_allocations(e))
        return false;
    if (!all && how != TEST_ALL && !run_random(e))
        return false;
    printf("%llu schedule%s", search.done, search.done == 1 ? "" : "s");
    if (!all)
        printf(", not all there are\n");
    else if (bounded)
        printf(": all with at most %u preemptions, cancels and faults\n", e->options->preemptions);
    else
        printf(": all there are\n");
    return true;
}

static bide_async(void) explore(void)
{
    struct bide__explorer *e = &bide__explorer;

    bide__test_trap(e->options);
    if (!run_search(e) && atomic_load(&bide__test_verdict->failures) == 0)
        atomic_fetch_add(&bide__test_verdict->failures, 1);
    return bide_void;
}

/* With --no-fork there may have been one before. */
static void forget_all(struct bide__explorer *e)
{
    memset((char *)e + sizeof e->chooser, 0, sizeof *e - sizeof e->chooser);
    search.done = 0;
}

int bide__test_explore(void (*body)(void), const struct bide__test_options *options)
{
    struct bide__explorer *e = &bide__explorer;
    size_t loose_ends = bide__loose_ends;
    int status;

    forget_all(e);
    search.options = *options;
    if (!search.options.schedules)
        search.options.schedules = default_schedules;
    if (!search.options.preemptions)
        search.options.preemptions = default_preemptions;
    if (!search.options.steps)
        search.options.steps = default_steps;
    search.until_ns = bide__clock_monotonic_ns() + bide__test_search_ms * INT64_C(1000000);
    e->options = &search.options;
    e->body = body;
    e->branches = malloc(BIDE__BRANCHES_MAX * sizeof *e->branches);
    if (!e->branches)
        return -ENOMEM;
    bide__rng_init(&e->rng, options->seed);
    bide__chooser = &e->chooser;
    status = bide_run(explore, .virtual_clock = true, .watchdog = BIDE_FOREVER,
                      .error_hook = on_error_nobody_owns);
    bide__chooser = NULL;
    bide__mem_fail_at(0, false);
    free(e->branches);
    if (bide__loose_ends > loose_ends && !options->loose_ends) {
        fprintf(stderr, "what was left behind in some schedule, see above, fails the test\n");
        return -EIO;
    }
    return status == 0 ? 0 : -EIO;
}
