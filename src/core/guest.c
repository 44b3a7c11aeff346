/*
 * What a plain call on another thread may do of what tasks do: fail. Called by the lanes
 * (io/offload.c); calls unwind.c.
 *
 * Invariants
 *  1. The record of a guest has both BIDE__ATTENTION_OUTSIDE, so that every await and spawn in it
 *     is caught as misuse, and BIDE__ATTENTION_GUEST, so that `fail` is not.
 *  2. Errors are made in the guest's pool and do not outlive its call: what the host gets is a
 *     copy.
 */
#include "core/guest.h"

#include "core/error.h"

#include <string.h>

void bide__guest_init(struct bide__guest *guest)
{
    memset(guest, 0, sizeof *guest);
    bide__slab_init(&guest->loop.errors, sizeof(bide_error), 4);
    guest->loop.reserve = guest->reserve;
    for (int i = 0; i < BIDE_CAP_RESERVE_ERRORS; i++) {
        guest->reserve[i].next = guest->loop.reserve_free;
        guest->loop.reserve_free = &guest->reserve[i];
    }
    guest->task.loop = &guest->loop;
    guest->task.head.attention = BIDE__ATTENTION_OUTSIDE | BIDE__ATTENTION_GUEST;
    bide__list_init(&guest->task.errors);
}

void bide__guest_done(struct bide__guest *guest)
{
    bide__slab_done(&guest->loop.errors);
}

bool bide__guest_call(struct bide__guest *guest, const struct bide_task *host,
                      const struct bide_site *at, void (*run)(void *), void *args,
                      bide_error *ret_error)
{
    struct bide__head *outer = bide__current;
    guest->task.head.at = at;
    guest->task.head.id = host->head.id; /* log records name the task that waits */
    guest->task.object = host->object;
    bide__current = &guest->task.head;
    bide_error *error = bide__boundary(run, args);
    if (error) {
        *ret_error = *error;
        ret_error->never_again = bide__error_never_again(error);
        ret_error->cause = ret_error->also = ret_error->next = NULL;
        ret_error->owner = NULL;
        ret_error->dropped += (error->cause != NULL) + (error->also != NULL);
        ret_error->serial = 0;      /* of no loop: it would name an error of the host's */
        ret_error->spawn_count = 0; /* the host's are the ones to tell */
        ret_error->is_cancel = false;
    }
    bide__error_release_all(&guest->task);
    bide__current = outer;
    return error == NULL;
}
