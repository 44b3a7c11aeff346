/*
 * Cancel scopes: entering, leaving, and the spread of a cancel. Called by the with-blocks of
 * include/bide/scope.h, by group.c and by bide_cancel.
 *
 * Invariants (with those of include/bide/scope.h)
 *  1. scope->effective = the scope, or one around it up to the next shield, is cancelled. It is set
 *     by the cancel that spreads inwards, and inherited at entry; so an await tests one word.
 *  2. A cancel visits each task below it at most once: root_effective stops a second visit.
 */
#include "core/scope.h"

#include "core/finding.h"
#include "core/graph.h"
#include "core/loop.h"

#include <errno.h>
#include <stdio.h>

static bool task_effective(const struct bide_task *task)
{
    return task->scope ? task->scope->effective : task->root_effective;
}

static void update_attention(struct bide_task *task)
{
    if (task_effective(task))
        task->head.attention |= BIDE__ATTENTION_CANCEL;
    else
        task->head.attention &= ~(uint32_t)BIDE__ATTENTION_CANCEL;
}

static inline struct bide_group *group_of_scope(struct bide__scope *scope)
{
    return bide__container_of(scope, struct bide_group, scope);
}

/* Ends what the task waits for, unless that is shielded. */
static void interrupt(struct bide_task *task)
{
    struct bide__wait *wait = task->wait;
    if (!wait || wait->shielded)
        return;
    if (wait->abort)
        wait->abort(wait, -ECANCELED);
    else
        bide__wake(wait, -ECANCELED);
}

static void add_children(struct bide_group *group, struct bide_task **work)
{
    bide__list_foreach(node, &group->children)
    {
        struct bide_task *child = bide__task_of_node(node);
        if (child->state == BIDE__TASK_ENDED || child->root_effective)
            continue;
        child->root_effective = true;
        child->cancel_next = *work;
        *work = child;
    }
}

/* Marks what is inside `from` (NULL: the whole task) of one task, and collects the children. */
static void mark(struct bide_task *task, struct bide__scope *from, struct bide_task **work)
{
    struct bide__scope *shield = NULL;
    for (struct bide__scope *scope = task->scope; scope != from; scope = scope->up)
        if (scope->kind == BIDE__SCOPE_SHIELD)
            shield = scope;
    for (struct bide__scope *scope = shield ? shield->up : task->scope; scope; scope = scope->up) {
        scope->effective = true;
        if (scope->kind == BIDE__SCOPE_GROUP)
            add_children(group_of_scope(scope), work);
        if (scope == from)
            break;
    }
    if (shield)
        return;
    task->head.attention |= BIDE__ATTENTION_CANCEL;
    interrupt(task);
}

static void spread(struct bide_task *work)
{
    while (work) {
        struct bide_task *task = work;
        work = task->cancel_next;
        mark(task, NULL, &work);
    }
}

void bide__scope_cancel(struct bide__scope *scope, const char *reason)
{
    if (scope->cancelled)
        return;
    scope->cancelled = true;
    scope->reason = reason;
    struct bide_task *work = NULL;
    mark(scope->task, scope, &work);
    spread(work);
}

void bide__task_cancel(struct bide_task *task, const char *reason)
{
    if (task->cancelled || task->state >= BIDE__TASK_ENDED)
        return;
    task->cancelled = true;
    task->cancel_reason = reason;
    if (task->root_effective)
        return;
    task->root_effective = true;
    task->cancel_next = NULL;
    spread(task);
}

void bide__group_cancel_children(struct bide_group *group)
{
    struct bide_task *work = NULL;
    add_children(group, &work);
    spread(work);
}

/* Walks outwards, over the tasks that hold the groups, to what was cancelled. */
const char *bide__cancel_reason(const struct bide_task *task)
{
    const struct bide__scope *scope = task->scope;
    while (task) {
        for (; scope; scope = scope->up)
            if (scope->cancelled)
                return scope->reason;
        if (task->cancelled)
            return task->cancel_reason;
        const struct bide_group *group = task->group;
        if (!group)
            break;
        if (group->cancel_reason)
            return group->cancel_reason;
        scope = &group->scope;
        task = scope->task;
    }
    return "cancelled";
}

void bide__cancel_ignored(struct bide_task *me)
{
    const struct bide_site *at = me->head.at, *made = me->object.made;
    if (me->refused == BIDE_CAP_CANCELS_IGNORED)
        bide__find(BIDE__FINDING_CANCEL_IGNORED, at ? at : made,
                   "task #%llu '%s', spawned at %s:%d, goes on though it was cancelled (%s): %d "
                   "awaits were refused, the last at %s:%d: let the error out, or return",
                   (unsigned long long)me->head.id, bide__task_label(me), made ? made->file : "?",
                   made ? made->line : 0, bide__cancel_reason(me), BIDE_CAP_CANCELS_IGNORED,
                   at ? at->file : "?", at ? at->line : 0);
    bide__ready(me);
    bide__suspend(me);
}

int64_t bide__deadline_ns(const struct bide_task *task)
{
    if (task->scope)
        return task->scope->deadline_ns;
    return task->group ? task->group->scope.deadline_ns : INT64_MAX;
}

static void deadline_passed(struct bide__timer *timer)
{
    struct bide__scope *scope = bide__container_of(timer, struct bide__scope, timer);
    scope->timed_out = true;
    bide__scope_cancel(scope, "deadline passed");
}

/* All but the timer. */
static inline void push(struct bide_task *me, struct bide__scope *scope, enum bide__scope_kind kind,
                        const struct bide_site *at)
{
    bool shield = kind == BIDE__SCOPE_SHIELD;
    scope->deadline_ns = shield ? INT64_MAX : bide__deadline_ns(me);
    scope->up = me->scope;
    scope->task = me;
    scope->was = me->head.unwinding;
    scope->site = at;
    scope->reason = NULL;
    scope->kind = kind;
    scope->cancelled = false;
    scope->timed_out = false;
    scope->effective = !shield && task_effective(me);
    me->scope = scope;
}

void bide__scope_push(struct bide__scope *scope, enum bide__scope_kind kind,
                      const struct bide_site *at, int64_t own_deadline_ns)
{
    struct bide_task *me = bide__task_current();
    push(me, scope, kind, at);
    scope->timer.node.next = NULL;
    if (own_deadline_ns < scope->deadline_ns) {
        scope->deadline_ns = own_deadline_ns;
        scope->timer.fire = deadline_passed;
        bide__timer_arm(&me->loop->timers, &scope->timer, own_deadline_ns);
    }
    if (bide__unlikely(kind == BIDE__SCOPE_SHIELD))
        update_attention(me);
}

/* All but the timer. */
static void pop(struct bide_task *me, struct bide__scope *scope)
{
    if (bide__unlikely(me->scope != scope))
        bide__misuse("task #%llu '%s' leaves the scope of %s:%d, which task #%llu '%s' entered and "
                     "which is not its innermost",
                     (unsigned long long)me->head.id, bide__task_label(me), scope->site->file,
                     scope->site->line, (unsigned long long)scope->task->head.id,
                     bide__task_label(scope->task));
    me->scope = scope->up;
    if (bide__unlikely(scope->cancelled))
        me->refused = 0;
    if (bide__unlikely(scope->cancelled || scope->kind == BIDE__SCOPE_SHIELD))
        update_attention(me);
}

void bide__scope_pop(struct bide__scope *scope)
{
    struct bide_task *me = bide__task_current();
    pop(me, scope);
    bide__timer_disarm(&me->loop->timers, &scope->timer);
}

/* The deadline may have moved on, or away, since the timer was armed. */
static void limit_passed(struct bide__timer *timer)
{
    struct bide__scope *scope = bide__container_of(timer, struct bide__scope, timer);
    struct bide__limit *limit = bide__container_of(scope, struct bide__limit, scope);
    if (!scope->task || scope->deadline_ns == limit->outer_ns)
        return;
    struct bide__loop *loop = scope->task->loop;
    if (loop->now_ns < scope->deadline_ns)
        bide__timer_arm(&loop->timers, timer, scope->deadline_ns);
    else
        deadline_passed(timer);
}

void bide__limit_init(struct bide__limit *limit)
{
    *limit = (struct bide__limit){.scope.timer.fire = limit_passed};
}

void bide__limit_done(struct bide__limit *limit, struct bide__timers *timers)
{
    bide__timer_disarm(timers, &limit->scope.timer);
}

void bide__limit_push(struct bide__limit *limit, const struct bide_site *at)
{
    push(bide__task_current(), &limit->scope, BIDE__SCOPE_DEADLINE, at);
    limit->outer_ns = limit->scope.deadline_ns;
}

void bide__limit_pop(struct bide__limit *limit)
{
    pop(limit->scope.task, &limit->scope);
    limit->scope.task = NULL;
}

static bool outside_of_tasks(const struct bide_site *at)
{
    if (!(bide__current->attention & BIDE__ATTENTION_OUTSIDE))
        return false;
    bide__current->at = at;
    bide__attention(bide__task_current());
    return true;
}

static int64_t after(bide_duration duration)
{
    if (duration.ns == INT64_MAX)
        return INT64_MAX;
    int64_t now_ns = bide__loop_clock_ns(bide__task_current()->loop);
    int64_t at_ns;
    return __builtin_add_overflow(now_ns, duration.ns, &at_ns) ? INT64_MAX : at_ns;
}

void bide__deadline_enter(struct bide__scope *scope, const struct bide_site *at,
                          bide_duration duration)
{
    if (outside_of_tasks(at))
        return;
    bide__scope_push(scope, BIDE__SCOPE_DEADLINE, at, after(duration));
    if (bide__unlikely(duration.ns <= 0)) {
        scope->timed_out = true;
        bide__scope_cancel(scope, "deadline passed");
    }
}

void bide__shield_enter(struct bide__scope *scope, const struct bide_site *at,
                        bide_duration duration)
{
    if (!outside_of_tasks(at))
        bide__scope_push(scope, BIDE__SCOPE_SHIELD, at, after(duration));
}

/* A cancel that this scope caused, and no scope further out, becomes its timeout. */
static void convert(struct bide__scope *scope, bide_error *error)
{
    if (!bide__error_is_cancel(error) || !scope->timed_out || bide_cancel_requested())
        return;
    error->is_cancel = false;
    error->code = BIDE_TIMEOUT;
    snprintf(error->message, sizeof error->message, "the deadline of %s:%d passed",
             scope->site->file, scope->site->line);
}

void bide__scope_leave(struct bide__scope *scope)
{
    bide__scope_pop(scope);
    if (bide__unlikely(bide__unwinding_since(scope->was)))
        convert(scope, bide__current->unwinding);
}

bool bide__move_on_after(const struct bide_site *at, bide_duration duration, void (*thunk)(void *),
                         void *args)
{
    struct bide__scope scope = {0};
    bide__deadline_enter(&scope, at, duration);
    bide_error *error = bide__attempt(at, thunk, args);
    bide__scope_pop(&scope);
    if (!error)
        return false;
    if (!bide__error_is_cancel(error) || !scope.timed_out || bide_cancel_requested())
        bide__fail(at, error);
    struct bide_task *me = bide__task_current();
    bide_error *failure = bide__error_in_cancel(me->loop, error);
    if (!failure)
        return true;
    bide__error_own(me, failure);
    bide__fail(at, failure);
}

bide_error *bide__boundary_within(const struct bide_site *at, bide_duration duration,
                                  void (*thunk)(void *), void *args, bool *ret_late)
{
    struct bide__scope scope;
    bide__scope_push(&scope, BIDE__SCOPE_DEADLINE, at, after(duration));
    bide_error *error = bide__boundary(thunk, args);
    bide__scope_pop(&scope);
    *ret_late =
        error && bide__error_is_cancel(error) && scope.timed_out && !bide_cancel_requested();
    return error;
}

bool bide_cancel_requested(void)
{
    return bide__current->attention & BIDE__ATTENTION_CANCEL;
}

bide_duration bide_deadline_left(void)
{
    struct bide_task *me = bide__task_current();
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE)
        return BIDE_FOREVER;
    int64_t deadline_ns = bide__deadline_ns(me);
    if (deadline_ns == INT64_MAX)
        return BIDE_FOREVER;
    return bide_ns(deadline_ns - bide__loop_clock_ns(me->loop));
}
