/*
 * Whether anything can still happen in a program of several loops. Called by loop.c around a sleep
 * that only another loop can end; calls graph.c for the report.
 *
 * A loop is silent while it sleeps, has no timer but the one that only watches (unanswered.h), and
 * nobody but other loops could end a wait of its tasks (loop->elsewhere counts all of
 * loop->outside). If all loops are silent and no mail is on its way, nothing will ever happen: the
 * tasks are reported, and the wait that began last is ended by -EDEADLK on its loop.
 *
 * Invariants
 *  1. A silent loop runs nothing: what its thread does first after the sleep is to take the lock
 *     and say that it is over. So who holds the lock may read it.
 *  2. Mail to a silent loop comes from a loop that runs, or from the tasks of a wait that is not
 *     counted in `elsewhere`: when all are silent, all of it is there to be seen.
 *  3. A loop whose thread has not started, or not ended, is not silent: nothing is concluded.
 */
#include "core/graph.h"
#include "core/loop.h"
#include "core/runtime.h"

#include <stdio.h>
#include <unistd.h>

static bool is_over(const struct bide__runtime *runtime)
{
    int silent = 0;
    if (__atomic_load_n(&runtime->stopping, __ATOMIC_ACQUIRE))
        return false;
    for (int i = 0; i < runtime->loop_count; i++) {
        const struct bide__loop *loop = runtime->loops[i];
        if (loop && loop->silent && !__atomic_load_n(&loop->mail, __ATOMIC_ACQUIRE))
            silent++;
    }
    return silent == runtime->threads;
}

/* The wait that began last, of all loops. */
static struct bide_task *last_waiting(const struct bide__runtime *runtime)
{
    struct bide_task *last = NULL;
    for (int i = 0; i < runtime->loop_count; i++) {
        struct bide__loop *loop = runtime->loops[i];
        struct bide_task *task = loop ? bide__graph_last_waiting(loop) : NULL;
        if (task && (!last || task->wait->since_ns >= last->wait->since_ns))
            last = task;
    }
    return last;
}

static void report(const struct bide__runtime *runtime)
{
    fprintf(stderr, "bide: DEADLOCK: every task of every loop waits and nothing can wake one\n");
    fflush(stderr);
    for (int i = 0; i < runtime->loop_count; i++)
        if (runtime->loops[i])
            bide__print_tree(runtime->loops[i], STDERR_FILENO);
}

void bide__silence_break(struct bide__mail *mail)
{
    struct bide__loop *loop = bide__container_of(mail, struct bide__loop, break_mail);
    struct bide_task *task = loop->ready_first ? NULL : bide__graph_last_waiting(loop);
    if (task)
        bide__graph_break(task);
}

bool bide__silence_begins(struct bide__loop *loop)
{
    struct bide__runtime *runtime = loop->runtime;
    struct bide_task *task = NULL;
    pthread_mutex_lock(&runtime->lock);
    loop->silent = true;
    if (is_over(runtime) && (task = last_waiting(runtime))) {
        report(runtime);
        if (task->loop != loop)
            bide__loop_post(task->loop, &task->loop->break_mail);
    }
    pthread_mutex_unlock(&runtime->lock);
    if (!task || task->loop != loop)
        return false;
    bide__graph_break(task);
    return true;
}

void bide__silence_ends(struct bide__loop *loop)
{
    pthread_mutex_lock(&loop->runtime->lock);
    loop->silent = false;
    pthread_mutex_unlock(&loop->runtime->lock);
}
