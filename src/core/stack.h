/*
 * Task stacks of one loop, carved from arenas:
 *
 *      slot (256 KiB)                                       next slot
 *      +----------------+---------------------------+--------+-----
 *      | guard (64 KiB) |  <-- grows down    frames | struct |
 *      +----------------+---------------------------+--------+-----
 *      low address      low                         high, coloured
 *
 * The struct bide__stack is at the top of its own slot, so a parked task touches one page. Tops are
 * coloured: equal page offsets would fall into the same cache sets.
 *
 * Guards, best first; the one in force is logged once:
 *   install   MADV_GUARD_INSTALL (Linux >= 6.13): no mapping per guard, a million stacks
 *   protect   mprotect: two mappings a stack, used up to 45 % of vm.max_map_count
 *   canary    the page below the stack must still be zero when the stack is given back: late, but
 *             names the task. Reading it costs no memory: it is the shared zero page.
 *
 * Free stacks are reused last in, first out. One that went deeper than BIDE_CAP_STACK_KEEP_BYTES
 * gives the pages below that back; a look at a few words of the first page below tells, so a stack
 * that left all of them zero on its way down keeps its pages until a later use.
 *
 * All but bide__stack_guard and bide__stack_force_guard are for the loop's own thread.
 */
#ifndef BIDE_CORE_STACK_H
#define BIDE_CORE_STACK_H

#include "core/context.h"

#include <stdbool.h>

enum bide__guard { BIDE__GUARD_INSTALL, BIDE__GUARD_PROTECT, BIDE__GUARD_CANARY };

struct bide__stack_arena;

struct bide__stacks {
    struct bide__stack *free;
    struct bide__stack_arena *arenas; /* newest first; the newest has the fresh slots */
    size_t made;                      /* stacks that exist */
    size_t used;                      /* of those, the ones that run a task */
    size_t limit;                     /* never more than this; tests lower it */
};

void bide__stacks_init(struct bide__stacks *stacks);

/* Unmaps everything, stacks in use too: what is on them is lost. */
void bide__stacks_done(struct bide__stacks *stacks);

/* Private: a stack that did not exist before. */
struct bide__stack *bide__stack_make(struct bide__stacks *stacks,
                                     void (*entry)(struct bide__stack *stack));

/* NULL: no memory or the limit. A new one starts in `entry(stack)`, at stack->sp; `entry` must not
   return. A recycled one goes on where it was switched away from. */
static inline struct bide__stack *bide__stack_take(struct bide__stacks *stacks,
                                                   void (*entry)(struct bide__stack *stack))
{
    struct bide__stack *stack = stacks->free;
    if (__builtin_expect(!stack, 0))
        return bide__stack_make(stacks, entry);
    stacks->free = stack->next;
    stacks->used++;
    return stack;
}

/* May be called on the stack itself, within its topmost BIDE_CAP_STACK_KEEP_BYTES. Aborts when the
   canary is dead, after calling bide__stack_smashed, which names the task on stderr (NULL: nobody
   does). */
void bide__stack_give(struct bide__stacks *stacks, struct bide__stack *stack);
extern void (*bide__stack_smashed)(struct bide__stack *stack);

/* Which kind of guard new stacks get, and whether `address` is in the guard of one of these
   stacks: then its stack, else NULL. bide__stack_overflown is async-signal-safe. */
enum bide__guard bide__stack_guard(void);
struct bide__stack *bide__stack_overflown(const struct bide__stacks *stacks, const void *address);

/* Usable bytes of any stack, and how many this one has touched since its deep pages were last given
   back (mincore(2): a system call). */
size_t bide__stack_bytes(void);
size_t bide__stack_high_water(const struct bide__stack *stack);

/* Tests: pretend that the better guards are not there. Holds for guards not yet made, which for a
   set of stacks without any is all; process-wide. */
void bide__stack_force_guard(enum bide__guard guard);

#endif
