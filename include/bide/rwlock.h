/*
 * rwlock.h: a lock between tasks that many read under and one writes under.
 *
 *     static bide_rwlock prices;                  // all zero is a free lock without a name
 *
 *     with_read_lock(&prices) {
 *         total = await(add_up(cart));            // others that read go on as well
 *     }
 *     with_write_lock(&prices) {
 *         await(load_prices());                   // alone
 *     }
 *
 * As with a mutex (mutex.h): it is needed only where what it protects is looked at, then awaited,
 * then used again.
 *
 * Invariants
 *  1. Either any number of tasks read, or one writes. A task's read locks are known by their
 *     blocks, the writer by its line.
 *  2. Writers are preferred and nobody starves: first come, first served. A reader that comes while
 *     a writer waits waits behind it; when a writer leaves, or the last reader, the lock goes to
 * the first that waits, and if that is a reader, to all readers up to the next writer. It is handed
 *     over: who has it then owns it, also if it is cancelled before it runs.
 *  3. A wait that no holder can end any more is BIDE_DEADLOCK at once, with a report of the cycle:
 *     two locks in opposite order; a reader that wants to write, or a writer that wants to read,
 *     what it holds; two blocks that read in one task while a writer waits between them.
 *  4. It belongs to the loop of the tasks that use it: it does not lock out other threads, and a
 *     task of another loop that wants it meanwhile is BIDE_MISUSE.
 *
 * layer: sync
 */
#ifndef BIDE_RWLOCK_H
#define BIDE_RWLOCK_H

#include <bide/task.h>

struct bide__rwlock_hold;

typedef struct bide_rwlock {
    struct bide__rwlock_hold *holds; /* those who read, or the one who writes; newest first */
    size_t readers;                  /* how many read */
    bool written;                    /* somebody writes */
    struct bide__queue waiting;      /* both kinds, in order */
    struct bide__object object;
} bide_rwlock;

/* Gives the lock a name for reports, and makes it free. `name` is not copied. Needs no end. */
#define bide_rwlock_init(lock, name) bide__rwlock_init(lock, name, BIDE__SITE("bide_rwlock_init"))

/*
 * with_read_lock(lock) { ... }, with_write_lock(lock) { ... }: holds the lock inside. The heading
 * suspends while it has to wait; it raises BIDE_CANCELLED (then the block is not entered) and
 * BIDE_DEADLOCK. Leaving, in whatever way, gives it up and never suspends.
 */
#define bide_with_read_lock(lock)                                                                  \
    BIDE__WITH_RWLOCK(__COUNTER__, lock, false, "with_read_lock(" #lock ")")
#define bide_with_write_lock(lock)                                                                 \
    BIDE__WITH_RWLOCK(__COUNTER__, lock, true, "with_write_lock(" #lock ")")
#ifndef BIDE_NO_KEYWORDS
#define with_read_lock(lock)                                                                       \
    BIDE__WITH_RWLOCK(__COUNTER__, lock, false, "with_read_lock(" #lock ")")
#define with_write_lock(lock)                                                                      \
    BIDE__WITH_RWLOCK(__COUNTER__, lock, true, "with_write_lock(" #lock ")")
#endif

/* How many tasks read now, and whether one writes. Never suspend. */
static inline size_t bide_rwlock_readers(const bide_rwlock *lock)
{
    BIDE__IN_ORDER(lock);
    return lock->readers;
}
static inline bool bide_rwlock_written(const bide_rwlock *lock)
{
    BIDE__IN_ORDER(lock);
    return lock->written;
}

/* A lock held by a block, in its frame. */
struct bide__rwlock_hold {
    bide_rwlock *lock; /* NULL until it is held */
    struct bide_task *task;
    const struct bide_site *since;
    struct bide__rwlock_hold *newer, *older;
    bool writes;
};
void bide__rwlock_init(bide_rwlock *lock, const char *name, const struct bide_site *made);
bide_async(void) bide__rwlock_take(struct bide__rwlock_hold *hold, bide_rwlock *lock, bool writes);
void bide__rwlock_leave(struct bide__rwlock_hold *hold);

#define BIDE__WITH_RWLOCK(n, lock, writes, text) BIDE__WITH_RWLOCK2(n, lock, writes, text)
#define BIDE__WITH_RWLOCK2(n, lock_, writes_, text)                                                \
    BIDE__WITH(                                                                                    \
        n,                                                                                         \
        (struct bide__rwlock_hold bide__hold_##n __attribute__((                                   \
             __cleanup__(bide__rwlock_leave))) = {NULL, NULL, NULL, NULL, NULL, false}),           \
        BIDE__AWAIT(__COUNTER__, text, bide__rwlock_take(&bide__hold_##n, (lock_), (writes_))),    \
        (void)0)

#endif
