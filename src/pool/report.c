/*
 * Who holds what: the pool in the wait graph, its report, its numbers. Called by graph.c through
 * the kinds, by pool.c when a wait took too long, and by users.
 */
#include "pool/pool.h"

#include <stdio.h>

/* The record of a task that ended may belong to another one by now. */
static bool holder_lives(const bide_pooled *slot)
{
    return slot->task && slot->task->head.id == slot->task_id &&
           slot->task->state < BIDE__TASK_ENDED;
}

/* The tasks of this loop that hold connections, if nothing else can end a wait: nobody unknown
   holds one, none is on its way, and other loops have none. */
static struct bide_task *holder(const struct bide__shard *shard, size_t index, bool of_all,
                                const struct bide_site **ret_since)
{
    struct bide_task *found = NULL;
    size_t held = 0;
    bide__list_foreach(node, &shard->all)
    {
        const bide_pooled *slot = bide__pooled_of_node(node);
        if (slot->state != BIDE__POOLED_HELD || !holder_lives(slot)) {
            if (of_all)
                return NULL;
            continue;
        }
        if (held++ == index) {
            found = slot->task;
            *ret_since = slot->at;
        }
    }
    return of_all && held < shard->pool->limit ? NULL : found;
}

static struct bide_task *pool_holder(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    const struct bide__shard *shard = bide__container_of(object, struct bide__shard, object);
    return holder(shard, index, true, ret_since);
}

static struct bide_task *shut_holder(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    const struct bide__shard *shard = bide__container_of(object, struct bide__shard, shut_object);
    return holder(shard, index, false, ret_since);
}

const struct bide__kind bide__pool_kind = {
    .noun = "pool",
    .verb = "wants a connection of",
    .holder = pool_holder,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(struct bide__shard, object, all.head.next),
              BIDE__HOLDER_FROM(bide_pooled, node, task)}};
const struct bide__kind bide__pool_shut_kind = {
    .noun = "pool", .verb = "closes", .holder = shut_holder, .any_holder = true};

size_t bide__pool_held_by(const struct bide__shard *shard, const struct bide_task *task,
                          const bide_pooled **ret_first)
{
    size_t held = 0;
    *ret_first = NULL;
    bide__list_foreach(node, &shard->all)
    {
        const bide_pooled *slot = bide__pooled_of_node(node);
        if (slot->state != BIDE__POOLED_HELD || slot->task != task || !holder_lives(slot))
            continue;
        held++;
        *ret_first = slot;
    }
    return held;
}

static void print_slot(const bide_pooled *slot)
{
    static const char *const doing[] = {
        [BIDE__POOLED_OPENING] = "is being opened", [BIDE__POOLED_IDLE] = "is idle",
        [BIDE__POOLED_PINGING] = "is being pinged", [BIDE__POOLED_RESETTING] = "is being reset",
        [BIDE__POOLED_CLOSING] = "is being closed",
    };
    char text[384];
    int64_t now_ns = bide__shard_of(slot)->loop->now_ns;
    if (slot->state != BIDE__POOLED_HELD) {
        fprintf(stderr, "  one %s\n", doing[slot->state]);
        return;
    }
    if (!slot->task)
        fprintf(stderr, "  shared");
    else if (holder_lives(slot))
        fprintf(stderr, "  #%llu %s", (unsigned long long)slot->task_id,
                bide__task_label(slot->task));
    else
        fprintf(stderr, "  #%llu, which has ended,", (unsigned long long)slot->task_id);
    fprintf(stderr, "  holds one since %s:%d, for %.1f s", slot->at ? slot->at->file : "?",
            slot->at ? slot->at->line : 0, (double)(now_ns - slot->since_ns) / 1e9);
    if (holder_lives(slot))
        fprintf(stderr, "  %s", bide__task_doing(slot->task, text, sizeof text));
    fprintf(stderr, "\n");
}

static size_t held_of(const struct bide__shard *shard)
{
    uint64_t released = __atomic_load_n(&shard->part.released, __ATOMIC_RELAXED);
    uint64_t acquired = __atomic_load_n(&shard->part.acquired, __ATOMIC_RELAXED);
    return acquired > released ? (size_t)(acquired - released) : 0;
}

void bide__pool_report(const struct bide__shard *shard)
{
    const bide_pool *pool = shard->pool;
    struct bide_pool_stats now;
    bide_pool_stats(pool, &now);
    fprintf(stderr,
            "bide: pool '%s': %zu of %zu connections are open (pool_size %d, max_overflow %d), "
            "%zu held; %zu task%s wait%s\n",
            pool->options.name, now.open, now.limit, pool->options.pool_size,
            pool->options.max_overflow, now.held, now.waiting, now.waiting == 1 ? "" : "s",
            now.waiting == 1 ? "s" : "");
    bide__list_foreach(node, &shard->all) print_slot(bide__pooled_of_node(node));
    for (size_t i = 0; i < bide__shards_top(pool); i++) {
        const struct bide__shard *other = bide__shard_at(pool, i);
        if (other && other != shard)
            fprintf(stderr, "  loop %zu holds %zu; %zu wait there\n", i, held_of(other),
                    __atomic_load_n(&other->waiters, __ATOMIC_RELAXED));
    }
    fflush(stderr);
}

void bide_pool_print(bide_pool *pool)
{
    const struct bide__loop *loop = bide__loop_here;
    const struct bide__shard *shard = loop && loop->index < BIDE_CAP_POOL_LOOPS
                                          ? bide__shard_at(pool, (size_t)loop->index)
                                          : NULL;
    if (shard)
        bide__pool_report(shard);
}

void bide_pool_stats(const bide_pool *pool, struct bide_pool_stats *ret_stats)
{
    struct bide_pool_stats sum = {.limit = pool->limit};
    uint64_t at_rest = 0;
    sum.open = __atomic_load_n(&pool->open, __ATOMIC_RELAXED);
    for (size_t i = 0; i < bide__shards_top(pool); i++) {
        const struct bide__shard *shard = bide__shard_at(pool, i);
        if (!shard)
            continue;
        const struct bide_pool_stats *since = &shard->since;
#define ADD(field) sum.field += __atomic_load_n(&since->field, __ATOMIC_RELAXED)
        ADD(waited);
        ADD(waited_ns);
        ADD(timed_out);
        ADD(refused);
        ADD(opened);
        ADD(open_failed);
        ADD(closed);
        ADD(recycled);
        ADD(moved);
        ADD(pinged);
        ADD(ping_failed);
        ADD(reset);
        ADD(reset_failed);
#undef ADD
        sum.acquired += __atomic_load_n(&shard->part.acquired, __ATOMIC_RELAXED);
        sum.held += held_of(shard);
        at_rest += __atomic_load_n(&shard->at_rest, __ATOMIC_RELAXED);
        sum.waiting += __atomic_load_n(&shard->waiters, __ATOMIC_RELAXED);
    }
    sum.idle = at_rest > sum.held ? (size_t)(at_rest - sum.held) : 0;
    *ret_stats = sum;
}
