/*
 * The buffers that the kernel receives into by itself (io_uring_register_buf_ring(3)): one ring per
 * loop. Called by uring.c.
 *
 *     given to the kernel -> filled -> held by a descriptor, in order -> copied out -> given again
 *
 * Bytes are copied to where the reader wants them, so a buffer of a task is never the kernel's:
 * whoever is cancelled while he waits for bytes may leave at once, and idle connections need no
 * buffer. A copy of a message that is in the cache is far below a system call.
 */
#ifndef BIDE_IO_URING_BUFFERS_H
#define BIDE_IO_URING_BUFFERS_H

#include "core/op.h"

#if BIDE_URING
#include <liburing.h>

/* One that is filled. */
struct bide__uring_filled {
    uint16_t next; /* of the same descriptor; the last one's is the first */
    uint16_t taken;
    uint32_t size;
};

struct bide__uring_buffers {
    struct io_uring_buf_ring *ring; /* NULL: there are none, and descriptors are polled */
    char *bytes;
    struct bide__uring_filled *filled; /* by number */
    int count;                         /* those with numbers from this on are not in use */
};

/* Makes them and tells the kernel. A negative errno leaves nothing behind. */
int bide__uring_buffers_open(struct bide__uring_buffers *buffers, struct io_uring *ring);

/* After the ring is gone. */
void bide__uring_buffers_close(struct bide__uring_buffers *buffers);

/* Gives a buffer to the kernel. */
void bide__uring_buffer_give(struct bide__uring_buffers *buffers, uint16_t number);

/* All are held: there are twice as many from now on, if the limit allows. */
void bide__uring_buffers_grow(struct bide__uring_buffers *buffers);

/* The descriptor holds this buffer with `size` bytes, behind those that it holds already. */
void bide__uring_hold(struct bide__uring_buffers *buffers, struct bide__fd *fd, uint16_t number,
                      uint32_t size);

/* Copies out what is held, at most `size` bytes: how many. Gives back what is empty. */
int bide__uring_take(struct bide__uring_buffers *buffers, struct bide__fd *fd, char *out,
                     size_t size);

/* Gives back all that is held. */
void bide__uring_drop(struct bide__uring_buffers *buffers, struct bide__fd *fd);
#endif
#endif
