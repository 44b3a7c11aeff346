/*
 * Raising and catching: forced unwinding up to the nearest boundary. Called by `fail`, by
 * bide__raise, by the start of a task and by everything that catches.
 *
 * A boundary is an assembler frame (bide__context_call). The unwinder asks `stop` at each frame;
 * at the boundary's return address it restores that frame's stack pointer and returns 1 from it.
 * Nothing lands in a C frame, so no local is ever stale.
 *
 * Invariants
 *  1. head.unwinding is the innermost error in flight; a boundary puts back what it found.
 *  2. While an error unwinds, code that may fail runs behind a boundary of its own; a raw cleanup
 *     that fails without one is a programming error: clang would abort without a word, gcc would
 *     replace the error.
 */
#include "core/error.h"
#include "core/loop.h"
#include "core/scope.h"

#include <bide/resource.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bide__role inside_a_task;
struct bide__zone with_no_await_block;

/* What runs when no task does. Threads share it: its attention bit is all that is ever read. */
static struct bide__head outside = {.attention = BIDE__ATTENTION_OUTSIDE};
__thread struct bide__head *bide__current = &outside;

struct bide__head *bide__outside(void)
{
    return &outside;
}

BIDE__NO_SANITIZE static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
                                                  _Unwind_Exception_Class class,
                                                  struct _Unwind_Exception *exception,
                                                  struct _Unwind_Context *context, void *arg)
{
    (void)version;
    (void)class;
    (void)exception;
    (void)arg;
    if ((void *)(uintptr_t)_Unwind_GetIP(context) == (void *)bide__context_return) {
        struct bide_task *me = (struct bide_task *)(void *)bide__current;
        bide__context_land(me->catches->landing_sp);
    }
    if (actions & _UA_END_OF_STACK)
        abort();
    return _URC_NO_REASON;
}

void bide__error_note_task(struct bide_spawned *spawned, const struct bide_task *task)
{
    spawned->id = task->head.id;
    spawned->at = task->object.made;
    size_t length = strnlen(bide__task_label(task), sizeof spawned->name - 1);
    memcpy(spawned->name, bide__task_label(task), length);
    spawned->name[length] = 0;
}

/* Who is above the failing task, for the report. */
static void note_spawns(const struct bide_task *task, bide_error *error)
{
    for (; task && error->spawn_count < BIDE__SPAWNS_KEPT; task = bide__task_parent(task))
        bide__error_note_task(&error->spawns[error->spawn_count++], task);
}

void bide__fail(const struct bide_site *at, bide_error *error)
{
    struct bide_task *me = bide__task_current();
    if (!bide__can_fail(me)) {
        fprintf(stderr, "bide: fail outside a task at %s:%d in %s: %s\n", at ? at->file : "?",
                at ? at->line : 0, at ? at->function : "?", error->message);
        abort();
    }
    if (!me->catches) {
        fprintf(stderr, "bide: '%s' was raised at %s:%d by an error hook, which must not fail\n",
                error->message, at ? at->file : "?", at ? at->line : 0);
        abort();
    }
    if (me->head.unwinding != me->catches->was) {
        fprintf(stderr,
                "bide: '%s' was raised at %s:%d by a raw cleanup handler while '%s' unwinds: use "
                "defer() or RESOURCE\n",
                error->message, at ? at->file : "?", at ? at->line : 0,
                me->head.unwinding->message);
        abort();
    }
    if (error->state == BIDE__ERROR_ATTACHED || error->state == BIDE__ERROR_IN_FLIGHT)
        error = bide__error_clone(error);
    if (bide__unlikely(error->is_cancel && !bide_cancel_requested()))
        error->is_cancel = false; /* raised again where nothing is cancelled: an error */
    if (!error->at)
        error->at = at;
    if (!error->spawn_count)
        note_spawns(me, error);
    error->state = BIDE__ERROR_IN_FLIGHT;
    memset(&error->unwind, 0, sizeof error->unwind);
    me->head.unwinding = error;
    _Unwind_ForcedUnwind(&error->unwind, stop, NULL);
    fprintf(stderr, "bide: the stack cannot be unwound: was everything built with -fexceptions?\n");
    abort();
}

void bide__await_unwound(const struct bide_site *outer)
{
    bide_error *error = bide__current->unwinding;
    if (error) {
        if (error->await_count < BIDE__AWAITS_KEPT)
            error->awaits[error->await_count] = bide__current->at;
        if (error->await_count < UINT16_MAX)
            error->await_count++;
    }
    bide__current->at = outer;
}

bide_error *bide__boundary(void (*thunk)(void *), void *args)
{
    struct bide_task *me = bide__task_current();
    struct bide__catch catch = {me->catches, NULL, me->head.unwinding};
    me->catches = &catch;
    int failed = bide__context_call(thunk, args, &catch.landing_sp);
    me->catches = catch.up;
    if (bide__likely(!failed))
        return NULL;
    bide_error *error = me->head.unwinding;
    me->head.unwinding = catch.was;
    bide__error_caught(error);
    return error;
}

bide_error *bide__attempt(const struct bide_site *at, void (*thunk)(void *), void *args)
{
    struct bide__head *head = bide__current;
    const struct bide_site *outer = head->at;
    if (head->attention & BIDE__ATTENTION_OUTSIDE) {
        head->at = at;
        bide__attention(bide__task_current());
    }
    head->at = at;
    bide_error *error = bide__boundary(thunk, args);
    head->at = outer;
    return error;
}

/* Ordinary code that may fail: its line is an await of the chain then. */
static void cleanup_in_order(const struct bide_site *at, void (*thunk)(void *), void *args)
{
    struct bide__head *head = bide__current;
    struct bide__await_mark mark __attribute__((cleanup(bide__await_left))) = {head->at, false};
    head->at = at;
    thunk(args);
    head->at = mark.outer;
    mark.returned = true;
}

void bide__cleanup(bide_error *was, const struct bide_site *at, void (*thunk)(void *), void *args)
{
    if (!bide__unwinding_since(was)) {
        cleanup_in_order(at, thunk, args);
        return;
    }
    struct bide__head *head = bide__current;
    const struct bide_site *outer = head->at;
    head->at = at;
    struct bide__scope shield = {0};
    bool guest = head->attention & BIDE__ATTENTION_GUEST; /* it cannot wait, nor be cancelled */
    if (!guest)
        bide__shield_enter(&shield, at, bide_ms(BIDE_CAP_CLEANUP_MS));
    bide_error *error = bide__boundary(thunk, args);
    if (!guest)
        bide__scope_leave(&shield);
    if (error && bide__error_is_cancel(error) && shield.timed_out) {
        error->is_cancel = false;
        error->code = BIDE_TIMEOUT;
        snprintf(error->message, sizeof error->message, "a cleanup took longer than %d ms",
                 BIDE_CAP_CLEANUP_MS);
    }
    bide__error_attach(head->unwinding, error);
    head->at = outer;
}

static void deferred_call(void *arg)
{
    struct bide__deferred *deferred = arg;
    if (deferred->plain)
        deferred->plain(deferred->arg);
    else
        (void)deferred->async_(deferred->arg).await;
}

void bide__deferred_run(struct bide__deferred *deferred)
{
    if (bide__unwinding_since(deferred->was)) {
        if (deferred->when == BIDE__ON_CANCEL && !bide__error_is_cancel(bide__current->unwinding))
            return;
    } else if (deferred->when != BIDE__ON_EVERY_WAY) {
        return;
    }
    bide__cleanup(deferred->was, deferred->at, deferred_call, deferred);
}

int bide__attention(struct bide_task *me)
{
    const struct bide_site *at = me->head.at;
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE) {
        fprintf(
            stderr, "bide: misuse: await %s at %s:%d in %s: %s\n",
            me->head.attention & BIDE__ATTENTION_GUEST ? "in a call on a lane" : "outside a task",
            at ? at->file : "?", at ? at->line : 0, at ? at->function : "?", at ? at->what : "?");
        abort();
    }
    if (me->head.attention & BIDE__ATTENTION_NO_AWAIT)
        bide__misuse("await at %s:%d in task #%llu '%s' inside the with_no_await of %s:%d",
                     at->file, at->line, (unsigned long long)me->head.id, bide__task_label(me),
                     me->no_await_at->file, me->no_await_at->line);
    if (me->head.attention & BIDE__ATTENTION_COUNT)
        bide__chooser->at_await(bide__chooser, me);
    if (!(me->head.attention & BIDE__ATTENTION_CANCEL))
        return 0;
    me->refused += me->refused < UINT16_MAX;
    if (bide__unlikely(me->refused >= BIDE_CAP_CANCELS_IGNORED))
        bide__cancel_ignored(me);
    return -ECANCELED;
}

struct bide__no_await bide__no_await_enter(const struct bide_site *at)
{
    struct bide__head *head = bide__current;
    struct bide__no_await region = {NULL};
    if (head->attention & BIDE__ATTENTION_OUTSIDE)
        return region;
    struct bide_task *me = bide__task_current();
    region.outer = me->no_await_at;
    me->no_await_at = at;
    if (me->no_await_depth++ == 0)
        head->attention |= BIDE__ATTENTION_NO_AWAIT;
    BIDE__ACQUIRE(me->loop);
    return region;
}

void bide__no_await_leave(struct bide__no_await *region)
{
    struct bide__head *head = bide__current;
    if (head->attention & BIDE__ATTENTION_OUTSIDE)
        return;
    struct bide_task *me = bide__task_current();
    BIDE__RELEASE(me->loop);
    me->no_await_at = region->outer;
    if (--me->no_await_depth == 0)
        head->attention &= ~(uint32_t)BIDE__ATTENTION_NO_AWAIT;
}
