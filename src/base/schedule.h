/*
 * schedule.h: what the kernel's scheduler is told of a thread. Called by core/ for the threads of
 * loops and by io/ for those of lanes.
 */
#ifndef BIDE_BASE_SCHEDULE_H
#define BIDE_BASE_SCHEDULE_H

#include <stdint.h>

/*
 * Makes the calling thread nicer by `nicer` (sched(7): 0 to 39; per thread on Linux), and asks for
 * slices of time of `slice_ns`; 0: the system's. A short slice makes a thread that becomes runnable
 * wait less, since the earliest deadline goes first. Kernels before 6.12 know no slices; a thread
 * under a real-time or idle policy stays as it is.
 *
 * Source: sched_setattr(2); Linux, Documentation/scheduler/sched-eevdf.rst.
 */
void bide__schedule_here(int nicer, uint64_t slice_ns);

#endif
