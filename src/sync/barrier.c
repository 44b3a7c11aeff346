/*
 * The barrier; include/bide/barrier.h has the semantics. Called by users; calls the wait mechanism
 * of core/loop.h.
 *
 * The place of a waiting task is what its wait's payload points to: those behind one that is
 * cancelled move up.
 */
#include "sync/sync.h"

#include "core/scope.h"

#include <bide/barrier.h>

static bool waits_here(const bide_barrier *barrier, const struct bide_task *task)
{
    return barrier->arriving == task || (task->wait && task->wait->object == &barrier->object);
}

/* The known parties that are still to come, if all are known. */
static struct bide_task *missing_party(const struct bide__object *object, size_t index,
                                       const struct bide_site **ret_since)
{
    const bide_barrier *barrier = bide__container_of(object, bide_barrier, object);
    if (barrier->known_count < barrier->parties)
        return NULL;
    for (const struct bide__party *party = barrier->known; party; party = party->older) {
        if (waits_here(barrier, party->task) || index-- > 0)
            continue;
        *ret_since = party->since;
        return party->task;
    }
    return NULL;
}

static const struct bide__kind barrier_kind = {
    .noun = "barrier", .verb = "waits at", .holder = missing_party, .any_holder = true};

void bide__barrier_init(bide_barrier *barrier, size_t parties, const char *name,
                        const struct bide_site *made)
{
    if (parties == 0)
        bide__misuse("a barrier without parties is made at %s:%d", BIDE__AT(made));
    *barrier = (bide_barrier){.parties = parties};
    bide__object_init(&barrier->object, &barrier_kind, name, made);
}

static __attribute__((noreturn, cold)) void raise_broken(const bide_barrier *barrier)
{
    char label[BIDE__LABEL_BYTES];
    bide__object_label(&barrier->object, label, sizeof label);
    bide__fail(bide__current->at,
               bide_error_new(BIDE_CLOSED, "%s was broken by task #%llu at %s:%d", label,
                              (unsigned long long)barrier->broken_by,
                              BIDE__AT(barrier->broken_at)));
}

/* One that waited leaves: those behind it move up. */
static void give_up(struct bide__wait *wait, int reason)
{
    bide_barrier *barrier = bide__container_of(wait->object, bide_barrier, object);
    for (struct bide__wait *behind = wait->next; behind; behind = behind->next)
        --*(size_t *)behind->payload;
    barrier->arrived--;
    bide__wake(wait, reason);
}

static void pass(bide_barrier *barrier, int result)
{
    barrier->arrived = 0;
    bide__wake_all(&barrier->waiting, result);
}

/* One that waits, or is known to come; NULL: none. */
static const struct bide_task *user_of(const bide_barrier *barrier)
{
    const struct bide_task *waits = bide__first_waiting(&barrier->waiting);
    return waits || !barrier->known ? waits : barrier->known->task;
}

bide_async(size_t) bide_barrier_wait(bide_barrier *barrier)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    BIDE__IN_ORDER(barrier);
    if (bide__unlikely(!barrier->parties))
        bide__misuse("task #%llu '%s' waits at %s:%d at a barrier that was not prepared by "
                     "bide_barrier_init",
                     (unsigned long long)me->head.id, bide__task_label(me), BIDE__AT(me->head.at));
    if (bide__unlikely(result == 0 && barrier->broken_at))
        raise_broken(barrier);
    if (result == 0)
        bide__check_loop(me, user_of(barrier), "barrier");
    size_t place = barrier->arrived;
    if (result == 0 && place + 1 == barrier->parties) {
        barrier->rounds++;
        pass(barrier, 0);
        bide__done_at_once(me);
        return bide_ready(size_t, place);
    }
    if (result == 0) {
        struct bide__wait wait = {.payload = &place, .abort = give_up};
        barrier->arriving = me;
        bool deadlock = bide__graph_deadlock(me, &barrier->object);
        barrier->arriving = NULL;
        if (bide__unlikely(deadlock)) {
            result = -EDEADLK;
        } else {
            barrier->arrived++;
            result = bide__wait(me, &barrier->waiting, &wait, &barrier->object);
        }
    }
    if (bide__unlikely(result == -EPIPE))
        raise_broken(barrier);
    if (bide__unlikely(result < 0))
        bide__raise(result, &barrier->object);
    return bide_ready(size_t, place);
}

void bide__barrier_break(bide_barrier *barrier, const struct bide_site *at)
{
    if (!bide__outside_of_tasks())
        bide__check_loop(bide__task_current(), user_of(barrier), "barrier");
    BIDE__IN_ORDER(barrier);
    if (barrier->broken_at)
        return;
    barrier->broken_at = at;
    barrier->broken_by = bide__outside_of_tasks() ? 0 : bide__current->id;
    pass(barrier, -EPIPE);
}

void bide__party_enter(struct bide__party *party, bide_barrier *barrier, const struct bide_site *at)
{
    if (bide__outside_of_tasks())
        bide__misuse("%s outside of tasks at %s:%d", at->what, BIDE__AT(at));
    bide__check_loop(bide__task_current(), user_of(barrier), "barrier");
    if (barrier->known_count == barrier->parties) {
        char label[BIDE__LABEL_BYTES], me[BIDE__LABEL_BYTES];
        bide__misuse("%s enters %s at %s:%d, of which %zu parties are known already, the last "
                     "since %s:%d",
                     bide__who_runs(me), bide__object_label(&barrier->object, label, sizeof label),
                     BIDE__AT(at), barrier->parties,
                     BIDE__AT(barrier->known ? barrier->known->since : NULL));
    }
    *party = (struct bide__party){.barrier = barrier,
                                  .task = bide__task_current(),
                                  .was = bide__current->unwinding,
                                  .since = at,
                                  .older = barrier->known};
    if (party->older)
        party->older->newer = party;
    barrier->known = party;
    barrier->known_count++;
}

void bide__party_leave(struct bide__party *party)
{
    bide_barrier *barrier = party->barrier;
    if (!barrier)
        return;
    if (party->newer)
        party->newer->older = party->older;
    else
        barrier->known = party->older;
    if (party->older)
        party->older->newer = party->newer;
    barrier->known_count--;
    if (barrier->arrived > 0 || bide__unwinding_since(party->was))
        bide__barrier_break(barrier, party->since);
}
