/*
 * redis.h: a Redis client: many tasks, one connection.
 *
 *     with(bide_redis, r, "redis://:secret@127.0.0.1:6379/0", NULL) {
 *         await(bide_redis_set(r, "user:7", "Ada", bide_s(60)));
 *         const char *name = await(bide_redis_get(r, "user:7")).text;
 *         bide_redis_reply top = await(bide_redis(r, "ZRANGE", "scores", 0, 9));
 *         for (size_t i = 0; i < top.count; i++)
 *             puts(top.items[i].text);
 *     }
 *
 * Commands of all tasks go over one connection: those that are made in the same turn of the loop
 * are sent together, and their replies are handed out in order. What blocks the connection for
 * others stands on connections of its own: bide_redis_leased (BLPOP, XREAD BLOCK ...),
 * bide_redis_tx (WATCH, MULTI, EXEC), bide_redis_subscription.
 *
 * Invariants
 *  1. A handle is used on the loop that opened it: one client per loop.
 *  2. A command that is cancelled before it was sent is never sent. One that is cancelled later may
 *     be done by the server; its reply is dropped when it comes, and no other task ever gets it.
 *  3. Nothing is sent twice. When the connection is lost, commands that were sent raise
 *     BIDE_REDIS_LOST: whether the server did them is unknown. Those that were not sent yet wait
 *     for the next connection, within their deadline. Nor does a retry (retry.h) make again what
 *     was sent before a cancel, a deadline or a sibling's failure, unless it only reads: GET, TTL,
 *     LRANGE ...
 *  4. No command waits for ever: options.timeout bounds each, and so does every deadline around
 *     it. At most options.max_waiting wait at a time; one more raises BIDE_LIMIT at once.
 *  5. An error that the server answers is raised as BIDE_REDIS_REFUSED with its text. Errors inside
 *     of arrays, as of EXEC, are items of kind BIDE_REDIS_ERROR.
 *  6. Texts and items of a reply belong to the request, elsewhere to the outermost task
 *     (bide_task_arena, task.h): nobody frees them. Loops that go on for long: with_arena.
 *
 * Without hiredis (libhiredis-dev, hiredis-devel) bide_redis_open raises BIDE_INVALID and says so.
 * The protocol is RESP2: https://redis.io/docs/reference/protocol-spec/.
 *
 * All functions marked async are cancellation points.
 *
 * layer: redis
 */
#ifndef BIDE_REDIS_H
#define BIDE_REDIS_H

#include <bide/channel.h>
#include <bide/clock.h>
#include <bide/resource.h>
#include <bide/task.h>
#include <bide/value.h>

/*
 * Codes of errors, which stand in error.h:
 * BIDE_REDIS_REFUSED   the server answered with an error: its text is the message
 * BIDE_REDIS_LOST      the connection was lost after the command was sent
 * BIDE_REDIS_CONFLICT  a watched key was changed: the transaction was not done
 * BIDE_REDIS_PROTOCOL  the peer does not speak Redis' protocol
 */

typedef struct bide_redis bide_redis;
typedef bide_redis *bide_redis_ptr;
AWAITABLE(bide_redis_ptr);

/* Zero means the default for each field. */
struct bide_redis_options {
    const char *name;              /* for CLIENT SETNAME; NULL: none. Copied */
    size_t max_waiting;            /* commands that wait for a reply; 10,000 */
    size_t max_leased;             /* connections beside the shared one; 32. More wait for one,
                                      as long as for connecting; 4 idle ones stay (pool.h) */
    bide_duration timeout;         /* of each command; 5 s, BIDE_FOREVER for none. Not of leased
                                      connections: blocking is what they are for; TCP probes
                                      whether their peer is there, within 30 s */
    bide_duration connect_timeout; /* of connecting and logging in; 5 s */
    bide_duration stall; /* without a reply to what was sent: the connection is lost; 30 s */
    size_t reply_bytes;  /* of one text in a reply; 512 MiB, the server's own limit */
};

/*
 * Connects: `redis://[[user]:password@]host[:port][/db]`, with percent-encoding in user and
 * password, or `unix:/path`. The host is a name or numeric (net.h, bide_connect_tcp); a name is
 * looked up again for each connection. `options` may be NULL. Suspends until the server has let us
 * in. BIDE_INVALID for the URL, BIDE_REDIS_REFUSED for a wrong password, BIDE_UNREACHABLE for a
 * name that is not found, BIDE_SYSTEM, BIDE_TIMEOUT. Later on a lost connection is made again by
 * itself, with growing pauses.
 */
bide_async(bide_redis_ptr) bide_redis_open(const char *url,
                                           const struct bide_redis_options *options);

/* Closes and frees it; tasks that wait for replies get BIDE_CLOSED. Not while connections of it are
   leased. Never suspends; NULL is allowed. For `defer`; with(bide_redis, r, url, options) does it.
 */
void bide_redis_close(void *redis);
bide_async(void) bide__redis_left(bide_redis_ptr redis, bide_error *error);
RESOURCE(bide_redis, bide_redis_ptr, bide_redis_open, bide__redis_left)

enum bide_redis_kind {
    BIDE_REDIS_NIL,
    BIDE_REDIS_INTEGER,
    BIDE_REDIS_TEXT, /* a bulk string or a status like "OK" */
    BIDE_REDIS_ARRAY,
    BIDE_REDIS_ERROR,
};

typedef struct bide_redis_reply {
    enum bide_redis_kind kind;
    int64_t integer;                /* INTEGER */
    const char *text;               /* TEXT, ERROR: any bytes, a NUL behind them; else NULL */
    size_t size;                    /* bytes of text */
    struct bide_redis_reply *items; /* ARRAY */
    size_t count;
} bide_redis_reply;
AWAITABLE(bide_redis_reply);

/* One argument of a command: bytes that somebody else holds, or a number as text. */
typedef struct bide_redis_arg {
    const char *data; /* NULL: `number` */
    size_t size;      /* SIZE_MAX: there was a NULL where a text should be */
    char number[32];
} bide_redis_arg;

/*
 * await(bide_redis(r, "SET", key, value, "EX", 60)): does one command and gives its reply. 1 to 16
 * arguments: texts, bide_bytes, integers, doubles. An `async(bide_redis_reply)`; attempt(&err,
 * bide_redis, r, ...) works, with at most 7 arguments. Suspends. Raises what the invariants say,
 * and BIDE_NO_MEMORY when there is no room for the reply.
 */
#define bide_redis(r, ...)                                                                         \
    bide_redis_argv(r, BIDE__REDIS_ARGS(__VA_ARGS__), BIDE__REDIS_COUNT(__VA_ARGS__))

/* The same for a list that was made at run time: bide_redis_arg(x) makes one of it. What they point
   to must stay until it returns. */
bide_async(bide_redis_reply) bide_redis_argv(bide_redis *r, const bide_redis_arg *args,
                                             size_t count);
#define bide_redis_arg(x) BIDE__REDIS_ARG(x)

/*
 * The usual commands. A reply of another kind than the command has is BIDE_REDIS_PROTOCOL.
 * bide_redis_get, bide_redis_hget: TEXT, or NIL when there is none: then `text` is NULL.
 * bide_redis_set: with a time to live, to the millisecond; BIDE_FOREVER keeps it until deleted.
 * bide_redis_del, bide_redis_hdel: whether there was one.
 * bide_redis_expire: whether something was changed; BIDE_FOREVER takes the time to live away.
 * bide_redis_incr: adds (perhaps something negative) and gives the new value.
 * bide_redis_mget: an array with an item per key, TEXT or NIL.
 * bide_redis_hgetall: an array of names and values in turn.
 */
bide_async(bide_redis_reply) bide_redis_get(bide_redis *r, const char *key);
bide_async(void) bide_redis_set(bide_redis *r, const char *key, const char *value,
                                bide_duration ttl);
bide_async(bool) bide_redis_del(bide_redis *r, const char *key);
bide_async(int64_t) bide_redis_incr(bide_redis *r, const char *key, int64_t by);
bide_async(bool) bide_redis_expire(bide_redis *r, const char *key, bide_duration ttl);
bide_async(bide_redis_reply) bide_redis_mget(bide_redis *r, const char *const *keys, size_t count);
bide_async(bide_redis_reply) bide_redis_hget(bide_redis *r, const char *key, const char *field);
bide_async(void) bide_redis_hset(bide_redis *r, const char *key, const char *field,
                                 const char *value);
bide_async(bool) bide_redis_hdel(bide_redis *r, const char *key, const char *field);
bide_async(bide_redis_reply) bide_redis_hgetall(bide_redis *r, const char *key);

/*
 * A Lua script, called by its hash, and by its text only when the server does not know it yet. A
 * zeroed `sha1` is filled at the first call: static bide_redis_script take = {"return ..."};
 */
typedef struct bide_redis_script {
    const char *text;
    char sha1[41];
} bide_redis_script;
typedef bide_redis_script *bide_redis_script_ptr;

/* `args`: `keys` keys, then the other arguments, `count` in all. As bide_redis_argv. */
bide_async(bide_redis_reply) bide_redis_eval(bide_redis *r, bide_redis_script *script,
                                             const bide_redis_arg *args, size_t keys, size_t count);

/*
 * with(bide_redis_leased, c, r) { ... }: `c` is a handle like `r` with a connection of its own, for
 * commands that block. All commands above work with it, one at a time, by one task. Entering
 * suspends while all of them are in use, or to connect; it raises what bide_pool_acquire (pool.h)
 * and bide_redis_open do. A command that is cut off by a cancel or a deadline, or loses its
 * connection, leaves the connection cut: its next use raises BIDE_CLOSED. A connection is used
 * again only if it is provably idle and its block was left without an error; what changes its
 * state for good (SELECT, SUBSCRIBE, MONITOR, MULTI) is for those that end with
 * bide_redis_discard(c).
 */
bide_async(bide_redis_ptr) bide__redis_lease(bide_redis_ptr r);
bide_async(void) bide__redis_give_back(bide_redis_ptr leased, bide_error *error);
RESOURCE(bide_redis_leased, bide_redis_ptr, bide__redis_lease, bide__redis_give_back)

/* Has a leased connection closed, rather than used again, at the end of its block. */
void bide_redis_discard(bide_redis *leased);

/*
 * A transaction, done at the end of the block, all of it or nothing:
 *
 *     with_redis_tx(tx, r) {
 *         await(bide_redis_watch(tx, "stock"));
 *         bide_redis_reply left = await(bide_redis_get(bide_redis_tx_reads(tx), "stock"));
 *         if (left.text)
 *             bide_redis_queue(tx, "DECR", "stock");
 *     }                                    // MULTI, DECR, EXEC; changed meanwhile: CONFLICT
 *
 * What is queued is sent together when the block is left without an error; left by an error or a
 * cancel, nothing was sent. BIDE_REDIS_CONFLICT: a watched key was changed, nothing was done.
 * A command that fails inside of EXEC raises BIDE_REDIS_REFUSED; Redis has done the others.
 */
typedef struct bide_redis_tx bide_redis_tx;
typedef bide_redis_tx *bide_redis_tx_ptr;
AWAITABLE(bide_redis_tx_ptr);
bide_async(bide_redis_tx_ptr) bide__redis_tx_begin(bide_redis_ptr r);
bide_async(void) bide__redis_tx_end(bide_redis_tx_ptr tx, bide_error *error);
RESOURCE(bide__redis_tx, bide_redis_tx_ptr, bide__redis_tx_begin, bide__redis_tx_end)
#define bide_with_redis_tx(tx, r) BIDE__WITH_RESOURCE(__COUNTER__, bide__redis_tx, tx, r)
#ifndef BIDE_NO_KEYWORDS
#define with_redis_tx(tx, r) BIDE__WITH_RESOURCE(__COUNTER__, bide__redis_tx, tx, r)
#endif

/* From now on a change of this key by others is a conflict. */
bide_async(void) bide_redis_watch(bide_redis_tx *tx, const char *key);

/* The transaction's connection, for reading before anything is queued. */
bide_redis *bide_redis_tx_reads(bide_redis_tx *tx);

/* Adds a command. Never suspends; being out of memory shows at the end. */
#define bide_redis_queue(tx, ...)                                                                  \
    bide_redis_queue_argv(tx, BIDE__REDIS_ARGS(__VA_ARGS__), BIDE__REDIS_COUNT(__VA_ARGS__))
void bide_redis_queue_argv(bide_redis_tx *tx, const bide_redis_arg *args, size_t count);

/* Does what is queued now, for its replies: an array with an item per command. Then the block's end
   has nothing to do. */
bide_async(bide_redis_reply) bide_redis_exec(bide_redis_tx *tx);

/*
 * Messages of channels, or of patterns, as a channel (channel.h):
 *
 *     static const char *const names[] = {"news"};
 *     with(bide_redis_subscription, s, r, names, 1, 64) {
 *         bide_redis_message *m;
 *         while (await(bide_receive(bide_redis_messages(s), &m))) {
 *             show(m->channel, m->text, m->size);
 *             bide_free(m);
 *         }
 *     }
 *
 * Entering suspends until the server has confirmed. At most `capacity` messages wait to be
 * received; then no more are read, and a server that cannot get rid of them ends the connection.
 * It is made again by itself; `connection` then grows, and what was published meanwhile is lost.
 */
typedef struct bide_redis_message {
    const char *channel; /* where it was published */
    const char *text;    /* any bytes, a NUL behind them */
    size_t size;         /* bytes of text */
    uint64_t connection; /* 1 and up: messages may be missing before the first one of each */
} bide_redis_message;
typedef bide_redis_message *bide_redis_message_ptr;
CHANNEL(bide_redis_message_ptr);

typedef struct bide_redis_subscription bide_redis_subscription;
typedef bide_redis_subscription *bide_redis_subscription_ptr;
AWAITABLE(bide_redis_subscription_ptr);
bide_async(bide_redis_subscription_ptr)
bide__redis_subscribe(bide_redis_ptr r, const char *const *names, size_t count, size_t capacity);
bide_async(bide_redis_subscription_ptr) bide__redis_psubscribe(bide_redis_ptr r,
                                                               const char *const *patterns,
                                                               size_t count, size_t capacity);
bide_async(void) bide__redis_unsubscribe(bide_redis_subscription_ptr subscription,
                                         bide_error *error);
RESOURCE(bide_redis_subscription, bide_redis_subscription_ptr, bide__redis_subscribe,
         bide__redis_unsubscribe)
RESOURCE(bide_redis_pattern_subscription, bide_redis_subscription_ptr, bide__redis_psubscribe,
         bide__redis_unsubscribe)

/* Its channel: closed when the block is left. The receiver frees each message by bide_free. */
bide_channel(bide_redis_message_ptr) *bide_redis_messages(bide_redis_subscription *subscription);

/* All of them can be attempted, spawned and given a deadline by move_on_after. */
SPAWNABLE(bide_redis_ptr, bide_redis_open, const char *, const struct bide_redis_options *)
SPAWNABLE(bide_redis_reply, bide_redis_argv, bide_redis *, const bide_redis_arg *, size_t)
SPAWNABLE(bide_redis_reply, bide_redis_get, bide_redis *, const char *)
SPAWNABLE(void, bide_redis_set, bide_redis *, const char *, const char *, bide_duration)
SPAWNABLE(bool, bide_redis_del, bide_redis *, const char *)
SPAWNABLE(int64_t, bide_redis_incr, bide_redis *, const char *, int64_t)
SPAWNABLE(bool, bide_redis_expire, bide_redis *, const char *, bide_duration)
SPAWNABLE(bide_redis_reply, bide_redis_mget, bide_redis *, const char *const *, size_t)
SPAWNABLE(bide_redis_reply, bide_redis_hget, bide_redis *, const char *, const char *)
SPAWNABLE(void, bide_redis_hset, bide_redis *, const char *, const char *, const char *)
SPAWNABLE(bool, bide_redis_hdel, bide_redis *, const char *, const char *)
SPAWNABLE(bide_redis_reply, bide_redis_hgetall, bide_redis *, const char *)
SPAWNABLE(bide_redis_reply, bide_redis_eval, bide_redis *, bide_redis_script *,
          const bide_redis_arg *, size_t, size_t)
SPAWNABLE(bide_redis_reply, bide_redis_exec, bide_redis_tx *)
SPAWNABLE(bide_redis_ptr, bide__redis_lease, bide_redis_ptr)

#define bide_redis__attempt(ret_error, at, r, ...)                                                 \
    bide_redis_argv__attempt(ret_error, at, r, BIDE__REDIS_ARGS(__VA_ARGS__),                      \
                             BIDE__REDIS_COUNT(__VA_ARGS__))

bide_redis_arg bide__redis_text(const char *text);
bide_redis_arg bide__redis_bytes(bide_bytes bytes);
bide_redis_arg bide__redis_signed(int64_t value);
bide_redis_arg bide__redis_unsigned(uint64_t value);
bide_redis_arg bide__redis_double(double value);

/* clang-format off */
#define BIDE__REDIS_ARG(x) \
    _Generic((x), \
             char *: bide__redis_text, const char *: bide__redis_text, \
             bide_bytes: bide__redis_bytes, \
             short: bide__redis_signed, int: bide__redis_signed, long: bide__redis_signed, \
             long long: bide__redis_signed, \
             unsigned short: bide__redis_unsigned, unsigned: bide__redis_unsigned, \
             unsigned long: bide__redis_unsigned, unsigned long long: bide__redis_unsigned, \
             float: bide__redis_double, double: bide__redis_double)(x)
#define BIDE__REDIS_ARGS(...) \
    ((const bide_redis_arg[]){BIDE__CAT(BIDE__RA_, BIDE__REDIS_COUNT(__VA_ARGS__))(__VA_ARGS__)})
#define BIDE__REDIS_COUNT(...) \
    BIDE__REDIS_COUNT2(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BIDE__REDIS_COUNT2(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define BIDE__RA_1(x) BIDE__REDIS_ARG(x)
#define BIDE__RA_2(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_1(__VA_ARGS__)
#define BIDE__RA_3(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_2(__VA_ARGS__)
#define BIDE__RA_4(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_3(__VA_ARGS__)
#define BIDE__RA_5(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_4(__VA_ARGS__)
#define BIDE__RA_6(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_5(__VA_ARGS__)
#define BIDE__RA_7(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_6(__VA_ARGS__)
#define BIDE__RA_8(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_7(__VA_ARGS__)
#define BIDE__RA_9(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_8(__VA_ARGS__)
#define BIDE__RA_10(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_9(__VA_ARGS__)
#define BIDE__RA_11(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_10(__VA_ARGS__)
#define BIDE__RA_12(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_11(__VA_ARGS__)
#define BIDE__RA_13(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_12(__VA_ARGS__)
#define BIDE__RA_14(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_13(__VA_ARGS__)
#define BIDE__RA_15(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_14(__VA_ARGS__)
#define BIDE__RA_16(x, ...) BIDE__REDIS_ARG(x), BIDE__RA_15(__VA_ARGS__)
/* clang-format on */

#endif
