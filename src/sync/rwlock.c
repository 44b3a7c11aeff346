/*
 * The read-write lock; include/bide/rwlock.h has the semantics. Called by users; calls the wait
 * mechanism of core/loop.h.
 *
 * A lock that is given up goes straight to the first waiting task, and to all readers right behind
 * it, with their holds noted, before they run: a cancel in between changes nothing, and no
 * late-comer overtakes.
 */
#include "sync/sync.h"

#include <bide/rwlock.h>

/* A task that waits for it can go on when all of these have left. */
static struct bide_task *rwlock_holder(const struct bide__object *object, size_t index,
                                       const struct bide_site **ret_since)
{
    const bide_rwlock *lock = bide__container_of(object, bide_rwlock, object);
    const struct bide__rwlock_hold *hold = lock->holds;
    while (hold && index-- > 0)
        hold = hold->older;
    if (!hold)
        return NULL;
    *ret_since = hold->since;
    return hold->task;
}

static const struct bide__kind rwlock_kind = {
    .noun = "read-write lock",
    .verb = "wants",
    .holder = rwlock_holder,
    .any_holder = true,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(bide_rwlock, object, holds),
              offsetof(struct bide__rwlock_hold, task)}};

void bide__rwlock_init(bide_rwlock *lock, const char *name, const struct bide_site *made)
{
    *lock = (bide_rwlock){.written = false};
    bide__object_init(&lock->object, &rwlock_kind, name, made);
}

static void note(bide_rwlock *lock, struct bide__rwlock_hold *hold, struct bide_task *task)
{
    hold->lock = lock;
    hold->task = task;
    hold->since = task->head.at;
    hold->newer = NULL;
    hold->older = lock->holds;
    if (hold->older)
        hold->older->newer = hold;
    lock->holds = hold;
    lock->written = hold->writes;
    lock->readers += !hold->writes;
}

static bool may_enter(const bide_rwlock *lock, bool writes)
{
    return !lock->written && (!writes || lock->readers == 0);
}

/* To the first that waits, and to those behind it that may enter with it. */
static void hand_over(bide_rwlock *lock)
{
    struct bide__wait *next;
    while ((next = lock->waiting.first)) {
        struct bide__rwlock_hold *hold = next->payload;
        if (!may_enter(lock, hold->writes))
            return;
        note(lock, hold, next->task);
        bide__wake(next, 0);
    }
}

/* One that waited is cancelled: those behind it may be next. */
static void give_up(struct bide__wait *wait, int reason)
{
    bide_rwlock *lock = bide__container_of(wait->object, bide_rwlock, object);
    bide__wake(wait, reason);
    hand_over(lock);
}

bide_async(void) bide__rwlock_take(struct bide__rwlock_hold *hold, bide_rwlock *lock, bool writes)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    BIDE__IN_ORDER(lock);
    bide__object_ready(&lock->object, &rwlock_kind);
    hold->writes = writes;
    if (result == 0)
        bide__check_loop(me, lock->holds ? lock->holds->task : NULL, "read-write lock");
    if (bide__likely(result == 0 && may_enter(lock, writes) && !lock->waiting.first)) {
        note(lock, hold, me);
        bide__done_at_once(me);
        return bide_void;
    }
    if (result == 0) {
        struct bide__wait wait = {.payload = hold, .abort = give_up};
        result = bide__wait_checked(me, &lock->waiting, &wait, &lock->object);
    }
    if (bide__unlikely(result < 0))
        bide__raise(result, &lock->object);
    return bide_void;
}

void bide__rwlock_leave(struct bide__rwlock_hold *hold)
{
    bide_rwlock *lock = hold->lock;
    if (!lock)
        return;
    BIDE__IN_ORDER(lock);
    if (hold->newer)
        hold->newer->older = hold->older;
    else
        lock->holds = hold->older;
    if (hold->older)
        hold->older->newer = hold->newer;
    if (hold->writes)
        lock->written = false;
    else
        lock->readers--;
    hand_over(lock);
}
