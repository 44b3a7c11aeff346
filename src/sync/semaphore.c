/*
 * The semaphore; include/bide/semaphore.h has the semantics. Called by users; calls the wait
 * mechanism of core/loop.h.
 *
 * A slot given back goes straight to the first waiting task, with its holder noted, before that
 * task runs: so a cancel that comes in between changes nothing, and no late-comer overtakes.
 */
#include "sync/sync.h"

#include <bide/semaphore.h>

/* While a slot was taken by bide_acquire anybody may give it back: then nothing is known. */
static struct bide_task *semaphore_holder(const struct bide__object *object, size_t index,
                                          const struct bide_site **ret_since)
{
    const bide_semaphore *semaphore = bide__container_of(object, bide_semaphore, object);
    if (semaphore->unrecorded)
        return NULL;
    const struct bide__slot *slot = semaphore->holders;
    while (slot && index-- > 0)
        slot = slot->older;
    if (!slot)
        return NULL;
    *ret_since = slot->since;
    return slot->task;
}

static const struct bide__kind semaphore_kind = {
    .noun = "semaphore",
    .verb = "wants a slot of",
    .holder = semaphore_holder,
    .place = {BIDE__HOLDER_BEHIND, BIDE__HOLDER_FROM(bide_semaphore, object, holders),
              offsetof(struct bide__slot, task)}};

void bide__semaphore_init(bide_semaphore *semaphore, size_t slots, const char *name,
                          const struct bide_site *made)
{
    if (slots == 0)
        bide__misuse("a semaphore without slots is made at %s:%d", BIDE__AT(made));
    *semaphore = (bide_semaphore){.available = slots, .slots = slots};
    bide__object_init(&semaphore->object, &semaphore_kind, name, made);
}

/* Notes that `task` has a slot: in `slot`, or only counted when that is NULL. */
static inline void hold(bide_semaphore *semaphore, struct bide__slot *slot, struct bide_task *task)
{
    if (!slot) {
        semaphore->unrecorded++;
        return;
    }
    slot->semaphore = semaphore;
    slot->task = task;
    slot->since = task->head.at;
    slot->newer = NULL;
    slot->older = semaphore->holders;
    if (slot->older)
        slot->older->newer = slot;
    semaphore->holders = slot;
}

static void acquire(bide_semaphore *semaphore, struct bide__slot *slot)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    BIDE__IN_ORDER(semaphore);
    if (bide__likely(result == 0)) {
        if (bide__likely(semaphore->available > 0)) {
            semaphore->available--;
            hold(semaphore, slot, me);
            bide__done_at_once(me);
            return;
        }
        if (!semaphore->slots)
            bide__misuse("task #%llu '%s' takes a slot at %s:%d of a semaphore that was not "
                         "prepared by bide_semaphore_init",
                         (unsigned long long)me->head.id, bide__task_label(me),
                         BIDE__AT(me->head.at));
        bide__check_loop(me, semaphore->holders ? semaphore->holders->task : NULL, "semaphore");
        struct bide__wait wait = {.payload = slot};
        result = bide__wait_checked(me, &semaphore->waiting, &wait, &semaphore->object);
        if (bide__likely(result == 0))
            return;
    }
    bide__raise(result, &semaphore->object);
}

bide_async(void) bide_acquire(bide_semaphore *semaphore)
{
    acquire(semaphore, NULL);
    return bide_void;
}

bide_async(void) bide__slot_take(struct bide__slot *slot, bide_semaphore *semaphore)
{
    acquire(semaphore, slot);
    return bide_void;
}

bool bide_try_acquire(bide_semaphore *semaphore)
{
    BIDE__IN_ORDER(semaphore);
    if (semaphore->available == 0)
        return false;
    semaphore->available--;
    semaphore->unrecorded++;
    return true;
}

static void give_back(bide_semaphore *semaphore)
{
    struct bide__wait *next = semaphore->waiting.first;
    BIDE__IN_ORDER(semaphore);
    if (!next) {
        semaphore->available++;
        BIDE_DASSERT(semaphore->available <= semaphore->slots, "%zu of %zu slots are free",
                     semaphore->available, semaphore->slots);
        return;
    }
    hold(semaphore, next->payload, next->task);
    bide__wake(next, 0);
}

void bide__slot_leave(struct bide__slot *slot)
{
    bide_semaphore *semaphore = slot->semaphore;
    if (!semaphore)
        return;
    if (slot->newer)
        slot->newer->older = slot->older;
    else
        semaphore->holders = slot->older;
    if (slot->older)
        slot->older->newer = slot->newer;
    give_back(semaphore);
}

static __attribute__((noreturn, cold)) void over_release(bide_semaphore *semaphore,
                                                         const struct bide_site *at)
{
    char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
    bide__object_label(&semaphore->object, label, sizeof label);
    bide__who_runs(me);
    if (!semaphore->released_at)
        bide__misuse("%s releases %s at %s:%d, of which bide_acquire took nothing", me, label,
                     BIDE__AT(at));
    bide__misuse("%s releases %s at %s:%d more often than it was acquired; the last release was by "
                 "task #%llu at %s:%d",
                 me, label, BIDE__AT(at), (unsigned long long)semaphore->released_by,
                 BIDE__AT(semaphore->released_at));
}

void bide__release(bide_semaphore *semaphore, const struct bide_site *at)
{
    if (bide__unlikely(semaphore->unrecorded == 0))
        over_release(semaphore, at);
    semaphore->unrecorded--;
    semaphore->released_at = at;
    semaphore->released_by = bide__outside_of_tasks() ? 0 : bide__task_current()->head.id;
    give_back(semaphore);
}
