/*
 * A task's record, its states, and the waits it can be in. Included by all of core, sync and io;
 * task.c has the life cycle, loop.h the ready queue, scope.c cancellation.
 *
 *   queued --stack--> ready <--------> running --end--> ended --joined--> freed
 *                       ^                 |
 *                       +--- waiting <----+
 *
 * The record is apart from the stack: a queued child and an ended one have none.
 *
 * Invariants
 *  1. `wait` is set exactly while the task waits; what decides the wait clears it and makes the
 *     task ready. So a wait is decided once, by a result or by a cancel.
 *  2. A record is touched by its loop's thread only.
 *  3. head.attention has the CANCEL bit exactly if the innermost scope (or the task's root) is
 *     effectively cancelled.
 */
#ifndef BIDE_CORE_TASK_H
#define BIDE_CORE_TASK_H

#include "base/assert.h"
#include "base/list.h"
#include "core/context.h"

#include <bide/group.h>

struct bide__loop;

enum { BIDE__TASK_SMALL_ARGS = 80, BIDE__TASK_NAME_BYTES = 32 };

/* Ages are told in steps of 17 ms: 32 bits of them are two years. */
enum { BIDE__SPAWN_TICK_BITS = 24 };

enum bide__task_state {
    BIDE__TASK_QUEUED,  /* has no stack yet */
    BIDE__TASK_STARTED, /* ready, running or waiting */
    BIDE__TASK_ENDED,   /* its result, if wanted, waits to be taken */
    BIDE__TASK_FREED,
};

/* What a joiner's wait is given at the task's end. */
enum { BIDE__JOIN_DONE = 0, BIDE__JOIN_FAILED = 1 };

/* Where an `attempt` or the start of the task lands an unwinding stack. */
struct bide__catch {
    struct bide__catch *up;
    void *landing_sp;
    bide_error *was; /* in flight when it was set up */
};

/*
 * Records have one size and stay records until the loop ends, so that a stale handle can be told by
 * its id; arguments that do not fit are allocated apart.
 */
struct bide_task {
    struct bide__head head;
    void *sp;                  /* while suspended; NULL before it has a stack */
    struct bide_task *next;    /* in the ready queue, the starved, the held or the free ones */
    struct bide__stack *stack; /* NULL while queued and when ended */
    struct bide__loop *loop;
    struct bide__wait *wait; /* the innermost wait, NULL unless waiting */

    struct bide__scope *scope; /* the innermost cancel scope, NULL: the root */
    union {
        struct bide__catch *catches;
        void (*thunk)(void *); /* before it runs */
    };
    struct bide__locals *locals; /* task-local values (local.h), NULL: none */
    struct bide_group *group;    /* its owner; NULL: a main task */
    struct bide__list_node node; /* in group->children */
    uint8_t state;               /* enum bide__task_state */
    uint8_t visit;               /* mark of a walk over the wait graph */
    bool cancelled;              /* as a whole, by bide_cancel */
    bool root_effective;         /* it, or something its group is in, is cancelled */
    bool result_wanted : 1;
    bool said_ready : 1;      /* bide_task_ready was called */
    bool ended_by_cancel : 1; /* the cancel left its function */
    bool renamed : 1;         /* its name is on the heap */
    bool called;              /* it runs a call of another loop, where it has a task above it */
    uint16_t no_await_depth;  /* nesting of with_no_await */
    uint16_t error_count;
    uint16_t refused;       /* awaits that a cancel has refused, whatever a shield let through */
    uint32_t spawned_ticks; /* the tick's clock >> BIDE__SPAWN_TICK_BITS, when it was spawned */

    struct bide__memory *memory; /* bide_task_arena's; NULL: that of the task above, or none yet */
    const char *cancel_reason;
    const struct bide_site *no_await_at; /* the innermost with_no_await */
    struct bide_error *error;            /* what it failed with; its group owns it, or it does */
    struct bide__list errors;            /* those it owns, oldest first */
    struct bide__queue joiners;          /* waits for its end, or for its readiness */
    struct bide__object object;    /* what joiners wait for: its name, and where it was spawned */
    struct bide_task *cancel_next; /* in the worklist of a cancel that spreads */
    char *args;                    /* the thunk's; the result is at the front */
    _Alignas(16) char small_args[BIDE__TASK_SMALL_ARGS];
};

/* A site as the arguments of "%s:%d". */
#define BIDE__AT(site) (site) ? (site)->file : "?", (site) ? (site)->line : 0

static inline const char *bide__task_label(const struct bide_task *task)
{
    return task->object.name ? task->object.name : "?";
}

static inline struct bide_task *bide__task_current(void)
{
    return (struct bide_task *)(void *)bide__current;
}

/* Whether `fail` works here: in a task, or in a guest (guest.h). */
static inline bool bide__can_fail(const struct bide_task *me)
{
    return (me->head.attention & (BIDE__ATTENTION_OUTSIDE | BIDE__ATTENTION_GUEST)) !=
           BIDE__ATTENTION_OUTSIDE;
}

#define bide__task_of_node(pointer) bide__container_of(pointer, struct bide_task, node)

/* Tests and hostile builds: sync/lock_order.c sees every mutex that a task takes. Set before
   bide_run. */
extern bool bide__lock_order_watched;

/* Atomic: raised where the numbers of tasks start again, by bide_run and by the schedules of a
   test: a number names a task of its era only. */
extern uint32_t bide__task_era;

/* Runs the current task, which is fresh, on the current stack to its end. task.c */
void bide__task_run(struct bide_task *task);

/* Gives a task's record back to its loop. */
void bide__task_free(struct bide_task *task);

/* The task above: the one whose frame its group is in; NULL for main tasks and background ones. */
struct bide_task *bide__task_parent(const struct bide_task *task);

/* Whose memory the running task uses, if it, or a task above it, entered one with this function;
   NULL outside of all those. */
void *bide__memory_owner(bide_arena *(*arena_of)(void *owner));

/* Something was done that stays done (a commit, a POST), or may have been, for the owner of the
   innermost such memory of this task or a task above it. */
void bide__effect_note(void);

/* NULL when the handle's task was freed. */
struct bide_task *bide__task_of_ref(bide_task_ref ref);

/* A main task: owned by the loop, not by a group. NULL: out of memory. */
struct bide_task *bide__task_new(struct bide__loop *loop, const struct bide_site *at,
                                 const char *name, void (*thunk)(void *), const void *args,
                                 size_t args_size);

/* group.c: makes a group without a block (the background one). */
void bide__group_init(struct bide_group *group, const struct bide_site *at,
                      struct bide_group_options options);

/* group.c: takes a child in and makes it ready, or holds it; whether the group still takes any. */
bool bide__group_open(const struct bide_group *group);
void bide__group_add(struct bide_group *group, struct bide_task *child);

/* group.c: of a child that has not started, whose end nobody waits for but the group of the running
   task: if it starts when its arguments point into frames that are gone, that is told. */
void bide__group_check_args(struct bide_task *child, size_t args_size, uint64_t pointers);

/* group.c: a group that holds its children back until all are moved to another, or dropped. */
void bide__group_init_held(struct bide_group *group, const struct bide_site *at);
void bide__group_move_held(struct bide_group *from, struct bide_group *to);
void bide__group_drop_held(struct bide_group *group);

/* group.c: frees the ended children whose results nobody took, and says so on an orderly way out.
 */
void bide__group_free_children(struct bide_group *group, bool orderly);

/* group.c: accounts for a child that has ended with `error` (or NULL). */
void bide__group_child_ended(struct bide_group *group, struct bide_task *child, bide_error *error);

extern const struct bide__kind bide__kind_task, bide__kind_group;

#endif
