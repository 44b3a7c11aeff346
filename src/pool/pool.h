/*
 * What the files of this folder share. pool.c lends and takes back, janitor.c has the tasks that
 * call the driver, room.c the number of connections over all loops, report.c who holds what.
 *
 *   OPENING --> IDLE <--> HELD --> RESETTING --> IDLE, HELD
 *      |        |                     |
 *      |        v                     v
 *      |      PINGING --> IDLE, HELD  CLOSING --> freed    (IDLE, HELD, PINGING --> CLOSING too)
 *      +--> HELD, CLOSING, freed
 *
 * Invariants
 *  1. A shard and its connections are touched by their loop's thread only; but for what is marked
 *     "lock" (guarded by pool->lock) and "atomic".
 *  2. While a task waits in a shard, nothing is idle there that could be lent without a ping.
 *  3. Exactly the connections that are OPENING, PINGING, RESETTING or CLOSING have a janitor task,
 *     or are marked `unserved` until there is memory for one.
 *  4. pool->open counts the connections of all shards and the room granted to them, and never
 *     exceeds pool->limit. `coming` counts a shard's OPENING and PINGING ones.
 */
#ifndef BIDE_POOL_POOL_H
#define BIDE_POOL_POOL_H

#include "base/rng.h"
#include "core/graph.h"
#include "core/loop.h"

#include <bide/pool.h>
#include <pthread.h>

/* A task that waits, in its frame. */
struct bide__pool_waiter {
    struct bide__wait wait;
    struct bide__timer timer;
    bide_pooled *slot; /* result 0: the connection, held already, or NULL ... */
    bide_error *error; /* ... and what opening it failed with, owned by nobody */
};

/* The part of one loop. */
struct bide__shard {
    struct bide__pool_part part; /* what with_pooled touches */
    struct bide__queue waiting;
    bide_pool *pool;
    struct bide__loop *loop;
    uint64_t at_rest;         /* atomic: how many are IDLE or HELD */
    struct bide__timer sweep; /* armed while there are idle or unserved ones */
    bool shut;                /* this loop has closed the pool */
    size_t waiters;           /* atomic: in `waiting` */
    size_t coming;
    struct bide__list all;           /* every connection */
    struct bide__object object;      /* what waiting tasks wait for */
    struct bide__object shut_object; /* what bide_pool_close waits for */
    struct bide__queue emptied;
    struct bide__rng rng;
    int64_t reported_ns;          /* the last report of a timeout; 0: none */
    struct bide_pool_stats since; /* atomic: the counters from `waited` on */

    /* lock */
    bool attached;           /* the loop may be sent mail */
    bool mail_posted;        /* and has not got it yet */
    struct bide__mail mail;  /* "look what changed" */
    size_t owned;            /* connections, and room for them */
    size_t granted;          /* of those, room that it has not heard of */
    size_t wanted;           /* waiting tasks for which nothing is coming */
    int64_t wanted_since_ns; /* while wanted > 0: since when */
    size_t stuck;            /* connections held by tasks that wait in this pool */
};

/* Bits of pool->rules.pressure. */
enum {
    POOL_WANTED = 1,   /* some loop wants room, more than is being made */
    POOL_OVERFLOW = 2, /* more than pool_size are open */
};

struct bide_pool {
    struct bide__pool_rules rules; /* what with_pooled looks at */
    struct bide_pool_driver driver;
    void *arg;
    struct bide_pool_options options; /* defaults filled in */
    bool nested_said;                 /* atomic: that a holder had to wait for another */
    pthread_mutex_t lock;
    size_t limit;
    /* Sums over the shards, written under the lock; all but `closing` atomic. */
    size_t open, wanted, closing, attached;
    size_t top; /* atomic: no shard has this index or a higher one */
    /* atomic pointers: set once, by the loop of that index */
    struct bide__shard *shards[BIDE_CAP_POOL_LOOPS];
};

static inline struct bide__shard *bide__shard_of(const bide_pooled *slot)
{
    return bide__container_of(slot->part, struct bide__shard, part);
}
#define bide__pooled_of_node(pointer) bide__container_of(pointer, bide_pooled, node)
#define bide__waiter_of(pointer) bide__container_of(pointer, struct bide__pool_waiter, wait)

/* A counter with one writer that other threads may read. */
static inline void bide__bump(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* The bound of a walk over the shards. */
static inline size_t bide__shards_top(const bide_pool *pool)
{
    return __atomic_load_n(&pool->top, __ATOMIC_RELAXED);
}

static inline struct bide__shard *bide__shard_at(const bide_pool *pool, size_t index)
{
    return __atomic_load_n(&pool->shards[index], __ATOMIC_ACQUIRE);
}

static inline void bide__pooled_set_state(bide_pooled *slot, enum bide__pooled_state state)
{
#if BIDE_DEBUG
    static const uint8_t next[] = {
        [BIDE__POOLED_OPENING] =
            1 << BIDE__POOLED_IDLE | 1 << BIDE__POOLED_HELD | 1 << BIDE__POOLED_CLOSING,
        [BIDE__POOLED_IDLE] =
            1 << BIDE__POOLED_HELD | 1 << BIDE__POOLED_PINGING | 1 << BIDE__POOLED_CLOSING,
        [BIDE__POOLED_HELD] = 1 << BIDE__POOLED_IDLE | 1 << BIDE__POOLED_HELD |
                              1 << BIDE__POOLED_RESETTING | 1 << BIDE__POOLED_CLOSING,
        [BIDE__POOLED_PINGING] =
            1 << BIDE__POOLED_IDLE | 1 << BIDE__POOLED_HELD | 1 << BIDE__POOLED_CLOSING,
        [BIDE__POOLED_RESETTING] =
            1 << BIDE__POOLED_IDLE | 1 << BIDE__POOLED_HELD | 1 << BIDE__POOLED_CLOSING,
        [BIDE__POOLED_CLOSING] = 0,
    };
    BIDE_ASSERT(next[slot->state] >> state & 1, "a connection goes from state %d to %d",
                slot->state, (int)state);
#endif
    slot->state = (uint8_t)state;
}

/* Whether it is too old to be lent again. */
static inline bool bide__pooled_is_stale(const bide_pooled *slot, const bide_pool *pool,
                                         int64_t now_ns)
{
    return slot->generation != __atomic_load_n(&pool->rules.generation, __ATOMIC_RELAXED) ||
           now_ns >= slot->expires_ns;
}

/* pool.c: what to do with a clean connection that nobody holds: lends it to the first that waits or
   keeps it idle; false: neither, close it. */
bool bide__pooled_rest(bide_pooled *slot);

/* pool.c: sees to it that something is coming for each task that waits, if there is room: `waiters`
   are to be served. 0, or -ENOMEM when a connection could have been opened but for memory. */
int bide__pool_supply(struct bide__shard *shard, size_t waiters);

/* pool.c: the same for those that wait, of whom the first is told of -ENOMEM. */
void bide__pool_refill(struct bide__shard *shard);

/* pool.c: ends the longest wait with an error that nobody owns, which it frees if nobody waits. */
void bide__pool_fail_first(struct bide__shard *shard, bide_error *error);

/* pool.c: closes what has been idle for too long, and what other loops should have. */
void bide__pool_sweep(struct bide__shard *shard);

/* pool.c: nothing may be left of a shard that is shut: tells who waits for that. */
void bide__pool_check_emptied(struct bide__shard *shard);

/* janitor.c: a record for a connection to be opened, with its task; -ENOMEM. The room is taken. */
int bide__pool_open_one(struct bide__shard *shard);

/* janitor.c: moves it to PINGING, RESETTING or CLOSING and has a task do that. */
void bide__pooled_serve(bide_pooled *slot, enum bide__pooled_state state);

/* janitor.c: tries again for those that there was no memory for; whether some are left. */
bool bide__pool_serve_unserved(struct bide__shard *shard);

/* A disconnect was seen on it. */
void bide__pooled_disconnected(const bide_pooled *slot);

/* room.c: takes room for one more connection of this shard; whether there was any. */
bool bide__room_take(struct bide__shard *shard);

/* Gives it back, to the loop that needs it most. `closed`: of a connection that was CLOSING. */
void bide__room_give(struct bide__shard *shard, bool closed);

/* One more is being closed: room is on its way. */
void bide__room_closing(struct bide__shard *shard);

/* For so many waiting tasks of this shard nothing is coming. */
void bide__room_want(struct bide__shard *shard, size_t wanted);

/* Room that other loops have granted meanwhile. */
size_t bide__room_granted(struct bide__shard *shard);

/* Whether a connection of this shard should be closed to make room for another loop: one that has
   been idle for `idle_ns`, or, with `first`, that this waiting task would get. */
bool bide__room_gives_way(struct bide__shard *shard, const struct bide__wait *first,
                          int64_t idle_ns);

/* Counts connections held by tasks that wait (negative: no more): whether no loop holds any other.
 */
bool bide__room_stuck(struct bide__shard *shard, ptrdiff_t held);

/* room.c: the loop takes part; no longer: false if mail is still on its way to it. */
void bide__room_attach(struct bide__shard *shard);
bool bide__room_detach(struct bide__shard *shard);

/* report.c */
extern const struct bide__kind bide__pool_kind, bide__pool_shut_kind;

/* How many connections of the shard the task holds; `ret_first`: one of them, or NULL. */
size_t bide__pool_held_by(const struct bide__shard *shard, const struct bide_task *task,
                          const bide_pooled **ret_first);

/* Prints the pool as seen from the shard. */
void bide__pool_report(const struct bide__shard *shard);

#endif
