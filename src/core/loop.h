/*
 * The loop of one thread: ready queue, tick, and what belongs to it. loop.c has the turn; the paths
 * that every suspension takes are inline here.
 *
 * One turn: run ready tasks -> expire timers -> take mail -> poll I/O. Tasks switch to each other
 * directly; the loop's own stack (`scheduler`) runs only between turns.
 *
 * Invariants
 *  1. Completions and timers only make tasks ready: user code never runs inside the turn.
 *  2. While tasks are ready, or mail comes, I/O is polled every BIDE_CAP_POLL_SLICES slices at the
 *     latest, but not twice with nothing done between.
 *  3. `slices` grows with every resumed task: it is the heartbeat that the watchdog reads.
 */
#ifndef BIDE_CORE_LOOP_H
#define BIDE_CORE_LOOP_H

#include "base/caps.h"
#include "base/rng.h"
#include "base/slab.h"
#include "core/choice.h"
#include "core/error.h"
#include "core/op.h"
#include "core/ring.h"
#include "core/stack.h"
#include "core/task.h"
#include "core/timer.h"

#include <bide/runtime.h>
#include <pthread.h>

/* Work that another thread hands to the loop. */
struct bide__mail {
    struct bide__mail *next;
    void (*deliver)(struct bide__mail *mail); /* runs on the loop's thread; must not suspend */
};

/* Who knows more than the task tree about what a stop waits for: `report` says it, line by line. */
struct bide__reporter {
    struct bide__list_node node; /* in loop->reporters */
    void (*report)(struct bide__reporter *reporter, void (*say)(const char *line));
};

struct bide__loop {
    struct bide_task *ready_first, *ready_last;
    uint64_t slices;  /* tasks resumed since the start; read by the watchdog */
    uint64_t poll_at; /* when to poll although tasks are ready; the watchdog may lower it */
    int64_t now_ns;   /* the clock at the last tick */
    struct bide__stacks stacks;
    struct bide_task *starved, *starved_last; /* fresh tasks without a stack */
    int starved_turns;              /* turns in which only memory for a stack could help */
    bool has_canaries;              /* stacks have no better guard ... */
    struct bide_spawned last_ended; /* ... so this is who a dead canary belongs to */
    struct bide__slab tasks;        /* records */
    struct bide_task *free_tasks;
    struct bide__slab errors;
    struct bide_error *reserve;      /* BIDE_CAP_RESERVE_ERRORS, for "out of memory" */
    struct bide_error *reserve_free; /* of those, the free ones, by next */
    uint64_t error_serial;
    struct bide__timers timers;
    struct bide__io *io;
    struct bide__mail *mail; /* atomic: a stack, newest first */
    uint32_t posting;        /* atomic: threads inside bide__loop_post: the loop waits for them */
    size_t outside;          /* waits that something outside will end: I/O, lanes, signals */
    size_t
        endless; /* of those, sleeps for ever and the like: virtual time does not wait for them */
    size_t elsewhere;  /* and waits that nobody but another loop will end */
    size_t expecting;  /* tasks that wait for tasks of other loops: worth a look before sleeping */
    int64_t spin_ns;   /* how long that look is */
    int spin_rest;     /* waits in which it does not get longer */
    int64_t polled_ns; /* now_ns when the backend was last asked ... */
    uint64_t polled_slices; /* ... and `slices` */
    bool polled;            /* in this turn or at the end of the last one */
    uint32_t sleeping;      /* atomic: in a poll that waits: who posts must wake it */
    size_t jobs;            /* and jobs on lanes: virtual time stands still for them */
    uint64_t next_task_id;
    struct bide_task *main_task; /* NULL when it has ended */
    int main_status;             /* what it returned */
    int status;                  /* the exit status */
    struct bide__list reporters;
    struct bide__timer drain_timer;
    struct bide__timer unanswered_timer; /* unanswered.h */
    int64_t unanswered_seen_ns;          /* now_ns at its last walk */
    const struct bide__kind *peer_kind;  /* of what it watches */
    int drain_stage;
    struct bide__mail stop_mail;
    bool silent; /* it sleeps, and nobody but another loop will wake it; under runtime->lock */
    struct bide__mail break_mail; /* silence.c */
    uint32_t stop_posted;         /* atomic */
    struct bide_group *background;
    struct bide__runtime *runtime;
    struct bide__chooser *chooser; /* NULL: tasks run in the order in which they became ready */
    struct bide__chooser shuffler; /* that of options.shuffle_seed */
    struct bide__rng shuffle;
    uint16_t attention;          /* of new tasks: ORDER and COUNT, or 0 */
    struct bide_task *preempted; /* with a chooser: in the queue only because its share was spent */
    struct bide__rng jitter;     /* for pauses that must not be the same in every process */
    int index;
    pthread_t thread;
    int tid;
    uint32_t polling; /* atomic: in the poll, so not blocked */
    uint32_t asked;   /* atomic: what signal handlers want: BIDE__ASKED_* of runtime.h */
    struct bide__lock_order *lock_order; /* sync/lock_order.c; NULL: no lock was watched */
    struct bide__queue until_stop;
    struct bide__object until_stop_object;
    struct bide__stack thread_stack;
    struct bide_task *scheduler; /* the loop's own context, with the thread's stack */
    uint64_t turns;              /* stamps written into the ring of turns */
    /* Not cleared, as what follows. Aligned, so that no entry lies in two cache lines. */
    _Alignas(16) struct bide__ring_turn ring_turns[BIDE__RING_TURNS];
    _Alignas(16) struct bide__ring_resume ring[BIDE__RING_RESUMES];
};

extern __thread struct bide__loop *bide__loop_here __attribute__((tls_model("initial-exec")));

static inline void bide__ready(struct bide_task *task)
{
    struct bide__loop *loop = task->loop;
    task->next = NULL;
    if (loop->ready_first)
        loop->ready_last->next = task;
    else
        loop->ready_first = task;
    loop->ready_last = task;
}

/* Moves the ready task behind `before` (NULL: the first one) to the front. */
void bide__loop_put_first(struct bide__loop *loop, struct bide_task *before);

/* Notes that `task` is resumed as slice number loop->slices. */
static inline void bide__ring_note(struct bide__loop *loop, const struct bide_task *task)
{
#if BIDE_SEE
    /* Bytes in place of an index: compilers add the ring's place in the store itself then. */
    enum { RESUME_BYTES = sizeof(struct bide__ring_resume) };
    struct bide__ring_resume *resume =
        (void *)((char *)loop->ring +
                 (loop->slices * RESUME_BYTES & (BIDE__RING_RESUMES - 1) * RESUME_BYTES));
    _Static_assert(offsetof(struct bide__head, at) == 0 && offsetof(struct bide__head, id) == 8 &&
                       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
                   "the front of a head is a resume");
    __builtin_memcpy(resume, &task->head, sizeof *resume);
    resume->woken_by = task->head.woken_by;
#else
    (void)loop, (void)task;
#endif
}

/* Notes who makes a task ready. */
static inline void bide__note_waker(struct bide_task *task)
{
#if BIDE_SEE
    task->head.woken_by = (uint32_t)bide__current->id;
#else
    (void)task;
#endif
}

/* Notes since when a task waits. */
static inline void bide__note_since(struct bide__wait *wait, const struct bide__loop *loop)
{
#if BIDE_SEE
    wait->since_ns = loop->now_ns;
#else
    (void)wait, (void)loop;
#endif
}

/* Gives a fresh task a stack, or moves it to `starved` (false). */
bool bide__loop_equip(struct bide__loop *loop, struct bide_task *task);

/* Gives the starved ones stacks, first come first; whether there were enough. */
bool bide__loop_feed(struct bide__loop *loop);

/* Takes the next task to run off the queue: the scheduler if there is none or it is due. With
   `adopt`, a fresh task is given back without a stack: the caller's stack takes it. */
static inline struct bide_task *bide__loop_next(struct bide__loop *loop, bool adopt)
{
    struct bide_task *task;
    do {
        task = loop->ready_first;
        if (bide__unlikely(!task ||
                           loop->slices >= __atomic_load_n(&loop->poll_at, __ATOMIC_RELAXED)))
            return loop->scheduler;
        loop->ready_first = task->next;
        if (task->next) {
            __builtin_prefetch(task->next->next);
            __builtin_prefetch(task->next->sp);
        }
    } while (bide__unlikely(!task->sp) && !adopt && !bide__loop_equip(loop, task));
    bide__ring_note(loop, task);
    loop->slices++;
    task->head.budget = BIDE_CAP_OP_BUDGET;
    return task;
}

/* Leaves the running task, which has arranged for its being woken, for the next one. */
static inline __attribute__((always_inline)) void bide__suspend(struct bide_task *me)
{
    struct bide_task *to = bide__loop_next(me->loop, false);
    if (to == me)
        return;
    bide__current = &to->head;
    bide__context_go(me->stack, &me->sp, to->stack, to->sp);
    BIDE__ACQUIRE(me);
}

/* The head that runs when no task does. */
struct bide__head *bide__outside(void);

/* What attention means for an await that begins: 0, -ECANCELED, or it does not return. */
int bide__attention(struct bide_task *me);

static inline int bide__checkpoint(struct bide_task *me)
{
    return bide__unlikely(me->head.attention) ? bide__attention(me) : 0;
}

/* Ends an await that did not suspend: yields when this slice has had its share. */
void bide__budget_spent(struct bide_task *me);
static inline void bide__done_at_once(struct bide_task *me)
{
    if (bide__unlikely(--me->head.budget <= 0))
        bide__budget_spent(me);
}

static inline void bide__queue_push(struct bide__queue *queue, struct bide__wait *wait)
{
    wait->queue = queue;
    wait->next = NULL;
    wait->previous = queue->last;
    if (queue->last)
        queue->last->next = wait;
    else
        queue->first = wait;
    queue->last = wait;
}

static inline void bide__queue_remove(struct bide__wait *wait)
{
    struct bide__queue *queue = wait->queue;
    if (wait->previous)
        wait->previous->next = wait->next;
    else
        queue->first = wait->next;
    if (wait->next)
        wait->next->previous = wait->previous;
    else
        queue->last = wait->previous;
    wait->queue = NULL;
}

/*
 * Waits in `queue` (or in none: NULL) for `object` until bide__wake. The caller has done the
 * checkpoint, and fills wait->payload, ->abort and ->shielded first; the rest is set here. Gives
 * the result: the waker's, or -ECANCELED, or -EDEADLK at once when this wait would close a cycle.
 */
int bide__wait_checked(struct bide_task *me, struct bide__queue *queue, struct bide__wait *wait,
                       struct bide__object *object);

/* The same for objects without holders: nothing to check. */
static inline __attribute__((always_inline)) int bide__wait(struct bide_task *me,
                                                            struct bide__queue *queue,
                                                            struct bide__wait *wait,
                                                            struct bide__object *object)
{
    wait->task = me;
    wait->object = object;
    bide__note_since(wait, me->loop);
    wait->queue = NULL;
    if (queue)
        bide__queue_push(queue, wait);
    me->wait = wait;
    bide__suspend(me);
    return wait->result;
}

/* Takes the other waits of a ring out of their queues. */
void bide__forget_peers(struct bide__wait *wait);

/* Decides a wait: takes it out of its queue and makes its task ready. */
static inline void bide__wake(struct bide__wait *wait, int result)
{
    struct bide_task *task = wait->task;
    BIDE_DASSERT(task->wait == wait || (wait->peer && task->wait),
                 "a wait of task #%llu is decided twice", (unsigned long long)task->head.id);
    if (bide__unlikely(wait->peer != NULL))
        bide__forget_peers(wait);
    if (wait->queue)
        bide__queue_remove(wait);
    wait->result = result;
    task->wait = NULL;
    BIDE__RELEASE(task);
    bide__note_waker(task);
    bide__ready(task);
}

/* Decides every wait in the queue, first come first. */
static inline void bide__wake_all(struct bide__queue *queue, int result)
{
    while (queue->first)
        bide__wake(queue->first, result);
}

/* The clock, fresh; with a virtual clock, the virtual time. */
int64_t bide__loop_clock_ns(struct bide__loop *loop);

/* From any thread: has `deliver` called on the loop's thread, and wakes the loop. */
void bide__loop_post(struct bide__loop *loop, struct bide__mail *mail);

/* The same in two steps, for who has a lock: under it the loop is kept from ending, behind it the
   mail is sent. A loop that is woken under a lock would wait for it. */
static inline void bide__loop_hold(struct bide__loop *loop)
{
    __atomic_fetch_add(&loop->posting, 1, __ATOMIC_RELAXED);
}
void bide__loop_post_held(struct bide__loop *loop, struct bide__mail *mail);

/* Turns a stack of mail around: gives the oldest. */
struct bide__mail *bide__mail_in_order(struct bide__mail *newest);

/* Delivers what was posted, in the order of posting. */
void bide__loop_take_mail(struct bide__loop *loop);

/* The main task has ended. */
void bide__loop_main_ended(struct bide__loop *loop, struct bide_task *task);

int bide__loop_init(struct bide__loop *loop, struct bide__runtime *runtime, int index);
void bide__loop_run(struct bide__loop *loop);
void bide__loop_done(struct bide__loop *loop);

#endif
