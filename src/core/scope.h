/*
 * Cancel scopes inside the library; include/bide/scope.h has the semantics. scope.c keeps the
 * `effective` marks: a scope is effectively cancelled if it, or one around it up to the next
 * shield, is cancelled, where "around" goes on in the task that holds the group.
 */
#ifndef BIDE_CORE_SCOPE_H
#define BIDE_CORE_SCOPE_H

#include "core/task.h"
#include "core/timer.h"

enum bide__scope_kind { BIDE__SCOPE_DEADLINE, BIDE__SCOPE_SHIELD, BIDE__SCOPE_GROUP };

/* Makes `scope` the innermost one of the running task; own_deadline_ns is absolute. */
void bide__scope_push(struct bide__scope *scope, enum bide__scope_kind kind,
                      const struct bide_site *at, int64_t own_deadline_ns);

/* Calls `thunk(args)` behind a boundary, for as long as `duration`: gives the error that left it,
   or NULL. `ret_late`: it is a cancel by this deadline. Suspends. */
bide_error *bide__boundary_within(const struct bide_site *at, bide_duration duration,
                                  void (*thunk)(void *), void *args, bool *ret_late);

/*
 * A deadline that is set again and again: its timer stays armed when the deadline moves on, and
 * looks once more when it fires. It may lie in memory that outlives the task. `outer_ns` is what
 * lies around it.
 */
struct bide__limit {
    struct bide__scope scope;
    int64_t outer_ns;
};

/* Zeroed, once; and before its memory is freed. */
void bide__limit_init(struct bide__limit *limit);
void bide__limit_done(struct bide__limit *limit, struct bide__timers *timers);

/* As of a scope, without a deadline of its own for now. */
void bide__limit_push(struct bide__limit *limit, const struct bide_site *at);
void bide__limit_pop(struct bide__limit *limit);

/* Until then; INT64_MAX: no deadline of its own. A loop's timers. */
static inline void bide__limit_set(struct bide__limit *limit, struct bide__timers *timers,
                                   int64_t at_ns)
{
    struct bide__timer *timer = &limit->scope.timer;
    if (at_ns >= limit->outer_ns) {
        limit->scope.deadline_ns = limit->outer_ns;
        return;
    }
    limit->scope.deadline_ns = at_ns;
    if (bide__unlikely(!bide__timer_armed(timer) || timer->expires_ns > at_ns))
        bide__timer_arm(timers, timer, at_ns);
}

/* Takes it off, which must be the innermost of the running task, and updates its attention. */
void bide__scope_pop(struct bide__scope *scope);

/* Cancels a scope, a whole task, or the children of a group; spreads to all that is inside. */
void bide__scope_cancel(struct bide__scope *scope, const char *reason);
void bide__task_cancel(struct bide_task *task, const char *reason);
void bide__group_cancel_children(struct bide_group *group);

/* Whether the running task is being unwound out of a scope entered while `was` unwound. */
static inline bool bide__unwinding_since(const struct bide_error *was)
{
    return bide__current->unwinding != was;
}

/* An await of a cancelled task is refused once more than is usual: that is told, and the others get
   their turn. */
void bide__cancel_ignored(struct bide_task *me);

/* Why the running task is cancelled: for the message. */
const char *bide__cancel_reason(const struct bide_task *task);

/* The tightest deadline in force for a task. */
int64_t bide__deadline_ns(const struct bide_task *task);

#endif
