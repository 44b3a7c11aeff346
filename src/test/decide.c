/*
 * decide.c: what happens in one schedule of an EXPLORE: which ready task runs, who is cancelled, at
 * an await or while it waits, what fails. Called by the loop (core/choice.h) and by tests
 * (test_choose, test_fault); explore.c says how to decide.
 *
 * Alternative 0 of a choice is the ordinary. Another task although the running one could go on is a
 * preemption and counts 1, as a cancel and a fault do; BIDE__SEARCH_ALL bounds the sum, as CHESS
 * does (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007). BIDE__SEARCH_PRIORITY is
 * PCT (Burckhardt and others, "A randomized scheduler with probabilistic guarantees of finding
 * bugs", ASPLOS 2010).
 */
#include "explore.h"

#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Choices between more tasks than that, ready or waiting, are between the first ones. */
enum { ALTERNATIVES_MAX = 1024 };

/* One random schedule of that many has no cancel, fault or failing allocation; of the others one of
   so many has no second one, and so on. */
enum { UNHARMED_ONE_OF = 2 };

static unsigned branch(struct bide__explorer *e, enum bide__decision_kind kind, unsigned count,
                       unsigned cost)
{
    struct bide__branch *b = &e->branches[e->depth];

    if (e->spent + cost > e->bound) {
        e->bounded = true;
        return 0;
    }
    if (e->depth == BIDE__BRANCHES_MAX) {
        e->cut = true;
        return 0;
    }
    if (e->depth == e->length)
        e->branches[e->length++] =
            (struct bide__branch){.kind = (uint16_t)kind, .count = (uint16_t)count};
    if (b->kind != kind || b->count != count) {
        e->went_astray = true;
        return 0;
    }
    e->depth++;
    return b->value;
}

static unsigned replayed(struct bide__explorer *e, enum bide__decision_kind kind, unsigned count)
{
    uint32_t *i = &e->replayed[kind];

    while (*i < e->replay->count &&
           (e->replay->decisions[*i].kind != kind || e->replay->decisions[*i].at < e->seen[kind]))
        ++*i;
    if (*i == e->replay->count || e->replay->decisions[*i].at != e->seen[kind])
        return 0;
    return e->replay->decisions[*i].value < count ? e->replay->decisions[*i].value : 0;
}

/* Makes the decision of a trail, or of one that was drawn, part of the schedule. */
static void note(struct bide__explorer *e, enum bide__decision_kind kind, unsigned value)
{
    struct bide__trail *trail = bide__test_trail;

    e->injected[kind]++;
    trail->decisions[trail->count] = (struct bide__decision){
        .at = e->seen[kind], .kind = (uint16_t)kind, .value = (uint16_t)value};
    trail->count++;
}

static unsigned draw(struct bide__explorer *e, enum bide__decision_kind kind, unsigned count)
{
    if (kind == BIDE__DECIDE_ORDER)
        return (unsigned)bide__rng_below(&e->rng, count);
    for (unsigned i = 0; i < e->injections_count; i++)
        if (e->injections[i].kind == kind && e->injections[i].at == e->seen[kind])
            return 1 + (unsigned)bide__rng_below(&e->rng, count - 1);
    return 0;
}

static unsigned counted(struct bide__explorer *e, enum bide__decision_kind kind, unsigned value,
                        unsigned cost)
{
    if (value == 0 || bide__test_trail->count == BIDE__TRAIL_MAX)
        return 0;
    e->spent += cost;
    note(e, kind, value);
    return value;
}

unsigned bide__decide(struct bide__explorer *e, enum bide__decision_kind kind, unsigned count,
                      unsigned cost)
{
    unsigned value;

    e->seen[kind]++;
    if (e->search == BIDE__SEARCH_ALL)
        value = branch(e, kind, count, cost);
    else if (e->search == BIDE__SEARCH_REPLAY)
        value = replayed(e, kind, count);
    else
        value = draw(e, kind, count);
    return counted(e, kind, value, cost);
}

bool bide__decide_next(struct bide__explorer *e)
{
    for (; e->length > 0; e->length--) {
        struct bide__branch *last = &e->branches[e->length - 1];

        if (last->value + 1 < last->count) {
            last->value++;
            return true;
        }
    }
    return false;
}

/* One point of the kind, as many as there were in the schedule before, and perhaps some more. */
static void draw_injection(struct bide__explorer *e, enum bide__decision_kind kind)
{
    uint32_t at = 1 + (uint32_t)bide__rng_below(&e->rng, e->seen_last[kind] + 1U);

    if (kind == BIDE__DECIDE_ALLOCATION)
        e->fail_allocation_at = at;
    else
        e->injections[e->injections_count++] = (struct bide__injection){kind, at};
}

static void draw_schedule(struct bide__explorer *e)
{
    enum bide__decision_kind kinds[BIDE__DECISION_KINDS];
    unsigned count = 0;

    e->injections_count = 0;
    e->fail_allocation_at = 0;
    if (!e->options->no_cancels)
        kinds[count++] = BIDE__DECIDE_CANCEL;
    if (!e->options->no_cancels && e->seen_last[BIDE__DECIDE_WAITING] > 0)
        kinds[count++] = BIDE__DECIDE_WAITING;
    if (!e->options->no_faults && e->seen_last[BIDE__DECIDE_FAULT] > 0)
        kinds[count++] = BIDE__DECIDE_FAULT;
    if (e->options->fail_allocations)
        kinds[count++] = BIDE__DECIDE_ALLOCATION;
    for (int i = 0; count > 0 && i < BIDE__INJECTIONS_MAX; i++) {
        if (bide__rng_below(&e->rng, UNHARMED_ONE_OF) == 0)
            break;
        draw_injection(e, kinds[bide__rng_below(&e->rng, count)]);
    }
    e->priority_seed = bide__rng_next(&e->rng);
    e->drops = 0;
    for (int i = 0; i < BIDE__DROPS_MAX; i++)
        e->drop_at[i] = 1 + bide__rng_below(&e->rng, e->steps_last * BIDE__DROPS_MAX / 2 + 1);
}

void bide__decide_begin(struct bide__explorer *e)
{
    memcpy(e->seen_last, e->seen, sizeof e->seen);
    e->steps_last = e->steps;
    memset(e->seen, 0, sizeof e->seen);
    memset(e->replayed, 0, sizeof e->replayed);
    memset(e->injected, 0, sizeof e->injected);
    e->depth = 0;
    e->spent = 0;
    e->steps = 0;
    e->failed = e->went_astray = false;
    bide__test_trail->count = 0;
    if (e->search == BIDE__SEARCH_UNIFORM || e->search == BIDE__SEARCH_PRIORITY)
        draw_schedule(e);
}

/* ---- which task runs ---- */

/* The ready tasks: the one that could go on, then the others in the order of the queue. */
struct ready {
    struct bide_task *tasks[ALTERNATIVES_MAX];
    struct bide_task *before[ALTERNATIVES_MAX]; /* each in the queue */
    unsigned count;
};

static void list_ready(const struct bide__loop *loop, struct ready *ready)
{
    struct bide_task *before = NULL;
    unsigned first = 0;

    ready->count = 0;
    for (struct bide_task *task = loop->ready_first; task; before = task, task = task->next) {
        if (ready->count == ALTERNATIVES_MAX)
            break;
        if (task == loop->preempted)
            first = ready->count;
        ready->tasks[ready->count] = task;
        ready->before[ready->count] = before;
        ready->count++;
    }
    for (unsigned i = first; i > 0; i--) {
        struct bide_task *task = ready->tasks[i], *task_before = ready->before[i];

        ready->tasks[i] = ready->tasks[i - 1];
        ready->before[i] = ready->before[i - 1];
        ready->tasks[i - 1] = task;
        ready->before[i - 1] = task_before;
    }
}

/* PCT: the larger, the sooner. What was dropped comes after all others, the last drop last. */
static uint64_t priority_of(const struct bide__explorer *e, uint64_t task)
{
    for (unsigned i = e->drops; i > 0; i--)
        if (e->dropped[i - 1] == task)
            return BIDE__DROPS_MAX - i;
    uint64_t mixed = e->priority_seed ^ task;
    return bide__splitmix64(&mixed) | BIDE__DROPS_MAX;
}

static unsigned most_urgent(const struct bide__explorer *e, const struct ready *ready)
{
    unsigned found = 0;
    uint64_t most = 0;

    for (unsigned i = 0; i < ready->count; i++) {
        uint64_t priority = priority_of(e, ready->tasks[i]->head.id);

        if (priority > most || i == 0) {
            most = priority;
            found = i;
        }
    }
    return found;
}

static unsigned by_priority(struct bide__explorer *e, const struct ready *ready)
{
    unsigned found = most_urgent(e, ready);

    for (int i = 0; i < BIDE__DROPS_MAX; i++) {
        if (e->drop_at[i] == e->steps && e->drops < BIDE__DROPS_MAX) {
            e->dropped[e->drops++] = ready->tasks[found]->head.id;
            return most_urgent(e, ready);
        }
    }
    return found;
}

static void say_task(const struct bide_task *task)
{
    const struct bide_site *at = task->head.at;

    fprintf(stderr, "task #%llu '%s' (%s:%d)", (unsigned long long)task->head.id,
            bide__task_label(task), at ? at->file : "?", at ? at->line : 0);
}

static unsigned pick(struct bide__explorer *e, const struct bide__loop *loop,
                     const struct ready *ready)
{
    unsigned cost = loop->preempted == ready->tasks[0] ? 1 : 0, chosen;

    if (ready->count < 2)
        return 0;
    if (e->search == BIDE__SEARCH_PRIORITY) {
        e->seen[BIDE__DECIDE_ORDER]++;
        return counted(e, BIDE__DECIDE_ORDER, by_priority(e, ready), cost);
    }
    chosen = bide__decide(e, BIDE__DECIDE_ORDER, ready->count, cost);
    if (chosen > 0 && e->telling) {
        fprintf(stderr, "schedule: ");
        say_task(ready->tasks[chosen]);
        fprintf(stderr, " runs, not ");
        say_task(ready->tasks[0]);
        fputc('\n', stderr);
    }
    return chosen;
}

/* ---- which waiting task is cancelled ---- */

struct waiting {
    unsigned count, wanted;  /* counted from 1 */
    struct bide_task *found; /* the one that is wanted */
};

/* Whether a cancel ends its wait, or, at the end of a group, goes to the children. */
static bool cancel_matters(const struct bide_task *task)
{
    bool matters = !task->wait->shielded;

    if (task->head.attention & BIDE__ATTENTION_CANCEL)
        return false;
    for (const struct bide__scope *scope = task->scope; scope; scope = scope->up) {
        if (scope->kind == BIDE__SCOPE_SHIELD)
            return false;
        matters |= scope->kind == BIDE__SCOPE_GROUP;
    }
    return matters;
}

static void count_waiting(struct bide_task *task, int depth, void *arg)
{
    struct waiting *waiting = arg;

    (void)depth;
    if (!task->wait || task == task->loop->main_task || !cancel_matters(task))
        return;
    if (++waiting->count == waiting->wanted)
        waiting->found = task;
}

static void cancel_waiting(struct bide__explorer *e, struct bide__loop *loop)
{
    struct waiting waiting = {0};

    if (e->options->no_cancels)
        return;
    bide__each_task(loop, count_waiting, &waiting);
    if (waiting.count == 0)
        return;
    if (waiting.count > ALTERNATIVES_MAX)
        waiting.count = ALTERNATIVES_MAX;
    waiting.wanted = bide__decide(e, BIDE__DECIDE_WAITING, waiting.count + 1, 1);
    if (waiting.wanted == 0)
        return;
    waiting.count = 0;
    bide__each_task(loop, count_waiting, &waiting);
    if (e->telling) {
        fprintf(stderr, "schedule: ");
        say_task(waiting.found);
        fprintf(stderr, " is cancelled while it waits\n");
    }
    bide__task_cancel(waiting.found, "the test cancels what waits here");
}

/* The process ends: nothing can be unwound from here. */
__attribute__((noreturn)) static void too_many_steps(const struct bide__explorer *e,
                                                     struct bide__loop *loop)
{
    fprintf(stderr,
            "LIVELOCK: after %llu steps the body has not come to its end; `.steps` in the test's "
            "options allows more\n",
            (unsigned long long)e->steps);
    bide__print_tree(loop, STDERR_FILENO);
    atomic_fetch_add(&bide__test_verdict->failures, 1);
    exit(1);
}

static void order(struct bide__chooser *chooser, struct bide__loop *loop)
{
    struct bide__explorer *e = (struct bide__explorer *)(void *)chooser;
    struct ready ready;
    unsigned chosen;

    if (!e->active)
        return;
    if (e->steps == e->options->steps)
        too_many_steps(e, loop);
    cancel_waiting(e, loop);
    list_ready(loop, &ready);
    chosen = pick(e, loop, &ready);
    if (e->steps < BIDE__STEPS_KEPT)
        e->kept[e->steps] =
            (struct bide__step){ready.tasks[chosen]->head.id, ready.tasks[chosen]->head.at,
                                ready.tasks[chosen]->object.name};
    e->steps++;
    bide__loop_put_first(loop, ready.before[chosen]);
}

/* ---- what goes wrong ---- */

static bool harmed(const struct bide__explorer *e)
{
    const uint32_t *injected = e->injected;

    return injected[BIDE__DECIDE_CANCEL] || injected[BIDE__DECIDE_WAITING] ||
           injected[BIDE__DECIDE_FAULT];
}

static void at_await(struct bide__chooser *chooser, struct bide_task *me)
{
    struct bide__explorer *e = (struct bide__explorer *)(void *)chooser;

    if (!e->active || e->options->no_cancels || me == me->loop->main_task || me->cancelled)
        return;
    if (bide__decide(e, BIDE__DECIDE_CANCEL, 2, 1) == 0)
        return;
    if (e->telling) {
        fprintf(stderr, "schedule: ");
        say_task(me);
        fprintf(stderr, " is cancelled at this await\n");
    }
    bide__task_cancel(me, "the test cancels at this await");
}

bool test_fault(const char *what)
{
    struct bide__explorer *e = &bide__explorer;

    if (!e->active || e->options->no_faults)
        return false;
    if (bide__decide(e, BIDE__DECIDE_FAULT, 2, 1) == 0)
        return false;
    if (e->telling)
        fprintf(stderr, "schedule: %s fails\n", what);
    return true;
}

static bool fault(struct bide__chooser *chooser, const char *what)
{
    (void)chooser;
    return test_fault(what);
}

unsigned test_choose(unsigned count)
{
    struct bide__explorer *e = &bide__explorer;
    unsigned value;

    if (count > UINT16_MAX)
        bide__misuse("test_choose(%u): at most %u", count, UINT16_MAX);
    if (!e->active || count < 2)
        return 0;
    value = bide__decide(e, BIDE__DECIDE_ORDER, count, 0);
    if (value > 0 && e->telling)
        fprintf(stderr, "schedule: test_choose(%u) gives %u\n", count, value);
    return value;
}

static unsigned choose(struct bide__chooser *chooser, unsigned count, bool rare)
{
    struct bide__explorer *e = (struct bide__explorer *)(void *)chooser;
    unsigned value = 0;

    if (e->active)
        value = bide__decide(e, BIDE__DECIDE_ORDER, count, rare ? 1 : 0);
    if (value > 0 && e->telling)
        fprintf(stderr, "schedule: the network does not do what is usual (%u of %u)\n", value,
                count - 1);
    return value;
}

bool test_injected(void)
{
    const struct bide__explorer *e = &bide__explorer;

    return e->active && (harmed(e) || bide__mem_failed());
}

struct bide__explorer bide__explorer = {
    .chooser = {.order = order,
                .at_await = at_await,
                .choose = choose,
                .fault = fault,
                .budget = 1,
                .decides = true},
};
