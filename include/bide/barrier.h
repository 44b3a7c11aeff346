/*
 * barrier.h: a line that tasks cross together.
 *
 *     bide_barrier line;
 *     bide_barrier_init(&line, 3, "phases");
 *
 *     async(void) worker(bide_barrier *line)
 *     {
 *         with_party(line) {
 *             await(first_phase());
 *             await(bide_barrier_wait(line));       // until all three are here
 *             await(second_phase());
 *         }
 *         return bide_void;
 *     }
 *
 * The last one to arrive lets all go on, and the barrier is ready for the next round.
 *
 * Invariants
 *  1. Nobody passes before as many wait as the barrier has parties; those go on in the order in
 *     which they came, and who comes later waits for the next round.
 *  2. A task that is cancelled while it waits has not arrived: the others go on waiting. It has
 *     passed if the last one came first.
 *  3. with_party says who is to come. While all parties are known that way, a wait that one of the
 *     missing ones can never end (it waits, directly or through others, for a task that waits here)
 *     is BIDE_DEADLOCK at once. A party that leaves its block early breaks the barrier.
 *  4. A broken barrier stays broken: who waits, and who comes, gets BIDE_CLOSED, naming who broke
 *     it and where; bide_barrier_init makes it anew.
 *  5. It belongs to the loop of the tasks that use it: another one is BIDE_MISUSE.
 *
 * layer: sync
 */
#ifndef BIDE_BARRIER_H
#define BIDE_BARRIER_H

#include <bide/task.h>

struct bide__party;

typedef struct bide_barrier {
    size_t parties;  /* how many pass together; 0: bide_barrier_init was not called */
    size_t arrived;  /* how many wait */
    uint64_t rounds; /* how often it was passed */
    struct bide__queue waiting;
    struct bide__party *known;  /* of with_party, newest first */
    struct bide_task *arriving; /* it is about to wait, and asks whether it may */
    size_t known_count;
    const struct bide_site *broken_at; /* NULL: whole */
    uint64_t broken_by;                /* the id of a task */
    struct bide__object object;
} bide_barrier;

/* Prepares a barrier of `parties` (not 0) tasks. `name` is for reports, may be NULL, and is not
   copied. Needs no end. */
#define bide_barrier_init(barrier, parties, name)                                                  \
    bide__barrier_init(barrier, parties, name, BIDE__SITE("bide_barrier_init"))

/* Waits until all parties have come; gives the place of this one, from 0 (the first to come) to
   parties - 1, for work that one of them does. Suspends unless it is the last. Raises
   BIDE_CANCELLED, BIDE_CLOSED, BIDE_DEADLOCK. */
bide_async(size_t) bide_barrier_wait(bide_barrier *barrier);

/* with_party(barrier) { ... }: the running task is one of the parties inside: invariant 3. Never
   suspends; more of them than the barrier has is BIDE_MISUSE. Left on an orderly way while others
   wait for it, or by an error or a cancel, the barrier is broken. */
#define bide_with_party(barrier) BIDE__WITH_PARTY(__COUNTER__, barrier, "with_party(" #barrier ")")
#ifndef BIDE_NO_KEYWORDS
#define with_party(barrier) BIDE__WITH_PARTY(__COUNTER__, barrier, "with_party(" #barrier ")")
#endif

/* Breaks it: invariant 4. By any task of its loop. Never suspends. */
#define bide_barrier_break(barrier) bide__barrier_break(barrier, BIDE__SITE("bide_barrier_break"))

/* A known party, in the frame of its block. */
struct bide__party {
    bide_barrier *barrier; /* NULL until it is known */
    struct bide_task *task;
    struct bide_error *was;
    const struct bide_site *since;
    struct bide__party *newer, *older;
};
void bide__barrier_init(bide_barrier *barrier, size_t parties, const char *name,
                        const struct bide_site *made);
void bide__barrier_break(bide_barrier *barrier, const struct bide_site *at);
void bide__party_enter(struct bide__party *party, bide_barrier *barrier,
                       const struct bide_site *at);
void bide__party_leave(struct bide__party *party);

#define BIDE__WITH_PARTY(n, barrier, text) BIDE__WITH_PARTY2(n, barrier, text)
#define BIDE__WITH_PARTY2(n, barrier, text)                                                        \
    BIDE__WITH(n,                                                                                  \
               (struct bide__party bide__party_##n __attribute__((                                 \
                    __cleanup__(bide__party_leave))) = {NULL, NULL, NULL, NULL, NULL, NULL}),      \
               bide__party_enter(&bide__party_##n, (barrier), BIDE__SITE(text)), (void)0)

#endif
