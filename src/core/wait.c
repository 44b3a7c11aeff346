/*
 * Waiting: the slow parts of core/loop.h, sleeping and yielding, and bide_wait over many tasks.
 */
#include "core/graph.h"
#include "core/loop.h"
#include "core/scope.h"

#include <errno.h>
#include <limits.h>

int bide__wait_checked(struct bide_task *me, struct bide__queue *queue, struct bide__wait *wait,
                       struct bide__object *object)
{
    if (bide__unlikely(bide__graph_deadlock(me, object)))
        return -EDEADLK;
    return bide__wait(me, queue, wait, object);
}

void bide__forget_peers(struct bide__wait *wait)
{
    for (struct bide__wait *peer = wait->peer; peer != wait; peer = peer->peer)
        if (peer->queue)
            bide__queue_remove(peer);
}

void bide__budget_spent(struct bide_task *me)
{
    me->loop->preempted = me;
    bide__note_waker(me);
    bide__ready(me);
    bide__suspend(me);
}

bide_async(void) bide_yield(void)
{
    struct bide_task *me = bide__task_current();
    if (bide__unlikely(me->head.attention) && bide__attention(me) < 0)
        bide__raise(-ECANCELED, NULL);
    bide__note_waker(me);
    bide__ready(me);
    bide__suspend(me);
    return bide_void;
}

static const struct bide__kind kind_sleep = {.verb = "sleeps"};

struct sleep {
    struct bide__wait wait;
    struct bide__timer timer;
};

/* A cancel may have decided the wait in this very tick, before the task could disarm the timer. */
static void sleep_over(struct bide__timer *timer)
{
    struct bide__wait *wait = &bide__container_of(timer, struct sleep, timer)->wait;
    if (wait->task->wait == wait)
        bide__wake(wait, 0);
}

bide_async(void) bide_sleep(bide_duration duration)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, NULL);
    struct bide__loop *loop = me->loop;
    if (duration.ns <= 0) {
        bide__ready(me);
        bide__suspend(me);
        return bide_void;
    }
    struct bide__object object = {&kind_sleep, NULL, NULL};
    struct sleep sleep = {.timer = {.fire = sleep_over}};
    bool for_ever = duration.ns == INT64_MAX;
    if (for_ever) {
        loop->outside++;
        loop->endless++;
    } else {
        int64_t until_ns;
        if (__builtin_add_overflow(bide__loop_clock_ns(loop), duration.ns, &until_ns))
            until_ns = INT64_MAX;
        bide__timer_arm(&loop->timers, &sleep.timer, until_ns);
    }
    result = bide__wait(me, NULL, &sleep.wait, &object);
    if (for_ever) {
        loop->outside--;
        loop->endless--;
    }
    bide__timer_disarm(&loop->timers, &sleep.timer);
    if (bide__unlikely(result < 0))
        bide__raise(result, &object);
    return bide_void;
}

static bool still_running(const struct bide_task *me, bide_task_ref ref)
{
    return ref.task != me && !bide_task_done(ref);
}

static bool has_failed(bide_task_ref ref)
{
    struct bide_task *task = bide__task_of_ref(ref);
    return task && task->state == BIDE__TASK_ENDED && task->error;
}

static const struct bide__kind kind_tasks = {.verb = "waits for one of several tasks"};

/* Waits until one of the tasks that run ends, or says that it is ready. */
static int wait_for_any(struct bide_task *me, const bide_task_ref *tasks, size_t count,
                        struct bide__wait *waits, size_t *ret_failed)
{
    struct bide__object object = {&kind_tasks, NULL, NULL};
    struct bide__wait *first = NULL, *last = NULL;
    for (size_t i = 0; i < count; i++) {
        waits[i] = (struct bide__wait){.result = INT_MAX};
        if (!still_running(me, tasks[i]))
            continue;
        waits[i].task = me;
        waits[i].object = &object;
        waits[i].since_ns = me->loop->now_ns;
        bide__queue_push(&tasks[i].task->joiners, &waits[i]);
        if (last)
            last->peer = &waits[i];
        else
            first = &waits[i];
        last = &waits[i];
    }
    last->peer = first;
    me->wait = first;
    bide__suspend(me);
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        if (waits[i].result == INT_MAX)
            continue;
        if (waits[i].result == BIDE__JOIN_FAILED)
            *ret_failed = i;
        else if (waits[i].result < 0)
            result = waits[i].result;
    }
    return result;
}

/* The index that ends the wait, or SIZE_MAX to go on. */
static size_t decided(struct bide_task *me, enum bide_wait_mode mode, const bide_task_ref *tasks,
                      size_t count)
{
    bool running = false;
    for (size_t i = 0; i < count; i++) {
        if (still_running(me, tasks[i]))
            running = true;
        else if (mode == BIDE_FIRST_DONE && bide__task_of_ref(tasks[i]) != me)
            return i;
        else if (mode == BIDE_FIRST_ERROR && has_failed(tasks[i]))
            return i;
    }
    return running ? SIZE_MAX : count;
}

bide_async(size_t) bide_wait(enum bide_wait_mode mode, const bide_task_ref *tasks, size_t count)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, NULL);
    size_t index = decided(me, mode, tasks, count);
    if (index != SIZE_MAX) {
        bide__done_at_once(me);
        return bide_ready(size_t, index);
    }
    struct bide__wait *waits = bide__calloc(count, sizeof *waits);
    if (!waits)
        bide__raise(-ENOMEM, NULL);
    size_t failed = SIZE_MAX;
    while (index == SIZE_MAX && result == 0) {
        /* All must end, so it does not matter which is waited for. */
        size_t first = 0;
        while (mode == BIDE_ALL && !still_running(me, tasks[first]))
            first++;
        result = wait_for_any(me, tasks + first, mode == BIDE_ALL ? 1 : count, waits, &failed);
        index = mode == BIDE_FIRST_ERROR && failed != SIZE_MAX ? failed
                                                               : decided(me, mode, tasks, count);
    }
    bide__free(waits);
    if (bide__unlikely(result < 0))
        bide__raise(result, NULL);
    return bide_ready(size_t, index);
}
