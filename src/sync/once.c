/*
 * The once; include/bide/once.h has the semantics. Called by users; calls the wait mechanism of
 * core/loop.h.
 *
 *   free --first task--> running --returns--> done
 *    ^                    |     \
 *    +-- fails, no waiter +      +-- fails: the next waiting task is the runner --> running
 */
#include "sync/sync.h"

#include <bide/once.h>

static struct bide_task *once_holder(const struct bide__object *object, size_t index,
                                     const struct bide_site **ret_since)
{
    const bide_once *once = bide__container_of(object, bide_once, object);
    if (index > 0 || !once->runner.task)
        return NULL;
    *ret_since = once->running_at;
    return once->runner.task;
}

static const struct bide__kind once_kind = {
    .noun = "once",
    .verb = "waits for",
    .holder = once_holder,
    .place = {BIDE__HOLDER_AT, BIDE__HOLDER_FROM(bide_once, object, runner), 0}};

void bide__once_init(bide_once *once, const char *name, const struct bide_site *made)
{
    *once = (bide_once){.done = false};
    bide__object_init(&once->object, &once_kind, name, made);
}

static void make_runner(bide_once *once, struct bide_task *task)
{
    once->runner = (bide_task_ref){task, task->head.id};
    once->running_at = task->head.at;
}

/* The runner has returned from the function, or is unwound out of it. */
static void runner_left(bide_once **running)
{
    bide_once *once = *running;
    BIDE__IN_ORDER(once);
    if (once->done) {
        once->runner.task = NULL;
        bide__wake_all(&once->waiting, 0);
        return;
    }
    struct bide__wait *next = once->waiting.first;
    if (!next) {
        once->runner.task = NULL;
        return;
    }
    make_runner(once, next->task);
    bide__wake(next, 0);
}

static void run(bide_once *once, bide__async_handler *fn, void *arg)
{
    bide_once *running __attribute__((cleanup(runner_left))) = once;
    (void)fn(arg).await;
    running->done = true;
}

bide_async(void) bide_once_run(bide_once *once, bide__async_handler *fn, void *arg)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    BIDE__IN_ORDER(once);
    if (bide__likely(result == 0 && once->done)) {
        bide__done_at_once(me);
        return bide_void;
    }
    bide__object_ready(&once->object, &once_kind);
    if (result == 0 && once->runner.task) {
        bide__check_loop(me, once->runner.task, "once");
        struct bide__wait wait = {.payload = NULL};
        result = bide__wait_checked(me, &once->waiting, &wait, &once->object);
    } else if (result == 0) {
        make_runner(once, me);
    }
    if (bide__unlikely(result < 0))
        bide__raise(result, &once->object);
    if (!once->done)
        run(once, fn, arg);
    return bide_void;
}
