/*
 * Making a loop's ring. Called by uring.c.
 */
#ifndef BIDE_IO_URING_RING_H
#define BIDE_IO_URING_RING_H

struct io_uring;

/* On the thread that will use it. Where memory is short, or locked memory is counted, a smaller one
   may do. 0, or a negative errno and ring_fd -1. Source: io_uring_setup(2). */
int bide__uring_ring_make(struct io_uring *ring);

#endif
