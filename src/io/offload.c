/*
 * offload.c: the lanes of include/bide/offload.h: threads that run plain calls for tasks. Calls the
 * loop (core/loop.h) to wait and to post completions, and thread.c.
 *
 *   QUEUED --a thread takes it--> RUNNING --the call returned--> ENDED
 *     |                             |
 *     +--cancel--> ENDED            +--cancel: `reason` is set, the wait goes on
 *
 * Invariants
 *  1. A job lives in the frame of the task that waits for it. What both sides touch is guarded by
 *     the lane's lock, but for the two atomic fields.
 *  2. Every edge but the last is made under the lock. So a cancel either takes a job that nobody
 *     has begun, or waits for it.
 *  3. A thread is counted in `threads` until it no longer needs the lane. One that ends joins the
 *     one that ended before it: all are joined, and nobody waits for long.
 */
#include "base/caps.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/guest.h"
#include "io/thread.h"

#include <bide/offload.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* s after which a thread without work ends */
enum { IDLE_S = 10 };

/* What computes yields to loops, whose turns are short. */
enum { CPU_NICER = 19 };

enum job_state { QUEUED, RUNNING, ENDED };

struct job {
    struct bide__list_node
        node; /* in the lane's `queue` while QUEUED, in `running` while RUNNING */
    struct lane *lane;
    struct bide__loop *loop;
    void (*run)(void *args);
    void *args;
    const struct bide_site *at;
    int reason;     /* 0, or what the wait is to end with although the call ran; the loop's */
    int state;      /* enum job_state; atomic, for the wait graph */
    bool cancelled; /* atomic: what bide_offload_cancelled says */
    bool failed;    /* with `error`: the call's; read after the mail */
    struct bide__mail mail;
    struct bide__wait wait;
    struct bide__object object;
    bide_error error;
};

struct lane {
    const char *name;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job, or the end */
    pthread_cond_t left; /* a thread ended */
    struct bide__list queue, running;
    size_t queued;
    size_t threads, limit;
    int nicer;      /* than the loops */
    size_t waiting; /* threads that have nothing, or start: that will look at the queue */
    bool stopping;
    bool joinable; /* `ended` is a thread that nobody has joined */
    pthread_t ended;
};

static struct lane lanes[] = {
    [BIDE_BLOCKING] = {.name = "blocking", .limit = BIDE_CAP_BLOCKING_THREADS},
    [BIDE_CPU] = {.name = "cpu", .nicer = CPU_NICER},
};
enum { LANES = sizeof lanes / sizeof *lanes };

static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static __thread struct job *job_here;

static void prepare(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    for (int i = 0; i < LANES; i++) {
        pthread_mutex_init(&lanes[i].lock, NULL);
        pthread_cond_init(&lanes[i].work, &attributes);
        pthread_cond_init(&lanes[i].left, &attributes);
        bide__list_init(&lanes[i].queue);
        bide__list_init(&lanes[i].running);
    }
    pthread_condattr_destroy(&attributes);
    lanes[BIDE_CPU].limit = (size_t)bide__thread_cores();
}

size_t bide_offload_threads(enum bide_lane lane)
{
    pthread_once(&prepared, prepare);
    return lanes[lane].limit;
}

bool bide_offload_cancelled(void)
{
    return job_here && __atomic_load_n(&job_here->cancelled, __ATOMIC_RELAXED);
}

static void set_state(struct job *job, enum job_state state)
{
    BIDE_DASSERT((int)state > job->state, "a job goes from state %d to %d", job->state, (int)state);
    __atomic_store_n(&job->state, state, __ATOMIC_RELEASE);
}

/* On the loop's thread. */
static void deliver(struct bide__mail *mail)
{
    struct job *job = bide__container_of(mail, struct job, mail);
    bide__wake(&job->wait, job->reason);
}

static void run_job(struct lane *lane, struct job *job, struct bide__guest *guest)
{
    set_state(job, RUNNING);
    bide__list_push_back(&lane->running, &job->node);
    pthread_mutex_unlock(&lane->lock);
    BIDE__ACQUIRE(job);
    job_here = job;
    job->failed =
        !bide__guest_call(guest, job->wait.task, job->at, job->run, job->args, &job->error);
    job_here = NULL;
    pthread_mutex_lock(&lane->lock);
    bide__list_remove(&job->node);
    set_state(job, ENDED);
    pthread_mutex_unlock(&lane->lock);
    bide__loop_post(job->loop, &job->mail);
    pthread_mutex_lock(&lane->lock);
}

/* Takes the next job, with the lock; NULL: there was none for long. */
static struct job *next_job(struct lane *lane)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    int error = 0;
    while (bide__list_empty(&lane->queue) && !lane->stopping && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&lane->work, &lane->lock, &until);
    struct bide__list_node *node = bide__list_pop_front(&lane->queue);
    return node ? bide__container_of(node, struct job, node) : NULL;
}

static void *thread_main(void *arg)
{
    struct lane *lane = arg;
    struct bide__guest guest;
    char name[16];
    snprintf(name, sizeof name, "bide-%s", lane->name);
    pthread_setname_np(pthread_self(), name);
    bide__schedule_here(lane->nicer, 0);
    bide__guest_init(&guest);
    pthread_mutex_lock(&lane->lock);
    struct job *job;
    while ((job = next_job(lane))) {
        lane->waiting--;
        lane->queued--;
        run_job(lane, job, &guest);
        lane->waiting++;
    }
    lane->waiting--;
    bide__guest_done(&guest);
    lane->threads--;
    bool join = lane->joinable;
    pthread_t earlier = lane->ended;
    lane->joinable = true;
    lane->ended = pthread_self();
    pthread_cond_signal(&lane->left);
    pthread_mutex_unlock(&lane->lock);
    if (join)
        pthread_join(earlier, NULL);
    return NULL;
}

static void lanes_stop(void)
{
    for (int i = 0; i < LANES; i++) {
        struct lane *lane = &lanes[i];
        pthread_mutex_lock(&lane->lock);
        lane->stopping = true;
        pthread_cond_broadcast(&lane->work);
        while (lane->threads > 0)
            pthread_cond_wait(&lane->left, &lane->lock);
        lane->stopping = false;
        bool join = lane->joinable;
        lane->joinable = false;
        pthread_mutex_unlock(&lane->lock);
        if (join)
            pthread_join(lane->ended, NULL);
    }
}

/* With the lock. 0 or a negative errno. */
static int start_thread(struct lane *lane)
{
    int code = bide__thread_start(thread_main, lane, false);
    if (code < 0)
        return code;
    lane->threads++;
    lane->waiting++;
    __atomic_store_n(&bide__lanes_stop, lanes_stop, __ATOMIC_RELAXED);
    return 0;
}

/* Queues the job. A negative errno when no thread will ever take it. */
static int submit(struct lane *lane, struct job *job)
{
    int code = 0;
    BIDE__RELEASE(job);
    pthread_mutex_lock(&lane->lock);
    if (lane->queued >= lane->waiting && lane->threads < lane->limit)
        code = start_thread(lane);
    if (lane->threads > 0) {
        code = 0;
        bide__list_push_back(&lane->queue, &job->node);
        lane->queued++;
        pthread_cond_signal(&lane->work);
    }
    pthread_mutex_unlock(&lane->lock);
    return code;
}

static void abort_wait(struct bide__wait *wait, int reason)
{
    struct job *job = bide__container_of(wait, struct job, wait);
    pthread_mutex_lock(&job->lane->lock);
    bool taken_back = job->state == QUEUED;
    if (taken_back) {
        bide__list_remove(&job->node);
        job->lane->queued--;
        set_state(job, ENDED);
    } else if (job->state == RUNNING) {
        job->reason = reason;
        __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&job->lane->lock);
    if (taken_back)
        bide__wake(wait, reason);
}

/* Who holds what a queued job waits for: this loop's tasks whose jobs run. They are never stuck:
   what they wait for has no holders. */
static struct bide_task *holder(const struct bide__object *object, size_t index,
                                const struct bide_site **ret_since)
{
    const struct job *job = bide__container_of(object, struct job, object);
    struct bide_task *found = NULL;
    if (__atomic_load_n(&job->state, __ATOMIC_ACQUIRE) != QUEUED)
        return NULL;
    pthread_mutex_lock(&job->lane->lock);
    bide__list_foreach(node, &job->lane->running)
    {
        const struct job *runs = bide__container_of(node, struct job, node);
        if (!found && runs->loop == bide__loop_here && index-- == 0) {
            found = runs->wait.task;
            *ret_since = runs->at;
        }
    }
    pthread_mutex_unlock(&job->lane->lock);
    return found;
}

/* Where a chooser decides, a job has ended before anything else happens: its mail is there. */
static void let_end(struct bide__loop *loop)
{
    while (!__atomic_load_n(&loop->mail, __ATOMIC_ACQUIRE))
        sched_yield();
}

static const struct bide__kind kind_lane = {
    .noun = "lane", .verb = "waits for", .holder = holder, .any_holder = false};

void bide__offload(enum bide_lane lane_index, const struct bide_site *at, const char *name,
                   void (*run)(void *), void *args)
{
    struct bide_task *me = bide__task_current();
    struct lane *lane = &lanes[lane_index];
    struct job job;
    memset(&job, 0, offsetof(struct job, error));
    job.lane = lane;
    job.loop = me->loop;
    job.run = run;
    job.args = args;
    job.at = at;
    job.mail.deliver = deliver;
    job.wait.abort = abort_wait;
    job.wait.task = me;
    bide__object_init(&job.object, &kind_lane, lane->name, at);
    pthread_once(&prepared, prepare);
    int code = bide__checkpoint(me);
    if (code == 0) {
        code = submit(lane, &job);
        if (code < 0)
            bide__fail(me->head.at, bide_error_new(BIDE_LIMIT,
                                                   "offload %s: the lane '%s' has no thread, and "
                                                   "none can be started: %s",
                                                   name, lane->name, strerror(-code)));
        if (bide__unlikely(bide__chooser && bide__chooser->decides))
            let_end(me->loop);
        me->loop->outside++;
        me->loop->jobs++;
        code = bide__wait(me, NULL, &job.wait, &job.object);
        me->loop->jobs--;
        me->loop->outside--;
    }
    if (bide__unlikely(code < 0))
        bide__raise(code, &job.object);
    if (bide__unlikely(job.failed))
        bide__fail(at, bide__error_clone(&job.error));
}
