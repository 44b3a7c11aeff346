/*
 * What the system knows of this process. Called by web/metrics_page.c; by src/db and src/redis,
 * whose connections are not for the child of a fork(2).
 */
#ifndef BIDE_BASE_PROCESS_H
#define BIDE_BASE_PROCESS_H

#include <stdint.h>

struct bide__process {
    double cpu_s;        /* in user and system */
    double start_unix_s; /* when it was started */
    uint64_t virtual_bytes, resident_bytes;
    uint64_t threads;
    uint64_t open_descriptors, most_descriptors;
};

/* Raised in the child of each fork(2): what was opened at another value is the parent's. */
extern unsigned bide__process_forks;

/* What cannot be known is 0. Blocks for as long as the files of proc(5) do: for the blocking lane.
 */
void bide__process_look(struct bide__process *ret_process);

#endif
