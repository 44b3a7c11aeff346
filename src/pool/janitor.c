/*
 * The tasks of a pool: each takes one connection from a state in which the driver works on it to
 * one in which it does not, or to its end. Called by pool.c; calls the driver.
 *
 * They are children of the loop's background group, so that a program's end waits for them, and the
 * driver's calls are shielded: only their own deadline ends them.
 *
 * Invariant: whatever the driver does, fail, be cancelled or take too long, the connection ends up
 * idle, held or freed, and its room is given back in the last case.
 */
#include "pool/pool.h"

#include "base/caps.h"
#include "base/mem.h"
#include "core/scope.h"

#include <errno.h>

static const struct bide_site open_site = {__FILE__, "bide_pool", "opens a connection", __LINE__};
static const struct bide_site ping_site = {__FILE__, "bide_pool", "pings a connection", __LINE__};
static const struct bide_site reset_site = {__FILE__, "bide_pool", "resets a connection", __LINE__};
static const struct bide_site close_site = {__FILE__, "bide_pool", "closes a connection", __LINE__};

void bide__pooled_disconnected(const bide_pooled *slot)
{
    uint32_t seen = slot->generation;
    (void)__atomic_compare_exchange_n(&bide__shard_of(slot)->pool->rules.generation, &seen,
                                      seen + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void call_open(void *arg) BIDE__UNCHECKED
{
    bide_pooled *slot = arg;
    const bide_pool *pool = bide__shard_of(slot)->pool;
    slot->connection = pool->driver.open(pool->arg).await;
}

static void call_ping(void *arg) BIDE__UNCHECKED
{
    bide_pooled *slot = arg;
    (void)bide__shard_of(slot)->pool->driver.ping(slot->connection).await;
}

static void call_reset(void *arg) BIDE__UNCHECKED
{
    bide_pooled *slot = arg;
    (void)bide__shard_of(slot)->pool->driver.reset(slot->connection).await;
}

static void call_close(void *arg) BIDE__UNCHECKED
{
    bide_pooled *slot = arg;
    (void)bide__shard_of(slot)->pool->driver.close(slot->connection).await;
}

/* Calls the driver; the error that left it, or NULL. */
static bide_error *call(bide_pooled *slot, void (*thunk)(void *), bide_duration duration,
                        const struct bide_site *at)
{
    struct bide__scope shield = {0};
    bide__shield_enter(&shield, at, duration);
    bide_error *error = bide__attempt(at, thunk, slot);
    bide__scope_pop(&shield);
    if (!error || !bide__error_is_cancel(error))
        return error;
    /* A cancel is this task's own: to others it is an error like any. */
    const char *name = bide__shard_of(slot)->pool->options.name;
    if (shield.timed_out) {
        error = bide_error_new(BIDE_TIMEOUT, "pool '%s' %s: this took longer than %.1f s", name,
                               at->what, (double)duration.ns / 1e9);
        error->undone = true;
        return error;
    }
    return bide_error_new(BIDE_CANCELLED, "pool '%s' %s: this was cancelled", name, at->what);
}

static void forget(bide_pooled *slot)
{
    struct bide__shard *shard = bide__shard_of(slot);
    bool closed = slot->state == BIDE__POOLED_CLOSING;
    bide__list_remove(&slot->node);
    bide__free(slot);
    bide__room_give(shard, closed);
    bide__pool_check_emptied(shard);
}

static int64_t expiry_ns(struct bide__shard *shard)
{
    int64_t age_ns = shard->pool->options.pool_recycle.ns;
    int64_t at_ns;
    age_ns -= (int64_t)bide__rng_below(&shard->rng, (uint64_t)age_ns / 10);
    if (__builtin_add_overflow(bide__loop_clock_ns(shard->loop), age_ns, &at_ns))
        return INT64_MAX;
    return at_ns;
}

/* NULL: it was freed. */
static bide_pooled *do_open(bide_pooled *slot)
{
    struct bide__shard *shard = bide__shard_of(slot);
    bide_error *error = call(slot, call_open, shard->pool->options.connect_timeout, &open_site);
    shard->coming--;
    if (!error) {
        BIDE_ASSERT(slot->connection, "a driver's open gave NULL");
        slot->expires_ns = expiry_ns(shard);
        bide__bump(&shard->since.opened, 1);
        return slot;
    }
    bide__bump(&shard->since.open_failed, 1);
    bide__error_disown(error);
    bide__pool_fail_first(shard, error);
    bide__room_want(shard, shard->waiters > shard->coming ? shard->waiters - shard->coming : 0);
    forget(slot);
    return NULL;
}

static bool do_ping(bide_pooled *slot)
{
    struct bide__shard *shard = bide__shard_of(slot);
    bide_error *error = call(slot, call_ping, bide_ms(BIDE_CAP_POOL_PING_MS), &ping_site);
    shard->coming--;
    bide__bump(&shard->since.pinged, 1);
    if (!error)
        return true;
    bide__bump(&shard->since.ping_failed, 1);
    bide__pooled_disconnected(slot);
    return false;
}

static bool do_reset(bide_pooled *slot)
{
    struct bide__shard *shard = bide__shard_of(slot);
    const struct bide_pool_driver *driver = &shard->pool->driver;
    bide_error *error = call(slot, call_reset, bide_ms(BIDE_CAP_POOL_RESET_MS), &reset_site);
    bide__bump(&shard->since.reset, 1);
    if (!error && driver->is_idle(slot->connection))
        return true;
    bide__bump(&shard->since.reset_failed, 1);
    if (driver->broken && driver->broken(slot->connection))
        bide__pooled_disconnected(slot);
    return false;
}

static void begin_closing(bide_pooled *slot)
{
    bide__pooled_set_state(slot, BIDE__POOLED_CLOSING);
    bide__room_closing(bide__shard_of(slot));
}

static void janitor(void *arg)
{
    bide_pooled *slot = *(bide_pooled **)arg;
    bool clean = true;
    BIDE__ACQUIRE(slot->part);
    switch ((enum bide__pooled_state)slot->state) {
    case BIDE__POOLED_OPENING:
        if (!(slot = do_open(slot)))
            return;
        break;
    case BIDE__POOLED_PINGING:
        clean = do_ping(slot);
        break;
    case BIDE__POOLED_RESETTING:
        clean = do_reset(slot);
        break;
    case BIDE__POOLED_CLOSING:
    case BIDE__POOLED_IDLE:
    case BIDE__POOLED_HELD:
        clean = false;
        break;
    }
    if (clean && bide__pooled_rest(slot)) {
        bide__bump(&bide__shard_of(slot)->at_rest, 1);
        return;
    }
    if (slot->state != BIDE__POOLED_CLOSING) {
        begin_closing(slot);
        bide__pool_refill(bide__shard_of(slot)); /* somebody may have waited for this one */
    }
    (void)call(slot, call_close, bide_ms(BIDE_CAP_POOL_RESET_MS), &close_site);
    bide__bump(&bide__shard_of(slot)->since.closed, 1);
    forget(slot);
}

/* 0 or -ENOMEM. */
static int start(bide_pooled *slot)
{
    static const struct {
        const struct bide_site *site;
        const char *name;
    } tasks[] = {
        [BIDE__POOLED_OPENING] = {&open_site, "pool open"},
        [BIDE__POOLED_PINGING] = {&ping_site, "pool ping"},
        [BIDE__POOLED_RESETTING] = {&reset_site, "pool reset"},
        [BIDE__POOLED_CLOSING] = {&close_site, "pool close"},
    };
    struct bide__loop *loop = bide__shard_of(slot)->loop;
    struct bide_task *task = bide__task_new(loop, tasks[slot->state].site, tasks[slot->state].name,
                                            janitor, &slot, sizeof slot);
    slot->unserved = !task;
    if (!task)
        return -ENOMEM;
    bide__group_add(loop->background, task);
    return 0;
}

int bide__pool_open_one(struct bide__shard *shard)
{
    bide_pooled *slot = bide__calloc(1, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    slot->part = &shard->part;
    slot->state = BIDE__POOLED_OPENING;
    slot->generation = __atomic_load_n(&shard->pool->rules.generation, __ATOMIC_RELAXED);
    if (start(slot) < 0) {
        bide__free(slot);
        return -ENOMEM;
    }
    bide__list_push_back(&shard->all, &slot->node);
    shard->coming++;
    return 0;
}

void bide__pooled_serve(bide_pooled *slot, enum bide__pooled_state state)
{
    struct bide__shard *shard = bide__shard_of(slot);
    bide__bump(&shard->at_rest, (uint64_t)-1);
    if (state == BIDE__POOLED_CLOSING)
        begin_closing(slot);
    else
        bide__pooled_set_state(slot, state);
    if (state == BIDE__POOLED_PINGING)
        shard->coming++;
    if (start(slot) < 0)
        bide__timer_arm(&shard->loop->timers, &shard->sweep,
                        shard->loop->now_ns + BIDE_CAP_POOL_RETRY_MS * INT64_C(1000000));
}

bool bide__pool_serve_unserved(struct bide__shard *shard)
{
    bool left = false;
    bide__list_foreach(node, &shard->all)
    {
        bide_pooled *slot = bide__pooled_of_node(node);
        if (slot->unserved && start(slot) < 0)
            left = true;
    }
    return left;
}
