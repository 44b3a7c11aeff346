/*
 * How many connections may be open over all loops, and which loop may open them. Called by pool.c
 * and janitor.c; sends mail to other loops.
 *
 * Room is never taken from a loop: a loop that wants some says so (`wanted`), and the others, when
 * they look next, close a connection that they can spare. Room that came free goes at once to the
 * loop that needs it most, and is counted there before that loop hears of it: nobody overtakes.
 *
 * What a loop can spare, with share = limit / loops that take part, at least 1:
 *   - an idle connection, if the loop has more than its share, or a loop that wants has none at
 *     all, or it was idle for BIDE_CAP_POOL_LEND_MS: a loop that is busy now and then keeps its
 *     share;
 *   - one that its own waiting task would get, if the loop has more than its share and one that
 *     wants has less; or if a loop that has none wanted before that task did.
 *
 * Invariant: `wanted` > `closing` means that more must be closed; each closing serves one.
 */
#include "pool/pool.h"

#include "core/runtime.h"

/* With the lock; others read it without. */
static void set(size_t *sum, size_t value)
{
    __atomic_store_n(sum, value, __ATOMIC_RELAXED);
}

/* With the lock. */
static void update_pressure(bide_pool *pool)
{
    uint32_t pressure = 0;
    if (pool->wanted > pool->closing)
        pressure |= POOL_WANTED;
    if (pool->open - pool->closing > (size_t)pool->options.pool_size)
        pressure |= POOL_OVERFLOW;
    __atomic_store_n(&pool->rules.pressure, pressure, __ATOMIC_RELAXED);
}

/* With the lock. */
static size_t share(const bide_pool *pool)
{
    size_t each = pool->limit / (pool->attached ? pool->attached : 1);
    return each ? each : 1;
}

/* With the lock: has the shard's loop look, when the letter is sent. A loop that has ended without
   closing its part is not there any more: false. */
static bool write_to(struct bide__shard *shard, struct bide__mail **letters)
{
    struct bide__runtime *runtime = __atomic_load_n(&bide__runtime_here, __ATOMIC_ACQUIRE);
    bool there = false;
    if (!shard->attached || !runtime)
        return false;
    if (shard->mail_posted)
        return true;
    pthread_mutex_lock(&runtime->lock);
    for (int i = 0; i < runtime->loop_count; i++)
        there |= runtime->loops[i] == shard->loop;
    if (there) {
        shard->mail_posted = true;
        bide__loop_hold(shard->loop);
        shard->mail.next = *letters;
        *letters = &shard->mail;
    }
    pthread_mutex_unlock(&runtime->lock);
    return there;
}

/* Gives the lock back, then sends the letters: the loops take it first. */
static void unlock_and_send(bide_pool *pool, struct bide__mail *letters)
{
    pthread_mutex_unlock(&pool->lock);
    while (letters) {
        struct bide__mail *next = letters->next;
        bide__loop_post_held(bide__container_of(letters, struct bide__shard, mail)->loop, letters);
        letters = next;
    }
}

static void deliver(struct bide__mail *mail)
{
    struct bide__shard *shard = bide__container_of(mail, struct bide__shard, mail);
    pthread_mutex_lock(&shard->pool->lock);
    shard->mail_posted = false;
    pthread_mutex_unlock(&shard->pool->lock);
    bide__pool_refill(shard);
    bide__pool_sweep(shard);
    bide__pool_check_emptied(shard);
}

void bide__room_attach(struct bide__shard *shard)
{
    bide_pool *pool = shard->pool;
    shard->mail.deliver = deliver;
    pthread_mutex_lock(&pool->lock);
    shard->attached = true;
    set(&pool->attached, pool->attached + 1);
    if (pool->top <= (size_t)shard->loop->index)
        set(&pool->top, (size_t)shard->loop->index + 1);
    pthread_mutex_unlock(&pool->lock);
}

bool bide__room_detach(struct bide__shard *shard)
{
    bide_pool *pool = shard->pool;
    pthread_mutex_lock(&pool->lock);
    bool detached = !shard->mail_posted;
    if (detached && shard->attached) {
        shard->attached = false;
        set(&pool->attached, pool->attached - 1);
    }
    pthread_mutex_unlock(&pool->lock);
    return detached;
}

bool bide__room_take(struct bide__shard *shard)
{
    bide_pool *pool = shard->pool;
    pthread_mutex_lock(&pool->lock);
    bool taken = pool->open < pool->limit;
    if (taken) {
        set(&pool->open, pool->open + 1);
        shard->owned++;
        update_pressure(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

/* With the lock: the loop that needs room most: one below its share, and of these, and of the
   others, the one that has wanted longest. */
static struct bide__shard *neediest(const bide_pool *pool)
{
    struct bide__shard *best = NULL;
    size_t each = share(pool);
    for (size_t i = 0; pool->wanted > 0 && i < bide__shards_top(pool); i++) {
        struct bide__shard *shard = bide__shard_at(pool, i);
        if (!shard || !shard->wanted)
            continue;
        bool poorer = best && (shard->owned < each) != (best->owned < each)
                          ? shard->owned < each
                          : !best || shard->wanted_since_ns < best->wanted_since_ns;
        if (poorer)
            best = shard;
    }
    return best;
}

/* With the lock. */
static void set_wanted(struct bide__shard *shard, size_t wanted)
{
    set(&shard->pool->wanted, shard->pool->wanted + wanted - shard->wanted);
    shard->wanted = wanted;
}

void bide__room_give(struct bide__shard *shard, bool closed)
{
    bide_pool *pool = shard->pool;
    struct bide__shard *next;
    struct bide__mail *letters = NULL;
    pthread_mutex_lock(&pool->lock);
    set(&pool->open, pool->open - 1);
    shard->owned--;
    if (closed)
        pool->closing--;
    while ((next = neediest(pool))) {
        if (next != shard && !write_to(next, &letters)) {
            set_wanted(next, 0);
            continue;
        }
        set_wanted(next, next->wanted - 1);
        set(&pool->open, pool->open + 1);
        next->owned++;
        next->granted++;
        next->wanted_since_ns = shard->loop->now_ns; /* loops take turns */
        break;
    }
    update_pressure(pool);
    unlock_and_send(pool, letters);
    if (next == shard)
        bide__pool_refill(shard);
}

void bide__room_closing(struct bide__shard *shard)
{
    bide_pool *pool = shard->pool;
    pthread_mutex_lock(&pool->lock);
    pool->closing++;
    update_pressure(pool);
    pthread_mutex_unlock(&pool->lock);
}

void bide__room_want(struct bide__shard *shard, size_t wanted)
{
    bide_pool *pool = shard->pool;
    struct bide__mail *letters = NULL;
    pthread_mutex_lock(&pool->lock);
    if (wanted != shard->wanted) {
        bool begins = shard->wanted == 0;
        set_wanted(shard, wanted);
        update_pressure(pool);
        if (begins) {
            shard->wanted_since_ns = shard->loop->now_ns;
            for (size_t i = 0; pool->attached > 1 && i < bide__shards_top(pool); i++) {
                struct bide__shard *other = bide__shard_at(pool, i);
                if (other && other != shard)
                    (void)write_to(other, &letters);
            }
        }
    }
    unlock_and_send(pool, letters);
}

size_t bide__room_granted(struct bide__shard *shard)
{
    pthread_mutex_lock(&shard->pool->lock);
    size_t granted = shard->granted;
    shard->granted = 0;
    pthread_mutex_unlock(&shard->pool->lock);
    return granted;
}

/* With the lock: whether `other` has a better claim to a connection of `shard`. */
static bool yields_to(const struct bide__shard *shard, const struct bide__shard *other,
                      const struct bide__wait *first, int64_t idle_ns)
{
    size_t each = share(shard->pool);
    if (first)
        return (shard->owned > each && other->owned < each) ||
               (other->owned == 0 && other->wanted_since_ns < first->since_ns);
    return shard->owned > each || other->owned == 0 ||
           idle_ns >= BIDE_CAP_POOL_LEND_MS * INT64_C(1000000);
}

bool bide__room_gives_way(struct bide__shard *shard, const struct bide__wait *first,
                          int64_t idle_ns)
{
    bide_pool *pool = shard->pool;
    bool gives = false;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < bide__shards_top(pool) && !gives && pool->wanted > pool->closing; i++) {
        const struct bide__shard *other = bide__shard_at(pool, i);
        if (other && other != shard && other->wanted)
            gives = yields_to(shard, other, first, idle_ns);
    }
    pthread_mutex_unlock(&pool->lock);
    return gives;
}

bool bide__room_stuck(struct bide__shard *shard, ptrdiff_t held)
{
    bide_pool *pool = shard->pool;
    size_t stuck = 0;
    pthread_mutex_lock(&pool->lock);
    shard->stuck += (size_t)held;
    for (size_t i = 0; i < bide__shards_top(pool); i++) {
        const struct bide__shard *other = bide__shard_at(pool, i);
        if (other)
            stuck += other->stuck;
    }
    pthread_mutex_unlock(&pool->lock);
    return stuck == pool->limit;
}
