/*
 * cross_channel.h: typed, bounded queues between tasks of different loops.
 *
 *     CROSS_CHANNEL(job);                                      // once per type, at file scope
 *
 *     async(void) worker(bide_cross_channel(job) *jobs)
 *     {
 *         job next;
 *         while (await(bide_cross_receive(jobs, &next)))       // false: closed, and nothing is
 * left await(work_on(&next)); return bide_void;
 *     }
 *
 *     with_cross_channel(job, jobs, 64) {
 *         with_group(g) {
 *             for (int loop = 0; loop < bide_loop_count(); loop++)
 *                 spawn_void_on(g, loop, worker, jobs);        // spawn_on.h
 *             for (size_t i = 0; i < count; i++)
 *                 await(bide_cross_send(jobs, all[i]));
 *             bide_cross_close(jobs);
 *         }
 *     }
 *
 * Between tasks of one loop a channel (channel.h) is faster and knows who could end a wait. Here a
 * lock guards the queue, and a loop that waits is told once for many values:
 * while it has not looked yet, nothing more is sent to it.
 *
 * Invariants
 *  1. Each value is received exactly once, in the order of the sends: values that one task sends
 *     are received in that order. Of several tasks that wait on one loop the first comes first;
 *     between loops no order is promised, but each that waits has its turn: at the latest after
 *     BIDE_CAP_CROSS_PASSED (32) sends, or receives, of other loops for each loop that waits.
 *  2. A send has happened or it has not, as in channel.h: one that raises did not deliver its
 *     value, and a receive that raises took none.
 *  3. Closing wakes all that wait. Receivers first get what is buffered, then `false`; a send that
 *     waits, and every later one, raises BIDE_CLOSED, naming who closed it and where.
 *  4. Registered ends: when the last task leaves its with_cross_sender, the channel is closed; the
 *     same holds for receivers. So whoever still waits on the other side is told.
 *  5. Deadlocks: when every task of every loop waits for tasks of other loops (in these channels,
 * or for calls of spawn_on), and no loop has a timer, or waits for anything else (I/O, a thread, a
 *     turn to write, bide_until_stop), then nothing can ever happen: all loops' tasks are reported,
 *     and the wait that began last raises BIDE_DEADLOCK. Less than that concludes nothing: not some
 *     tasks that wait for each other while others run, nor a wait beside a loop that serves.
 *  6. A loop with tasks that wait here looks for values for a moment (BIDE_CAP_SPIN_NS at the most,
 *     less where that is in vain) before it sleeps, if each loop has a core of its own.
 *
 * Values are copied as bytes: what they point to is another thread's from then on.
 *
 * layer: sync
 */
#ifndef BIDE_CROSS_CHANNEL_H
#define BIDE_CROSS_CHANNEL_H

#include <bide/channel.h>

struct bide__cross;

/* CROSS_CHANNEL(T) makes `bide_cross_channel(T)` usable; T is one identifier. */
#define CROSS_CHANNEL(T)                                                                           \
    typedef T bide__crossing_##T;                                                                  \
    struct bide_cross_channel_of_##T {                                                             \
        struct bide__cross *itself;                                                                \
        __extension__ bide__crossing_##T type_[0];                                                 \
    }

/* The type; used by pointer only. */
#define bide_cross_channel(T) struct bide_cross_channel_of_##T

/*
 * A channel of `capacity` (not 0) values on the heap, its buffer included; made in a task. `name`
 * is for reports, may be NULL, and is not copied. NULL when out of memory. Ended by
 * bide_cross_channel_free.
 */
#define bide_cross_channel_new(T, capacity, name)                                                  \
    ((struct bide_cross_channel_of_##T *)bide__cross_new(                                          \
        sizeof(bide__crossing_##T), capacity, name, BIDE__SITE("bide_cross_channel_new")))

/* Gives it back with what is still buffered, on any loop. No task may wait for it or be registered:
   that is BIDE_MISUSE; and none may use it later. A wait of this loop that a close, a cancel, or
   another case of its select has ended is a wait no more, also before its task runs; one of another
   loop may be one until then. NULL is allowed. Never suspends. */
#define bide_cross_channel_free(c)                                                                 \
    bide__cross_free(BIDE__CROSS(c), BIDE__SITE("bide_cross_channel_free"))

/* with_cross_channel(T, c, capacity) { ... }: `c` is a new channel inside, freed when the block is
   left: put the group of the tasks that use it inside. Entering raises BIDE_NO_MEMORY. */
#define bide_with_cross_channel(T, c, capacity)                                                    \
    BIDE__WITH_CROSS(__COUNTER__, struct bide_cross_channel_of_##T, c, capacity)
#ifndef BIDE_NO_KEYWORDS
#define with_cross_channel(T, c, capacity)                                                         \
    BIDE__WITH_CROSS(__COUNTER__, struct bide_cross_channel_of_##T, c, capacity)
#endif

/*
 * await(bide_cross_send(c, value)): an async(void). Suspends while the buffer is full. Raises
 * BIDE_CLOSED and BIDE_CANCELLED: then the value was not delivered. The value has the channel's
 * type, as in bide_send.
 */
#define bide_cross_send(c, ...)                                                                    \
    bide__cross_send(BIDE__CROSS(c), BIDE__MESSAGE(c, "bide_cross_send", __VA_ARGS__))

/* await(bide_cross_receive(c, &value)): an async(bool): true with the value, or false and `value`
   is left alone when the channel is closed and drained. Suspends while it is empty. Raises
   BIDE_CANCELLED. */
#define bide_cross_receive(c, ret_value)                                                           \
    bide__cross_receive(BIDE__CROSS(c), BIDE__PLACE(c, "bide_cross_receive", ret_value))

/*
 * with_cross_sender(c) { ... }, with_cross_receiver(c) { ... }: the running task is a registered
 * end inside. Never suspend. The last one to leave closes the channel. Tasks of other loops begin
 * when they will: with several, say how many there are to be, before they are spawned; each of them
 * must come. Other tasks may send and receive too; they keep nothing open.
 */
#define bide_with_cross_sender(c)                                                                  \
    BIDE__WITH_CROSS_END(__COUNTER__, c, true, "with_cross_sender(" #c ")")
#define bide_with_cross_receiver(c)                                                                \
    BIDE__WITH_CROSS_END(__COUNTER__, c, false, "with_cross_receiver(" #c ")")
#ifndef BIDE_NO_KEYWORDS
#define with_cross_sender(c) BIDE__WITH_CROSS_END(__COUNTER__, c, true, "with_cross_sender(" #c ")")
#define with_cross_receiver(c)                                                                     \
    BIDE__WITH_CROSS_END(__COUNTER__, c, false, "with_cross_receiver(" #c ")")
#endif

/* So many more senders, and receivers, will come. Never suspends. */
#define bide_cross_will_come(c, senders, receivers)                                                \
    bide__cross_will_come(BIDE__CROSS(c), senders, receivers)

/* Cases of bide_select (channel.h), beside those of the loop's own channels and of times. */
#define bide_case_cross_send(c, ...)                                                               \
    {                                                                                              \
        .cross = BIDE__CROSS(c), .value = BIDE__MESSAGE(c, "bide_case_cross_send", __VA_ARGS__),   \
        .sends = true                                                                              \
    }
#define bide_case_cross_receive(c, ret_value)                                                      \
    {                                                                                              \
        .cross = BIDE__CROSS(c), .value = BIDE__PLACE(c, "bide_case_cross_receive", ret_value)     \
    }

/* No more values: see invariant 3. By any task of any loop. Closing again does nothing. Never
   suspends. */
#define bide_cross_close(c) bide__cross_close(BIDE__CROSS(c), BIDE__SITE("bide_cross_close"))

/* Whether it is closed, and how many values are buffered; other loops may change both at once. */
#define bide_cross_closed(c) bide__cross_closed(BIDE__CROSS(c))
#define bide_cross_count(c) bide__cross_count(BIDE__CROSS(c))

void *bide__cross_new(size_t value_size, size_t capacity, const char *name,
                      const struct bide_site *made);
void *bide__cross_enter(size_t value_size, size_t capacity, const char *name,
                        const struct bide_site *made);
void bide__cross_free(struct bide__cross *cross, const struct bide_site *at);
void bide__cross_leave(void *owner);
bide_async(void) bide__cross_send(struct bide__cross *cross, const void *value);
bide_async(bool) bide__cross_receive(struct bide__cross *cross, void *ret_value);
void bide__cross_close(struct bide__cross *cross, const struct bide_site *at);
bool bide__cross_closed(struct bide__cross *cross);
size_t bide__cross_count(struct bide__cross *cross);

/* What is behind a typed pointer, perhaps NULL. */
#define BIDE__CROSS(c)                                                                             \
    ((struct bide__cross *)(sizeof((c)->itself == (struct bide__cross *)0) ? (void *)(c) : NULL))

/* A registered end, in the frame of its block. */
struct bide__cross_end {
    struct bide__cross *cross; /* NULL until it is registered */
    const struct bide_site *since;
    bool sends;
};

void bide__cross_will_come(struct bide__cross *cross, size_t senders, size_t receivers);
void bide__cross_end_enter(struct bide__cross_end *end, struct bide__cross *cross, bool sends,
                           const struct bide_site *at);
void bide__cross_end_leave(struct bide__cross_end *end);

#define BIDE__WITH_CROSS_END(n, c, sends, text) BIDE__WITH_CROSS_END2(n, c, sends, text)
#define BIDE__WITH_CROSS_END2(n, c, sends, text)                                                   \
    BIDE__WITH(                                                                                    \
        n,                                                                                         \
        (struct bide__cross_end bide__cross_end_##n                                                \
         __attribute__((__cleanup__(bide__cross_end_leave))) = {NULL, NULL, false}),               \
        bide__cross_end_enter(&bide__cross_end_##n, BIDE__CROSS(c), sends, BIDE__SITE(text)),      \
        (void)0)

#define BIDE__WITH_CROSS(n, type, c, capacity) BIDE__WITH_CROSS2(n, type, c, capacity)
#define BIDE__WITH_CROSS2(n, type, c, capacity)                                                    \
    BIDE__WITH(n,                                                                                  \
               (type * bide__crossing_##n __attribute__((__cleanup__(bide__cross_leave))) =        \
                    bide__cross_enter(sizeof(((type *)0)->type_[0]), (capacity), #c,               \
                                      BIDE__SITE("with_cross_channel(" #c ")")),                   \
                    *const c __attribute__((__unused__)) = bide__crossing_##n),                    \
               (void)0, (void)0)

CROSS_CHANNEL(bool);
CROSS_CHANNEL(int);
CROSS_CHANNEL(unsigned);
CROSS_CHANNEL(long);
CROSS_CHANNEL(size_t);
CROSS_CHANNEL(int32_t);
CROSS_CHANNEL(int64_t);
CROSS_CHANNEL(uint32_t);
CROSS_CHANNEL(uint64_t);
CROSS_CHANNEL(double);

#endif
