/*
 * What the files of this folder share: sites and tasks in messages, the check of the loop, and the
 * parts of one primitive that another one needs (a condition those of the mutex, select those of
 * the channel).
 */
#ifndef BIDE_SYNC_SYNC_H
#define BIDE_SYNC_SYNC_H

#include "core/graph.h"
#include "core/loop.h"

#include <bide/channel.h>
#include <bide/mutex.h>

#include <errno.h>
#include <stdio.h>

enum { BIDE__LABEL_BYTES = 64 };

static inline bool bide__outside_of_tasks(void)
{
    return bide__current->attention & BIDE__ATTENTION_OUTSIDE;
}

/* "task #4 'worker'" into text, for the running task; gives text. */
static inline const char *bide__who_runs(char text[BIDE__LABEL_BYTES])
{
    const struct bide_task *me = bide__task_current();
    if (bide__outside_of_tasks())
        snprintf(text, BIDE__LABEL_BYTES, "code outside of tasks");
    else
        snprintf(text, BIDE__LABEL_BYTES, "task #%llu '%s'", (unsigned long long)me->head.id,
                 bide__task_label(me));
    return text;
}

/* An all-zero object gets its kind before it is first waited for. */
static inline void bide__object_ready(struct bide__object *object, const struct bide__kind *kind)
{
    if (bide__unlikely(!object->kind))
        object->kind = kind;
}

/* An object is used by tasks of one loop, else it is misuse. `other` uses it too, or is NULL. */
static inline void bide__check_loop(const struct bide_task *me, const struct bide_task *other,
                                    const char *noun)
{
    if (bide__unlikely(other && other->loop != me->loop))
        bide__misuse("task #%llu '%s' of loop %d uses at %s:%d a %s of loop %d, which task #%llu "
                     "'%s' uses",
                     (unsigned long long)me->head.id, bide__task_label(me), me->loop->index,
                     BIDE__AT(me->head.at), noun, other->loop->index,
                     (unsigned long long)other->head.id, bide__task_label(other));
}

/* What the start of a wait does not set; cheaper than zeroing all. */
static inline void bide__wait_prepare(struct bide__wait *wait, void *payload)
{
    wait->shielded = false;
    wait->abort = NULL;
    wait->peer = NULL;
    wait->payload = payload;
}

/* A whole wait, for primitives whose callers can park: BIDE__WAITED, with the result in `parking`.
   `has_holders`: the wait graph is asked first. */
static inline int bide__wait_here(struct bide_task *me, struct bide__queue *queue,
                                  struct bide__parking *parking, void *payload,
                                  struct bide__object *object, bool has_holders)
{
    bide__wait_prepare(&parking->wait, payload);
    if (has_holders && bide__unlikely(bide__graph_deadlock(me, object)))
        parking->wait.result = -EDEADLK;
    else
        (void)bide__wait(me, queue, &parking->wait, object);
    return BIDE__WAITED;
}

/*
 * The first half of a wait that the caller's caller parks for, when there is nothing to check and
 * the next task is there with a stack: calls nothing, so a function that ends with it saves no
 * registers. False: nothing was done.
 */
static inline __attribute__((always_inline)) bool
bide__park_quickly(struct bide_task *me, struct bide__queue *queue, struct bide__parking *parking,
                   void *payload, struct bide__object *object)
{
    struct bide__loop *loop = me->loop;
    struct bide_task *to = loop->ready_first;
    if (BIDE__ASAN || BIDE__TSAN ||
        bide__unlikely(!to || !to->sp ||
                       loop->slices >= __atomic_load_n(&loop->poll_at, __ATOMIC_RELAXED)))
        return false;
    struct bide_task *after = to->next;
    bide__wait_prepare(&parking->wait, payload);
    parking->wait.task = me;
    parking->wait.object = object;
    bide__note_since(&parking->wait, loop);
    bide__queue_push(queue, &parking->wait);
    me->wait = &parking->wait;
    loop->ready_first = after;
    if (after) {
        __builtin_prefetch(after->next);
        __builtin_prefetch(after->sp);
    }
    bide__ring_note(loop, to);
    loop->slices++;
    to->head.budget = BIDE_CAP_OP_BUDGET;
    bide__current = &to->head;
    parking->save_sp = &me->sp;
    /* One vector store of both pointers would make the park wait for it longer than for two. */
    void *to_sp = to->sp;
    __asm__("" : "+r"(to_sp));
    parking->to_sp = to_sp;
    return true;
}

/* bide__wake with result 0 of a queue's first, which has no peers. */
static inline __attribute__((always_inline)) void bide__wake_first(struct bide__queue *queue,
                                                                   struct bide__wait *first)
{
    struct bide__wait *next = first->next;
    struct bide_task *task = first->task;
    queue->first = next;
    if (next)
        next->previous = NULL;
    else
        queue->last = NULL;
    first->result = 0;
    task->wait = NULL;
    BIDE__RELEASE(task);
    bide__note_waker(task);
    bide__ready(task);
}

static inline const struct bide_task *bide__first_waiting(const struct bide__queue *queue)
{
    return queue->first ? queue->first->task : NULL;
}

/* mutex.c: gives the mutex, which the running task holds, to the next one or makes it free. */
void bide__mutex_release(bide_mutex *mutex);

/* lock_order.c: a mutex is taken for the task (`tried`: it would not have waited; a free mutex is
   still as it was), or was given back by the running task. */
void bide__lock_order_taken(const bide_mutex *mutex, const struct bide_task *task,
                            const struct bide_site *at, bool tried);
void bide__lock_order_left(const bide_mutex *mutex);

/* mutex.c: takes it back, shielded from cancels for BIDE_CAP_CLEANUP_MS: 0, or -ECANCELED or
   -EDEADLK, and then the task does not hold it. */
int bide__mutex_retake(struct bide_task *me, bide_mutex *mutex);

/* channel.c: does it if it can be done at once: 0, -EAGAIN, or -EPIPE when the channel is closed
   (and, for a receive, drained). */
int bide__channel_send_now(struct bide__channel *channel, const void *value);
int bide__channel_receive_now(struct bide__channel *channel, void *ret_value);

/* Raises BIDE_CLOSED for a send; `told`: it has waited, and its hold of the channel ends. */
__attribute__((noreturn, cold)) void bide__channel_raise_closed(struct bide__channel *channel,
                                                                bool told);

/* The same of a channel between loops. */
int bide__cross_now(const struct bide_task *me, struct bide__cross *cross, bool sends, void *value);
__attribute__((noreturn, cold)) void bide__cross_raise_closed(struct bide__cross *cross, bool told);

/* A wait for a channel between loops, in the frame of its task. */
struct bide__crossing {
    struct bide__cross *cross;
    struct bide__queue *listed; /* a select's: the queue that it is in */
    struct bide__wait wait;
};

/*
 * cross_channel.c: puts a wait of a select, whose ring is complete, into the channel's queue, and
 * takes it out again when the select has been decided. The wait itself says that it is in no queue:
 * what decides the select has not this channel's lock, and leaves it there.
 */
void bide__cross_list(struct bide__crossing *crossing, bool sends);
void bide__cross_unlist(struct bide__crossing *crossing);

/* channel.c: once a channel has registered ends, only they use it: misuse otherwise. */
void bide__channel_check_end(const struct bide_task *me, const struct bide__channel *channel,
                             bool sends);

#endif
