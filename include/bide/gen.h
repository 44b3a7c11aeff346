/*
 * gen.h: generators: functions that give one value after the other, when they are asked to.
 *
 *     GENERATOR(line);                                     // once per type, at file scope
 *     GENERATES(line, read_lines, bide_stream *)           // one line beside the prototype
 *
 *     async(void) read_lines(bide_gen(line) *gen, bide_stream *stream)
 *     {
 *         line next;
 *         while (await(read_one(stream, &next)))
 *             await(bide_give(gen, next));                 // until the next one is asked for
 *         return bide_void;
 *     }
 *
 *     with_generator(lines, read_lines, stream) {
 *         line one;
 *         while (await(bide_next(lines, &one)))
 *             if (is_empty(&one))
 *                 return ready(bool, true);                // its cleanups run before this goes on
 *     }
 *
 * A generator is a task of its own, owned by the block: it may await anything, hold resources and
 * use with-blocks across the values it gives. It runs only between a `bide_next` and the value.
 *
 * Invariants
 *  1. It begins at the first bide_next, and goes on after a bide_give at the following one.
 *  2. However the block is left, a generator that has not ended is cancelled at its bide_give, and
 *     the block ends after its cleanups.
 *  3. Errors go both ways: one that leaves the generator is raised by the bide_next that waits (or
 *     by the end of the block); bide_gen_throw raises one in the generator, at its bide_give.
 *  4. A bide_next that is cancelled or too late loses nothing: the value, when it comes, is for the
 *     next one.
 *  5. One task asks at a time. A generator that waits for what the owner of the block holds, while
 *     the owner waits for it, is BIDE_DEADLOCK at once.
 *
 * layer: core
 */
#ifndef BIDE_GEN_H
#define BIDE_GEN_H

#include <bide/group.h>

/* Private; at the front of every generator. */
struct bide__gen {
    bide_group group;                  /* of the one task */
    struct bide__call call;            /* what it runs; its arguments are there until it starts */
    bide_task_ref task;                /* that runs it, once it has started */
    struct bide__queue taking, giving; /* who asks; the generator, in bide_give */
    struct bide__object to_take, to_give;
    size_t value_size;
    void *value, *sent;  /* places in the generator's struct */
    bide_error *thrown;  /* to be raised in it */
    bide_error *failure; /* it failed: to be raised by who asks */
    bool started, ended;
    bool asked;     /* a value was asked for and not yet taken */
    bool full;      /* `value` is one */
    bool has_sent;  /* `sent` is what came with the question */
    bool cancelled; /* it was ended by a cancel that nobody here asked for */
    bool closing;
};

/* GENERATOR(T) makes `bide_gen(T)` usable; T is one identifier. */
#define GENERATOR(T)                                                                               \
    typedef T bide__given_##T;                                                                     \
    struct bide_gen_of_##T {                                                                       \
        struct bide__gen gen;                                                                      \
        bide__given_##T value, sent;                                                               \
    }

/* The type; used by pointer only. */
#define bide_gen(T) struct bide_gen_of_##T

/* GENERATES(T, fn, parameter types...): declares `async(void) fn(bide_gen(T) *, types)`, of up to 6
   further parameters, for with_generator. At file scope, no semicolon. */
#define GENERATES(T, ...) BIDE__CAT(BIDE__GENERATES_, BIDE__COUNT(__VA_ARGS__))(T, __VA_ARGS__)

/* with_generator(g, fn, args...) { ... }: `g` is the generator `fn(g, args...)` inside. Arguments
   are copied when it begins. Entering never suspends; the end does, while it still cleans up. */
#define bide_with_generator(g, ...)                                                                \
    BIDE__CAT(BIDE__WITH_GENERATOR_, BIDE__COUNT(__VA_ARGS__))(__COUNTER__, g, __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define with_generator(g, ...)                                                                     \
    BIDE__CAT(BIDE__WITH_GENERATOR_, BIDE__COUNT(__VA_ARGS__))(__COUNTER__, g, __VA_ARGS__)
#endif

/* await(bide_next(g, &value)): an async(bool): true with the next value, false and `value` left
   alone when the generator has ended. Raises what it failed with, once. */
#define bide_next(g, ret_value)                                                                    \
    bide__gen_next(&(g)->gen, BIDE__GEN_PLACE(g, "bide_next", ret_value), NULL)

/* The same, with a value of the same type for the generator, see bide_gen_sent. Before the first
   bide_next, or while the value of an earlier one was not taken, it is BIDE_MISUSE. */
#define bide_gen_send(g, sent_value, ret_value)                                                    \
    bide__gen_next(&(g)->gen, BIDE__GEN_PLACE(g, "bide_gen_send", ret_value),                      \
                   BIDE__GEN_VALUE(g, sent_value))

/* The same, but bide_give raises a copy of `error` in the generator. In one that has not begun, or
   has ended, it is raised here. */
#define bide_gen_throw(g, error, ret_value)                                                        \
    bide__gen_throw(&(g)->gen, (error), BIDE__GEN_PLACE(g, "bide_gen_throw", ret_value))

/* await(bide_gen_close(g)): an async(void): ends it now rather than with the block: cancels it and
   waits for its cleanups. Raises what they fail with. Later ones give false. */
#define bide_gen_close(g) bide__gen_close(&(g)->gen)

/* In the generator: await(bide_give(g, value)): an async(void): gives a value and waits until the
   next one is asked for. Raises what was thrown, and BIDE_CANCELLED. */
#define bide_give(g, ...) bide__gen_give(&(g)->gen, BIDE__GEN_VALUE(g, __VA_ARGS__))

/* In the generator, after a bide_give: whether a value was sent along, and which. */
#define bide_gen_sent(g, ret_value)                                                                \
    bide__gen_sent(&(g)->gen, BIDE__GEN_PLACE(g, "bide_gen_sent", ret_value))

void bide__gen_enter(struct bide__gen *gen, size_t value_size, void *value, void *sent,
                     const struct bide__call call);
void bide__gen_leave(void *generator);
bide_async(bool) bide__gen_next(struct bide__gen *gen, void *ret_value, const void *sent);
bide_async(bool) bide__gen_throw(struct bide__gen *gen, bide_error *error, void *ret_value);
bide_async(void) bide__gen_close(struct bide__gen *gen);
bide_async(void) bide__gen_give(struct bide__gen *gen, const void *value);
BIDE__MUST_USE bool bide__gen_sent(const struct bide__gen *gen, void *ret_value);

/* A copy: a value of the type, or what initialises one. */
#define BIDE__GEN_VALUE(g, ...) (&(struct { __typeof__((g)->value) value; }){__VA_ARGS__}.value)

#define BIDE__GEN_PLACE(g, call, ret_value)                                                        \
    ((void *)(sizeof(struct {                                                                      \
        char unused;                                                                               \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__((g)->value) *, __typeof__(ret_value)),         \
            call ": the value goes into a pointer to the type that the generator gives");          \
    })                                                                                             \
                  ? (ret_value)                                                                    \
                  : NULL))

#define BIDE__GENERATES_1(T, fn) SPAWNABLE(void, fn, struct bide_gen_of_##T *)
#define BIDE__GENERATES_N(T, fn, ...) SPAWNABLE(void, fn, struct bide_gen_of_##T *, __VA_ARGS__)
#define BIDE__GENERATES_2 BIDE__GENERATES_N
#define BIDE__GENERATES_3 BIDE__GENERATES_N
#define BIDE__GENERATES_4 BIDE__GENERATES_N
#define BIDE__GENERATES_5 BIDE__GENERATES_N
#define BIDE__GENERATES_6 BIDE__GENERATES_N
#define BIDE__GENERATES_7 BIDE__GENERATES_N

#define BIDE__WITH_GENERATOR_1(n, g, fn)                                                           \
    BIDE__WITH_GENERATOR2(n, g, fn,                                                                \
                          fn##__call(BIDE__OWN_TASK(&(struct fn##__args){0}, fn, ), NULL, NULL,    \
                                     BIDE__SITE("with_generator(" #fn ")"), g))
#define BIDE__WITH_GENERATOR_N(n, g, fn, ...)                                                      \
    BIDE__WITH_GENERATOR2(n, g, fn,                                                                \
                          fn##__call(BIDE__OWN_TASK(&(struct fn##__args){0}, fn, ), NULL, NULL,    \
                                     BIDE__SITE("with_generator(" #fn ")"), g, __VA_ARGS__))
#define BIDE__WITH_GENERATOR_2 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR_3 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR_4 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR_5 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR_6 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR_7 BIDE__WITH_GENERATOR_N
#define BIDE__WITH_GENERATOR2(n, g, fn, call) BIDE__WITH_GENERATOR3(n, g, fn, call)
#define BIDE__WITH_GENERATOR3(n, g, fn, call)                                                      \
    BIDE__WITH(n,                                                                                  \
               (__typeof__(*((struct fn##__args *)0)->a0) bide__gen_##n                            \
                __attribute__((__cleanup__(bide__gen_leave))) = {.gen = {.value_size = 0}},        \
                    *const g = &bide__gen_##n),                                                    \
               bide__gen_enter(&(g)->gen, sizeof(g)->value, &(g)->value, &(g)->sent, (call)),      \
               (void)0)

GENERATOR(bool);
GENERATOR(int);
GENERATOR(long);
GENERATOR(size_t);
GENERATOR(int32_t);
GENERATOR(int64_t);
GENERATOR(uint32_t);
GENERATOR(uint64_t);
GENERATOR(double);

#endif
