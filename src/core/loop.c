/*
 * The turn of a loop, and its start and end. This is the file to read first: everything a program
 * waits for passes through bide__loop_run.
 *
 * Called by runtime.c on the loop's thread; calls timer.c, the I/O backend, and the mail that other
 * threads left.
 */
#include "core/loop.h"

#include "base/clock.h"
#include "base/random.h"
#include "core/graph.h"
#include "core/runtime.h"
#include "core/scope.h"

#include <bide/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct bide__loop *bide__loop_here;
struct bide__chooser *bide__chooser;

/* While everything waits, virtual time stands still this long for I/O that may be on its way. */
enum { VIRTUAL_GRACE_NS = 5000000 };

/* Looks for mail between two of the clock, the first step of the time for looking, and waits
   without a longer look after the longest one was in vain. */
enum { SPIN_LOOKS = 16, SPIN_LEAST_NS = 500, SPIN_REST = 64 };

/* With other things to do, I/O that was looked for so lately can wait. */
enum { POLLED_LATELY_NS = 20000 };

/* Pause before the system is asked again for the memory of a stack, and how often that is done. */
enum { STARVED_RETRY_NS = 2000000, STARVED_TURNS = 1000 };

int64_t bide__loop_clock_ns(struct bide__loop *loop)
{
    if (loop->runtime->options.virtual_clock)
        return loop->runtime->virtual_now_ns;
    return bide__clock_monotonic_ns();
}

int64_t bide_clock_ns(void)
{
    return bide__loop_here ? bide__loop_clock_ns(bide__loop_here) : bide__clock_monotonic_ns();
}

int64_t bide_now_us(void)
{
    if (bide__loop_here && bide__loop_here->runtime->options.virtual_clock)
        return bide__loop_here->runtime->virtual_real_us +
               bide__loop_here->runtime->virtual_now_ns / 1000;
    return bide__clock_realtime_ns() / 1000;
}

void bide__loop_post(struct bide__loop *loop, struct bide__mail *mail)
{
    bide__loop_hold(loop); /* the mail may end the loop before this thread has waked it */
    bide__loop_post_held(loop, mail);
}

void bide__loop_post_held(struct bide__loop *loop, struct bide__mail *mail)
{
    struct bide__mail *newest = __atomic_load_n(&loop->mail, __ATOMIC_RELAXED);
    BIDE__RELEASE(loop);
    do {
        mail->next = newest;
    } while (!__atomic_compare_exchange_n(&loop->mail, &newest, mail, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    /* Either this sees it sleeping, or it sees the mail before it sleeps: see `poll`. */
    if (!newest && __atomic_load_n(&loop->sleeping, __ATOMIC_SEQ_CST))
        loop->io->ops->wake(loop->io);
    __atomic_fetch_sub(&loop->posting, 1, __ATOMIC_RELEASE);
}

struct bide__mail *bide__mail_in_order(struct bide__mail *newest)
{
    struct bide__mail *oldest = NULL;
    while (newest) {
        struct bide__mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void bide__loop_take_mail(struct bide__loop *loop)
{
    if (!__atomic_load_n(&loop->mail, __ATOMIC_RELAXED))
        return;
    struct bide__mail *oldest =
        bide__mail_in_order(__atomic_exchange_n(&loop->mail, NULL, __ATOMIC_ACQUIRE));
    BIDE__ACQUIRE(loop);
    while (oldest) {
        struct bide__mail *next = oldest->next;
        oldest->deliver(oldest);
        oldest = next;
    }
}

void bide__loop_put_first(struct bide__loop *loop, struct bide_task *before)
{
    if (!before)
        return;
    struct bide_task *chosen = before->next;
    before->next = chosen->next;
    if (loop->ready_last == chosen)
        loop->ready_last = before;
    chosen->next = loop->ready_first;
    loop->ready_first = chosen;
}

/* The chooser of a seed: a pseudo-random task of the queue. */
static void shuffle(struct bide__chooser *chooser, struct bide__loop *loop)
{
    (void)chooser;
    struct bide_task *before = NULL, *chosen_before = NULL;
    uint64_t seen = 0;
    for (struct bide_task *task = loop->ready_first; task; before = task, task = task->next)
        if (bide__rng_below(&loop->shuffle, ++seen) == 0)
            chosen_before = before;
    bide__loop_put_first(loop, chosen_before);
}

/* Runs ready tasks until there are none or the poll is due: after each one, if a chooser decides
   everything. */
static void run_ready(struct bide__loop *loop)
{
    struct bide_task *scheduler = loop->scheduler;
    struct bide__chooser *chooser = loop->chooser;
    uint64_t batch = loop->slices + (chooser && chooser->decides ? 1 : BIDE_CAP_POLL_SLICES);
    do {
        if (chooser && loop->ready_first)
            chooser->order(chooser, loop);
        __atomic_store_n(&loop->poll_at, chooser ? loop->slices + 1 : batch, __ATOMIC_RELAXED);
        struct bide_task *task = bide__loop_next(loop, false);
        if (task == scheduler)
            return;
        if (chooser && chooser->budget)
            task->head.budget = chooser->budget;
        loop->preempted = NULL;
        bide__current = &task->head;
        bide__context_go(scheduler->stack, &scheduler->sp, task->stack, task->sp);
    } while (chooser && loop->ready_first && loop->slices < batch);
}

static bool finished(const struct bide__loop *loop)
{
    return !loop->main_task && loop->background->live == 0 &&
           (loop->index > 0 || loop->runtime->others == 0);
}

/* Nothing is ready, no timer is armed, and nothing outside was asked for anything. */
static void break_idle(struct bide__loop *loop)
{
    bide__graph_report_idle(loop);
    struct bide_task *task = bide__graph_last_waiting(loop);
    BIDE_ASSERT(task, "every task waits, and none may be interrupted");
    bide__graph_break(task);
}

static void poll(struct bide__loop *loop, int64_t until_ns)
{
    if (until_ns != 0) {
        __atomic_store_n(&loop->sleeping, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&loop->mail, __ATOMIC_SEQ_CST))
            until_ns = 0;
    }
    __atomic_store_n(&loop->polling, 1, __ATOMIC_RELAXED);
    loop->io->ops->poll(loop->io, until_ns);
    loop->polled = true;
    loop->polled_ns = loop->now_ns;
    loop->polled_slices = loop->slices;
    __atomic_store_n(&loop->polling, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&loop->sleeping, 0, __ATOMIC_RELAXED);
}

/* Sleeps until something happens. If nothing can, because all loops do that, it is reported, and
   perhaps a task of this loop ready. */
static void sleep_for_ever(struct bide__loop *loop)
{
    if (!bide__silence_begins(loop))
        poll(loop, INT64_MAX);
    bide__silence_ends(loop);
}

/* Whether a timer may make something happen: that of unanswered.h only watches. */
static bool has_timers(const struct bide__loop *loop)
{
    return loop->timers.armed > bide__timer_armed(&loop->unanswered_timer);
}

static bool has_mail(struct bide__loop *loop)
{
    return __atomic_load_n(&loop->mail, __ATOMIC_RELAXED);
}

/* There is something else to do: looks for I/O unless that was done a moment ago. */
static void poll_if_due(struct bide__loop *loop)
{
    bool exact = loop->chooser || loop->runtime->options.virtual_clock;
    bool lately = loop->now_ns - loop->polled_ns < POLLED_LATELY_NS &&
                  loop->slices - loop->polled_slices < BIDE_CAP_POLL_SLICES;
    bool just_now = loop->polled && loop->slices == loop->polled_slices;
    loop->polled = false;
    if (loop->outside > 0 && (exact || !(lately || just_now)))
        poll(loop, 0);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Looks for mail until then; whether it came. */
static bool mail_until(struct bide__loop *loop, int64_t until_ns)
{
    do {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (has_mail(loop))
                return true;
            pause_briefly();
        }
    } while (bide__clock_monotonic_ns() < until_ns);
    return false;
}

/* How long the next look is. What comes while one looks, or would have come in time if the other
   loop had not slept as well, makes it longer; the longest one in vain ends that for a while. */
static void learn_look(struct bide__loop *loop, bool seen, int64_t waited_ns)
{
    if (!seen && loop->spin_rest > 0) {
        loop->spin_rest--;
    } else if (!seen && loop->spin_ns == BIDE_CAP_SPIN_NS) {
        loop->spin_ns = 0;
        loop->spin_rest = SPIN_REST;
    } else if (seen || waited_ns < 2 * BIDE_CAP_SPIN_NS) {
        int64_t longer_ns = 2 * loop->spin_ns + SPIN_LEAST_NS;
        loop->spin_ns = longer_ns < BIDE_CAP_SPIN_NS ? longer_ns : BIDE_CAP_SPIN_NS;
    } else {
        loop->spin_ns /= 2;
    }
}

/* Waits as `poll`, but looks for mail of other loops before it sleeps: waking a thread costs both
   more than a short look. */
static void poll_expecting(struct bide__loop *loop, int64_t until_ns)
{
    if (has_mail(loop)) {
        poll_if_due(loop);
        return;
    }
    bool alone = has_timers(loop) || loop->outside > loop->elsewhere;
    if (loop->expecting == 0 || !loop->runtime->own_cores) {
        if (alone)
            poll(loop, until_ns);
        else
            sleep_for_ever(loop);
        return;
    }
    int64_t began_ns = bide__clock_monotonic_ns();
    int64_t look_ns = began_ns + loop->spin_ns;
    bool seen = mail_until(loop, look_ns < until_ns ? look_ns : until_ns);
    if (seen)
        poll_if_due(loop);
    else if (alone)
        poll(loop, until_ns);
    else
        sleep_for_ever(loop);
    learn_look(loop, seen,
               has_mail(loop) ? bide__clock_monotonic_ns() - began_ns : 2 * BIDE_CAP_SPIN_NS);
}

/* Every task waits, on the virtual clock: gives I/O a moment, then jumps to the next timer. */
static void wait_virtual(struct bide__loop *loop, int64_t next_ns)
{
    bool decided = loop->chooser && loop->chooser->decides; /* nothing comes from outside */
    if (loop->jobs > 0 || (next_ns == INT64_MAX && !decided)) {
        poll(loop, INT64_MAX);
        return;
    }
    if (loop->outside > loop->endless) {
        poll(loop, decided ? 0 : bide__clock_monotonic_ns() + VIRTUAL_GRACE_NS);
        if (loop->ready_first || has_mail(loop))
            return;
    }
    if (next_ns == INT64_MAX) {
        break_idle(loop);
        return;
    }
    if (next_ns > loop->runtime->virtual_now_ns)
        loop->runtime->virtual_now_ns = next_ns;
}

/* Nothing can happen by itself. If children only lack stacks, the system may have the memory later;
   otherwise, or when it has not for long, somebody must be told. */
static void break_silence(struct bide__loop *loop, bool starving)
{
    if (starving && loop->starved_turns++ < STARVED_TURNS)
        poll(loop, bide__clock_monotonic_ns() + STARVED_RETRY_NS);
    else
        break_idle(loop);
}

/* Looks for I/O, waiting for it if there is nothing else to do. */
static void wait_for_events(struct bide__loop *loop)
{
    bool starving = bide__unlikely(loop->starved != NULL) && !bide__loop_feed(loop);
    if (loop->ready_first) {
        loop->starved_turns = 0;
        poll_if_due(loop);
        return;
    }
    if (!has_timers(loop) && loop->outside == 0 &&
        !__atomic_load_n(&loop->mail, __ATOMIC_ACQUIRE)) {
        break_silence(loop, starving);
        return;
    }
    if (loop->runtime->options.virtual_clock)
        wait_virtual(loop, bide__timers_next_ns(&loop->timers));
    else
        poll_expecting(loop, bide__timers_wake_ns(&loop->timers));
}

/* The begin of a turn's slices, for the trace; its end will stand behind it. */
static inline struct bide__ring_turn *stamp_begin(struct bide__loop *loop)
{
#if BIDE_SEE
    struct bide__ring_turn *turn = &loop->ring_turns[loop->turns & (BIDE__RING_TURNS - 1)];
    loop->turns += 2;
    *turn = (struct bide__ring_turn){2 * loop->slices, bide__ticks()};
    return turn;
#else
    (void)loop;
    return NULL;
#endif
}

static inline void stamp_end(const struct bide__loop *loop, struct bide__ring_turn *turn)
{
#if BIDE_SEE
    turn[1] = (struct bide__ring_turn){2 * loop->slices + 1, bide__ticks()};
#else
    (void)loop, (void)turn;
#endif
}

void bide__loop_run(struct bide__loop *loop)
{
    while (!finished(loop)) {
        struct bide__ring_turn *turn = stamp_begin(loop);
        run_ready(loop);
        stamp_end(loop, turn);
        loop->now_ns = bide__loop_clock_ns(loop);
        bide__timers_expire(&loop->timers, loop->now_ns);
        bide__loop_take_mail(loop);
        bide__signals_handle(loop);
        if (!finished(loop))
            wait_for_events(loop);
    }
    BIDE__ACQUIRE(loop->background); /* what its tasks have done */
}

static int open_pools(struct bide__loop *loop)
{
    bide__slab_init(&loop->tasks, sizeof(struct bide_task), 64);
    bide__slab_init(&loop->errors, sizeof(bide_error), 16);
    loop->reserve =
        bide__alloc_aligned(_Alignof(bide_error), BIDE_CAP_RESERVE_ERRORS * sizeof(bide_error));
    loop->background = bide__calloc(1, sizeof *loop->background);
    loop->scheduler = bide__alloc_aligned(64, sizeof *loop->scheduler);
    if (!loop->reserve || !loop->background || !loop->scheduler)
        return -ENOMEM;
    for (int i = 0; i < BIDE_CAP_RESERVE_ERRORS; i++) {
        loop->reserve[i].next = loop->reserve_free;
        loop->reserve_free = &loop->reserve[i];
    }
    memset(loop->scheduler, 0, sizeof *loop->scheduler);
    return 0;
}

/* What log records and failed assertions say of tasks. */
static uint64_t running_task_id(void)
{
    return bide__current->id;
}

static void tell_running_task(int fd)
{
    if (!bide__loop_here)
        return;
    if (!(bide__current->attention & BIDE__ATTENTION_OUTSIDE)) {
        const struct bide_task *me = bide__task_current();
        const struct bide_site *at = me->head.at;
        dprintf(fd, "bide: in task #%llu '%s', last await at %s:%d\n",
                (unsigned long long)me->head.id, bide__task_label(me), at ? at->file : "?",
                at ? at->line : 0);
    }
    bide__print_tree(bide__loop_here, fd);
}

/* The loop's own context: the thread it runs on. */
static void adopt_thread(struct bide__loop *loop)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
    }
    loop->thread_stack.low = low;
    loop->thread_stack.high = (char *)low + size;
#if BIDE__TSAN
    loop->thread_stack.fiber = __tsan_get_current_fiber();
#endif
    loop->thread = pthread_self();
    loop->tid = (int)syscall(SYS_gettid);
    struct bide_task *scheduler = loop->scheduler;
    scheduler->head.attention = BIDE__ATTENTION_OUTSIDE;
    scheduler->loop = loop;
    scheduler->stack = &loop->thread_stack;
    scheduler->state = BIDE__TASK_STARTED;
    scheduler->object = (struct bide__object){&bide__kind_task, "loop", NULL};
    bide__list_init(&scheduler->errors);
    bide__loop_here = loop;
    bide__current = &scheduler->head;
    if (loop->index == 0) { /* the first one starts before the others */
        bide__log_task_id = running_task_id;
        bide__assert_hook = tell_running_task;
    }
    bide__log_set_loop(loop->index);
}

/* With a seed both are the same in every run. Without one the jitter is another in every process:
   they would all knock again at the same time. */
static void seed_chance(struct bide__loop *loop, uint64_t seed)
{
    bide__rng_init(&loop->shuffle, seed + (uint64_t)loop->index);
    uint64_t other;
    if (seed != 0 || bide__random(&other, sizeof other) < 0)
        other = seed ? ~seed : (uint64_t)loop->now_ns ^ (uint64_t)getpid() << 40;
    bide__rng_init(&loop->jitter, other + (uint64_t)loop->index);
}

static void choose_by(struct bide__loop *loop, uint64_t seed)
{
    loop->shuffler.order = shuffle;
    loop->chooser = bide__chooser && bide__chooser->order ? bide__chooser
                    : seed != 0                           ? &loop->shuffler
                                                          : NULL;
    if (bide__chooser && bide__chooser->at_await)
        loop->attention |= BIDE__ATTENTION_COUNT;
    if (bide__lock_order_watched)
        loop->attention |= BIDE__ATTENTION_ORDER;
}

int bide__loop_init(struct bide__loop *loop, struct bide__runtime *runtime, int index)
{
    memset(loop, 0, offsetof(struct bide__loop, ring_turns));
    loop->runtime = runtime;
    loop->index = index;
    bide__list_init(&loop->reporters);
    int result = open_pools(loop);
    choose_by(loop, runtime->options.shuffle_seed);
    if (result == 0)
        result = bide__io_open(loop, &loop->io);
    if (result < 0)
        return result;
    bide__stacks_init(&loop->stacks);
    loop->has_canaries = bide__stack_guard() == BIDE__GUARD_CANARY;
    loop->now_ns = bide__loop_clock_ns(loop);
    bide__timers_init(&loop->timers, loop->now_ns);
    bide__group_init(loop->background, NULL, (struct bide_group_options){.name = "background"});
    loop->background->scope.deadline_ns = INT64_MAX;
    loop->background->loop = loop;
    seed_chance(loop, runtime->options.shuffle_seed);
    adopt_thread(loop);
    return 0;
}

static void free_records(struct bide__loop *loop)
{
    while (loop->free_tasks) {
        struct bide_task *task = loop->free_tasks;
        loop->free_tasks = task->next;
        bide__slab_free(&loop->tasks, task);
    }
    int64_t tasks = bide__slab_done(&loop->tasks);
    int64_t errors = bide__slab_done(&loop->errors);
    if (!tasks && !errors)
        return;
    __atomic_fetch_add(&bide__loose_ends, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "bide: the loop ends with %lld tasks and %lld errors that nobody freed\n",
            (long long)tasks, (long long)errors);
}

void bide__loop_done(struct bide__loop *loop)
{
    if (loop->io)
        bide__group_free_children(loop->background, loop->status == 0);
    if (loop->io) {
        loop->io->ops->close(loop->io);
        bide__stacks_done(&loop->stacks);
    }
    if (loop->scheduler && loop->io)
        bide__error_release_all(loop->scheduler);
    free_records(loop);
    bide__free(loop->reserve);
    bide__free(loop->background);
    bide__free(loop->lock_order);
    bide__current = bide__outside();
    bide__loop_here = NULL;
    bide__log_set_loop(-1);
    bide__free(loop->scheduler);
}
