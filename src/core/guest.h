/*
 * Guests: plain calls on threads without a loop that may fail all the same. What they raise is
 * caught on that thread, and carried as a value to the task that waits for them. They cannot await.
 */
#ifndef BIDE_CORE_GUEST_H
#define BIDE_CORE_GUEST_H

#include "base/caps.h"
#include "core/loop.h"

/* What a thread needs to raise: a record that stands for a task, and memory for errors. */
struct bide__guest {
    struct bide_task task;
    struct bide__loop loop; /* only its pool of errors is used */
    bide_error reserve[BIDE_CAP_RESERVE_ERRORS];
};

/* On the thread, around all its calls. */
void bide__guest_init(struct bide__guest *guest);
void bide__guest_done(struct bide__guest *guest);

/*
 * Calls run(args) in place of `host`, which waits. False: it failed, and *ret_error is a copy of
 * the error without those that it was raised from, to be cloned by the host.
 */
bool bide__guest_call(struct bide__guest *guest, const struct bide_task *host,
                      const struct bide_site *at, void (*run)(void *), void *args,
                      bide_error *ret_error);

#endif
