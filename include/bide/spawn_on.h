/*
 * spawn_on.h: calls that run on another loop.
 *
 *     SPAWNABLE(int, count_words, const char *)
 *
 *     with_group(g) {
 *         task(int) a = spawn_on(g, 1, count_words, first);    // on loop 1
 *         task(int) b = spawn(g, count_words, second);         // here
 *         total = await_task(a) + await_task(b);
 *     }
 *
 * The child belongs to the caller's group as any other: its result, its error with all causes, and
 * its end come back to this loop, and a cancel of the child, the group or the caller goes there. So
 * `await_task`, `bide_wait`, `bide_cancel` and the ends of groups need no care.
 *
 * Invariants
 *  1. What the call is given is copied, as by `spawn`; what it gives is copied back as bytes. What
 *     those point to is shared between two threads: nobody else may write it meanwhile, and memory
 *     of the other loop's task (its arena, its rows) ends with that task.
 *  2. What belongs to one loop, or to one task, is refused: by the compiler if it is a parameter
 *     (bide_tx, bide_db, a stream, a process, a mutex, a barrier, a client, ...; a channel of one
 *     loop, a generator and a task's handle if they are written as bide_channel(T) *, bide_gen(T) *
 *     and task(T), not behind a typedef), else when it is used there.
 *  3. The child ends after the call on the other loop has ended, with its cleanups. A deadline in
 *     force here holds there.
 *  4. The call runs beside its loop's background work: a stop of the program drains it.
 *
 * A loop takes calls from its start until its main function has ended and nothing is left to do; a
 * main function that only serves others waits in `await(bide_until_stop())`.
 *
 * layer: core
 */
#ifndef BIDE_SPAWN_ON_H
#define BIDE_SPAWN_ON_H

#include <bide/group.h>

/*
 * spawn_on(g, loop, fn, args...): starts the SPAWNABLE `fn(args...)` on the loop with that index
 * (0 to bide_loop_count() - 1; another one is BIDE_MISUSE) as a child of the caller's group `g`,
 * and gives its handle. On the caller's own loop it is `spawn`. Never suspends. The child fails
 * with BIDE_CLOSED when the loop has ended already, BIDE_CANCELLED when the call was cancelled over
 * there only (a stop), and with what the call fails with.
 */
#define bide_spawn_on(g, loop, ...) BIDE__SPAWN_ON(g, loop, __VA_ARGS__)

/* The same for a child whose result nobody reads. */
#define bide_spawn_void_on(g, loop, ...)                                                           \
    ((void)bide__spawn_on((g), (loop), &BIDE__REMOTE(__VA_ARGS__), false))

#ifndef BIDE_NO_KEYWORDS
#define spawn_on(g, loop, ...) BIDE__SPAWN_ON(g, loop, __VA_ARGS__)
#define spawn_void_on(g, loop, ...)                                                                \
    ((void)bide__spawn_on((g), (loop), &BIDE__REMOTE(__VA_ARGS__), false))
#endif

/* Before the arguments of a call, in the same object: what the child needs to make it. */
struct bide__remote_call {
    _Alignas(16) const struct bide_site *at;
    const char *name;
    void (*thunk)(void *);
    size_t args_size;
    int loop;
};

bide_task_ref bide__spawn_on(struct bide_group *group, int loop, const struct bide__call *call,
                             bool result_wanted);

#define BIDE__SPAWN_ON(g, loop, ...)                                                               \
    BIDE__SPAWN_ON2(BIDE__CALLED(__VA_ARGS__, ),                                                   \
                    bide__spawn_on((g), (loop), &BIDE__REMOTE(__VA_ARGS__), true))
#define BIDE__SPAWN_ON2(fn, ref) BIDE__CAT(fn, __handle)(ref)
#define BIDE__CALLED(first, ...) first

/* A struct bide__call whose arguments have room for a bide__remote_call before them. */
#define BIDE__REMOTE(...) BIDE__CAT(BIDE__REMOTE_, BIDE__COUNT(__VA_ARGS__))(__VA_ARGS__)
#define BIDE__REMOTE_STORE(fn)                                                                     \
    ((void)sizeof(struct {                                                                         \
         _Static_assert(!fn##__loop_bound, "what belongs to one loop stays there: `" #fn           \
                                           "` takes a handle that another loop cannot use");       \
         char unused;                                                                              \
     }),                                                                                           \
     BIDE__OWN_TASK(&(struct {                                                                     \
                         struct bide__remote_call call;                                            \
                         struct fn##__args args;                                                   \
                     }){.call = {.loop = 0}}                                                       \
                         .args,                                                                    \
                    fn, ))
#define BIDE__REMOTE_1(fn)                                                                         \
    (struct bide__call[]){fn##__call(BIDE__REMOTE_STORE(fn), NULL, NULL, BIDE__SITE(#fn))}[0]
#define BIDE__REMOTE_N(fn, ...)                                                                    \
    (struct bide__call[]){                                                                         \
        fn##__call(BIDE__REMOTE_STORE(fn), NULL, NULL, BIDE__SITE(#fn), __VA_ARGS__)}[0]
#define BIDE__REMOTE_2 BIDE__REMOTE_N
#define BIDE__REMOTE_3 BIDE__REMOTE_N
#define BIDE__REMOTE_4 BIDE__REMOTE_N
#define BIDE__REMOTE_5 BIDE__REMOTE_N
#define BIDE__REMOTE_6 BIDE__REMOTE_N
#define BIDE__REMOTE_7 BIDE__REMOTE_N
#define BIDE__REMOTE_8 BIDE__REMOTE_N

#endif
