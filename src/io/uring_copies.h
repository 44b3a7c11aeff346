/*
 * What was said to be sent with the next poll, in memory of the ring: one set per loop. Called by
 * uring.c.
 *
 *     free -> queued with a descriptor's bytes --completion, all sent--> free
 *                ^----- the rest, when there is room -----'
 *
 * The last freed is the next taken: few of them are in use, and those stay in the cache.
 */
#ifndef BIDE_IO_URING_COPIES_H
#define BIDE_IO_URING_COPIES_H

#include "base/caps.h"
#include "core/op.h"

struct bide__uring_copy {
    uint32_t generation; /* of the descriptor; 0: it is free */
    uint32_t number;
    uint16_t size;
    uint16_t next; /* free one */
    bool waits;    /* for room in the socket: it is neither queued nor with the kernel */
    char bytes[BIDE_CAP_URING_COPY_BYTES];
};

struct bide__uring_copies {
    uint16_t first_free; /* BIDE_CAP_URING_COPIES: there is none */
    struct bide__uring_copy all[BIDE_CAP_URING_COPIES];
};

void bide__uring_copies_init(struct bide__uring_copies *copies);

/* Takes a copy of bytes for a descriptor: which one, or NULL. */
struct bide__uring_copy *bide__uring_copy_take(struct bide__uring_copies *copies,
                                               const struct bide__fd *fd, const void *bytes,
                                               size_t size);

void bide__uring_copy_give(struct bide__uring_copies *copies, struct bide__uring_copy *copy);

/* The descriptor's one, or NULL. */
struct bide__uring_copy *bide__uring_copy_of(struct bide__uring_copies *copies,
                                             const struct bide__fd *fd);

/* What waits of it for room is not sent any more. */
void bide__uring_copy_forget(struct bide__uring_copies *copies, const struct bide__fd *fd);

/* This many of its bytes are gone: the others move to the front. */
void bide__uring_copy_shorten(struct bide__uring_copy *copy, size_t sent);

#endif
