/*
 * Calls on another loop: include/bide/spawn_on.h. Called by spawn_on; calls the mail of the loops
 * (loop.c, runtime.c).
 *
 * The child is a task of the caller's loop that makes the call in three letters:
 *
 *     child, at home                         the loop that is asked
 *     start  ------------------------------> a background task runs the call
 *     (cancelled) cancel ------------------> cancels that task
 *     wakes  <------------------------------ ended
 *     (it failed) copies the error, copied > the task, which kept the error, ends
 *
 * Invariants
 *  1. The letters, the arguments and the result lie in the child's frame and record: the child
 *     leaves only when no letter is on its way, and the other side touches nothing after `ended`.
 *  2. `flags` decides who sends the last letter: if the cancel was sent before the end, its
 *     delivery answers, else the end does.
 */
#include "core/graph.h"
#include "core/loop.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/unanswered.h"

#include <bide/spawn_on.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CANCEL_SENT = 1, ENDED = 2 };

/* The task over there, while home copies its error. */
struct keeper {
    struct bide__mail copied;
    struct bide__wait wait;
    struct bide__loop *loop;
};

struct remote {
    struct bide__mail start, cancel, ended;
    struct bide__remote_call call;
    char *args;
    int64_t deadline_ns;
    bool bare; /* without a deadline, and that is not meant: unanswered.h */
    struct bide__loop *home;
    struct bide__wait wait; /* the child's */
    struct bide__object object;
    char loop_name[12];
    uint32_t flags; /* atomic: CANCEL_SENT, ENDED */
    /* The other side's; the child's after `ended`. */
    struct bide_task *task; /* while it runs */
    bool cancel_arrived;
    bool cancelled;      /* the cancel left the call ... */
    bool never_again;    /* ... which may have done what is not to be done twice */
    int refusal;         /* a negative errno: it never ran */
    bide_error *failure; /* what it failed with, kept by `keeper` */
    struct keeper *keeper;
};

static const struct bide__kind kind_remote = {.noun = "loop", .verb = "waits for its call on"};

/* The last that this side does, unless a cancel is on its way. */
static void answer(struct remote *remote)
{
    uint32_t before = __atomic_fetch_or(&remote->flags, ENDED, __ATOMIC_ACQ_REL);
    if ((before & CANCEL_SENT) && !remote->cancel_arrived)
        return;
    bide__loop_post(remote->home, &remote->ended);
}

static void error_was_copied(struct bide__mail *mail)
{
    bide__wake(&bide__container_of(mail, struct keeper, copied)->wait, 0);
}

/* Keeps `failure`, which the running task owns, until home has a copy. */
static void answer_failure(struct bide_task *me, struct remote *remote, bide_error *failure)
{
    struct keeper keeper = {
        .copied.deliver = error_was_copied, .wait.shielded = true, .loop = me->loop};
    struct bide__object object = {&kind_remote, "home", remote->call.at};
    remote->failure = failure;
    remote->keeper = &keeper;
    answer(remote);
    me->loop->outside++;
    me->loop->elsewhere++;
    bide__wait(me, NULL, &keeper.wait, &object);
    me->loop->outside--;
    me->loop->elsewhere--;
}

static void run_call(void *arg)
{
    struct remote *remote = *(struct remote **)arg;
    struct bide_task *me = bide__task_current();
    struct bide__scope scope = {0};
    if (!remote->bare) {
        bide__scope_push(&scope, BIDE__SCOPE_DEADLINE, remote->call.at, INT64_MAX);
        scope.deadline_ns = remote->deadline_ns; /* to be seen; home has the timer, and cancels */
    }
    bide_error *error = bide__attempt(remote->call.at, remote->call.thunk, remote->args);
    if (!remote->bare)
        bide__scope_pop(&scope);
    remote->task = NULL;
    if (error && bide__error_is_cancel(error)) {
        remote->cancelled = true;
        remote->never_again = error->never_again;
        error = bide__error_in_cancel(me->loop, error);
        if (error)
            bide__error_own(me, error);
    }
    if (error)
        answer_failure(me, remote, error);
    else
        answer(remote);
}

static void start_here(struct bide__mail *mail)
{
    struct remote *remote = bide__container_of(mail, struct remote, start);
    struct bide__loop *loop = bide__loop_here;
    struct bide_task *task =
        bide__task_new(loop, remote->call.at, remote->call.name, run_call, &remote, sizeof(void *));
    if (!task) {
        remote->refusal = -ENOMEM;
        answer(remote);
        return;
    }
    task->called = true;
    remote->task = task;
    bide__group_add(loop->background, task);
}

static void cancel_here(struct bide__mail *mail)
{
    struct remote *remote = bide__container_of(mail, struct remote, cancel);
    remote->cancel_arrived = true;
    if (__atomic_load_n(&remote->flags, __ATOMIC_ACQUIRE) & ENDED)
        bide__loop_post(remote->home, &remote->ended);
    else if (remote->task)
        bide__task_cancel(remote->task, "cancelled by the loop that called");
}

void bide__remote_refuse(struct bide__mail *mail)
{
    if (mail->deliver == cancel_here) {
        cancel_here(mail);
        return;
    }
    struct remote *remote = bide__container_of(mail, struct remote, start);
    remote->refusal = -ESHUTDOWN;
    answer(remote);
}

static void ended_there(struct bide__mail *mail)
{
    bide__wake(&bide__container_of(mail, struct remote, ended)->wait, 0);
}

/* The child is cancelled: it says so over there, and goes on waiting. */
static void pass_cancel_on(struct bide__wait *wait, int reason)
{
    (void)reason;
    struct remote *remote = bide__container_of(wait, struct remote, wait);
    if (__atomic_fetch_or(&remote->flags, CANCEL_SENT, __ATOMIC_ACQ_REL))
        return;
    /* A loop that never started has refused already, and left the answer to this letter. */
    if (bide__runtime_post(remote->home->runtime, remote->call.loop, &remote->cancel) < 0)
        bide__wake(wait, 0);
}

bool bide__remote_waits(const struct bide__wait *wait)
{
    return wait->abort == pass_cancel_on;
}

/* The error, with its causes and further errors, and who called on this loop. */
static bide_error *bring_home(const struct bide_task *me, const bide_error *failure)
{
    bide_error *error = bide__error_clone(failure);
    for (const bide_error *also = failure->also; also; also = also->next)
        bide__error_attach(error, bide__error_clone(also));
    error->origin = 0; /* serials are of one loop */
    const struct bide_task *above = bide__task_parent(me);
    for (; above && error->spawn_count < BIDE__SPAWNS_KEPT; above = bide__task_parent(above))
        bide__error_note_task(&error->spawns[error->spawn_count++], above);
    return error;
}

static void raise_outcome(struct bide_task *me, const struct remote *remote)
{
    if (remote->refusal == -ESHUTDOWN)
        bide__fail(remote->call.at,
                   bide_error_new(BIDE_CLOSED, "'%s' was not called: loop %d has ended",
                                  remote->call.name, remote->call.loop));
    if (remote->refusal < 0)
        bide__raise(remote->refusal, &remote->object);
    if (remote->failure) {
        bide_error *error = bring_home(me, remote->failure);
        error->never_again |= remote->never_again;
        bide__loop_post(remote->keeper->loop, &remote->keeper->copied);
        bide__fail(remote->call.at, error);
    }
    if (!remote->cancelled)
        return;
    if (me->head.attention & BIDE__ATTENTION_CANCEL) {
        bide_error *cancel = bide__cancel_error(me);
        cancel->never_again |= remote->never_again;
        bide__fail(remote->call.at, cancel);
    }
    bide__fail(remote->call.at, bide_error_new(BIDE_CANCELLED, "'%s' was cancelled on loop %d",
                                               remote->call.name, remote->call.loop));
}

/* What the child runs: its arguments are a bide__remote_call with those of the call behind it; the
   result, as of any task, goes to the front. */
static void call_other_loop(void *arg)
{
    struct bide_task *me = bide__task_current();
    int64_t deadline_ns = bide__deadline_ns(me);
    struct remote remote = {.call = *(struct bide__remote_call *)arg,
                            .args = (char *)arg + sizeof(struct bide__remote_call),
                            .deadline_ns = deadline_ns,
                            .bare = deadline_ns == INT64_MAX && !bide__unanswered_is_meant(me),
                            .home = me->loop,
                            .start.deliver = start_here,
                            .cancel.deliver = cancel_here,
                            .ended.deliver = ended_there,
                            .wait.abort = pass_cancel_on};
    snprintf(remote.loop_name, sizeof remote.loop_name, "%d", remote.call.loop);
    bide__object_init(&remote.object, &kind_remote, remote.loop_name, remote.call.at);
    me->head.at = remote.call.at;
    remote.refusal = bide__checkpoint(me);
    if (remote.refusal == 0)
        remote.refusal = bide__runtime_post(me->loop->runtime, remote.call.loop, &remote.start);
    if (remote.refusal == 0) {
        me->loop->outside++;
        me->loop->elsewhere++;
        bide__wait(me, NULL, &remote.wait, &remote.object);
        me->loop->outside--;
        me->loop->elsewhere--;
    }
    raise_outcome(me, &remote);
    memmove(arg, remote.args, remote.call.args_size);
}

bide_task_ref bide__spawn_on(struct bide_group *group, int loop, const struct bide__call *call,
                             bool result_wanted)
{
    const struct bide_task *me = bide__task_current();
    bool outside = me->head.attention & BIDE__ATTENTION_OUTSIDE;
    if (outside || loop == me->loop->index)
        return bide__spawn(group, call->at, call->name, call->thunk, call->args, call->args_size,
                           result_wanted);
    if (loop < 0 || loop >= me->loop->runtime->loop_count)
        bide__misuse("task #%llu '%s' spawns at %s:%d on loop %d, and there are %d loops",
                     (unsigned long long)me->head.id, bide__task_label(me), call->at->file,
                     call->at->line, loop, me->loop->runtime->loop_count);
    struct bide__remote_call *head = (struct bide__remote_call *)(uintptr_t)call->args - 1;
    *head = (struct bide__remote_call){.at = call->at,
                                       .name = call->name,
                                       .thunk = call->thunk,
                                       .args_size = call->args_size,
                                       .loop = loop};
    return bide__spawn(group, call->at, call->name, call_other_loop, head,
                       sizeof *head + call->args_size, result_wanted);
}
