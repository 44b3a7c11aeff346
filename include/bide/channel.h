/*
 * channel.h: typed, bounded queues between tasks; waiting for several of them.
 *
 *     CHANNEL(job);                                        // once per type, at file scope
 *
 *     async(void) worker(bide_channel(job) *jobs)
 *     {
 *         job next;
 *         while (await(bide_receive(jobs, &next)))         // false: closed, and nothing is left
 *             await(work_on(&next));
 *         return bide_void;
 *     }
 *
 *     with_channel(job, jobs, 16) {
 *         with_group(g) {
 *             spawn_void(g, worker, jobs);
 *             for (size_t i = 0; i < count; i++)
 *                 await(bide_send(jobs, all[i]));          // waits while 16 are queued
 *             bide_channel_close(jobs);
 *         }
 *     }
 *
 * The capacity is a required argument: a queue without a bound is a leak with a delay. 0 is a
 * rendezvous: the sender waits until a receiver has its value.
 *
 * Invariants
 *  1. Values arrive in the order in which the sends began, each exactly once, to one receiver.
 *     Waiting receivers, and waiting senders, are served first come, first served.
 *  2. A send has happened or it has not: one that raises (cancelled, closed) did not deliver its
 *     value; one whose value was taken returns, also if its task was cancelled meanwhile. The same
 *     holds for a receive: no value is ever taken and lost.
 *  3. Closing wakes all that wait. Receivers first get what is buffered, then `false`. A send that
 *     waits at the close, and every later one, raises BIDE_CLOSED, naming who closed it and where.
 *  4. Registered ends: once a channel has a registered sender (with_sender), only registered tasks
 *     send; when the last of them leaves, the channel is closed. The same holds for receivers.
 *     So they are the tasks whose progress can end a wait: a receive while every registered sender
 *     waits, directly or through others, for the receiver is BIDE_DEADLOCK at once.
 *     Without registered ends nothing is concluded.
 *  5. A channel belongs to the loop of the tasks that use it.
 *
 * Values are copied as bytes: what they point to must live until it is received.
 * Source: C. A. R. Hoare, "Communicating sequential processes" (1978).
 *
 * layer: sync
 */
#ifndef BIDE_CHANNEL_H
#define BIDE_CHANNEL_H

#include <bide/mutex.h>

struct bide__end;

/* Private; its owner knows the type of the values. */
struct bide__channel {
    struct bide__queue receivers; /* waiting; then nothing is buffered */
    struct bide__queue senders;   /* waiting; then the buffer is full */
    size_t count;                 /* values buffered */
    size_t capacity;
    size_t high_water;   /* the largest count there has been */
    uint32_t value_size; /* bytes */
    bool closed;
    bool special;                      /* closed, or has registered ends: no short ways */
    char *put, *take;                  /* the next place to write and to read, in the buffer ... */
    char *buffer, *buffer_end;         /* ... which is [buffer, buffer_end) */
    struct bide__end *sender_ends;     /* registered by with_sender, newest first */
    struct bide__end *receiver_ends;   /* by with_receiver */
    struct bide__object to_send;       /* what a waiting sender waits for: its holders receive */
    struct bide__object to_receive;    /* and the other way round */
    const struct bide_site *closed_at; /* who closed it, where, and why */
    const char *closed_why;
    uint64_t closed_by;
    char closed_by_name[32];
    size_t holds; /* of the memory: its owner, and senders whose waits the close ended */
};

/* CHANNEL(T) makes `bide_channel(T)` usable; T is one identifier. */
#define CHANNEL(T)                                                                                 \
    typedef T bide__message_##T;                                                                   \
    struct bide_channel_of_##T {                                                                   \
        struct bide__channel channel;                                                              \
        __extension__ bide__message_##T type_[0];                                                  \
    }

/* The type; used by pointer only. */
#define bide_channel(T) struct bide_channel_of_##T

/*
 * A channel of `capacity` values on the heap, its buffer included: as many bytes as that, at once.
 * `name` is for reports, may be NULL, and is not copied. NULL when out of memory. Ended by
 * bide_channel_free.
 */
#define bide_channel_new(T, capacity, name)                                                        \
    ((struct bide_channel_of_##T *)bide__channel_new(sizeof(struct bide_channel_of_##T),           \
                                                     sizeof(bide__message_##T), capacity, name,    \
                                                     BIDE__SITE("bide_channel_new")))

/* Gives it back with what is still buffered. No task may wait for it or be registered: that is
   BIDE_MISUSE, naming the task; and none may use it later. Waits that a close or a cancel has
   ended are waits no more, also before their tasks run: closing and freeing at once is fine.
   NULL is allowed. Never suspends. */
#define bide_channel_free(c) bide__channel_free(BIDE__CHANNEL(c), BIDE__SITE("bide_channel_free"))

/* with_channel(T, c, capacity) { ... }: `c` is a new channel inside, freed when the block is left,
   as by bide_channel_free: put the group of the tasks that use it inside. Entering raises
   BIDE_NO_MEMORY. */
#define bide_with_channel(T, c, capacity)                                                          \
    BIDE__WITH_CHANNEL(__COUNTER__, struct bide_channel_of_##T, c, capacity)

/*
 * with_sender(c) { ... }, with_receiver(c) { ... }: the running task is a registered end inside.
 * Never suspend. The last one to leave closes the channel, so all must be registered before the
 * first may leave: with several, start each by start_ready and call bide_task_ready() inside.
 */
#define bide_with_sender(c) BIDE__WITH_END(__COUNTER__, c, true, "with_sender(" #c ")")
#define bide_with_receiver(c) BIDE__WITH_END(__COUNTER__, c, false, "with_receiver(" #c ")")

#ifndef BIDE_NO_KEYWORDS
#define with_channel(T, c, capacity)                                                               \
    BIDE__WITH_CHANNEL(__COUNTER__, struct bide_channel_of_##T, c, capacity)
#define with_sender(c) BIDE__WITH_END(__COUNTER__, c, true, "with_sender(" #c ")")
#define with_receiver(c) BIDE__WITH_END(__COUNTER__, c, false, "with_receiver(" #c ")")
#endif

/*
 * await(bide_send(c, value)): an async(void). Suspends while the buffer is full; with capacity 0
 * until a receiver has the value. Raises BIDE_CLOSED, BIDE_CANCELLED, BIDE_DEADLOCK: then the
 * value was not delivered. The value has the channel's type; numbers convert within integers, and
 * within floating types.
 */
#define bide_send(c, ...)                                                                          \
    bide__send(&(c)->channel, BIDE__MESSAGE(c, "bide_send", __VA_ARGS__), sizeof((c)->type_[0]))

/* await(bide_receive(c, &value)): an async(bool): true with the value, or false and `value` is left
   alone when the channel is closed and drained. Suspends while it is empty. Raises BIDE_CANCELLED,
   BIDE_DEADLOCK. */
#define bide_receive(c, ret_value)                                                                 \
    bide__receive(&(c)->channel, BIDE__PLACE(c, "bide_receive", ret_value), sizeof((c)->type_[0]))

/* The same without waiting: whether the value was sent, or received. False also when the channel
   is closed (bide_channel_closed tells). Never suspend. */
#define bide_try_send(c, ...)                                                                      \
    bide__try_send(&(c)->channel, BIDE__MESSAGE(c, "bide_try_send", __VA_ARGS__))
#define bide_try_receive(c, ret_value)                                                             \
    bide__try_receive(&(c)->channel, BIDE__PLACE(c, "bide_try_receive", ret_value))

/* No more values: see invariant 3. By any task. Closing again does nothing. Never suspends. */
#define bide_channel_close(c)                                                                      \
    bide__channel_close(&(c)->channel, BIDE__SITE("bide_channel_close"), "closed")

/* Whether it is closed, how many values are buffered, and the most there have ever been. */
#define bide_channel_closed(c) ((bool)(c)->channel.closed)
#define bide_channel_count(c) ((size_t)(c)->channel.count)
#define bide_channel_high_water(c) ((size_t)(c)->channel.high_water)

/*
 * Waiting for the first of several sends and receives, or for a time:
 *
 *     bide_select_case cases[] = {bide_case_receive(jobs, &next), bide_case_receive(quit, &code),
 *                                 bide_case_after(bide_s(5))};
 *     switch (await(bide_select(cases, 3))) {
 *     case 0: ...
 *
 * Exactly one of the cases happens. Of several that are ready one is picked at random, so none
 * starves. Cases of channels between loops (cross_channel.h) may stand beside them.
 */
enum { BIDE_SELECT_CASES = 32 }; /* at most so many in one select */

struct bide__cross;

typedef struct bide_select_case {
    struct bide__channel *channel; /* one of the two, or ... */
    struct bide__cross *cross;
    bide_duration after; /* ... a time */
    void *value;         /* the slot of a receive, a copy of what a send sends */
    bool sends, is_time;
    bool closed; /* set for the case that happened: a receive from a closed and drained channel */
} bide_select_case;

/* The cases. The value of a send lives in the enclosing block. */
#define bide_case_send(c, ...)                                                                     \
    {                                                                                              \
        .channel = &(c)->channel, .value = BIDE__MESSAGE(c, "bide_case_send", __VA_ARGS__),        \
        .sends = true                                                                              \
    }
#define bide_case_receive(c, ret_value)                                                            \
    {                                                                                              \
        .channel = &(c)->channel, .value = BIDE__PLACE(c, "bide_case_receive", ret_value)          \
    }
/* Happens when so much time has passed since the select began; bide_ms(0) or less: at once. */
#define bide_case_after(duration)                                                                  \
    {                                                                                              \
        .after = (duration), .is_time = true                                                       \
    }

/*
 * Suspends until one of 1 to BIDE_SELECT_CASES cases can happen, does it, and gives its index. A
 * receive from a closed and drained channel counts as ready and sets the case's `closed`; a send to
 * a closed one raises BIDE_CLOSED. Also raises BIDE_CANCELLED: then nothing happened. No deadlock
 * is concluded from a select. A case of a NULL channel is BIDE_MISUSE.
 */
bide_async(size_t) bide_select(bide_select_case *cases, size_t count);

/* The same without waiting: whether one happened, and which. Never suspends. */
BIDE__MUST_USE bool bide_try_select(bide_select_case *cases, size_t count, size_t *ret_index);

/* A registered end, in the frame of its block. */
struct bide__end {
    struct bide__channel *channel; /* NULL until it is registered */
    struct bide_task *task;
    const struct bide_site *since;
    struct bide__end *newer, *older;
    bool sends;
};

void *bide__channel_new(size_t size, size_t value_size, size_t capacity, const char *name,
                        const struct bide_site *made);
void bide__channel_free(struct bide__channel *channel, const struct bide_site *at);
void *bide__channel_enter(size_t size, size_t value_size, size_t capacity, const char *name,
                          const struct bide_site *made);
void bide__channel_leave(void *owner);
void bide__end_enter(struct bide__end *end, struct bide__channel *channel, bool sends,
                     const struct bide_site *at);
void bide__end_leave(struct bide__end *end);
BIDE__MUST_USE bool bide__try_send(struct bide__channel *channel, const void *value);
BIDE__MUST_USE bool bide__try_receive(struct bide__channel *channel, void *ret_value);
void bide__channel_close(struct bide__channel *channel, const struct bide_site *at,
                         const char *why);

/*
 * Sending and receiving through the buffer while nobody waits is in the header, where the size of
 * the values is a constant. All else is behind `begin`; waits park in the caller's frame, as those
 * of a mutex do.
 */
BIDE__MUST_USE int bide__send_begin(struct bide__channel *channel, const void *value,
                                    struct bide__parking *parking);
BIDE__MUST_USE int bide__receive_begin(struct bide__channel *channel, void *ret_value,
                                       struct bide__parking *parking);
/* Of a send that has waited. */
__attribute__((__noreturn__, __cold__)) void bide__send_failed(struct bide__channel *channel,
                                                               int result);
/* False when the channel is closed and drained; else raises. */
BIDE__MUST_USE bool bide__receive_ended(struct bide__channel *channel, int result);

static inline __attribute__((__always_inline__)) bide_async(void)
bide__send(struct bide__channel *channel, const void *value, size_t size)
{
    struct bide__head *me = bide__current;
    BIDE__ACQUIRE(channel);
    if (__builtin_expect(channel->count < channel->capacity && !channel->receivers.first &&
                             !channel->special && !me->attention && --me->budget > 0,
                         1)) {
        char *put = channel->put;
        __builtin_memcpy(put, value, size);
        put += size;
        channel->put = put == channel->buffer_end ? channel->buffer : put;
        if (++channel->count > channel->high_water)
            channel->high_water = channel->count;
        BIDE__RELEASE(channel);
    } else {
        BIDE__RELEASE(channel);
        struct bide__parking parking;
        int how = bide__send_begin(channel, value, &parking);
        if (how == BIDE__PARK)
            bide__park(&parking);
        if (how && parking.wait.result)
            bide__send_failed(channel, parking.wait.result);
    }
    return bide_void;
}

static inline __attribute__((__always_inline__)) bide_async(bool)
bide__receive(struct bide__channel *channel, void *ret_value, size_t size)
{
    struct bide__head *me = bide__current;
    BIDE__ACQUIRE(channel);
    if (__builtin_expect(channel->count > 0 && !channel->senders.first && !channel->special &&
                             !me->attention && --me->budget > 0,
                         1)) {
        char *take = channel->take;
        __builtin_memcpy(ret_value, take, size);
        take += size;
        channel->take = take == channel->buffer_end ? channel->buffer : take;
        channel->count--;
        BIDE__RELEASE(channel);
    } else {
        BIDE__RELEASE(channel);
        struct bide__parking parking;
        int how = bide__receive_begin(channel, ret_value, &parking);
        if (how == BIDE__PARK)
            bide__park(&parking);
        if (how && parking.wait.result)
            return bide_ready(bool, bide__receive_ended(channel, parking.wait.result));
    }
    return bide_ready(bool, true);
}

/* A typed channel, perhaps NULL, as its first member. */
#define BIDE__CHANNEL(c)                                                                           \
    ((struct bide__channel *)(sizeof(&(c)->channel == (struct bide__channel *)0) ? (void *)(c)     \
                                                                                 : NULL))

/* The address of a copy of the value, of the channel's type. What can be one is checked: the same
   class of types, and for structures the same type. */
#define BIDE__MESSAGE(c, call, ...)                                                                \
    (&((struct {                                                                                   \
          __typeof__((c)->type_[0]) value;                                                         \
          _Static_assert(BIDE__CLASS((c)->type_[0]) == BIDE__CLASS(__VA_ARGS__) &&                 \
                             (BIDE__CLASS((c)->type_[0]) < 12 /* structures and unions */ ||       \
                              __builtin_types_compatible_p(__typeof__((c)->type_[0]),              \
                                                           __typeof__(__VA_ARGS__))),              \
                         call ": the value is not of the type that the channel carries");          \
      }){__VA_ARGS__})                                                                             \
          .value)
/* gcc has one class for all integers, clang tells characters, enumerations and bool (2 to 4). */
#define BIDE__CLASS(...)                                                                           \
    (__builtin_classify_type(__VA_ARGS__) < 5 ? 1 : __builtin_classify_type(__VA_ARGS__))

#define BIDE__PLACE(c, call, ret_value)                                                            \
    ((void *)(sizeof(struct {                                                                      \
        char unused;                                                                               \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__((c)->type_[0]) *, __typeof__(ret_value)),      \
            call ": the value goes into a pointer to the type that the channel carries");          \
    })                                                                                             \
                  ? (ret_value)                                                                    \
                  : NULL))

#define BIDE__WITH_CHANNEL(n, type, c, capacity) BIDE__WITH_CHANNEL2(n, type, c, capacity)
#define BIDE__WITH_CHANNEL2(n, type, c, capacity)                                                  \
    BIDE__WITH(n,                                                                                  \
               (type * bide__owned_##n __attribute__((__cleanup__(bide__channel_leave))) =         \
                    bide__channel_enter(sizeof(type), sizeof(((type *)0)->type_[0]), (capacity),   \
                                        #c, BIDE__SITE("with_channel(" #c ")")),                   \
                    *const c __attribute__((__unused__)) = bide__owned_##n),                       \
               (void)0, (void)0)

#define BIDE__WITH_END(n, c, sends, text) BIDE__WITH_END2(n, c, sends, text)
#define BIDE__WITH_END2(n, c, sends_, text)                                                        \
    BIDE__WITH(n,                                                                                  \
               (struct bide__end bide__end_##n __attribute__((                                     \
                    __cleanup__(bide__end_leave))) = {NULL, NULL, NULL, NULL, NULL, false}),       \
               bide__end_enter(&bide__end_##n, &(c)->channel, sends_, BIDE__SITE(text)), (void)0)

CHANNEL(bool);
CHANNEL(int);
CHANNEL(unsigned);
CHANNEL(long);
CHANNEL(size_t);
CHANNEL(int32_t);
CHANNEL(int64_t);
CHANNEL(uint32_t);
CHANNEL(uint64_t);
CHANNEL(double);

#endif
