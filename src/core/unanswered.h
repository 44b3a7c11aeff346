/*
 * Waits for a peer that nothing would end: no deadline lies around them. The first such wait arms
 * the loop's timer; when it fires, those that have lasted too long are told.
 */
#ifndef BIDE_CORE_UNANSWERED_H
#define BIDE_CORE_UNANSWERED_H

#include "core/loop.h"
#include "core/scope.h"

/* Arms the timer, if this runtime reports such waits. */
void bide__unanswered_watch(struct bide__loop *loop, const struct bide__kind *kind);

/* Of a task without a deadline: whether it, or one above it, is in a with_deadline, which then is
   one for ever; or in the background. */
bool bide__unanswered_is_meant(const struct bide_task *task);

/* The running task is about to wait for a peer, which all are whose kind is that of `object`. */
static inline void bide__unanswered_begin(struct bide_task *me, const struct bide__object *object)
{
    if (!bide__timer_armed(&me->loop->unanswered_timer) && bide__deadline_ns(me) == INT64_MAX)
        bide__unanswered_watch(me->loop, object->kind);
}

#endif
