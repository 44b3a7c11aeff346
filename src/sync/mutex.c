/*
 * The task mutex; include/bide/mutex.h has the semantics. Called by users and by condition.c; calls
 * the wait mechanism of core/loop.h.
 *
 * Unlocking writes the next owner into the mutex before that task runs: between the two nobody can
 * take the lock, and a cancel that comes in between changes nothing.
 */
#include "sync/sync.h"

#include "core/scope.h"

#include <errno.h>

_Static_assert(offsetof(struct bide_task, head) == 0, "bide_mutex_is_mine compares with the head");

/* NULL when it is free, or its owner ended without unlocking. (The record of a task that ended may
   belong to another one by now. Then that one is named, and only `locked_at` tells the truth.) */
static struct bide_task *living_owner(const bide_mutex *mutex)
{
    return mutex->owner && mutex->owner->state < BIDE__TASK_ENDED ? mutex->owner : NULL;
}

static struct bide_task *mutex_holder(const struct bide__object *object, size_t index,
                                      const struct bide_site **ret_since)
{
    const bide_mutex *mutex = bide__container_of(object, bide_mutex, object);
    struct bide_task *owner = index == 0 ? living_owner(mutex) : NULL;
    if (owner)
        *ret_since = mutex->locked_at;
    return owner;
}

static const struct bide__kind mutex_kind = {
    .noun = "mutex",
    .verb = "wants",
    .holder = mutex_holder,
    .place = {BIDE__HOLDER_AT, BIDE__HOLDER_FROM(bide_mutex, object, owner), 0}};

void bide__mutex_init(bide_mutex *mutex, const char *name, const struct bide_site *made)
{
    *mutex = (bide_mutex){.owner = NULL};
    bide__object_init(&mutex->object, &mutex_kind, name, made);
}

static inline void own(bide_mutex *mutex, struct bide_task *task, const struct bide_site *at)
{
    if (bide__unlikely(task->head.attention & BIDE__ATTENTION_ORDER))
        bide__lock_order_taken(mutex, task, at, false);
    mutex->owner = task;
    mutex->locked_at = at;
}

static void check_before_wait(const struct bide_task *me, bide_mutex *mutex)
{
    const struct bide_task *owner = living_owner(mutex);
    bide__object_ready(&mutex->object, &mutex_kind);
    if (bide__unlikely(!owner)) {
        char label[BIDE__LABEL_BYTES];
        bide__misuse("task #%llu '%s' wants %s at %s:%d, which was locked at %s:%d by a task that "
                     "ended without unlocking",
                     (unsigned long long)me->head.id, bide__task_label(me),
                     bide__object_label(&mutex->object, label, sizeof label), BIDE__AT(me->head.at),
                     BIDE__AT(mutex->locked_at));
    }
    bide__check_loop(me, owner, "mutex");
}

static __attribute__((noinline)) int lock_in_full(bide_mutex *mutex, struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__lock_failed(mutex, result);
    if (!mutex->owner) {
        own(mutex, me, me->head.at);
        bide__done_at_once(me);
        return 0;
    }
    check_before_wait(me, mutex);
    return bide__wait_here(me, &mutex->waiting, parking, NULL, &mutex->object, true);
}

/* The short way calls nothing: an owner that does not wait is not stuck. */
int bide__lock_begin(bide_mutex *mutex, struct bide__parking *parking)
{
    struct bide_task *me = bide__task_current();
    const struct bide_task *owner = mutex->owner;
    if (bide__likely(owner && owner != me && !owner->wait && owner->state < BIDE__TASK_ENDED &&
                     owner->loop == me->loop && !me->head.attention && mutex->object.kind) &&
        bide__park_quickly(me, &mutex->waiting, parking, NULL, &mutex->object))
        return BIDE__PARK;
    return lock_in_full(mutex, parking);
}

void bide__lock_failed(bide_mutex *mutex, int result)
{
    bide__object_ready(&mutex->object, &mutex_kind);
    bide__raise(result, &mutex->object);
}

bool bide__try_lock(bide_mutex *mutex, const struct bide_site *at)
{
    struct bide_task *me = bide__task_current();
    if (bide__outside_of_tasks())
        bide__misuse("bide_try_lock outside of tasks at %s:%d", BIDE__AT(at));
    BIDE__IN_ORDER(mutex);
    if (mutex->owner)
        return false;
    if (bide__unlikely(me->head.attention & BIDE__ATTENTION_ORDER))
        bide__lock_order_taken(mutex, me, at, true);
    mutex->owner = me;
    mutex->locked_at = at;
    return true;
}

static inline __attribute__((always_inline)) void hand_over(bide_mutex *mutex)
{
    struct bide__wait *next = mutex->waiting.first;
    BIDE__IN_ORDER(mutex);
    if (!next) {
        mutex->owner = NULL;
        return;
    }
    mutex->owner = next->task;
    mutex->locked_at = next->task->head.at;
    bide__wake_first(&mutex->waiting, next);
}

static __attribute__((noinline, cold)) void release_watched(bide_mutex *mutex)
{
    bide__lock_order_left(mutex);
    hand_over(mutex);
    if (mutex->owner)
        bide__lock_order_taken(mutex, mutex->owner, mutex->locked_at, false);
}

/* The short way calls nothing. All tasks of a loop are watched, or none. */
void bide__mutex_release(bide_mutex *mutex)
{
    if (bide__unlikely(bide__current->attention & BIDE__ATTENTION_ORDER))
        release_watched(mutex);
    else
        hand_over(mutex);
}

static __attribute__((noreturn, cold)) void not_the_owner(bide_mutex *mutex,
                                                          const struct bide_site *at)
{
    char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
    bide__object_ready(&mutex->object, &mutex_kind);
    bide__object_label(&mutex->object, label, sizeof label);
    bide__who_runs(me);
    if (!mutex->owner)
        bide__misuse("%s unlocks %s at %s:%d, which nobody holds", me, label, BIDE__AT(at));
    const struct bide_task *owner = living_owner(mutex);
    if (!owner)
        bide__misuse("%s unlocks %s at %s:%d, which a task that has ended locked at %s:%d", me,
                     label, BIDE__AT(at), BIDE__AT(mutex->locked_at));
    bide__misuse("%s unlocks %s at %s:%d, which task #%llu '%s' locked at %s:%d", me, label,
                 BIDE__AT(at), (unsigned long long)owner->head.id, bide__task_label(owner),
                 BIDE__AT(mutex->locked_at));
}

void bide__unlock_slow(bide_mutex *mutex, const struct bide_site *at)
{
    if (bide__unlikely(!bide_mutex_is_mine(mutex)))
        not_the_owner(mutex, at);
    bide__mutex_release(mutex);
}

void bide__locked_leave_slow(bide_mutex *mutex, const struct bide_site *at)
{
    if (!mutex)
        return;
    /* An error may leave a condition's wait without the lock: condition.h, invariant 2. */
    if (bide__current->unwinding && !bide_mutex_is_mine(mutex))
        return;
    bide__unlock_slow(mutex, at);
}

static int wait_for_lock(struct bide_task *me, bide_mutex *mutex)
{
    struct bide__wait wait = {.payload = NULL};
    check_before_wait(me, mutex);
    return bide__wait_checked(me, &mutex->waiting, &wait, &mutex->object);
}

int bide__mutex_retake(struct bide_task *me, bide_mutex *mutex)
{
    int result = -ECANCELED;
    BIDE__IN_ORDER(mutex);
    if (bide__likely(!mutex->owner)) {
        own(mutex, me, me->head.at);
        return 0;
    }
    if (!(me->head.attention & BIDE__ATTENTION_CANCEL))
        result = wait_for_lock(me, mutex);
    if (result != -ECANCELED)
        return result;
    struct bide__scope shield = {0};
    bide__shield_enter(&shield, me->head.at, bide_ms(BIDE_CAP_CLEANUP_MS));
    if (mutex->owner) {
        result = wait_for_lock(me, mutex);
    } else {
        own(mutex, me, me->head.at);
        result = 0;
    }
    bide__scope_pop(&shield);
    return result;
}
