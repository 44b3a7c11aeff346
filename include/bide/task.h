/*
 * task.h: tasks: owned by a group, typed, joined.
 *
 *     SPAWNABLE(int, fetch, connection *, int)      // one line beside the prototype
 *
 *     with_group(g) {                               // group.h
 *         task(int) a = spawn(g, fetch, c, 1);
 *         task(int) b = spawn(g, fetch, c, 2);
 *         total = await_task(a) + await_task(b);
 *     }
 *
 * A task runs a function on a stack of its own, on the loop that spawned it, and never moves to
 * another thread. It is owned by a group, and the group's block is not left before it has ended.
 *
 * Life: queued (spawned; its arguments are copied, it has no stack yet) -> ready <-> running ->
 * waiting -> ready ... -> ended (its result waits to be joined) -> freed.
 *
 * Invariants
 *  1. `spawn` never suspends and never runs the child at once. Without a free stack the child
 *     stays queued.
 *  2. A result is taken once, by `await_task`. A handle whose result nobody took is reported when
 *     the group ends: `spawn_void` says that nobody will.
 *  3. A handle holds the task's id: using it after the task was freed is BIDE_MISUSE, naming both.
 *
 * layer: core
 */
#ifndef BIDE_TASK_H
#define BIDE_TASK_H

#include <bide/arena.h>
#include <bide/clock.h>
#include <bide/error.h>

/*
 * SPAWNABLE(T, fn, parameter types...): makes an `async(T)` function of up to 7 parameters usable
 * by spawn, attempt, move_on_after, gather and bide_each, with all types checked. It declares fn;
 * for a static function it stands after its (static) declaration. No semicolon.
 */
#define SPAWNABLE(T, ...)                                                                          \
    BIDE__SPAWNABLE(struct forgotten_await_##T, struct bide_task_##T, bide__value_##T, __VA_ARGS__)

/* The type of a handle. It is a struct: it has no truth value. */
#define bide_task_of(T) struct bide_task_##T

/* Starts `fn(args...)` as a child of group `g` and gives its handle. Arguments are copied by
   value. Never suspends. In a cancelled group the child is started and cancelled at once. */
#define bide_spawn(g, ...) BIDE__INVOKE(__spawn, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__)

/* The group, and a check: what belongs to one task (a bide_tx, db.h) is not given to another. */
#define BIDE__OWN_TASK(g, fn, ...)                                                                 \
    ((void)sizeof(struct {                                                                         \
         _Static_assert(!fn##__takes_tx, "a transaction belongs to one task: `" #fn                \
                                         "` takes a bide_tx * and cannot be spawned");             \
         char unused;                                                                              \
     }),                                                                                           \
     (g))

/* The same for a child whose result nobody reads. */
#define bide_spawn_void(g, ...)                                                                    \
    BIDE__INVOKE(__spawn_void, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__)

/* Starts a child and waits until it calls bide_task_ready(), which a child that fails or ends
   before turns into an error: `await(start_ready(g, serve, port))`. Its result is not read. */
#define bide_start_ready(g, ...)                                                                   \
    bide__start_ready(BIDE__INVOKE(__spawn, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__).ref)

/* Waits for the task to end and takes its result. Raises the task's error, if it failed: as
   BIDE_CANCELLED if it was cancelled. */
#define bide_await_task(handle) BIDE__AWAIT_TASK(__COUNTER__, #handle, handle)

#ifndef BIDE_NO_KEYWORDS
#define task(T) struct bide_task_##T
#define spawn(g, ...) BIDE__INVOKE(__spawn, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__)
#define spawn_void(g, ...)                                                                         \
    BIDE__INVOKE(__spawn_void, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__)
#define start_ready(g, ...)                                                                        \
    bide__start_ready(BIDE__INVOKE(__spawn, (BIDE__OWN_TASK(g, __VA_ARGS__, )), __VA_ARGS__).ref)
#define await_task(handle) BIDE__AWAIT_TASK(__COUNTER__, "await_task(" #handle ")", handle)
#endif

/* Says that the running task has started well: the `start_ready` that waits for it goes on. */
void bide_task_ready(void);

/* A handle without its type, for lists of tasks. */
#define bide_ref(handle) ((handle).ref)

/* The running task, and all that live on this loop: writes at most `capacity` refs, gives how many
   live. Order: by id, oldest first. Never suspend. */
bide_task_ref bide_current_task(void);
size_t bide_all_tasks(bide_task_ref *ret_tasks, size_t capacity);

static inline bool bide_same_task(bide_task_ref a, bide_task_ref b)
{
    return a.task == b.task && a.id == b.id;
}

/* Whether the task has ended (or is freed). */
bool bide_task_done(bide_task_ref task);

/* Its name: the function's, or what bide_task_rename gave (copied, at most 31 bytes). "" when it
   is freed. Valid while the task lives. */
const char *bide_task_name(bide_task_ref task);
void bide_task_rename(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/*
 * Memory for what tasks give to each other: rows of a database. In a request it is the request's,
 * for its child tasks too; elsewhere that of the outermost task, which ends with it. NULL without
 * memory. with_arena { ... } has one of its own for what runs inside, and ends it with the block:
 * for loops that go on for long. Never suspend.
 */
bide_arena *bide_task_arena(void);
#define bide_with_arena BIDE__WITH_ARENA(__COUNTER__)
#ifndef BIDE_NO_KEYWORDS
#define with_arena BIDE__WITH_ARENA(__COUNTER__)
#endif
struct bide__memory {
    struct bide__memory *outer; /* what it hides meanwhile */
    bide_arena *(*arena_of)(void *owner);
    void *owner;
    bool entered;
    bool has_effects; /* what was done for the owner stays done, perhaps */
    bide_arena arena; /* without arena_of */
};
void bide__arena_enter(struct bide__memory *memory);
void bide__arena_leave(struct bide__memory *memory);
#define BIDE__WITH_ARENA(n) BIDE__WITH_ARENA2(n)
#define BIDE__WITH_ARENA2(n)                                                                       \
    BIDE__WITH(n,                                                                                  \
               (struct bide__memory bide__arena_##n                                                \
                __attribute__((__cleanup__(bide__arena_leave))) = {.entered = false}),             \
               bide__arena_enter(&bide__arena_##n), (void)0)

/* Cancels a task as a whole: `bide_cancel(handle, "reason")`. Its awaits raise BIDE_CANCELLED. Not
   an error for its group. A task that has ended is left alone. Never suspends. */
#define bide_cancel(handle, reason) bide_cancel_task(bide_ref(handle), reason)
void bide_cancel_task(bide_task_ref task, const char *reason);

enum bide_wait_mode {
    BIDE_ALL,         /* until every one has ended */
    BIDE_FIRST_DONE,  /* until one has ended */
    BIDE_FIRST_ERROR, /* until one has failed, or all have ended */
};

/*
 * Waits for tasks without taking results, raising their errors or cancelling any. Gives the index
 * of the task that ended the wait, or `count` for BIDE_ALL, for no failure, and for an empty list.
 * The running task in the list, or a freed one, counts as ended for BIDE_ALL: the recipe "all
 * tasks but me" needs no care.
 */
bide_async(size_t) bide_wait(enum bide_wait_mode mode, const bide_task_ref *tasks, size_t count);

bide_task_ref bide__spawn(struct bide_group *group, const struct bide_site *at, const char *name,
                          void (*thunk)(void *), const void *args, size_t args_size,
                          bool result_wanted);
/* For spawn_void. `pointers`: which words of the arguments are some, the lowest bit for the first.
 */
void bide__spawn_void(struct bide_group *group, const struct bide_site *at, const char *name,
                      void (*thunk)(void *), const void *args, size_t args_size, uint64_t pointers);
/* The bit of a parameter at `offset`, of the class that __builtin_classify_type gives. */
static inline __attribute__((__always_inline__)) uint64_t bide__pointer_word(int class_,
                                                                             long offset)
{
    unsigned long word = (unsigned long)offset / sizeof(void *);
    return class_ == 5 && word < 64 ? (uint64_t)1 << word : 0;
}
bide_async(void) bide__start_ready(bide_task_ref child);
bide_async(void) bide__join(bide_task_ref child, void *ret_value, size_t size);

#define BIDE__AWAIT_TASK(n, text, handle) BIDE__AWAIT_TASK2(n, text, handle)
#define BIDE__AWAIT_TASK2(n, text, handle)                                                         \
    __extension__({                                                                                \
        __auto_type bide__handle_##n = (handle);                                                   \
        __typeof__(bide__handle_##n.type_[0]) bide__value_of_##n;                                  \
        (void)BIDE__AWAIT(                                                                         \
            __COUNTER__, text,                                                                     \
            bide__join(bide__handle_##n.ref, &bide__value_of_##n, sizeof bide__value_of_##n));     \
        bide__value_of_##n;                                                                        \
    })

/* What gather and first_of start: a thunk, its arguments in the caller's frame, and where the
   result goes. */
struct bide__call {
    const struct bide_site *at;
    const char *name;
    void (*thunk)(void *);
    const void *args;
    size_t args_size;
    void *ret_value; /* or NULL */
    size_t value_size;
    bide_error **ret_error; /* or NULL: settled calls only */
};

/* clang-format off */
/* Lists over the parameter types: P parameters, M members, X what they are bound to, F
   initialisers, A call arguments, W which words of the struct x_ are pointers. */
struct bide_tx;
struct bide_db;
struct bide_stream;
struct bide_listener;
struct bide_mutex;
struct bide_semaphore;
struct bide_condition;
struct bide_event;
struct bide_once;
struct bide_request;
struct bide_barrier;
struct bide_rwlock;
struct bide_udp;
struct bide_process;
struct bide_pooled;
struct bide_redis;
struct bide_redis_tx;
struct bide_redis_subscription;
struct bide_http_client;
struct bide_mailer;
struct bide_cache;
struct bide_exchange;
#define BIDE__P_1(A) , A a0
#define BIDE__P_2(A, B) , A a0, B a1
#define BIDE__P_3(A, B, C) , A a0, B a1, C a2
#define BIDE__P_4(A, B, C, D) , A a0, B a1, C a2, D a3
#define BIDE__P_5(A, B, C, D, E) , A a0, B a1, C a2, D a3, E a4
#define BIDE__P_6(A, B, C, D, E, F) , A a0, B a1, C a2, D a3, E a4, F a5
#define BIDE__P_7(A, B, C, D, E, F, G) , A a0, B a1, C a2, D a3, E a4, F a5, G a6
#define BIDE__M_1(A) A a0;
#define BIDE__M_2(A, B) A a0; B a1;
#define BIDE__M_3(A, B, C) A a0; B a1; C a2;
#define BIDE__M_4(A, B, C, D) A a0; B a1; C a2; D a3;
#define BIDE__M_5(A, B, C, D, E) A a0; B a1; C a2; D a3; E a4;
#define BIDE__M_6(A, B, C, D, E, F) A a0; B a1; C a2; D a3; E a4; F a5;
#define BIDE__M_7(A, B, C, D, E, F, G) A a0; B a1; C a2; D a3; E a4; F a5; G a6;
#define BIDE__X_1(A) BIDE__BOUND(A)
#define BIDE__X_2(A, B) BIDE__BOUND(A) | BIDE__BOUND(B)
#define BIDE__X_3(A, B, C) BIDE__X_2(A, B) | BIDE__BOUND(C)
#define BIDE__X_4(A, B, C, D) BIDE__X_3(A, B, C) | BIDE__BOUND(D)
#define BIDE__X_5(A, B, C, D, E) BIDE__X_4(A, B, C, D) | BIDE__BOUND(E)
#define BIDE__X_6(A, B, C, D, E, F) BIDE__X_5(A, B, C, D, E) | BIDE__BOUND(F)
#define BIDE__X_7(A, B, C, D, E, F, G) BIDE__X_6(A, B, C, D, E, F) | BIDE__BOUND(G)
/* 1: it belongs to one task; 2: to the tasks of one loop. */
#define BIDE__BOUND(A) \
    (_Generic(*(A *)0, struct bide_tx *: 1, struct bide_db *: 2, struct bide_stream *: 2, \
              struct bide_listener *: 2, struct bide_mutex *: 2, struct bide_semaphore *: 2, \
              struct bide_condition *: 2, struct bide_event *: 2, struct bide_once *: 2, \
              struct bide_group *: 2, struct bide_request *: 2, struct bide_barrier *: 2, \
              struct bide_rwlock *: 2, struct bide_udp *: 2, struct bide_process *: 2, \
              struct bide_pooled *: 2, struct bide_redis *: 2, struct bide_redis_tx *: 2, \
              struct bide_redis_subscription *: 2, struct bide_http_client *: 2, \
              struct bide_mailer *: 2, struct bide_cache *: 2, struct bide_exchange *: 2, \
              default: 0) | \
     BIDE__BOUND_TEXT(#A))
/* Of these there is a type for each T: they are known by how they are written. */
#define BIDE__BOUND_TEXT(text) \
    (BIDE__BEGINS(text, "struct bide_channel_of_") || \
             BIDE__BEGINS(text, "const struct bide_channel_of_") || \
             BIDE__BEGINS(text, "struct bide_gen_of_") || BIDE__BEGINS(text, "struct bide_task_") \
         ? 2 \
         : 0)
#define BIDE__BEGINS(text, word) (__builtin_strncmp(text, word, sizeof(word) - 1) == 0)
#define BIDE__F_1 , .a0 = a0
#define BIDE__F_2 BIDE__F_1, .a1 = a1
#define BIDE__F_3 BIDE__F_2, .a2 = a2
#define BIDE__F_4 BIDE__F_3, .a3 = a3
#define BIDE__F_5 BIDE__F_4, .a4 = a4
#define BIDE__F_6 BIDE__F_5, .a5 = a5
#define BIDE__F_7 BIDE__F_6, .a6 = a6
#define BIDE__A_1 bide__in->a0
#define BIDE__A_2 BIDE__A_1, bide__in->a1
#define BIDE__A_3 BIDE__A_2, bide__in->a2
#define BIDE__A_4 BIDE__A_3, bide__in->a3
#define BIDE__A_5 BIDE__A_4, bide__in->a4
#define BIDE__A_6 BIDE__A_5, bide__in->a5
#define BIDE__A_7 BIDE__A_6, bide__in->a6
#define BIDE__WORD(member) \
    bide__pointer_word(__builtin_classify_type(x_.member), (char *)&x_.member - (char *)&x_)
#define BIDE__W_1 BIDE__WORD(a0)
#define BIDE__W_2 BIDE__W_1 | BIDE__WORD(a1)
#define BIDE__W_3 BIDE__W_2 | BIDE__WORD(a2)
#define BIDE__W_4 BIDE__W_3 | BIDE__WORD(a3)
#define BIDE__W_5 BIDE__W_4 | BIDE__WORD(a4)
#define BIDE__W_6 BIDE__W_5 | BIDE__WORD(a5)
#define BIDE__W_7 BIDE__W_6 | BIDE__WORD(a6)

/* __COUNT counts fn too: SPAWNABLE_3 has two parameters. */
#define BIDE__SPAWNABLE(s, h, v, ...) \
    BIDE__CAT(BIDE__SPAWNABLE_, BIDE__COUNT(__VA_ARGS__))(s, h, v, __VA_ARGS__)
#define BIDE__SPAWNABLE_1(s, h, v, fn) \
    BIDE__SPAWNABLE_EMIT(s, h, v, fn, #fn, (void), (), (), (0), (), (), (0))
#define BIDE__SPAWNABLE_2(s, h, v, fn, ...) BIDE__SPAWNABLE_N(1, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_3(s, h, v, fn, ...) BIDE__SPAWNABLE_N(2, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_4(s, h, v, fn, ...) BIDE__SPAWNABLE_N(3, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_5(s, h, v, fn, ...) BIDE__SPAWNABLE_N(4, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_6(s, h, v, fn, ...) BIDE__SPAWNABLE_N(5, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_7(s, h, v, fn, ...) BIDE__SPAWNABLE_N(6, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_8(s, h, v, fn, ...) BIDE__SPAWNABLE_N(7, s, h, v, fn, #fn, __VA_ARGS__)
#define BIDE__SPAWNABLE_N(n, s, h, v, fn, name, ...) \
    BIDE__SPAWNABLE_EMIT(s, h, v, fn, name, (__VA_ARGS__), (BIDE__P_##n(__VA_ARGS__)), \
                         (BIDE__M_##n(__VA_ARGS__)), (BIDE__X_##n(__VA_ARGS__)), (BIDE__F_##n), \
                         (BIDE__A_##n), (BIDE__W_##n))

#define BIDE__HELPER __attribute__((__unused__)) static inline
#define BIDE__SPAWNABLE_EMIT(async_struct, handle, value_type, fn, name, types, P, M, X, F, A, \
                             W) \
    BIDE__MUST_USE BIDE__AWAITS async_struct fn types; \
    struct fn##__args { value_type result; BIDE__UNWRAP M char bide__given; }; \
    enum { fn##__bound = (X), fn##__takes_tx = fn##__bound & 1, \
           fn##__loop_bound = fn##__bound & 2 }; \
    BIDE__HELPER void fn##__thunk(void *args_) BIDE__UNCHECKED \
    { \
        struct fn##__args *bide__in = args_; \
        bide__in->result = fn(BIDE__UNWRAP A).await; \
    } \
    BIDE__MUST_USE BIDE__HELPER handle fn##__spawn(struct bide_group *group_, \
                                                   const struct bide_site *at_ BIDE__UNWRAP P) \
    { \
        struct fn##__args x_ = {.bide__given = 0 BIDE__UNWRAP F}; \
        return (handle){.ref = bide__spawn(group_, at_, name, fn##__thunk, &x_, sizeof x_, true)}; \
    } \
    BIDE__MUST_USE BIDE__HELPER handle fn##__handle(bide_task_ref ref_) \
    { \
        return (handle){.ref = ref_}; \
    } \
    BIDE__HELPER void fn##__spawn_void(struct bide_group *group_, \
                                       const struct bide_site *at_ BIDE__UNWRAP P) \
    { \
        struct fn##__args x_ = {.bide__given = 0 BIDE__UNWRAP F}; \
        bide__spawn_void(group_, at_, name, fn##__thunk, &x_, sizeof x_, BIDE__UNWRAP W); \
    } \
    BIDE__HELPER value_type fn##__attempt(struct bide_error **ret_error_, \
                                          const struct bide_site *at_ BIDE__UNWRAP P) BIDE__AWAITS \
    { \
        struct fn##__args x_ = {.bide__given = 0 BIDE__UNWRAP F}; \
        *ret_error_ = bide__attempt(at_, fn##__thunk, &x_); \
        return x_.result; \
    } \
    BIDE__HELPER value_type fn##__move_on_after(bool *ret_timed_out_, bide_duration duration_, \
                                                const struct bide_site *at_ BIDE__UNWRAP P) \
        BIDE__AWAITS \
    { \
        struct fn##__args x_ = {.bide__given = 0 BIDE__UNWRAP F}; \
        *ret_timed_out_ = bide__move_on_after(at_, duration_, fn##__thunk, &x_); \
        return x_.result; \
    } \
    BIDE__HELPER struct bide__call fn##__call(struct fn##__args *store_, value_type *ret_value_, \
                                              struct bide_error **ret_error_, \
                                              const struct bide_site *at_ BIDE__UNWRAP P) \
    { \
        *store_ = (struct fn##__args){.bide__given = 0 BIDE__UNWRAP F}; \
        return (struct bide__call){at_, name, fn##__thunk, store_, sizeof *store_, \
                                   ret_value_, sizeof(value_type), ret_error_}; \
    }
/* clang-format on */

/* `thunk(args)` under a deadline, for move_on_after: whether the deadline passed first. */
bool bide__move_on_after(const struct bide_site *at, bide_duration duration, void (*thunk)(void *),
                         void *args);

#endif
