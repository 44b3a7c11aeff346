/*
 * The condition; include/bide/condition.h has the semantics. Called by users; calls the mutex's
 * release and retake and the wait mechanism of core/loop.h. What changes the data is not known, so
 * a condition has no holders in the wait graph.
 *
 * A signal is for the tasks that waited when it was sent: it carries the ticket of the last of
 * them. A task that has no use for it passes it on to the next one with such a ticket; one that
 * goes on waiting gets a new ticket, so a signal visits each task at most once.
 */
#include "sync/sync.h"

#include <bide/condition.h>

#include <errno.h>

struct waiter {
    struct bide__wait wait;
    uint64_t ticket;
    uint64_t signal; /* the last ticket that the signal is for; 0: woken by bide_notify_all */
};

static const struct bide__kind condition_kind = {.noun = "condition", .verb = "waits for"};

void bide__condition_init(bide_condition *condition, const char *name, const struct bide_site *made)
{
    *condition = (bide_condition){.tickets = 0};
    bide__object_init(&condition->object, &condition_kind, name, made);
}

/* Wakes the first waiting task whose ticket the signal covers. */
static void signal_first(bide_condition *condition, uint64_t signal)
{
    if (!condition->waiting.first)
        return;
    struct waiter *waiter = bide__container_of(condition->waiting.first, struct waiter, wait);
    if (waiter->ticket > signal)
        return;
    waiter->signal = signal;
    bide__wake(&waiter->wait, 0);
}

void bide_notify_one(bide_condition *condition)
{
    signal_first(condition, condition->tickets);
}

void bide_notify_all(bide_condition *condition)
{
    bide__wake_all(&condition->waiting, 0);
}

void bide__condition_left(struct bide__waiting *waiting)
{
    if (waiting->signal)
        signal_first(waiting->condition, waiting->signal);
    waiting->signal = 0;
}

static void check_held(const struct bide_task *me, bide_condition *condition,
                       const bide_mutex *mutex)
{
    if (bide__likely(bide_mutex_is_mine(mutex)))
        return;
    char label[BIDE__LABEL_BYTES];
    const struct bide_task *owner = mutex->owner;
    bide__object_label(&condition->object, label, sizeof label);
    if (!owner)
        bide__misuse("task #%llu '%s' waits for %s at %s:%d without its lock, which nobody holds",
                     (unsigned long long)me->head.id, bide__task_label(me), label,
                     BIDE__AT(me->head.at));
    bide__misuse("task #%llu '%s' waits for %s at %s:%d without its lock, which task #%llu '%s' "
                 "locked at %s:%d",
                 (unsigned long long)me->head.id, bide__task_label(me), label,
                 BIDE__AT(me->head.at), (unsigned long long)owner->head.id, bide__task_label(owner),
                 BIDE__AT(mutex->locked_at));
}

void bide__condition_begin(const struct bide__waiting *waiting)
{
    struct bide_task *me = bide__task_current();
    bide_condition *condition = waiting->condition;
    int result = bide__checkpoint(me);
    bide__object_ready(&condition->object, &condition_kind);
    if (bide__unlikely(result < 0))
        bide__raise(result, &condition->object);
    check_held(me, condition, waiting->mutex);
    bide__done_at_once(me);
}

void bide__condition_step(struct bide__waiting *waiting)
{
    struct bide_task *me = bide__task_current();
    bide_condition *condition = waiting->condition;
    bide__condition_left(waiting);
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &condition->object);
    check_held(me, condition, waiting->mutex);
    bide__check_loop(me, bide__first_waiting(&condition->waiting), "condition");
    struct waiter waiter = {.ticket = ++condition->tickets};
    bide__mutex_release(waiting->mutex);
    result = bide__wait(me, &condition->waiting, &waiter.wait, &condition->object);
    waiting->signal = waiter.signal;
    int retaken = bide__mutex_retake(me, waiting->mutex);
    if (bide__unlikely(result < 0))
        bide__raise(result, &condition->object);
    if (bide__unlikely(retaken < 0))
        bide__raise(retaken, &waiting->mutex->object);
}

bide_async(void) bide_condition_wait(bide_condition *condition, bide_mutex *mutex,
                                     bool (*holds)(void *arg), void *arg)
{
    return bide_wait_until(condition, mutex, holds(arg));
}
