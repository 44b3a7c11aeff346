/*
 * What a program shows to those who look at it from outside: `bide_debug`, found by a note in its
 * file, says where everything stands. debug.c fills it; look.c and the gdb script read by it, so
 * they need no debug information and fit a program that was built with other options.
 *
 *     ELF note "bide" --> bide_debug --> runtime --> loops --> records of tasks --> waits, groups
 *
 * Stands on the C library alone: the command `bide` includes it too. docs/internals/looking.md has
 * the layout for those who write other tools.
 *
 * Invariant: a member that changes its meaning gets a new name here or a new BIDE__DEBUG_VERSION.
 */
#ifndef BIDE_CORE_DEBUG_H
#define BIDE_CORE_DEBUG_H

#include <stdint.h>

#define BIDE__DEBUG_MAGIC "bideSEE" /* with its NUL eight bytes */
#define BIDE__NOTE_NAME "bide"

enum { BIDE__DEBUG_VERSION = 1, BIDE__NOTE_TYPE = 0x0b1de };

/* F(name, type, member): where a member of a struct of core stands. */
#define BIDE__DEBUG_OFFSETS(F)                                                                     \
    F(runtime_loops, struct bide__runtime, loops)                                                  \
    F(runtime_loop_count, struct bide__runtime, loop_count)                                        \
    F(runtime_virtual, struct bide__runtime, options.virtual_clock)                                \
    F(runtime_virtual_now_ns, struct bide__runtime, virtual_now_ns)                                \
    F(loop_runtime, struct bide__loop, runtime)                                                    \
    F(loop_index, struct bide__loop, index)                                                        \
    F(loop_tid, struct bide__loop, tid)                                                            \
    F(loop_slices, struct bide__loop, slices)                                                      \
    F(loop_now_ns, struct bide__loop, now_ns)                                                      \
    F(loop_polling, struct bide__loop, polling)                                                    \
    F(loop_chunks, struct bide__loop, tasks.chunks)                                                \
    F(loop_fresh, struct bide__loop, tasks.fresh)                                                  \
    F(loop_fresh_end, struct bide__loop, tasks.fresh_end)                                          \
    F(loop_chunk_tasks, struct bide__loop, tasks.objects_per_chunk)                                \
    F(loop_background, struct bide__loop, background)                                              \
    F(loop_timers, struct bide__loop, timers.armed)                                                \
    F(loop_stacks, struct bide__loop, stacks.made)                                                 \
    F(loop_next_id, struct bide__loop, next_task_id)                                               \
    F(loop_turns, struct bide__loop, turns)                                                        \
    F(loop_ring_turns, struct bide__loop, ring_turns)                                              \
    F(loop_ring, struct bide__loop, ring)                                                          \
    F(task_at, struct bide_task, head.at)                                                          \
    F(task_id, struct bide_task, head.id)                                                          \
    F(task_attention, struct bide_task, head.attention)                                            \
    F(task_sp, struct bide_task, sp)                                                               \
    F(task_stack, struct bide_task, stack)                                                         \
    F(task_loop, struct bide_task, loop)                                                           \
    F(task_wait, struct bide_task, wait)                                                           \
    F(task_scope, struct bide_task, scope)                                                         \
    F(task_group, struct bide_task, group)                                                         \
    F(task_state, struct bide_task, state)                                                         \
    F(task_cancelled, struct bide_task, cancelled)                                                 \
    F(task_called, struct bide_task, called)                                                       \
    F(task_spawned, struct bide_task, spawned_ticks)                                               \
    F(task_object, struct bide_task, object)                                                       \
    F(wait_task, struct bide__wait, task)                                                          \
    F(wait_object, struct bide__wait, object)                                                      \
    F(wait_since_ns, struct bide__wait, since_ns)                                                  \
    F(object_kind, struct bide__object, kind)                                                      \
    F(object_name, struct bide__object, name)                                                      \
    F(object_made, struct bide__object, made)                                                      \
    F(kind_noun, struct bide__kind, noun)                                                          \
    F(kind_verb, struct bide__kind, verb)                                                          \
    F(kind_way, struct bide__kind, place.way)                                                      \
    F(kind_from_object, struct bide__kind, place.from_object)                                      \
    F(kind_then, struct bide__kind, place.then)                                                    \
    F(site_file, struct bide_site, file)                                                           \
    F(site_function, struct bide_site, function)                                                   \
    F(site_what, struct bide_site, what)                                                           \
    F(site_line, struct bide_site, line)                                                           \
    F(group_object, struct bide_group, object)                                                     \
    F(group_parent, struct bide_group, scope.task)                                                 \
    F(group_deadline_ns, struct bide_group, scope.deadline_ns)                                     \
    F(group_scope, struct bide_group, scope)                                                       \
    F(scope_up, struct bide__scope, up)                                                            \
    F(scope_kind, struct bide__scope, kind)                                                        \
    F(scope_task, struct bide__scope, task)                                                        \
    F(scope_deadline_ns, struct bide__scope, deadline_ns)                                          \
    F(stack_low, struct bide__stack, low)                                                          \
    F(stack_high, struct bide__stack, high)

/* F(name, type): bytes of a struct. */
#define BIDE__DEBUG_SIZES(F)                                                                       \
    F(task, struct bide_task)                                                                      \
    F(wait, struct bide__wait)                                                                     \
    F(object, struct bide__object)                                                                 \
    F(kind, struct bide__kind)                                                                     \
    F(site, struct bide_site)                                                                      \
    F(group, struct bide_group)                                                                    \
    F(scope, struct bide__scope)                                                                   \
    F(stack, struct bide__stack)

/* F(name, value): what else a reader must know. chunk_head: bytes before the first record of a
   chunk; spawn_tick_bits: of task_spawned. */
#define BIDE__DEBUG_NUMBERS(F)                                                                     \
    F(chunk_head, BIDE__SLAB_CHUNK_HEAD)                                                           \
    F(ring_resumes, BIDE__RING_RESUMES)                                                            \
    F(ring_turns, BIDE__RING_TURNS)                                                                \
    F(spawn_tick_bits, BIDE__SPAWN_TICK_BITS)

#define BIDE__DEBUG_OFFSET_NAME(name, type, member) BIDE__AT_##name,
#define BIDE__DEBUG_SIZE_NAME(name, type) BIDE__SIZE_##name,
#define BIDE__DEBUG_NUMBER_NAME(name, value) BIDE__NUMBER_##name,
enum bide__debug_offset { BIDE__DEBUG_OFFSETS(BIDE__DEBUG_OFFSET_NAME) BIDE__OFFSETS };
enum bide__debug_size { BIDE__DEBUG_SIZES(BIDE__DEBUG_SIZE_NAME) BIDE__SIZES };
enum bide__debug_number { BIDE__DEBUG_NUMBERS(BIDE__DEBUG_NUMBER_NAME) BIDE__NUMBERS };

struct bide__debug {
    char magic[8];
    uint32_t version;
    uint32_t offset_count, size_count, number_count; /* of this build: a check */
    const void *runtime;    /* the address of a pointer: NULL while no bide_run runs */
    const void *kind_task;  /* what the object of every record has */
    const void *kind_group; /* and of every group */
    uint32_t offsets[BIDE__OFFSETS];
    uint32_t sizes[BIDE__SIZES];
    uint32_t numbers[BIDE__NUMBERS];
};

extern const struct bide__debug bide_debug;
extern const char bide_debug_names[];

#endif
