/*
 * local.h: values that belong to a task, and to those that it starts, without being handed on.
 *
 *     static TASK_LOCAL(request_id, id_of_request, BIDE_LOCAL_REQUEST);
 *
 *     bide_local_set(id_of_request, make_id());
 *     ...
 *     const request_id *id = bide_local_get(id_of_request);         // NULL: not set here
 *     with_local(id_of_request, other) { ... }                       // inside only
 *
 * For what many functions want and few use: who asks, for the log. What a function needs is its
 * parameter.
 *
 * Invariants
 *  1. Each slot has a rule for who inherits. A child has what its parent had when it was spawned:
 *     later changes of either are not seen by the other.
 *  2. What is set while a request is served is gone when it has ended; what a task has is gone at
 *     its end. A value of a slot with `done` is given to that once, when the last task that has it
 *     lets go: with the same value set in many children, after all of them.
 *  3. A call on another loop (spawn_on.h) inherits nothing: what it needs are its arguments.
 *
 * layer: core
 */
#ifndef BIDE_LOCAL_H
#define BIDE_LOCAL_H

#include <bide/task.h>

enum bide_local_rule {
    BIDE_LOCAL_OWN,     /* the task alone */
    BIDE_LOCAL_REQUEST, /* its children too, but not background work (bide_background) */
    BIDE_LOCAL_ALL,     /* every task that it spawns */
};

struct bide__local {
    const char *name;
    size_t size; /* bytes of a value */
    enum bide_local_rule rule;
    void (*done)(void *value); /* or NULL */
};

/*
 * TASK_LOCAL(T, name, rule): declares a slot for values of type T, at file scope, perhaps `static`;
 * T is one identifier. TASK_LOCAL_WITH(T, name, rule, done) has a plain function `void done(void
 * *value)` for the end of a value; it must neither await nor fail.
 */
#define TASK_LOCAL(T, name, rule) TASK_LOCAL_WITH(T, name, rule, NULL)
#define TASK_LOCAL_WITH(T, name_, rule_, done_)                                                    \
    struct bide_local_##name_ {                                                                    \
        struct bide__local slot;                                                                   \
        __extension__ T type_[0];                                                                  \
    } name_ = {.slot = {.name = #name_, .size = sizeof(T), .rule = (rule_), .done = (done_)}}

/* The running task's value, or NULL. Valid until it is set anew, or the task or request ends. Never
   suspends. Outside of tasks NULL. */
#define bide_local_get(name) ((const __typeof__((name).type_[0]) *)bide__local_get(&(name).slot))

/* Sets it for the running task and those that it spawns from now on; a copy. Raises BIDE_NO_MEMORY.
   Never suspends. */
#define bide_local_set(name, ...)                                                                  \
    bide__local_set(&(name).slot, BIDE__LOCAL_VALUE(name, __VA_ARGS__),                            \
                    BIDE__SITE("bide_local_set(" #name ")"))

/* The task has none from now on. */
#define bide_local_clear(name) bide__local_clear(&(name).slot)

/* with_local(name, value) { ... }: set inside; what was there before is back when the block is
   left, in whatever way. */
#define bide_with_local(name, ...) BIDE__WITH_LOCAL(__COUNTER__, name, __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define with_local(name, ...) BIDE__WITH_LOCAL(__COUNTER__, name, __VA_ARGS__)
#endif

struct bide__local_node;
struct bide__local_before {
    const struct bide__local *slot; /* NULL until it is set */
    struct bide__local_node *node;
};
const void *bide__local_get(const struct bide__local *slot);
void bide__local_set(const struct bide__local *slot, const void *value, const struct bide_site *at);
void bide__local_clear(const struct bide__local *slot);
void bide__local_enter(struct bide__local_before *before, const struct bide__local *slot,
                       const void *value, const struct bide_site *at);
void bide__local_leave(struct bide__local_before *before);

/* A copy: a value of the type, or what initialises one. */
#define BIDE__LOCAL_VALUE(name, ...)                                                               \
    (&(struct { __typeof__((name).type_[0]) value; }){__VA_ARGS__}.value)

#define BIDE__WITH_LOCAL(n, name, ...) BIDE__WITH_LOCAL2(n, name, __VA_ARGS__)
#define BIDE__WITH_LOCAL2(n, name, ...)                                                            \
    BIDE__WITH(n,                                                                                  \
               (struct bide__local_before bide__before_##n                                         \
                __attribute__((__cleanup__(bide__local_leave))) = {NULL, NULL}),                   \
               bide__local_enter(&bide__before_##n, &(name).slot,                                  \
                                 BIDE__LOCAL_VALUE(name, __VA_ARGS__),                             \
                                 BIDE__SITE("with_local(" #name ")")),                             \
               (void)0)

#endif
