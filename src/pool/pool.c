/*
 * The pool's life, lending and taking back; include/bide/pool.h has the semantics. Called by users
 * and, for what comes back from a driver, by janitor.c; calls room.c for the common limit.
 *
 * A connection that is clean goes straight to the first waiting task, with its holder noted, before
 * that task runs: so a cancel that comes in between changes nothing, and no late-comer overtakes.
 */
#include "pool/pool.h"

#include "base/caps.h"
#include "base/mem.h"
#include "core/scope.h"

#include <bide/log.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__thread struct bide__pool_recent bide__pool_recent;

static int cores(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        return CPU_COUNT(&allowed);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static void or_default(bide_duration *duration, double seconds)
{
    if (duration->ns == 0)
        *duration = bide_s(seconds);
}

static void fill_defaults(struct bide_pool_options *options, bool pings)
{
    if (!options->name)
        options->name = "unnamed";
    if (options->pool_size <= 0)
        options->pool_size = cores();
    if (options->max_overflow == 0)
        options->max_overflow = options->pool_size / 2;
    if (options->max_overflow < 0)
        options->max_overflow = 0;
    if (options->max_waiting == 0)
        options->max_waiting = BIDE_CAP_POOL_WAITING;
    if (options->max_waiting < 0)
        options->max_waiting = 0;
    or_default(&options->pool_timeout, 30);
    or_default(&options->pool_recycle, 3600);
    or_default(&options->pool_pre_ping, 1);
    or_default(&options->connect_timeout, 5);
    or_default(&options->idle_timeout, 600);
    if (!pings)
        options->pool_pre_ping = BIDE_FOREVER;
}

bide_pool *bide_pool_new(const struct bide_pool_driver *driver, void *arg,
                         const struct bide_pool_options *options)
{
    const char *lacks = !driver->open      ? "open"
                        : !driver->close   ? "close"
                        : !driver->is_idle ? "is_idle"
                                           : NULL;
    if (lacks)
        bide__misuse_fatal("bide_pool_new: the driver has no %s", lacks);
    bide_pool *pool = bide__calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->driver = *driver;
    pool->arg = arg;
    if (options)
        pool->options = *options;
    fill_defaults(&pool->options, driver->ping);
    pool->limit = (size_t)pool->options.pool_size + (size_t)pool->options.max_overflow;
    pool->rules.is_idle = driver->is_idle;
    pool->rules.pre_ping_ns = pool->options.pool_pre_ping.ns;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

void bide_pool_free(bide_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < bide__shards_top(pool); i++) {
        const struct bide__shard *shard = bide__shard_at(pool, i);
        if (shard && shard->attached) {
            bide__misuse_noted("pool '%s' is freed while loop %zu has not closed it: await "
                               "bide_pool_close on each loop first",
                               pool->options.name, i);
            return;
        }
    }
    for (size_t i = 0; i < bide__shards_top(pool); i++)
        bide__free(bide__shard_at(pool, i));
    pthread_mutex_destroy(&pool->lock);
    bide__free(pool);
}

void bide_pool_expire(bide_pool *pool)
{
    __atomic_fetch_add(&pool->rules.generation, 1, __ATOMIC_RELAXED);
}

static void sweep_timer(struct bide__timer *timer)
{
    struct bide__shard *shard = bide__container_of(timer, struct bide__shard, sweep);
    shard->part.quick = false;
    bide__pool_sweep(shard);
}

/* The first use of the pool on this loop. 0 or a negative errno. */
static int attach(bide_pool *pool, struct bide__loop *loop, struct bide__shard **ret_shard)
{
    if (loop->index >= BIDE_CAP_POOL_LOOPS)
        return -ENFILE;
    struct bide__shard *shard = bide__shard_at(pool, (size_t)loop->index);
    if (!shard) {
        if (!(shard = bide__alloc_aligned(64, sizeof *shard)))
            return -ENOMEM;
        memset(shard, 0, sizeof *shard);
        shard->pool = pool;
        shard->loop = loop;
        shard->part.rules = &pool->rules;
        shard->part.now_ns = &loop->now_ns;
        shard->sweep.fire = sweep_timer;
        bide__list_init(&shard->all);
        bide__object_init(&shard->object, &bide__pool_kind, pool->options.name, NULL);
        bide__object_init(&shard->shut_object, &bide__pool_shut_kind, pool->options.name, NULL);
        bide__rng_init(&shard->rng, (uint64_t)bide__loop_clock_ns(loop) + (uint64_t)loop->index);
        bide__room_attach(shard);
        __atomic_store_n(&pool->shards[loop->index], shard, __ATOMIC_RELEASE);
    }
    *ret_shard = shard;
    return shard->shut || shard->loop != loop ? -EPIPE : 0;
}

static void hold(struct bide__shard *shard, bide_pooled *slot, struct bide_task *task)
{
    bide__pooled_set_state(slot, BIDE__POOLED_HELD);
    bide__pooled_hold(&shard->part, slot, &task->head, task->head.at, shard->loop->now_ns);
}

/* Closes the old ones on top of the stack; gives the first that is not, still there, or NULL. */
static bide_pooled *top_idle(struct bide__shard *shard)
{
    bide_pooled *slot;
    while ((slot = shard->part.idle) &&
           bide__pooled_is_stale(slot, shard->pool, shard->loop->now_ns)) {
        shard->part.idle = slot->below;
        bide__bump(&shard->since.recycled, 1);
        bide__pooled_serve(slot, BIDE__POOLED_CLOSING);
    }
    return slot;
}

static void count_out(struct bide__shard *shard, struct bide__pool_waiter *waiter)
{
    waiter->wait.payload = NULL;
    __atomic_store_n(&shard->waiters, shard->waiters - 1, __ATOMIC_RELAXED);
}

static void end_wait(struct bide__shard *shard, struct bide__wait *wait, int result)
{
    count_out(shard, bide__waiter_of(wait));
    bide__wake(wait, result);
}

/* A timer, armed as early as it may be needed; looking more often does no harm. */
static void arm_sweep(struct bide__shard *shard, int64_t after_ns)
{
    int64_t most_ns = BIDE_CAP_POOL_SWEEP_MS * INT64_C(1000000);
    int64_t at_ns = shard->loop->now_ns + (after_ns < most_ns ? after_ns : most_ns);
    if (!bide__timer_armed(&shard->sweep) || shard->sweep.expires_ns > at_ns)
        bide__timer_arm(&shard->loop->timers, &shard->sweep, at_ns);
    shard->part.quick = !shard->shut && !shard->waiting.first;
}

/* How long one may be idle, as things are. */
static int64_t idle_limit_ns(const bide_pool *pool, uint32_t pressure)
{
    int64_t limit_ns = pool->options.idle_timeout.ns;
    if (pressure & POOL_OVERFLOW && limit_ns > BIDE_CAP_POOL_OVERFLOW_IDLE_MS * INT64_C(1000000))
        limit_ns = BIDE_CAP_POOL_OVERFLOW_IDLE_MS * INT64_C(1000000);
    return limit_ns;
}

/* For how many of them nothing is coming. */
static size_t unmet(const struct bide__shard *shard, size_t waiters)
{
    return waiters > shard->coming ? waiters - shard->coming : 0;
}

bool bide__pooled_rest(bide_pooled *slot)
{
    struct bide__shard *shard = bide__shard_of(slot);
    bide_pool *pool = shard->pool;
    struct bide__wait *first = shard->waiting.first;
    uint32_t pressure = __atomic_load_n(&pool->rules.pressure, __ATOMIC_RELAXED);
    if (shard->shut)
        return false;
    if (bide__pooled_is_stale(slot, pool, shard->loop->now_ns)) {
        bide__bump(&shard->since.recycled, 1);
        return false;
    }
    /* One that was just opened is used at least once: else two loops could take turns at opening.
     */
    bool fresh = slot->state == BIDE__POOLED_OPENING && first;
    if (pressure & POOL_WANTED && !fresh && bide__room_gives_way(shard, first, 0)) {
        bide__bump(&shard->since.moved, 1);
        return false;
    }
    if (first) {
        hold(shard, slot, first->task);
        bide__waiter_of(first)->slot = slot;
        end_wait(shard, first, 0);
        bide__room_want(shard, unmet(shard, shard->waiters));
        return true;
    }
    bide__pooled_set_state(slot, BIDE__POOLED_IDLE);
    bide__pooled_keep(&shard->part, slot);
    arm_sweep(shard, pressure & POOL_WANTED ? BIDE_CAP_POOL_LEND_MS * INT64_C(1000000)
                                            : idle_limit_ns(pool, pressure));
    return true;
}

void bide__pool_fail_first(struct bide__shard *shard, bide_error *error)
{
    struct bide__wait *first = shard->waiting.first;
    if (!first) {
        if (error)
            bide__error_free(shard->loop, error);
        return;
    }
    bide__waiter_of(first)->error = error;
    end_wait(shard, first, error ? 0 : -ENOMEM);
}

int bide__pool_supply(struct bide__shard *shard, size_t waiters)
{
    while (waiters > shard->coming) {
        bide_pooled *slot = top_idle(shard);
        if (slot) {
            shard->part.idle = slot->below;
            bide__pooled_serve(slot, BIDE__POOLED_PINGING);
            continue;
        }
        if (!bide__room_take(shard))
            break;
        int result = bide__pool_open_one(shard);
        if (result < 0) {
            bide__room_want(shard, 0);
            bide__room_give(shard, false);
            return result;
        }
    }
    bide__room_want(shard, unmet(shard, waiters));
    return 0;
}

void bide__pool_refill(struct bide__shard *shard)
{
    size_t granted = bide__room_granted(shard);
    for (; granted > 0 && unmet(shard, shard->waiters); granted--)
        if (bide__pool_open_one(shard) < 0)
            break;
    if (granted > 0) {
        if (unmet(shard, shard->waiters))
            bide__pool_fail_first(shard, NULL);
        bide__room_want(shard, 0);
        while (granted-- > 0)
            bide__room_give(shard, false);
    }
    while (bide__pool_supply(shard, shard->waiters) < 0 && shard->waiting.first)
        bide__pool_fail_first(shard, NULL);
}

void bide__pool_sweep(struct bide__shard *shard)
{
    bide_pool *pool = shard->pool;
    int64_t now_ns = shard->loop->now_ns;
    int64_t next_ns = INT64_MAX;
    bide_pooled **link = &shard->part.idle;
    while (*link) {
        bide_pooled *slot = *link;
        uint32_t pressure = __atomic_load_n(&pool->rules.pressure, __ATOMIC_RELAXED);
        int64_t idle_ns = now_ns - slot->since_ns;
        int64_t limit_ns = idle_limit_ns(pool, pressure);
        bool stale = bide__pooled_is_stale(slot, pool, now_ns);
        bool moved = !stale && pressure & POOL_WANTED && bide__room_gives_way(shard, NULL, idle_ns);
        if (stale || moved || idle_ns >= limit_ns) {
            *link = slot->below;
            bide__bump(stale ? &shard->since.recycled : &shard->since.moved, stale || moved);
            bide__pooled_serve(slot, BIDE__POOLED_CLOSING);
            continue;
        }
        if (pressure & POOL_WANTED) /* it is looked at again, also when it has been idle so long */
            limit_ns = idle_ns + BIDE_CAP_POOL_LEND_MS * INT64_C(1000000);
        if (limit_ns - idle_ns < next_ns)
            next_ns = limit_ns - idle_ns;
        if (slot->expires_ns - now_ns < next_ns)
            next_ns = slot->expires_ns - now_ns;
        link = &slot->below;
    }
    if (bide__pool_serve_unserved(shard))
        next_ns = BIDE_CAP_POOL_RETRY_MS * INT64_C(1000000);
    if (next_ns != INT64_MAX)
        arm_sweep(shard, next_ns > 1000000 ? next_ns : 1000000);
}

static void wait_over(struct bide__timer *timer)
{
    struct bide__wait *wait = &bide__container_of(timer, struct bide__pool_waiter, timer)->wait;
    if (wait->task->wait == wait)
        bide__wake(wait, -ETIMEDOUT);
}

/* A task that holds one and waits for another is the usual reason for a pool that stands still. */
static void say_nested(bide_pool *pool, const struct bide_task *me, const bide_pooled *held)
{
    if (__atomic_exchange_n(&pool->nested_said, true, __ATOMIC_RELAXED))
        return;
    bide_log(BIDE_LOG_WARN,
             "pool '%s': task '%s' waits for a second connection at %s:%d while it holds the one "
             "of %s:%d: when all holders do that, none goes on",
             pool->options.name, bide__task_label(me), me->head.at->file, me->head.at->line,
             held->at->file, held->at->line);
}

/* Whether the wait would never end; `held`: what the task holds itself, to be counted out later. */
static bool would_stick(struct bide__shard *shard, struct bide_task *me, size_t *ret_held)
{
    const bide_pooled *one;
    *ret_held = bide__pool_held_by(shard, me, &one);
    if (*ret_held > 0)
        say_nested(shard->pool, me, one);
    if (bide__graph_deadlock(me, &shard->object)) {
        *ret_held = 0;
        return true;
    }
    if (*ret_held == 0 || !bide__room_stuck(shard, (ptrdiff_t)*ret_held))
        return false;
    fprintf(stderr, "bide: DEADLOCK: every connection is held by tasks that wait for one\n");
    bide__pool_report(shard);
    return true;
}

static __attribute__((noreturn)) void timed_out(struct bide__shard *shard, struct bide_task *me)
{
    bide_pool *pool = shard->pool;
    char label[96];
    bide__object_label(&shard->object, label, sizeof label);
    double seconds = (double)pool->options.pool_timeout.ns / 1e9;
    bide__bump(&shard->since.timed_out, 1);
    if (!shard->reported_ns || shard->loop->now_ns - shard->reported_ns >= INT64_C(1000000000)) {
        shard->reported_ns = shard->loop->now_ns;
        fprintf(stderr, "bide: task #%llu '%s' got no connection of %s within %.1f s  at %s:%d\n",
                (unsigned long long)me->head.id, bide__task_label(me), label, seconds,
                me->head.at->file, me->head.at->line);
        bide__pool_report(shard);
    }
    struct bide_pool_stats now;
    bide_pool_stats(pool, &now);
    bide_error *error = bide_error_new(BIDE_TIMEOUT,
                                       "no connection of %s came free within %.1f s: %zu of %zu "
                                       "are held, %zu tasks wait",
                                       label, seconds, now.held, now.limit, now.waiting);
    error->undone = true;
    bide__fail(me->head.at, error);
}

/* Whether more tasks wait, for which nothing is coming, than may. */
static bool is_crowded(struct bide__shard *shard)
{
    const bide_pool *pool = shard->pool;
    if (!unmet(shard, shard->waiters) ||
        __atomic_load_n(&pool->wanted, __ATOMIC_RELAXED) <= (size_t)pool->options.max_waiting)
        return false;
    bide__bump(&shard->since.refused, 1);
    return true;
}

/* Waits in the queue. 0 or a negative errno. */
static int wait_in_line(struct bide__shard *shard, struct bide_task *me,
                        struct bide__pool_waiter *waiter)
{
    bide_pool *pool = shard->pool;
    size_t held = 0;
    int64_t began_ns = bide__loop_clock_ns(me->loop);
    __atomic_store_n(&shard->waiters, shard->waiters + 1, __ATOMIC_RELAXED);
    waiter->wait.payload = waiter; /* it is counted */
    shard->part.quick = false;
    int result = bide__pool_supply(shard, shard->waiters);
    if (result == 0 && is_crowded(shard))
        result = -EAGAIN;
    if (result == 0 && would_stick(shard, me, &held))
        result = -EDEADLK;
    if (result == 0) {
        bool shared = __atomic_load_n(&pool->attached, __ATOMIC_RELAXED) > 1;
        int64_t until_ns;
        if (!__builtin_add_overflow(began_ns, pool->options.pool_timeout.ns, &until_ns))
            bide__timer_arm(&me->loop->timers, &waiter->timer, until_ns);
        me->loop->outside += shared; /* another loop may give room */
        result = bide__wait(me, &shard->waiting, &waiter->wait, &shard->object);
        me->loop->outside -= shared;
        bide__timer_disarm(&me->loop->timers, &waiter->timer);
    }
    if (held > 0)
        (void)bide__room_stuck(shard, -(ptrdiff_t)held);
    if (waiter->wait.payload) {
        count_out(shard, waiter);
        bide__room_want(shard, unmet(shard, shard->waiters));
    }
    bide__bump(&shard->since.waited, 1);
    bide__bump(&shard->since.waited_ns, (uint64_t)(bide__loop_clock_ns(me->loop) - began_ns));
    return result;
}

static bide_pooled *acquire_slowly(bide_pool *pool, struct bide_task *me)
{
    struct bide__shard *shard = NULL;
    struct bide__object object = {&bide__pool_kind, pool->options.name, NULL};
    struct bide__pool_waiter waiter = {.timer = {.fire = wait_over}};
    int result = attach(pool, me->loop, &shard);
    if (result == -ENFILE)
        bide__fail(me->head.at, bide_error_new(BIDE_LIMIT, "a pool serves at most %d loops",
                                               BIDE_CAP_POOL_LOOPS));
    if (result < 0)
        bide__raise(result, &object);
    bide__pool_recent = (struct bide__pool_recent){pool, &shard->part};
    BIDE__ACQUIRE(&shard->part);
    bide_pooled *slot = top_idle(shard);
    if (slot && me->loop->now_ns - slot->since_ns < pool->options.pool_pre_ping.ns) {
        shard->part.idle = slot->below;
        hold(shard, slot, me);
        bide__done_at_once(me);
        return slot;
    }
    result = wait_in_line(shard, me, &waiter);
    if (waiter.error) {
        bide__error_own(me, waiter.error);
        bide__fail(me->head.at, waiter.error);
    }
    if (result == -ETIMEDOUT)
        timed_out(shard, me);
    if (result == -EAGAIN)
        bide__fail(me->head.at, bide_error_new(BIDE_LIMIT, "%d tasks wait for pool '%s' already",
                                               pool->options.max_waiting, pool->options.name));
    if (result < 0)
        bide__raise(result, &object);
    return waiter.slot;
}

bide_async(bide_pooled_ptr) bide_pool_acquire(bide_pool *pool)
{
    bide_pooled *slot = bide__pool_take(pool, bide__current->at);
    if (bide__likely(slot != NULL))
        return bide_ready(bide_pooled_ptr, slot);
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, NULL);
    return bide_ready(bide_pooled_ptr, acquire_slowly(pool, me));
}

/* What is not HELD, or not of this loop. */
static __attribute__((cold)) void misused(const bide_pooled *slot, const struct bide_site *at)
{
    const char *name = bide__shard_of(slot)->pool->options.name;
    if (bide__loop_here != bide__shard_of(slot)->loop)
        bide__misuse_noted("a connection of pool '%s' that loop %d opened is released at %s:%d on "
                           "another thread",
                           name, bide__shard_of(slot)->loop->index, at->file, at->line);
    else
        bide__misuse_noted("a connection of pool '%s' is released at %s:%d, which was released at "
                           "%s:%d already",
                           name, at->file, at->line, slot->at ? slot->at->file : "?",
                           slot->at ? slot->at->line : 0);
}

static void release_slowly(bide_pooled *slot, bool clean)
{
    struct bide__shard *shard = bide__shard_of(slot);
    const struct bide_pool_driver *driver = &shard->pool->driver;
    if (clean) {
        if (!bide__pooled_rest(slot))
            bide__pooled_serve(slot, BIDE__POOLED_CLOSING);
        return;
    }
    bool broken = driver->broken && driver->broken(slot->connection);
    if (broken)
        bide__pooled_disconnected(slot);
    bool close = broken || !driver->reset || shard->shut ||
                 bide__pooled_is_stale(slot, shard->pool, shard->loop->now_ns);
    bide__pooled_serve(slot, close ? BIDE__POOLED_CLOSING : BIDE__POOLED_RESETTING);
}

void bide__pool_release(bide_pooled *slot, const struct bide_site *at)
{
    const struct bide__shard *shard = bide__shard_of(slot);
    if (bide__unlikely(bide__loop_here != shard->loop || slot->state != BIDE__POOLED_HELD)) {
        misused(slot, at);
        return;
    }
    BIDE__IN_ORDER(slot->part);
    bool clean = shard->pool->driver.is_idle(slot->connection);
    slot->at = at;
    bide__pool_count(&slot->part->released);
    if (bide__likely(clean && slot->part->quick &&
                     !__atomic_load_n(&shard->pool->rules.pressure, __ATOMIC_RELAXED)))
        bide__pooled_keep(slot->part, slot);
    else
        release_slowly(slot, clean);
}

void bide_pool_disown(bide_pooled *lease)
{
    lease->task = NULL;
}

static void shut(struct bide__shard *shard)
{
    shard->shut = true;
    shard->part.quick = false;
    while (shard->waiting.first)
        end_wait(shard, shard->waiting.first, -EPIPE);
    bide__pool_refill(shard); /* gives back what was granted */
    while (shard->part.idle) {
        bide_pooled *slot = shard->part.idle;
        shard->part.idle = slot->below;
        bide__pooled_serve(slot, BIDE__POOLED_CLOSING);
    }
    bide__pool_check_emptied(shard);
}

static bool is_emptied(const struct bide__shard *shard)
{
    return bide__list_empty(&shard->all) && !shard->attached;
}

void bide__pool_check_emptied(struct bide__shard *shard)
{
    if (shard->shut && bide__list_empty(&shard->all) && bide__room_detach(shard)) {
        bide__timer_disarm(&shard->loop->timers, &shard->sweep);
        bide__wake_all(&shard->emptied, 0);
    }
}

bide_async(void) bide_pool_close(bide_pool *pool, bide_duration patience)
{
    struct bide_task *me = bide__task_current();
    struct bide__shard *shard = NULL;
    struct bide__pool_waiter waiter = {.timer = {.fire = wait_over}};
    int result = attach(pool, me->loop, &shard);
    bide__pool_recent = (struct bide__pool_recent){NULL, NULL}; /* it may be freed soon */
    if (result == 0)
        shut(shard);
    else if (!shard)
        bide__raise(result, NULL);
    result = bide__checkpoint(me);
    if (result == 0 && !is_emptied(shard)) {
        int64_t until_ns;
        if (!__builtin_add_overflow(bide__loop_clock_ns(me->loop), patience.ns, &until_ns))
            bide__timer_arm(&me->loop->timers, &waiter.timer, until_ns);
        result = bide__wait_checked(me, &shard->emptied, &waiter.wait, &shard->shut_object);
        bide__timer_disarm(&me->loop->timers, &waiter.timer);
    }
    if (result == -ETIMEDOUT) {
        size_t held = (size_t)(shard->part.acquired - shard->part.released);
        fprintf(stderr, "bide: a pool is not closed after %.1f s:\n", (double)patience.ns / 1e9);
        bide__pool_report(shard);
        bide__fail(me->head.at,
                   bide_error_new(BIDE_TIMEOUT,
                                  "closing pool '%s' took longer than %.1f s: %zu "
                                  "connections are held",
                                  pool->options.name, (double)patience.ns / 1e9, held));
    }
    if (result < 0)
        bide__raise(result, &shard->shut_object);
    return bide_void;
}
