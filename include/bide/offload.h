/*
 * offload.h: calling what blocks or computes for long, on a thread beside the loop.
 *
 *     static digest hash_password(const char *password, int rounds);    // plain C, no await
 *     OFFLOADABLE(digest, hash_password, const char *, int)
 *
 *     digest d = await(offload(BIDE_CPU, hash_password, form.password, 12));
 *
 * The call runs on a thread of the lane; the task waits and the loop turns on. There are two lanes,
 * shared by all loops of the process, so that slow disks do not keep computations waiting nor the
 * other way round. Each serves first come, first served. Their threads start on demand, end after
 * some idle seconds, and block all signals but those of faults.
 *
 * Invariants
 *  1. The function runs outside of tasks: an await in it is caught as misuse. It may `fail`: its
 *     cleanups run on the lane, and `offload` raises a copy of the error, without its causes.
 *  2. `offload` returns when nothing runs any more: arguments may point into the caller's frame.
 *  3. Cancelled before its turn, the call never runs. Once it runs it cannot be stopped: the await
 *     raises when it ends, and what it gave is dropped. A long function looks at
 *     bide_offload_cancelled().
 *  4. The function must not touch what tasks use without locks of its own: it runs beside them.
 *
 * layer: io
 */
#ifndef BIDE_OFFLOAD_H
#define BIDE_OFFLOAD_H

#include <bide/task.h>

enum bide_lane {
    BIDE_BLOCKING, /* what waits: files, drivers. Up to BIDE_CAP_BLOCKING_THREADS (64) threads */
    BIDE_CPU,      /* what computes: as many threads as the process may use cores */
};

/*
 * OFFLOADABLE(T, fn, parameter types...): makes a plain function `T fn(types)` of up to 7
 * parameters usable by offload, with all types checked; T is an AWAITABLE identifier or void. It
 * declares fn; for a static function it stands after its (static) declaration. No semicolon.
 */
#define OFFLOADABLE(T, ...)                                                                        \
    BIDE__OFFLOADABLE(struct forgotten_await_##T,                                                  \
                      BIDE__SECOND(BIDE__OFFLOAD_TYPE_##T, bide__value_##T, ~),                    \
                      BIDE__SECOND(BIDE__OFFLOAD_STORE_##T, bide__in->result =, ~),                \
                      bide__value_##T, __VA_ARGS__)

/*
 * Calls `fn(args...)` on the lane and gives its value: await(offload(BIDE_BLOCKING, fn, args...)).
 * Arguments are copied. Always suspends. BIDE_LIMIT when the lane has no thread and none can be
 * started; with fewer threads than wanted it goes on.
 */
#define bide_offload(lane, ...) BIDE__INVOKE(__offload, (lane), __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define offload(lane, ...) BIDE__INVOKE(__offload, (lane), __VA_ARGS__)
#endif

/* How many calls of the lane run at a time, at most. */
size_t bide_offload_threads(enum bide_lane lane);

/* In an offloaded function: whether the task that waits for it was cancelled. False elsewhere. */
bool bide_offload_cancelled(void);

/* Runs `run(args)` on a lane. */
void bide__offload(enum bide_lane lane, const struct bide_site *at, const char *name,
                   void (*run)(void *), void *args) BIDE__TASK;

/* A comma in BIDE__OFFLOAD_..._void moves the second place on: void has a type of its own, and no
   value to store. */
#define BIDE__OFFLOAD_TYPE_void ~, void
#define BIDE__OFFLOAD_STORE_void ~,

/* clang-format off */
#define BIDE__OFFLOADABLE(s, t, r, v, ...) \
    BIDE__CAT(BIDE__OFFLOADABLE_, BIDE__COUNT(__VA_ARGS__))(s, t, r, v, __VA_ARGS__)
#define BIDE__OFFLOADABLE_1(s, t, r, v, fn) \
    BIDE__OFFLOADABLE_EMIT(s, t, r, v, fn, #fn, (void), (), (), (), ())
#define BIDE__OFFLOADABLE_2(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(1, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_3(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(2, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_4(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(3, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_5(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(4, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_6(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(5, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_7(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(6, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_8(s, t, r, v, fn, ...) \
    BIDE__OFFLOADABLE_N(7, s, t, r, v, fn, #fn, __VA_ARGS__)
#define BIDE__OFFLOADABLE_N(n, s, t, r, v, fn, name, ...) \
    BIDE__OFFLOADABLE_EMIT(s, t, r, v, fn, name, (__VA_ARGS__), (BIDE__P_##n(__VA_ARGS__)), \
                           (BIDE__M_##n(__VA_ARGS__)), (BIDE__F_##n), (BIDE__A_##n))

#define BIDE__OFFLOADABLE_EMIT(async_struct, type, store, value_type, fn, name, types, P, M, F, A) \
    type fn types; \
    struct fn##__job { value_type result; BIDE__UNWRAP M }; \
    BIDE__HELPER void fn##__on_lane(void *job_) \
    { \
        struct fn##__job *bide__in = job_; \
        (void)bide__in; \
        store fn(BIDE__UNWRAP A); \
    } \
    BIDE__MUST_USE BIDE__HELPER async_struct fn##__offload(enum bide_lane lane_, \
                                                           const struct bide_site *at_ \
                                                           BIDE__UNWRAP P) BIDE__AWAITS \
    { \
        struct fn##__job x_ = {.result = (value_type){0} BIDE__UNWRAP F}; \
        bide__offload(lane_, at_, name, fn##__on_lane, &x_); \
        return (async_struct){x_.result}; \
    }
/* clang-format on */

#endif
