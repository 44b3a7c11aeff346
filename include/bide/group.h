/*
 * group.h: groups own tasks; nothing outlives its group.
 *
 *     with_group(g) {
 *         for (size_t i = 0; i < n; i++)
 *             spawn_void(g, fetch, &pages[i]);
 *     }                                     // here every child has ended
 *
 * Leaving the block, in whatever way, waits for the children. A child's failure cancels its
 * siblings and the block itself; when all have ended, the first failure leaves the block, and
 * every further one is attached to it. A cancelled child is not a failure.
 *
 * Invariants
 *  1. The end of a group waits shielded: a cancel from outside reaches the children, and the end
 *     still waits for their cleanups.
 *  2. `return`, `goto` and the end of the body wait for the children to finish their work. An
 *     error or a cancel that leaves the body cancels them first.
 *  3. Spawning into a group whose end has finished is BIDE_MISUSE, naming both lines.
 *  4. What children are given pointers to is declared before the block: a variable of the block
 *     itself ends with the body, before the end has waited (AddressSanitizer reports its use).
 *
 * Source: N. J. Smith, "Notes on structured concurrency" (2018).
 *
 * layer: core
 */
#ifndef BIDE_GROUP_H
#define BIDE_GROUP_H

#include <bide/scope.h>
#include <bide/task.h>

struct bide_group_options {
    size_t max_concurrency; /* children that run at a time; the rest stay queued. 0: no limit */
    const char *name;       /* in reports; NULL: none */
};

typedef struct bide_group {
    struct bide__object object;
    struct bide__scope scope;
    struct bide__list children; /* all that are not freed: running, queued, ended and not joined */
    struct bide_task *held_first, *held_last; /* those that wait for max_concurrency */
    struct bide__queue end;                   /* the parent, while it waits at the end */
    size_t live;                              /* children that have not ended */
    size_t started;                           /* of those, the ones not held */
    size_t max_concurrency;
    struct bide_error *error;  /* the first failure, with the others attached */
    const char *cancel_reason; /* set by bide_group_cancel */
    uint8_t state;             /* enum bide__group_state */
    bool child_cancelled;      /* a child was ended by a cancel of the whole group */
    bool never_again;          /* a cancelled child may have done something (retry.h) */
    const void *loop;          /* whose tasks may spawn into it */
    const char *floor;         /* where the frame of its block ends: calls from there lie below;
                                  set at its begin, and when its end waits */
} bide_group;

/*
 * with_group(g) { ... }, with_group(g, .max_concurrency = 8) { ... }: `g` is a `bide_group *`
 * inside. Only the end suspends.
 */
#define bide_with_group(...) BIDE__WITH_GROUP(__COUNTER__, BIDE__COUNT(__VA_ARGS__), __VA_ARGS__)

/* Cancels the children, those that are spawned later too; the block itself goes on, and its end
   finds them ended. Never suspends. */
void bide_group_cancel(bide_group *group, const char *reason);

/* How many children have not ended. */
size_t bide_group_live(const bide_group *group);

/*
 * gather(bide_into(&a, fn, args...), bide_into(&b, fn2, args...), ...): runs up to 8 calls of
 * SPAWNABLE functions at the same time and writes each result where bide_into says. The first
 * failure cancels the others and is raised. An `async(void)`: await it. A void function takes
 * bide_into_void(fn, ...).
 */
#define bide_gather(...)                                                                           \
    bide__gather((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__), BIDE__GATHER_ALL)

/* The same, but every call runs to its end: `bide_into_settled(&s, fn, args...)`, where `s` is a
   `settled(T)`, keeps the value or the error of each. */
#define bide_gather_settled(...)                                                                   \
    bide__gather((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__), BIDE__GATHER_SETTLED)

/* The same, but the first that succeeds wins and the others are cancelled; gives its index. Raises
   when all fail. An `async(size_t)`. Only the winner's result is written. */
#define bide_first_of(...)                                                                         \
    bide__first_of((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__))

/* One call for the macros above: where its result goes, or nowhere, or with its error. */
#define bide_into(ret_value, ...) BIDE__INTO((ret_value), NULL, __VA_ARGS__)
#define bide_into_void(...) BIDE__INTO(NULL, NULL, __VA_ARGS__)
#define bide_into_settled(ret_settled, ...)                                                        \
    BIDE__INTO(&(ret_settled)->value, &(ret_settled)->error, __VA_ARGS__)
#define bide_settled_of(T) struct bide_settled_##T

/*
 * bide_each(items, count, limit, fn, arg): calls `fn(items[i], i, arg)` for every i, at most
 * `limit` at a time (0: all at once), in order of i. fn is SPAWNABLE(void, fn, item type, size_t,
 * arg type). The first failure cancels the rest and is raised. An `async(void)`. `items` and what
 * `arg` points to must stay until it returns.
 */
#define bide_each(items_, count_, limit_, fn, arg_)                                                \
    bide__each(&(struct bide__each){.items = (items_),                                             \
                                    .item_size = sizeof *(items_),                                 \
                                    .count = (count_),                                             \
                                    .limit = (limit_),                                             \
                                    .name = #fn,                                                   \
                                    .at = BIDE__SITE(#fn),                                         \
                                    .thunk = fn##__thunk,                                          \
                                    .args = BIDE__EACH_ARGS(items_, fn, arg_),                     \
                                    .args_size = sizeof(struct fn##__args),                        \
                                    .item_offset = offsetof(struct fn##__args, a0),                \
                                    .index_offset = offsetof(struct fn##__args, a1)})

#ifndef BIDE_NO_KEYWORDS
#define with_group(...) BIDE__WITH_GROUP(__COUNTER__, BIDE__COUNT(__VA_ARGS__), __VA_ARGS__)
#define gather(...)                                                                                \
    bide__gather((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__), BIDE__GATHER_ALL)
#define gather_settled(...)                                                                        \
    bide__gather((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__), BIDE__GATHER_SETTLED)
#define first_of(...) bide__first_of((struct bide__call[]){__VA_ARGS__}, BIDE__COUNT(__VA_ARGS__))
#define settled(T) struct bide_settled_##T
#endif

enum bide__gather_mode { BIDE__GATHER_ALL, BIDE__GATHER_SETTLED };
bide_async(void) bide__gather(const struct bide__call *calls, size_t count,
                              enum bide__gather_mode mode);
bide_async(size_t) bide__first_of(const struct bide__call *calls, size_t count);

struct bide__each {
    const void *items;
    size_t item_size, count, limit;
    const char *name;
    const struct bide_site *at;
    void (*thunk)(void *);
    const void *args; /* a prototype of the thunk's arguments with `arg` filled in */
    size_t args_size, item_offset, index_offset;
};
bide_async(void) bide__each(const struct bide__each *each);

#define BIDE__EACH_ARGS(items, fn, arg)                                                            \
    (&(struct fn##__args){                                                                         \
        .a2 = __extension__({                                                                      \
            _Static_assert(__builtin_types_compatible_p(__typeof__(((struct fn##__args *)0)->a0),  \
                                                        __typeof__(*(items))),                     \
                           "bide_each: `" #fn "` takes another type than the items have");         \
            _Static_assert(                                                                        \
                __builtin_types_compatible_p(__typeof__(((struct fn##__args *)0)->a1), size_t),    \
                "bide_each: the second parameter of `" #fn "` is the index, a size_t");            \
            _Static_assert(!fn##__takes_tx, "a transaction belongs to one task: `" #fn             \
                                            "` takes a bide_tx * and cannot be spawned");          \
            (arg);                                                                                 \
        })})

#define BIDE__INTO(ret_value, ret_error, ...)                                                      \
    BIDE__CAT(BIDE__INTO_, BIDE__COUNT(__VA_ARGS__))(ret_value, ret_error, __VA_ARGS__)
#define BIDE__INTO_1(ret_value, ret_error, fn)                                                     \
    fn##__call(BIDE__OWN_TASK(&(struct fn##__args){0}, fn, ), ret_value, ret_error, BIDE__SITE(#fn))
#define BIDE__INTO_N(ret_value, ret_error, fn, ...)                                                \
    fn##__call(BIDE__OWN_TASK(&(struct fn##__args){0}, fn, ), ret_value, ret_error,                \
               BIDE__SITE(#fn), __VA_ARGS__)
#define BIDE__INTO_2 BIDE__INTO_N
#define BIDE__INTO_3 BIDE__INTO_N
#define BIDE__INTO_4 BIDE__INTO_N
#define BIDE__INTO_5 BIDE__INTO_N
#define BIDE__INTO_6 BIDE__INTO_N
#define BIDE__INTO_7 BIDE__INTO_N
#define BIDE__INTO_8 BIDE__INTO_N

void bide__group_enter(bide_group *group, const struct bide_site *at,
                       struct bide_group_options options);
void bide__group_leave(bide_group *group);

#define BIDE__WITH_GROUP(n, count, ...) BIDE__CAT(BIDE__WITH_GROUP_, count)(n, __VA_ARGS__)
#define BIDE__WITH_GROUP_1(n, g) BIDE__WITH_GROUP2(n, g, {0})
#define BIDE__WITH_GROUP_2(n, g, a) BIDE__WITH_GROUP2(n, g, {a})
#define BIDE__WITH_GROUP_3(n, g, a, b) BIDE__WITH_GROUP2(n, g, {a, b})
#define BIDE__WITH_GROUP2(n, g, ...)                                                               \
    BIDE__WITH(n,                                                                                  \
               (bide_group bide__group_##n __attribute__((__cleanup__(bide__group_leave))) = {0},  \
                    *const g __attribute__((__unused__)) = &bide__group_##n),                      \
               bide__group_enter(&bide__group_##n, BIDE__SITE("with_group"),                       \
                                 (struct bide_group_options)__VA_ARGS__),                          \
               (void)0)

#endif
