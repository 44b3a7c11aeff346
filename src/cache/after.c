/*
 * after.c: what is invalidated after a commit. In memory that happens at the commit; for Redis a
 * background task does it, as often as it takes. Called by users and cache.c; calls the hooks of
 * src/db and the store.
 *
 *     waiting for the commit --commit--> pending --the task: DEL--> freed
 *            +--rollback--> freed          +--too many, or the end--> lost, freed
 *
 * Invariants
 *  1. What is needed after the commit is there before: a hook neither allocates nor suspends.
 *  2. A key that is pending is not in the store for this handle.
 */
#include "cache/cache.h"

#include "base/mem.h"

#include <bide/log.h>

#include <errno.h>
#include <string.h>

/* Lies before copies of its keys. */
struct bide__cache_after {
    struct bide__list_node node; /* in cache->pending */
    bide_cache *cache;
    size_t count;
    const char *keys[];
};

typedef struct bide__cache_after *after_ptr;

static void forget(struct bide__cache_after *after)
{
    bide_cache *c = after->cache;
    bide__free(after);
    bide__cache_unuse(c);
}

static void rolled_back(void *after)
{
    forget(after);
}

static struct bide__cache_after *first_pending(const bide_cache *c)
{
    struct bide__list_node *node = bide__list_first(&c->pending);
    return bide__container_of(node, struct bide__cache_after, node);
}

static void no_longer_pending(struct bide__cache_after *after)
{
    bide__list_remove(&after->node);
    after->cache->stats.pending -= after->count;
    forget(after);
}

static void lose(struct bide__cache_after *after)
{
    bide_cache *c = after->cache;
    bide_log(BIDE_LOG_ERROR, "cache: '%s' could not be invalidated: it may be stale until its time",
             after->keys[0]);
    c->stats.lost += after->count;
    no_longer_pending(after);
}

static void committed(void *after_)
{
    struct bide__cache_after *after = after_;
    bide_cache *c = after->cache;
    if (c->kind->at_once) {
        (void)c->kind->drop(c, after->keys, after->count).await;
        c->stats.invalidated += after->count;
        forget(after);
        return;
    }
    bide__list_push_back(&c->pending, &after->node);
    c->stats.pending += after->count;
    if (c->closed || c->stats.pending > BIDE_CAP_CACHE_PENDING)
        lose(after);
    else if (c->pending_wanted.first)
        bide__wake(c->pending_wanted.first, 0);
}

void bide_cache_invalidate_keys_after(bide_tx *tx, bide_cache *c, const char *const *keys,
                                      size_t count)
{
    struct bide__cache_after *after;
    size_t bytes = sizeof *after + count * sizeof *after->keys;
    for (size_t i = 0; i < count; i++) {
        bide__cache_check(c, keys[i]);
        bytes += strlen(keys[i]) + 1;
    }
    after = bide__alloc(bytes);
    if (!after)
        bide__raise(-ENOMEM, &c->object);
    char *at = (char *)(after->keys + count);
    after->cache = c;
    after->count = count;
    bide__list_node_init(&after->node);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(keys[i]) + 1;
        after->keys[i] = memcpy(at, keys[i], size);
        at += size;
    }
    bide__cache_use(c);
    {
        bide_on_error(rolled_back, after);
        bide_tx_on_rollback(tx, rolled_back, after);
    }
    bide_tx_on_unknown(tx, committed, after); /* rather loaded once more than stale */
    bide_tx_on_commit(tx, committed, after);
}

bool bide__cache_is_pending(const bide_cache *c, const char *key)
{
    bide__list_foreach(node, &c->pending)
    {
        const struct bide__cache_after *after =
            bide__container_of(node, struct bide__cache_after, node);
        for (size_t i = 0; i < after->count; i++)
            if (strcmp(after->keys[i], key) == 0)
                return true;
    }
    return false;
}

static bide_async(void) drop_first(bide_cache_ptr c);
SPAWNABLE(void, drop_first, bide_cache_ptr)
static bide_async(void) drop_first(bide_cache_ptr c)
{
    struct bide__cache_after *after = first_pending(c);
    return c->kind->drop(c, after->keys, after->count);
}

/* Does what is pending, until it fails. Each is pending until it is done. */
static bide_async(bool) settle(bide_cache *c)
{
    while (!bide__list_empty(&c->pending)) {
        struct bide__cache_after *after = first_pending(c);
        bide_error *error;
        bide_attempt(&error, drop_first, c);
        if (error && error->is_cancel)
            bide_fail(error);
        if (error)
            return bide_ready(bool, false);
        /* Who closes the cache does this too: the other one may have been first. */
        if (bide__list_empty(&c->pending) || first_pending(c) != after)
            continue;
        c->stats.invalidated += after->count;
        no_longer_pending(after);
    }
    return bide_ready(bool, true);
}

static void task_left(void *c_)
{
    bide_cache *c = c_;
    c->task = (bide_task_ref){.task = NULL};
    bide__cache_unuse(c);
}

static bide_async(void) keep(bide_cache_ptr c);
SPAWNABLE(void, keep, bide_cache_ptr)
static bide_async(void) keep(bide_cache_ptr c)
{
    struct bide_task *me = bide__task_current();
    bide_defer(task_left, c);
    c->task = bide_current_task();
    for (int64_t pause_ms = BIDE_CAP_REDIS_RETRY_FIRST_MS; !c->closed;) {
        int code = bide__checkpoint(me);
        if (code == 0 && bide__list_empty(&c->pending)) {
            struct bide__wait wait = {.payload = NULL};
            code = bide__wait(me, &c->pending_wanted, &wait, &c->object);
        }
        if (code < 0)
            bide__raise(code, &c->object);
        if (bide_await(settle(c))) {
            pause_ms = BIDE_CAP_REDIS_RETRY_FIRST_MS;
            continue;
        }
        (void)bide_await(bide_sleep(bide_ms((double)pause_ms)));
        if (pause_ms < BIDE_CAP_REDIS_RETRY_LAST_MS)
            pause_ms *= 2;
    }
    return bide_void;
}

void bide__cache_after_start(bide_cache *c)
{
    bide_spawn_void(bide_background(), keep, c);
    bide__cache_use(c);
}

static void lose_all(void *c_)
{
    bide_cache *c = c_;
    while (!bide__list_empty(&c->pending))
        lose(first_pending(c));
}

bide_async(void) bide__cache_after_stop(bide_cache *c)
{
    if (c->task.task) /* else it has not begun, and will see `closed` */
        bide_cancel_task(c->task, "the cache is closed");
    bide_defer(lose_all, c);
    (void)bide_await(settle(c));
    return bide_void;
}
