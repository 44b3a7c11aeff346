/*
 * Whether something was done, in a block of a test, that a request could not do again: as the web
 * layer sees it.
 */
#ifndef BIDE_TEST_EFFECTS_H
#define BIDE_TEST_EFFECTS_H

#include "core/loop.h"

static inline bide_arena *effects_arena(void *arena)
{
    return arena;
}

static inline void effects_begin(struct bide__memory *memory)
{
    struct bide_task *me = bide__task_current();
    *memory = (struct bide__memory){.arena_of = effects_arena, .owner = bide_task_arena()};
    memory->outer = me->memory;
    me->memory = memory;
}

static inline bool effects_end(struct bide__memory *memory)
{
    bide__task_current()->memory = memory->outer;
    return memory->has_effects;
}

#endif
