/*
 * trap.h: system calls that block a loop's thread, named where they are made. Called by run_task.c
 * and explore.c.
 */
#ifndef BIDE_TEST_TRAP_H
#define BIDE_TEST_TRAP_H

#include <stdatomic.h>

struct bide__test_options;

/* The filter is there, for the threads that are started from now on: SIGSYS stays unblocked. */
extern atomic_bool bide__test_traps;

/* If the test's options or the environment (BIDE_TRAP=1) ask for it: from now on, for the rest of
   the process, each one on the calling thread is reported and fails the test. Says on stderr when
   this kernel or this build does not allow it. */
void bide__test_trap(const struct bide__test_options *options);

#endif
