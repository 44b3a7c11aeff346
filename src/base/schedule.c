/* schedule.c: see schedule.h. The C library has no wrapper of the call before glibc 2.41. */
#include "base/schedule.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#if BIDE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { NICEST = 19 };

/* struct sched_attr of sched_setattr(2) */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t niceness;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

void bide__schedule_here(int nicer, uint64_t slice_ns)
{
    int niceness = getpriority(PRIO_PROCESS, 0) + nicer;
    struct attributes wanted = {.size = sizeof wanted,
                                .policy = SCHED_OTHER,
                                .niceness = niceness < NICEST ? niceness : NICEST,
                                .runtime_ns = slice_ns};
    if (RUNNING_ON_VALGRIND) /* it warns about system calls that it does not know */
        return;
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}
