/*
 * choice.h: who decides what is left to chance. Called by the loop before it resumes a task, by
 * awaits that begin, by lanes, and by io/sim.c.
 *
 * In programs nobody does: ready tasks run in the order in which they became ready. With a seed
 * (options.shuffle_seed) loop.c shuffles them. The test kit sets `bide__chooser` before bide_run.
 */
#ifndef BIDE_CORE_CHOICE_H
#define BIDE_CORE_CHOICE_H

#include <stdbool.h>

struct bide__loop;
struct bide_task;

struct bide__chooser {
    /* At least one task is ready: bide__loop_put_first the one that is to run; NULL: in order. */
    void (*order)(struct bide__chooser *chooser, struct bide__loop *loop);
    /* An await of `me` begins: may cancel the task. NULL: nothing happens. */
    void (*at_await)(struct bide__chooser *chooser, struct bide_task *me);
    /* One of `count` alternatives, 0: the ordinary; `rare`: another one counts as a preemption.
       Whether `what` fails. For what decides everything only. */
    unsigned (*choose)(struct bide__chooser *chooser, unsigned count, bool rare);
    bool (*fault)(struct bide__chooser *chooser, const char *what);
    int budget;   /* awaits that may finish at once in a slice; 0: BIDE_CAP_OP_BUDGET */
    bool decides; /* everything: nothing of other threads or of the kernel may happen in between */
};

extern struct bide__chooser *bide__chooser; /* NULL, or the test kit's */

#endif
