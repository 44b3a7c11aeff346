/*
 * pool.h: connections that are kept open and lent to one task at a time.
 *
 *     static const struct bide_pool_driver driver = {.open = dial, .close = hang_up, ...};
 *     bide_pool *pool = bide_pool_new(&driver, address, &(struct bide_pool_options){.name = "db"});
 *
 *     with_pooled(connection, pool) {
 *         await(ask(connection, "..."));
 *     }                                        // given back on every way out, without waiting
 *
 *     await(bide_pool_close(pool, bide_s(10)));
 *     bide_pool_free(pool);
 *
 * What opens, checks, resets and closes a connection is the driver's; it runs in tasks that the
 * pool owns, each call shielded and under a deadline. A task that acquires only ever waits in a
 * queue: a cancel takes it out and leaves nothing half done.
 *
 * Invariants
 *  1. Over all loops never more than pool_size + max_overflow connections are open, being opened or
 *     being closed.
 *  2. A connection is used on the loop that opened it, and closed there. Each loop has its own
 *     connections and its own queue; the number above is common. A loop that has none to lend while
 *     others have too many gets room: an idle connection there is closed (src/pool/README.md).
 *  3. First come, first served on a loop: a connection that is given back, or has just been opened,
 *     goes to the task that waits longest. Without waiters the one used last is lent first.
 *  4. Only a connection of which the driver says that it is idle is lent again. Any other is reset
 *     for up to BIDE_CAP_POOL_RESET_MS (2 s), and closed if that does not make it idle.
 *  5. A connection found broken makes the pool close all that were opened before: each when it is
 *     met next.
 *  6. Who holds a connection, and since which line, is known. A wait that no holder can end any
 *     more is BIDE_DEADLOCK at once.
 *
 * layer: pool
 */
#ifndef BIDE_POOL_H
#define BIDE_POOL_H

#include <bide/clock.h>

typedef struct bide_pool bide_pool;

/* A connection that is lent. What the driver's `open` gave is `connection`; the rest is the pool's.
 */
typedef struct bide_pooled {
    void *connection;
    struct bide__pool_part *part; /* its loop's */
    struct bide_pooled *below;    /* while idle: the one that was idle before it */
    int64_t since_ns;             /* of the tick's clock: held, or idle, since */
    int64_t expires_ns;           /* when it is too old; INT64_MAX: never */
    uint32_t generation;          /* the pool's when it began to be opened */
    uint8_t state;                /* enum bide__pooled_state */
    bool unserved;                /* there was no memory for its janitor yet */
    struct bide_task *task;       /* the holder, while it is held; NULL: disowned */
    uint64_t task_id;             /* tells the holder from a later task of the same record */
    const struct bide_site *at;   /* where it was taken, or given back last */
    struct bide__list_node node;  /* among all of its loop */
} bide_pooled;

typedef bide_pooled *bide_pooled_ptr;
typedef void *bide_connection;
AWAITABLE(bide_pooled_ptr);
AWAITABLE(bide_connection);

/*
 * What a pool must know of its connections. The async functions run in a task of the pool, on the
 * connection's loop, while nobody has it. They may fail; when their time is over they are
 * cancelled.
 */
struct bide_pool_driver {
    /* A new connection, not NULL; `arg` is what bide_pool_new was given. Leaves nothing behind when
       it fails or is cancelled. Its error is raised by the acquire that waits longest. */
    bide_async_fn(bide_connection) (*open)(void *arg);
    /* Closes it and frees its memory, also when it fails or is cancelled on the way. */
    bide_async_fn(void) (*close)(void *connection);
    /* Whether it is certain that nothing is left of its last use: no statement runs, no reply is
       unread, no transaction is open. Never suspends. */
    bool (*is_idle)(void *connection);
    /* Makes it so: cancel, drain, roll back. NULL: what is not idle is closed. */
    bide_async_fn(void) (*reset)(void *connection);
    /* Fails when the peer is gone. NULL: connections are not checked. */
    bide_async_fn(void) (*ping)(void *connection);
    /* Whether the peer is known to be gone, of a connection that is not idle. Never suspends.
       NULL: never known. */
    bool (*broken)(void *connection);
};

/* Zero means the default. */
struct bide_pool_options {
    const char *name;              /* for reports; not copied */
    int pool_size;                 /* connections that stay; default: the cores allowed */
    int max_overflow;              /* more of them for a burst; default: half of pool_size;
                                      negative: none */
    int max_waiting;               /* tasks that may wait, over all loops: more are refused at once
                                      with BIDE_LIMIT; default BIDE_CAP_POOL_WAITING (16384);
                                      negative: none may wait */
    bide_duration pool_timeout;    /* how long one may wait; default 30 s */
    bide_duration pool_recycle;    /* age at which a connection is closed when it is idle, less up
                                      to a tenth at random; default 3600 s */
    bide_duration pool_pre_ping;   /* idle for longer than this, it is pinged before it is lent;
                                      default 1 s; BIDE_FOREVER: never */
    bide_duration connect_timeout; /* for `open`; default 5 s */
    bide_duration idle_timeout;    /* idle for longer than this, it is closed; default 600 s. Those
                                      above pool_size: BIDE_CAP_POOL_OVERFLOW_IDLE_MS (1 s) */
};

/*
 * Makes a pool without connections, for all loops. Callable from anywhere, also before bide_run.
 * `driver` and `arg` must outlive it; `options` may be NULL. NULL when there is no memory. A driver
 * without open, close or is_idle is misuse, and ends the program.
 */
bide_pool *bide_pool_new(const struct bide_pool_driver *driver, void *arg,
                         const struct bide_pool_options *options);

/*
 * Closes the part of the calling task's loop: waiting tasks get BIDE_CLOSED, and so does every
 * later acquire on this loop; idle connections are closed, and lent ones when they are given back.
 * Waits up to `patience` for all of that. Raises BIDE_TIMEOUT, after a report of who holds what;
 * BIDE_CANCELLED; BIDE_DEADLOCK if the caller, or all that it would wait for, cannot end. It may be
 * called again. With several loops each one calls it, before it ends.
 */
bide_async(void) bide_pool_close(bide_pool *pool, bide_duration patience);

/* Frees a pool that every loop that used it has closed; NULL is nothing. Otherwise it is reported
   as misuse, and stays. Never suspends. */
void bide_pool_free(bide_pool *pool);

/*
 * with_pooled(connection, pool) { ... }: has a connection inside: `connection` is the driver's
 * `void *`. The heading suspends while none is free. It raises what bide_pool_acquire does. Leaving
 * never suspends and never fails.
 */
#define bide_with_pooled(connection, pool)                                                         \
    BIDE__WITH_POOLED(__COUNTER__, connection, pool, #connection ", " #pool)
#ifndef BIDE_NO_KEYWORDS
#define with_pooled(connection, pool)                                                              \
    BIDE__WITH_POOLED(__COUNTER__, connection, pool, #connection ", " #pool)
#endif

/*
 * Takes a connection that is given back by bide_pool_release. Raises
 *   BIDE_TIMEOUT    none came free within pool_timeout: who holds what is printed on stderr
 *   BIDE_LIMIT      max_waiting tasks wait already
 *   BIDE_DEADLOCK   every connection is held by tasks that wait for this pool, or for this task
 *   BIDE_CLOSED     this loop has closed the pool
 *   BIDE_CANCELLED, BIDE_NO_MEMORY
 * and what the driver's `open` failed with; BIDE_TIMEOUT, if it took longer than connect_timeout.
 */
bide_async(bide_pooled_ptr) bide_pool_acquire(bide_pool *pool);

/* Gives a connection back, by any task of its loop: to the first that waits, to the idle ones, or
   to the pool's task that resets it. Never suspends, never fails. Giving it back twice is
   BIDE_MISUSE. */
#define bide_pool_release(lease) bide__pool_release(lease, BIDE__SITE("bide_pool_release"))

/* The lease has no single holder: nothing is concluded from who took it. For connections that many
   tasks share. */
void bide_pool_disown(bide_pooled *lease);

/* All connections that are open now are closed when they are met next. For a driver that knows that
 * the server has changed. From any loop. */
void bide_pool_expire(bide_pool *pool);

/* Sums over all loops: the first five are now, the others since the start. Not a snapshot. */
struct bide_pool_stats {
    size_t open;    /* connections, also those that are being opened and closed */
    size_t held;    /* of those, lent */
    size_t idle;    /* and idle; the rest is in the hands of the pool's tasks */
    size_t waiting; /* tasks */
    size_t limit;   /* pool_size + max_overflow */
    uint64_t acquired;
    uint64_t waited;      /* of those acquires, how many had to wait, the failed ones included */
    uint64_t waited_ns;   /* and how long, together */
    uint64_t timed_out;   /* acquires that pool_timeout ended */
    uint64_t refused;     /* by max_waiting */
    uint64_t opened;      /* connections */
    uint64_t open_failed; /* ... that did not come to be */
    uint64_t closed;
    uint64_t recycled; /* of those, for their age or an earlier disconnect */
    uint64_t moved;    /* and to make room for another loop */
    uint64_t pinged;
    uint64_t ping_failed;
    uint64_t reset; /* given back in use */
    uint64_t reset_failed;
};
void bide_pool_stats(const bide_pool *pool, struct bide_pool_stats *ret_stats);

/* Prints who holds what, since when, and what they wait for, on stderr. The tasks of other loops
   are only counted. */
void bide_pool_print(bide_pool *pool);

void bide__pool_release(bide_pooled *lease, const struct bide_site *at);

/* The rest is for with_pooled: lending an idle connection, and taking back a clean one that nobody
   waits for, is done in the user's frame. src/pool/pool.h has the states and who may touch what. */
enum bide__pooled_state {
    BIDE__POOLED_OPENING,
    BIDE__POOLED_IDLE,
    BIDE__POOLED_HELD,
    BIDE__POOLED_PINGING,
    BIDE__POOLED_RESETTING,
    BIDE__POOLED_CLOSING,
};

/* What these need of a pool, and of the part of it that a loop has. */
struct bide__pool_rules {
    bool (*is_idle)(void *connection);
    int64_t pre_ping_ns;
    uint32_t generation; /* atomic: raised when a disconnect is seen */
    uint32_t pressure;   /* atomic: not 0: more must be looked at than this loop */
};
struct bide__pool_part {
    bide_pooled *idle; /* a stack, the one used last on top */
    const struct bide__pool_rules *rules;
    const int64_t *now_ns;       /* the loop's tick */
    uint64_t acquired, released; /* atomic */
    bool quick;                  /* nobody waits, nothing is closing, idle ones are looked after */
};

/* The pool that this thread used last. */
struct bide__pool_recent {
    const bide_pool *pool;
    struct bide__pool_part *part;
};
extern __thread struct bide__pool_recent bide__pool_recent
    __attribute__((__tls_model__("initial-exec")));

/* A counter with one writer that other threads may read. */
static inline __attribute__((__always_inline__)) void bide__pool_count(uint64_t *counter)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static inline __attribute__((__always_inline__)) void
bide__pooled_hold(struct bide__pool_part *part, bide_pooled *lease, struct bide__head *task,
                  const struct bide_site *at, int64_t now_ns)
{
    lease->state = BIDE__POOLED_HELD;
    lease->task = (struct bide_task *)(void *)task;
    lease->task_id = task->id;
    lease->at = at;
    lease->since_ns = now_ns;
    bide__pool_count(&part->acquired);
}

/* NULL: there is more to do. Like a free mutex it counts nothing against the budget of awaits. */
static inline __attribute__((__always_inline__)) bide_pooled *
bide__pool_take(const bide_pool *pool, const struct bide_site *at)
{
    struct bide__head *me = bide__current;
    struct bide__pool_part *part = bide__pool_recent.part;
    if (__builtin_expect(bide__pool_recent.pool != pool || me->attention, 0))
        return NULL;
    BIDE__ACQUIRE(part);
    bide_pooled *lease = part->idle;
    const struct bide__pool_rules *rules = part->rules;
    int64_t now_ns = *part->now_ns;
    if (__builtin_expect(!lease || now_ns >= lease->expires_ns ||
                             now_ns - lease->since_ns >= rules->pre_ping_ns ||
                             lease->generation !=
                                 __atomic_load_n(&rules->generation, __ATOMIC_RELAXED),
                         0)) {
        BIDE__RELEASE(part);
        return NULL;
    }
    part->idle = lease->below;
    bide__pooled_hold(part, lease, me, at, now_ns);
    BIDE__RELEASE(part);
    return lease;
}

static inline __attribute__((__always_inline__)) void
bide__pooled_keep(struct bide__pool_part *part, bide_pooled *lease)
{
    lease->state = BIDE__POOLED_IDLE;
    lease->since_ns = *part->now_ns;
    lease->below = part->idle;
    part->idle = lease;
    BIDE__RELEASE(part);
}

/* The end of a with_pooled block. */
struct bide__pooled_scope {
    bide_pooled *lease;
    const struct bide_site *at;
};
static inline __attribute__((__always_inline__)) void
bide__pooled_leave(struct bide__pooled_scope *scope)
{
    bide_pooled *lease = scope->lease;
    struct bide__pool_part *part = lease->part;
    const struct bide__pool_rules *rules = part->rules;
    BIDE__ACQUIRE(part);
    if (__builtin_expect(part->quick && lease->state == BIDE__POOLED_HELD &&
                             !__atomic_load_n(&rules->pressure, __ATOMIC_RELAXED) &&
                             rules->is_idle(lease->connection),
                         1)) {
        lease->at = scope->at;
        bide__pool_count(&part->released);
        bide__pooled_keep(part, lease);
    } else {
        bide__pool_release(lease, scope->at);
    }
}

#define BIDE__WITH_POOLED(n, variable, pool, text) BIDE__WITH_POOLED2(n, variable, pool, text)
#define BIDE__WITH_POOLED2(n, variable, pool, text)                                                \
    if (0) {                                                                                       \
        bide__left_##n:;                                                                           \
    } else                                                                                         \
        for (struct bide__pooled_scope bide__pooled_##n __attribute__((__cleanup__(                \
                 bide__pooled_leave))) = {BIDE__POOLED_GET(n, pool, text),                         \
                                          BIDE__SITE("the end of with_pooled(" text ")")};         \
             ; bide_break_in_with())                                                               \
            for (void *variable __attribute__((__unused__)) = bide__pooled_##n.lease->connection;; \
                 bide_break_in_with())                                                             \
                for (int bide__once_##n = 0;; bide__once_##n = 1)                                  \
                    if (bide__once_##n) {                                                          \
                        goto bide__left_##n;                                                       \
                    } else

#define BIDE__POOLED_GET(n, pool, text)                                                            \
    __extension__({                                                                                \
        bide_pool *const bide__pool_##n = (pool);                                                  \
        bide_pooled *bide__lease_##n =                                                             \
            bide__pool_take(bide__pool_##n, BIDE__SITE("with_pooled(" text ")"));                  \
        if (__builtin_expect(!bide__lease_##n, 0))                                                 \
            bide__lease_##n = BIDE__AWAIT(__COUNTER__, "with_pooled(" text ")",                    \
                                          bide_pool_acquire(bide__pool_##n));                      \
        bide__lease_##n;                                                                           \
    })

#endif
