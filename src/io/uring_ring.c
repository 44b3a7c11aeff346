/*
 * uring_ring.c: see uring_ring.h.
 */
#include "io/uring_ring.h"

#if BIDE_URING
#include "base/caps.h"

#include <errno.h>
#include <liburing.h>

int bide__uring_ring_make(struct io_uring *ring)
{
    int code = -ENOMEM;
    for (unsigned entries = BIDE_CAP_URING_ENTRIES;
         code == -ENOMEM && entries >= BIDE_CAP_URING_LEAST_ENTRIES; entries /= 4) {
        struct io_uring_params params = {
            .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_TASKRUN_FLAG,
            .cq_entries = BIDE_CAP_URING_COMPLETIONS / (BIDE_CAP_URING_ENTRIES / entries),
        };
        code = io_uring_queue_init_params(entries, ring, &params);
        if (code == 0 && (~params.features & (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG))) {
            io_uring_queue_exit(ring);
            code = -EINVAL;
        }
    }
    if (code < 0)
        ring->ring_fd = -1;
    else
        io_uring_ring_dontfork(ring); /* a child that comes near it dies, and disturbs nobody */
    return code;
}
#endif
