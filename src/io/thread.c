/*
 * Threads beside the loops. See thread.h.
 */
#include "io/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* A thread inherits its maker's. */
static cpu_set_t cores;
static int core_count;

__attribute__((constructor)) static void look_at_cores(void)
{
    if (sched_getaffinity(0, sizeof cores, &cores) == 0)
        core_count = CPU_COUNT(&cores);
}

int bide__thread_cores(void)
{
    long online = core_count > 0 ? core_count : sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static void block_signals(sigset_t *ret_before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, ret_before);
}

int bide__thread_start(void *(*run)(void *arg), void *arg, bool detached)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t before;
    if (bide__mem_should_fail())
        return -EAGAIN;
    int error = pthread_attr_init(&attributes);
    if (error)
        return -error;
    if (core_count > 0)
        pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    if (detached)
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    block_signals(&before);
    error = pthread_create(&thread, &attributes, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}
