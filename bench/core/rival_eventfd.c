/* The bare pair under cross_loop: two threads, each on a core of its own if there are two, and two
 * eventfds; a number in shared memory goes there and back. */
#define _GNU_SOURCE
#include "measure.h"
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int there, back;
static uint64_t value; /* the other side's after a write */
static cpu_set_t allowed;

static void must(int holds)
{
    if (!holds) {
        perror("rival_eventfd");
        exit(1);
    }
}

/* On the n-th core that the process may use. */
static void pin(int n)
{
    cpu_set_t one;
    if (CPU_COUNT(&allowed) < 2)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ == n)
            CPU_SET(cpu, &one);
    must(sched_setaffinity(0, sizeof one, &one) == 0);
}

static void *echo(void *arg)
{
    uint64_t count, one = 1;
    pin(1);
    while (read(there, &count, sizeof count) == sizeof count && value != UINT64_MAX)
        must(write(back, &one, sizeof one) == sizeof one);
    return arg;
}

static struct measured round_trips(uint64_t trips)
{
    uint64_t count, one = 1, start_ns = measure_now_ns();
    for (uint64_t i = 0; i < trips; i++) {
        value = i;
        must(write(there, &one, sizeof one) == sizeof one);
        must(read(back, &count, sizeof count) == sizeof count && value == i);
    }
    return (struct measured){trips, measure_now_ns() - start_ns};
}

int main(void)
{
    uint64_t one = 1;
    pthread_t thread;
    must(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    there = eventfd(0, EFD_CLOEXEC);
    back = eventfd(0, EFD_CLOEXEC);
    must(there >= 0 && back >= 0 && pthread_create(&thread, NULL, echo, NULL) == 0);
    pin(0);
    measure_case("cross_loop", round_trips, 1000);
    value = UINT64_MAX;
    must(write(there, &one, sizeof one) == sizeof one);
    pthread_join(thread, NULL);
    return 0;
}
