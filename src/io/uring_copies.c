/*
 * uring_copies.c: see uring_copies.h.
 */
#include "io/uring_copies.h"

#include <string.h>

enum { COPIES = BIDE_CAP_URING_COPIES };
_Static_assert(BIDE_CAP_URING_COPY_BYTES <= UINT16_MAX, "what struct bide__uring_copy can count");

void bide__uring_copies_init(struct bide__uring_copies *copies)
{
    copies->first_free = 0;
    for (unsigned i = 0; i < COPIES; i++) {
        copies->all[i].generation = 0;
        copies->all[i].next = (uint16_t)(i + 1);
    }
}

struct bide__uring_copy *bide__uring_copy_take(struct bide__uring_copies *copies,
                                               const struct bide__fd *fd, const void *bytes,
                                               size_t size)
{
    if (copies->first_free == COPIES || size > BIDE_CAP_URING_COPY_BYTES)
        return NULL;
    struct bide__uring_copy *copy = &copies->all[copies->first_free];
    copies->first_free = copy->next;
    copy->generation = fd->generation;
    copy->number = (uint32_t)fd->fd;
    copy->size = (uint16_t)size;
    copy->waits = false;
    memcpy(copy->bytes, bytes, size);
    return copy;
}

void bide__uring_copy_give(struct bide__uring_copies *copies, struct bide__uring_copy *copy)
{
    BIDE_ASSERT(copy->generation != 0, "io_uring: the place of a copy is given back twice");
    copy->generation = 0;
    copy->next = copies->first_free;
    copies->first_free = (uint16_t)(copy - copies->all);
}

struct bide__uring_copy *bide__uring_copy_of(struct bide__uring_copies *copies,
                                             const struct bide__fd *fd)
{
    for (unsigned i = 0; i < COPIES; i++)
        if (copies->all[i].generation == fd->generation)
            return &copies->all[i];
    return NULL;
}

void bide__uring_copy_forget(struct bide__uring_copies *copies, const struct bide__fd *fd)
{
    struct bide__uring_copy *copy = bide__uring_copy_of(copies, fd);
    if (copy && copy->waits)
        bide__uring_copy_give(copies, copy);
}

void bide__uring_copy_shorten(struct bide__uring_copy *copy, size_t sent)
{
    copy->size = (uint16_t)(copy->size - sent);
    memmove(copy->bytes, copy->bytes + sent, copy->size);
}
