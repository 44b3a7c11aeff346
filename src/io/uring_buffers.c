/*
 * uring_buffers.c: see uring_buffers.h.
 */
#include "io/uring_buffers.h"

#if BIDE_URING
#include "base/caps.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum {
    BUFFERS = BIDE_CAP_URING_BUFFERS,
    BUFFER_BYTES = BIDE_CAP_URING_BUFFER_BYTES,
    ALL_BYTES = BUFFERS * BUFFER_BYTES,
    RING_BYTES = BUFFERS * (int)sizeof(struct io_uring_buf)
};
_Static_assert((BUFFERS & (BUFFERS - 1)) == 0 && BUFFERS <= 32768 && BUFFER_BYTES <= UINT16_MAX,
               "what the kernel's ring and struct bide__uring_filled can count");

void bide__uring_buffer_give(struct bide__uring_buffers *buffers, uint16_t number)
{
    io_uring_buf_ring_add(buffers->ring, buffers->bytes + (size_t)number * BUFFER_BYTES,
                          BUFFER_BYTES, number, BUFFERS - 1, 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

int bide__uring_buffers_open(struct bide__uring_buffers *buffers, struct io_uring *ring)
{
    int code = -ENOMEM;
    buffers->ring = bide__pages_alloc(RING_BYTES);
    buffers->bytes = bide__pages_alloc(ALL_BYTES);
    buffers->filled = bide__calloc(BUFFERS, sizeof *buffers->filled);
    if (buffers->ring && buffers->bytes && buffers->filled) {
        struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)buffers->ring,
                                                .ring_entries = BUFFERS};
        io_uring_buf_ring_init(buffers->ring);
        code = io_uring_register_buf_ring(ring, &registration, 0);
    }
    if (code < 0) {
        bide__uring_buffers_close(buffers);
        return code;
    }
    buffers->count = 0;
    bide__uring_buffers_grow(buffers);
    return 0;
}

void bide__uring_buffers_grow(struct bide__uring_buffers *buffers)
{
    int count = buffers->count ? 2 * buffers->count : BIDE_CAP_URING_FIRST_BUFFERS;
    for (; buffers->count < count && buffers->count < BUFFERS; buffers->count++)
        bide__uring_buffer_give(buffers, (uint16_t)buffers->count);
}

void bide__uring_buffers_close(struct bide__uring_buffers *buffers)
{
    if (buffers->ring)
        bide__pages_free(buffers->ring, RING_BYTES);
    if (buffers->bytes)
        bide__pages_free(buffers->bytes, ALL_BYTES);
    bide__free(buffers->filled);
    *buffers = (struct bide__uring_buffers){.ring = NULL};
}

void bide__uring_hold(struct bide__uring_buffers *buffers, struct bide__fd *fd, uint16_t number,
                      uint32_t size)
{
    struct bide__uring_filled *filled = buffers->filled;
    filled[number] = (struct bide__uring_filled){.next = number, .size = size};
    if (fd->held > 0) {
        filled[number].next = filled[fd->held_last].next;
        filled[fd->held_last].next = number;
    }
    fd->held_last = number;
    fd->held++;
}

/* The first one is not needed any more. */
static void give_first(struct bide__uring_buffers *buffers, struct bide__fd *fd)
{
    struct bide__uring_filled *last = &buffers->filled[fd->held_last];
    uint16_t first = last->next;
    last->next = buffers->filled[first].next;
    fd->held--;
    bide__uring_buffer_give(buffers, first);
}

int bide__uring_take(struct bide__uring_buffers *buffers, struct bide__fd *fd, char *out,
                     size_t size)
{
    size_t done = 0;
    while (fd->held > 0 && done < size) {
        uint16_t number = buffers->filled[fd->held_last].next;
        struct bide__uring_filled *first = &buffers->filled[number];
        size_t left = first->size - first->taken;
        size_t part = left < size - done ? left : size - done;
        memcpy(out + done, buffers->bytes + (size_t)number * BUFFER_BYTES + first->taken, part);
        done += part;
        first->taken = (uint16_t)(first->taken + part);
        if (part == left)
            give_first(buffers, fd);
    }
    return (int)done;
}

void bide__uring_drop(struct bide__uring_buffers *buffers, struct bide__fd *fd)
{
    while (fd->held > 0)
        give_first(buffers, fd);
}
#endif
