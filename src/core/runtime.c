/*
 * bide_run: loops on threads, a main task on each, stopping, draining, the end.
 *
 * Called by main() (and by the test kit). A loop's life: init -> main task -> run -> done. Stopping
 * is asked for from any thread, and carried out on each loop by its mail:
 *
 *     stop: tasks in bide_until_stop go on; without any, the main task is cancelled
 *     after options.drain: what is left is reported, and cancelled
 *     after BIDE_CAP_CLEANUP_MS more: it is abandoned, and the process exits with status 1
 */
#include "core/runtime.h"

#include "base/clock.h"
#include "base/schedule.h"
#include "core/graph.h"
#include "core/loop.h"
#include "core/scope.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bide__runtime *bide__runtime_here;
void (*bide__lanes_stop)(void);

static const struct bide__kind kind_stop = {.verb = "waits for the program's stop"};

static void drain_on(struct bide__loop *loop, bide_duration duration)
{
    int64_t at_ns;
    if (__builtin_add_overflow(bide__loop_clock_ns(loop), duration.ns, &at_ns))
        at_ns = INT64_MAX;
    bide__timer_disarm(&loop->timers, &loop->drain_timer);
    if (at_ns != INT64_MAX)
        bide__timer_arm(&loop->timers, &loop->drain_timer, at_ns);
}

static void print_line(const char *line)
{
    fprintf(stderr, "  %s\n", line);
}

/* The drain took too long: first everything is cancelled, then it is given up. */
static void drain_over(struct bide__timer *timer)
{
    struct bide__loop *loop = bide__container_of(timer, struct bide__loop, drain_timer);
    fprintf(stderr, "bide: stopping takes too long; still waiting for:\n");
    fflush(stderr);
    bide__print_tree(loop, STDERR_FILENO);
    bide__list_foreach(node, &loop->reporters)
    {
        struct bide__reporter *reporter = bide__container_of(node, struct bide__reporter, node);
        reporter->report(reporter, print_line);
    }
    if (loop->drain_stage++ > 0) {
        fprintf(stderr, "bide: gave up waiting\n");
        fflush(NULL);
        _exit(1);
    }
    if (loop->main_task)
        bide__task_cancel(loop->main_task, "the drain took too long");
    bide_group_cancel(loop->background, "the drain took too long");
    drain_on(loop, bide_ms(BIDE_CAP_CLEANUP_MS));
}

static void start_drain(struct bide__loop *loop)
{
    if (!bide__timer_armed(&loop->drain_timer))
        drain_on(loop, loop->runtime->options.drain);
}

static void stop_here(struct bide__mail *mail)
{
    struct bide__loop *loop = bide__container_of(mail, struct bide__loop, stop_mail);
    start_drain(loop);
    if (loop->until_stop.first)
        bide__wake_all(&loop->until_stop, 0);
    else if (loop->main_task)
        bide__task_cancel(loop->main_task, loop->runtime->stop_reason);
}

void bide__runtime_stop(struct bide__runtime *runtime, const char *reason)
{
    if (__atomic_exchange_n(&runtime->stopping, 1, __ATOMIC_ACQ_REL))
        return;
    runtime->stop_reason = reason;
    pthread_mutex_lock(&runtime->lock);
    for (int i = 0; i < runtime->loop_count; i++) {
        struct bide__loop *loop = runtime->loops[i];
        if (loop && !__atomic_exchange_n(&loop->stop_posted, 1, __ATOMIC_ACQ_REL))
            bide__loop_post(loop, &loop->stop_mail);
    }
    pthread_mutex_unlock(&runtime->lock);
}

int bide__runtime_post(struct bide__runtime *runtime, int index, struct bide__mail *mail)
{
    struct bide__place *place = &runtime->places[index];
    int result = 0;
    pthread_mutex_lock(&runtime->lock);
    struct bide__loop *loop = runtime->loops[index];
    if (loop) {
        bide__loop_hold(loop);
    } else if (place->ended) {
        result = -ESHUTDOWN;
    } else {
        mail->next = place->early;
        place->early = mail;
    }
    pthread_mutex_unlock(&runtime->lock);
    if (loop)
        bide__loop_post_held(loop, mail);
    return result;
}

/* A loop that is not there will never be. */
static void refuse_mail(struct bide__runtime *runtime, int index)
{
    struct bide__place *place = &runtime->places[index];
    pthread_mutex_lock(&runtime->lock);
    place->ended = true;
    struct bide__mail *mail = bide__mail_in_order(place->early);
    place->early = NULL;
    while (mail) {
        struct bide__mail *next = mail->next;
        bide__remote_refuse(mail);
        mail = next;
    }
    pthread_mutex_unlock(&runtime->lock);
}

void bide_stop(const char *reason)
{
    struct bide__runtime *runtime = __atomic_load_n(&bide__runtime_here, __ATOMIC_ACQUIRE);
    if (runtime)
        bide__runtime_stop(runtime, reason ? reason : "bide_stop");
}

bool bide_stopping(void)
{
    struct bide__runtime *runtime = __atomic_load_n(&bide__runtime_here, __ATOMIC_ACQUIRE);
    return runtime && __atomic_load_n(&runtime->stopping, __ATOMIC_ACQUIRE);
}

bide_async(void) bide_until_stop(void)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    struct bide__object object = {&kind_stop, NULL, NULL};
    if (result == 0 && bide_stopping())
        return bide_void;
    if (result == 0) {
        struct bide__wait wait = {.payload = NULL};
        me->loop->outside++;
        me->loop->endless++;
        result = bide__wait(me, &me->loop->until_stop, &wait, &object);
        me->loop->endless--;
        me->loop->outside--;
    }
    if (bide__unlikely(result < 0))
        bide__raise(result, &object);
    return bide_void;
}

bide_group *bide_background(void)
{
    BIDE_ASSERT(bide__loop_here, "bide_background() is called outside of bide_run");
    return bide__loop_here->background;
}

int bide_loop_index(void)
{
    return bide__loop_here ? bide__loop_here->index : 0;
}

int bide_loop_count(void)
{
    return bide__loop_here ? bide__loop_here->runtime->loop_count : 0;
}

void bide__loop_main_ended(struct bide__loop *loop, struct bide_task *task)
{
    bide_error *error = task->error;
    task->error = NULL;
    loop->main_task = NULL;
    loop->status = loop->main_status;
    if (error) {
        bool stopped = bide__error_is_cancel(error) && bide_stopping() && !error->also;
        loop->status = stopped ? 0 : 1;
        if (!stopped) {
            bide__error_unowned(loop, error);
            bide__runtime_stop(loop->runtime, "the main task of another loop failed");
        }
        bide__error_free(loop, error);
    }
    bide__task_free(task);
    if (loop->background->live > 0)
        start_drain(loop);
}

static void main_thunk(void *arg)
{
    struct bide__loop *loop = *(struct bide__loop **)arg;
    const struct bide__main *main = &loop->runtime->main;
    if (main->run_int)
        loop->main_status = main->run_int().await;
    else
        (void)main->run_void().await;
}

/* Runs what a loop has, on its thread: the loop is ready to be waked until `close_loop`. */
static int open_loop(struct bide__runtime *runtime, int index, struct bide__loop **ret_loop)
{
    struct bide__loop *loop = bide__alloc_aligned(64, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    int result = bide__loop_init(loop, runtime, index);
    if (result == 0) {
        loop->drain_timer.fire = drain_over;
        loop->stop_mail.deliver = stop_here;
        loop->break_mail.deliver = bide__silence_break;
        loop->main_task = bide__task_new(loop, NULL, "main", main_thunk, &loop, sizeof(void *));
        result = loop->main_task ? 0 : -ENOMEM;
    }
    if (result < 0) {
        bide__loop_done(loop);
        bide__free(loop);
        return result;
    }
    bide__schedule_here(0, BIDE_CAP_LOOP_SLICE_NS);
    bide__ready(loop->main_task);
    pthread_mutex_lock(&runtime->lock);
    runtime->loops[index] = loop;
    __atomic_store_n(&loop->mail, runtime->places[index].early, __ATOMIC_RELEASE);
    runtime->places[index].early = NULL;
    pthread_mutex_unlock(&runtime->lock);
    if (bide_stopping() && !__atomic_exchange_n(&loop->stop_posted, 1, __ATOMIC_ACQ_REL))
        bide__loop_post(loop, &loop->stop_mail);
    *ret_loop = loop;
    return 0;
}

/* Whether nothing was posted since the last look, and nobody has taken hold of the loop to post:
   then nothing more will be. In this order: who lets go has posted. */
static bool retire(struct bide__runtime *runtime, struct bide__loop *loop)
{
    pthread_mutex_lock(&runtime->lock);
    bool idle = __atomic_load_n(&loop->posting, __ATOMIC_ACQUIRE) == 0 &&
                !__atomic_load_n(&loop->mail, __ATOMIC_ACQUIRE);
    if (idle) {
        runtime->loops[loop->index] = NULL;
        runtime->places[loop->index].ended = true;
    }
    pthread_mutex_unlock(&runtime->lock);
    return idle;
}

/* Runs the loop until it has ended, and closes it for mail. */
static void run_loop(struct bide__runtime *runtime, struct bide__loop *loop)
{
    bide__loop_run(loop);
    while (!retire(runtime, loop)) {
        sched_yield();
        bide__loop_take_mail(loop);
        bide__loop_run(loop);
    }
}

static void close_loop(struct bide__loop *loop)
{
    while (__atomic_load_n(&loop->posting, __ATOMIC_ACQUIRE) > 0)
        sched_yield();
    bide__loop_take_mail(loop); /* what was held back when the loop ended: nobody waits for it */
    bide__timer_disarm(&loop->timers, &loop->drain_timer);
    bide__timer_disarm(&loop->timers, &loop->unanswered_timer);
    bide__loop_done(loop);
    bide__free(loop);
    bide__schedule_here(0, 0);
}

/* A loop other than the first, on a thread of its own. */
struct loop_thread {
    pthread_t thread;
    struct bide__mail ended; /* to loop 0 */
    struct bide__runtime *runtime;
    struct bide__loop *first;
    int index;
    int start_error; /* a positive errno */
    int status;
    bool started;
};

static void pin(int index, int count)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0 || CPU_COUNT(&allowed) < count)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ == index)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void count_thread(struct bide__runtime *runtime, int change)
{
    pthread_mutex_lock(&runtime->lock);
    runtime->threads += change;
    pthread_mutex_unlock(&runtime->lock);
}

static void *loop_thread_main(void *arg)
{
    struct loop_thread *thread = arg;
    struct bide__runtime *runtime = thread->runtime;
    BIDE__UNSEEN_BEGIN();
    char name[16];
    snprintf(name, sizeof name, "bide-loop-%d", thread->index);
    pthread_setname_np(pthread_self(), name);
    struct bide__loop *loop;
    thread->start_error = -open_loop(runtime, thread->index, &loop);
    if (thread->start_error == 0) {
        bide__signals_thread_open();
        run_loop(runtime, loop);
        thread->status = loop->status;
        bide__signals_thread_close();
        close_loop(loop);
    } else {
        refuse_mail(runtime, thread->index);
        bide__runtime_stop(runtime, "a loop could not be started");
    }
    count_thread(runtime, -1);
    bide__loop_post(thread->first, &thread->ended);
    BIDE__UNSEEN_END();
    return NULL;
}

static void other_loop_ended(struct bide__mail *mail)
{
    struct loop_thread *thread = bide__container_of(mail, struct loop_thread, ended);
    thread->first->outside--;
    thread->first->elsewhere--;
    thread->runtime->others--;
}

/* The status that stands for a loop that could not be started. */
static int report_start(int error)
{
    fprintf(stderr, "bide: a loop could not be started: %s\n", strerror(error));
    return 1;
}

/* Starts the other loops; loop 0 goes on turning until they have ended. */
static void start_others(struct bide__runtime *runtime, struct loop_thread *threads,
                         struct bide__loop *first)
{
    for (int i = 1; i < runtime->loop_count; i++) {
        threads[i] = (struct loop_thread){.runtime = runtime, .first = first, .index = i};
        threads[i].ended.deliver = other_loop_ended;
        count_thread(runtime, 1);
        int error = pthread_create(&threads[i].thread, NULL, loop_thread_main, &threads[i]);
        if (error) {
            count_thread(runtime, -1);
            threads[i].start_error = error;
            refuse_mail(runtime, i);
            bide__runtime_stop(runtime, "a loop could not be started");
            continue;
        }
        threads[i].started = true;
        runtime->others++;
        first->outside++;
        first->elsewhere++;
    }
}

/* The first loop here, the others on threads of their own; the largest status of all. */
static int run_loops(struct bide__runtime *runtime)
{
    int count = runtime->loop_count;
    struct loop_thread *threads = bide__calloc((size_t)count, sizeof *threads);
    struct bide__loop *first;
    int status = threads ? open_loop(runtime, 0, &first) : -ENOMEM;
    if (status < 0) {
        bide__free(threads);
        return report_start(-status);
    }
    cpu_set_t before;
    bool repin = count > 1 && sched_getaffinity(0, sizeof before, &before) == 0;
    runtime->threads = 1;
    runtime->own_cores = repin && CPU_COUNT(&before) >= count;
    bide__signals_open(runtime);
    bide__signals_thread_open();
    start_others(runtime, threads, first);
    if (count > 1)
        pin(0, count);
    bide__watchdog_open(runtime);
    run_loop(runtime, first);
    status = first->status;
    for (int i = 1; i < count; i++) {
        if (threads[i].started)
            pthread_join(threads[i].thread, NULL);
        int other =
            threads[i].start_error ? report_start(threads[i].start_error) : threads[i].status;
        status = other > status ? other : status;
    }
    bide__watchdog_close();
    bide__signals_thread_close();
    bide__signals_close();
    close_loop(first);
    if (repin)
        sched_setaffinity(0, sizeof before, &before);
    bide__free(threads);
    return status;
}

static int run_runtime(struct bide__main main, const struct bide_options *options)
{
    struct bide__runtime runtime = {.options = *options, .main = main};
    runtime.loop_count = options->loops > 1 ? options->loops : 1;
    BIDE_ASSERT(!options->virtual_clock || runtime.loop_count == 1,
                "a virtual clock is for one loop");
    if (runtime.options.drain.ns <= 0)
        runtime.options.drain = bide_ms(BIDE_CAP_DRAIN_MS);
    if (runtime.options.unanswered.ns <= 0)
        runtime.options.unanswered = bide_ms(BIDE_CAP_UNANSWERED_MS);
    runtime.virtual_real_us = bide__clock_realtime_ns() / 1000;
    pthread_mutex_init(&runtime.lock, NULL);
    struct bide__runtime *none = NULL;
    BIDE_ASSERT(__atomic_compare_exchange_n(&bide__runtime_here, &none, &runtime, false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED),
                "bide_run is called while another bide_run runs");
    __atomic_add_fetch(&bide__task_era, 1, __ATOMIC_RELAXED);
    runtime.loops = bide__calloc((size_t)runtime.loop_count, sizeof *runtime.loops);
    runtime.places = bide__calloc((size_t)runtime.loop_count, sizeof *runtime.places);
    BIDE__UNSEEN_BEGIN();
    int status = runtime.loops && runtime.places ? run_loops(&runtime) : report_start(ENOMEM);
    if (bide__lanes_stop)
        bide__lanes_stop();
    BIDE__UNSEEN_END();
    __atomic_store_n(&bide__runtime_here, NULL, __ATOMIC_RELEASE);
    bide__free(runtime.places);
    bide__free(runtime.loops);
    pthread_mutex_destroy(&runtime.lock);
    return status;
}

int bide__run_void(bide__main_void *fn, const struct bide_options *options)
{
    return run_runtime((struct bide__main){.run_void = fn}, options);
}

int bide__run_int(bide__main_int *fn, const struct bide_options *options)
{
    return run_runtime((struct bide__main){.run_int = fn}, options);
}
