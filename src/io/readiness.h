/*
 * What the backends share: operations on a descriptor whose readiness the kernel tells by edges.
 * Called by epoll.c and uring.c, which get the edges and hand them to bide__fd_notice.
 *
 *     perform: ready? -> recv, send ... -> result
 *                 no, or EAGAIN -> wait in fd->readers or ->writers -> woken by notice -> again
 *
 * Invariants
 *  1. READ (WRITE) is clear in `readiness` only after the kernel said that nothing is left (no room
 *     is left), and no edge came since. So whoever waits will see an edge.
 *  2. An edge wakes the first waiter. One that leaves with the descriptor still ready wakes the
 *     next, also when it failed: no edge is lost with a task.
 *  3. A poll makes tasks ready and calls the hooks of core/op.h, nothing else; a hook may detach
 *     its own descriptor, and the generation keeps later events of the batch off it. What arrives
 *     for an earlier owner of a number is told apart by the generation.
 */
#ifndef BIDE_IO_READINESS_H
#define BIDE_IO_READINESS_H

#include "core/loop.h"

#include <errno.h>

/* A bit of `readiness`: the peer has ended, an error is pending, or urgent data splits the stream:
   now a short read does not mean that nothing is left. */
enum { BIDE__FD_UNEVEN = 4 };

/* The attached descriptors by their numbers. */
struct bide__fd_table {
    struct bide__fd **by_number;
    size_t numbers;
    uint32_t generations;
};

/* The one of this number and generation, or NULL: it is not attached any more. */
static inline struct bide__fd *bide__fd_table_find(const struct bide__fd_table *table,
                                                   uint32_t number, uint32_t generation)
{
    struct bide__fd *fd = number < table->numbers ? table->by_number[number] : NULL;
    return bide__likely(fd && fd->generation == generation) ? fd : NULL;
}

/* Makes room for a number. 0 or -ENOMEM. */
int bide__fd_table_reach(struct bide__fd_table *table, size_t number);

/* Puts it at its number, with the next generation and nothing known of it. Gives who is there
   still, though its descriptor must be closed: that is said, and its number is -1 now. */
struct bide__fd *bide__fd_table_put(struct bide__fd_table *table, struct bide__io *io,
                                    struct bide__fd *fd);

/* Takes it out: nobody may wait for it from now on. False: its number is not its own any more. */
bool bide__fd_table_remove(struct bide__fd_table *table, struct bide__fd *fd);

/* `to` gets the place of `from`, and what is known of it. */
void bide__fd_table_move(struct bide__fd_table *table, struct bide__fd *from, struct bide__fd *to);

/* Says in the log what is still attached, and frees the table. */
void bide__fd_table_done(struct bide__fd_table *table);

/* Of struct bide__io_ops. */
int bide__fd_perform(struct bide__io *io, struct bide__op *op);
int bide__fd_receive_now(struct bide__fd *fd, void *buffer, size_t size);
int bide__fd_send_now(struct bide__fd *fd, const void *buffer, size_t size);
int bide__fd_peek(struct bide__fd *fd);

/* Of struct bide__io_ops, with the eventfd that the poll watches. */
void bide__fd_wake(int eventfd);

/* After a try. Somebody else may wait for the same; -EAGAIN means that an edge will come. */
static inline int bide__fd_tried(struct bide__fd *fd, uint8_t bit, struct bide__queue *queue,
                                 int result)
{
    if (bide__unlikely(result == -EAGAIN))
        fd->readiness &= (uint8_t)~bit;
    else if (bide__unlikely(queue->first) && (fd->readiness & bit))
        bide__wake(queue->first, 0);
    return result;
}

/* An edge, as the bits of epoll(7). The hooks come last: they may detach. */
void bide__fd_notice(struct bide__fd *fd, uint32_t events);

#endif
