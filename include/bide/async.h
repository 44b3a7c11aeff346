/*
 * async.h: functions that can wait, and the word that waits for them.
 *
 *     async(bool) check_code(const char *code)
 *     {
 *         int n = await(count_codes(code));
 *         return ready(bool, n == 1);
 *     }
 *
 * A function declared `async(T)` runs on the stack of the task that calls it and may suspend that
 * task. It returns a one-member struct, so its result has no truth value, cannot be assigned to a
 * T and may not be dropped: a forgotten await does not compile. `await(call)` unwraps the T. It
 * costs a few stores: nothing is allocated and nothing is scheduled unless the callee waits.
 *
 * Invariants
 *  1. Calling runs: there is no cold coroutine. `spawn` (task.h) starts one beside.
 *  2. While a task is suspended, its `at` names the innermost await, on every way out of it the
 *     one around it.
 *  3. Each await that can suspend is a cancellation point: in a cancelled scope it raises
 *     BIDE_CANCELLED (scope.h).
 *
 * layer: core
 */
#ifndef BIDE_ASYNC_H
#define BIDE_ASYNC_H

#include <bide/detail.h>

/*
 * AWAITABLE(T) makes `async(T)`, `task(T)` and `settled(T)` usable for a type; once per type, at
 * file scope. T is one identifier: give `char *` a typedef first. The structs' tags are the advice
 * that both compilers print.
 */
#define AWAITABLE(T)                                                                               \
    typedef T bide__value_##T;                                                                     \
    struct forgotten_await_##T {                                                                   \
        bide__value_##T await;                                                                     \
    };                                                                                             \
    BIDE__HANDLE(bide_task_##T, bide_settled_##T, bide__value_##T)

/* A started task's handle and the outcome of a settled one; see task.h. */
typedef struct bide_task_ref {
    struct bide_task *task;
    uint64_t id; /* tells a recycled task from the one meant */
} bide_task_ref;

#define BIDE__HANDLE(handle, settled, value_type)                                                  \
    struct handle {                                                                                \
        bide_task_ref ref;                                                                         \
        __extension__ value_type type_[0];                                                         \
    };                                                                                             \
    struct settled {                                                                               \
        struct bide_error *error; /* NULL: it succeeded and `value` stands */                      \
        value_type value;                                                                          \
    }

/* The return type of a function that can suspend; with the checks of both compilers. */
#define bide_async(T) BIDE__MUST_USE BIDE__AWAITS struct forgotten_await_##T

/* The same for function pointers and members, where clang takes no effect attributes. */
#define bide_async_fn(T) BIDE__MUST_USE struct forgotten_await_##T

/* Wraps a result: `return ready(T, value);`. For `async(void)`: `return bide_void;`. */
#define bide_ready(T, ...) ((struct forgotten_await_##T){__VA_ARGS__})
#define bide_void ((struct forgotten_await_void){0})

/* Waits for the call and gives its value. May suspend; raises what the call fails with. */
#define bide_await(...) BIDE__AWAIT(__COUNTER__, #__VA_ARGS__, __VA_ARGS__)

#ifndef BIDE_NO_KEYWORDS
#define async(T) BIDE__MUST_USE BIDE__AWAITS struct forgotten_await_##T
#define async_fn(T) BIDE__MUST_USE struct forgotten_await_##T
#define ready(T, ...) ((struct forgotten_await_##T){__VA_ARGS__})
#define await(...) BIDE__AWAIT(__COUNTER__, #__VA_ARGS__, __VA_ARGS__)
#endif

/* How an await is left: on the normal path the site around it is put back by one store; while
   unwinding, the await (it is `at` then, by invariant 2) is added to the error's chain. */
struct bide__await_mark {
    const struct bide_site *outer;
    bool returned;
};
__attribute__((__cold__)) void bide__await_unwound(const struct bide_site *outer);
static inline __attribute__((__always_inline__)) void
bide__await_left(struct bide__await_mark *mark)
{
    if (!mark->returned)
        bide__await_unwound(mark->outer);
}

/* A call that expands to `bide__must_read(), call` gives a count that may not be left unread: its
   await is then wrapped in a function that both compilers watch. */
static inline void bide__must_read(void)
{
}
BIDE__MUST_USE static inline int64_t bide__read(int64_t count)
{
    return count;
}
#define BIDE__AWAIT(n, text, ...)                                                                  \
    BIDE__CAT(BIDE__AWAIT_, BIDE__COUNT(__VA_ARGS__))(n, text, __VA_ARGS__)
#define BIDE__AWAIT_1(n, text, call) BIDE__AWAIT2(n, text, call)
#define BIDE__AWAIT_2(n, text, mark, call) bide__read(BIDE__AWAIT2(n, text, call))
#if BIDE_SEE
#define BIDE__NOTE_AT(head, site) ((head)->at = (site))
#define BIDE__NOTED_AT(head) ((head)->at)
#else
#define BIDE__NOTED_AT(head) NULL
#define BIDE__NOTE_AT(head, site) ((void)(site))
#endif
#define BIDE__AWAIT2(n, text, ...)                                                                 \
    __extension__({                                                                                \
        static const struct bide_site bide__site_##n = {__FILE__, __func__, text, __LINE__};       \
        struct bide__head *const bide__head_##n = bide__current;                                   \
        struct bide__await_mark bide__mark_##n __attribute__((__cleanup__(bide__await_left))) = {  \
            BIDE__NOTED_AT(bide__head_##n), false};                                                \
        BIDE__NOTE_AT(bide__head_##n, &bide__site_##n);                                            \
        __auto_type bide__result_##n = (__VA_ARGS__);                                              \
        BIDE__NOTE_AT(bide__head_##n, bide__mark_##n.outer);                                       \
        bide__mark_##n.returned = true;                                                            \
        bide__result_##n.await;                                                                    \
    })

typedef char bide__value_void;
struct forgotten_await_void {
    bide__value_void await;
};
BIDE__HANDLE(bide_task_void, bide_settled_void, bide__value_void);
AWAITABLE(bool);
AWAITABLE(int);
AWAITABLE(unsigned);
AWAITABLE(long);
AWAITABLE(size_t);
AWAITABLE(int32_t);
AWAITABLE(int64_t);
AWAITABLE(uint32_t);
AWAITABLE(uint64_t);
AWAITABLE(double);

#endif
