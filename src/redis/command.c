/*
 * command.c: one command and its reply, over the shared connection or a leased one, and the usual
 * commands by name. Called by users; calls pipeline.c and link.c.
 */
#include "redis/redis.h"

#include "base/slice.h"
#include "core/error.h"
#include "core/scope.h"

#include <errno.h>
#include <string.h>

static const struct bide_site site_timeout = {__FILE__, "bide_redis", "the reply", __LINE__};

/* The command's name, for messages; its other arguments may be secrets. */
#define NAME(args) (int)((args)[0].size < 32 ? (args)[0].size : 32), (args)[0].data

__attribute__((noreturn, cold)) static void raise_code(const bide_redis *r,
                                                       const bide_redis_arg *args, int code,
                                                       const struct bide__redis_answer *answer)
{
    bide_error *error;
    if (code == -ECANCELED)
        error = bide__cancel_error(bide__task_current());
    else if (code == -ETIMEDOUT)
        error = bide_error_new(BIDE_TIMEOUT, "redis %s: %.*s had no reply within %lld ms",
                               r->client->address, NAME(args),
                               (long long)(r->client->options.timeout.ns / 1000000));
    else if (code == -EAGAIN)
        error = bide_error_new(BIDE_LIMIT, "redis %s: %.*s: %zu commands wait already",
                               r->client->address, NAME(args),
                               (size_t)(r->client->end - r->client->first));
    else if (code == -ECONNRESET)
        error =
            bide_error_new(BIDE_REDIS_LOST, "redis %s: %.*s was sent, its outcome is unknown: %s",
                           r->client->address, NAME(args), answer->text);
    else if (code == -ESHUTDOWN)
        error = bide_error_new(BIDE_CLOSED, "redis %s: %.*s: the client was closed",
                               r->client->address, NAME(args));
    else
        error = bide_error_new(BIDE_NO_MEMORY, "redis %s: %.*s: no memory for it",
                               r->client->address, NAME(args));
    error->never_again |= bide__redis_may_have_changed(answer);
    bide__fail(bide__current->at, error);
}

void bide__redis_check(const bide_redis *r, const bide_redis_arg *args,
                       const struct bide__redis_answer *answer)
{
    if (bide__unlikely(answer->code < 0))
        raise_code(r, args, answer->code, answer);
    if (bide__unlikely(answer->reply.kind == BIDE_REDIS_ERROR))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_REDIS_REFUSED, "redis: %.*s: %s", NAME(args), answer->text));
}

static void check_args(const bide_redis *r, const bide_redis_arg *args, size_t count)
{
    size_t bad = bide__redis_bad_arg(args, count);
    if (bide__unlikely(bad < count))
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_INVALID, "redis: argument %zu of %.*s is NULL", bad, NAME(args)));
    bide__redis_check_caller(r->client);
}

/* Whether it is one of the usual commands that change nothing. Each command asks: by the first
   letter, so that most compare few names. */
static bool is_read(const bide_redis_arg *name)
{
#define IS(word) bide__slice_equal_nocase(given, bide__slice(word, sizeof(word) - 1))
    struct bide__slice given = bide__slice(name->data, name->data ? name->size : 0);
    switch (given.length ? bide__ascii_lower(given.bytes[0]) : 0) {
    case 'e':
        return IS("EXISTS");
    case 'g':
        return IS("GET") || IS("GETRANGE");
    case 'h':
        return IS("HGET") || IS("HMGET") || IS("HGETALL") || IS("HEXISTS") || IS("HKEYS") ||
               IS("HVALS") || IS("HLEN");
    case 'l':
        return IS("LRANGE") || IS("LLEN") || IS("LINDEX");
    case 'm':
        return IS("MGET");
    case 'p':
        return IS("PING") || IS("PTTL");
    case 's':
        return IS("SMEMBERS") || IS("SISMEMBER") || IS("SCARD") || IS("STRLEN");
    case 't':
        return IS("TTL") || IS("TYPE");
    case 'u':
        return IS("UNWATCH");
    case 'w':
        return IS("WATCH");
    case 'z':
        return IS("ZRANGE") || IS("ZSCORE") || IS("ZCARD") || IS("ZCOUNT") || IS("ZRANK");
    default:
        return false;
    }
#undef IS
}

/* Over the shared connection, within options.timeout. */
static int call_shared(bide_redis *client, const bide_redis_arg *args, size_t count,
                       struct bide__redis_answer *answer)
{
    struct bide__scope scope;
    int64_t deadline_ns, timeout_ns = client->options.timeout.ns;
    int code = bide__checkpoint(bide__task_current());
    if (code < 0)
        return code;
    if (client->closed)
        return -ESHUTDOWN;
    if (__builtin_add_overflow(bide__loop_clock_ns(bide__loop_here), timeout_ns, &deadline_ns))
        deadline_ns = INT64_MAX;
    bide__scope_push(&scope, BIDE__SCOPE_DEADLINE, &site_timeout, deadline_ns);
    code = bide__redis_pipeline_call(client, args, count, answer);
    bide__scope_pop(&scope);
    if (code == -ECANCELED && scope.timed_out && !bide_cancel_requested())
        code = -ETIMEDOUT;
    return code;
}

static void unuse(bide_redis **client)
{
    bide__redis_unuse(*client);
}

bide_async(void) bide__redis_do(bide_redis *r, const bide_redis_arg *args, size_t count,
                                struct bide__redis_answer *answer)
{
    check_args(r, args, count);
    answer->repeatable |= r->client->repeatable || is_read(args);
    answer->sent = false;
    if (r->link) {
        bide_with_deadline(r->options.timeout)(void)
            bide_await(bide__redis_link_command(r->client, r->link, args, count, answer));
        return bide_void;
    }
    /* Kept until the error is made: the client may be closed meanwhile. */
    bide_redis *kept __attribute__((cleanup(unuse), unused)) = r;
    bide__redis_use(r);
    int code = call_shared(r, args, count, answer);
    if (bide__redis_may_have_changed(answer))
        bide__effect_note();
    if (bide__unlikely(code < 0))
        raise_code(r, args, code, answer);
    return bide_void;
}

/* One command; texts and items of its reply into `arena`. NULL: only its kind and number. */
static bide_async(bide_redis_reply) call(bide_redis *r, bide_arena *arena,
                                         const bide_redis_arg *args, size_t count)
{
    struct bide__redis_answer answer;
    answer.reply = (bide_redis_reply){.kind = BIDE_REDIS_NIL};
    answer.arena = arena;
    answer.code = 0;
    answer.repeatable = false;
    (void)bide_await(bide__redis_do(r, args, count, &answer));
    bide__redis_check(r, args, &answer);
    return bide_ready(bide_redis_reply, answer.reply);
}

bide_arena *bide__redis_arena(const bide_redis *r)
{
    bide_arena *arena = bide_task_arena();
    if (bide__unlikely(!arena))
        bide__raise(-ENOMEM, &r->client->object);
    return arena;
}

bide_async(bide_redis_reply) bide_redis_argv(bide_redis *r, const bide_redis_arg *args,
                                             size_t count)
{
    return call(r, bide__redis_arena(r), args, count);
}

/* Does a command whose reply must be of this kind. */
static bide_async(bide_redis_reply) expect(bide_redis *r, bide_arena *arena,
                                           enum bide_redis_kind kind, bool nil_too,
                                           const bide_redis_arg *args, size_t count)
{
    bide_redis_reply reply = bide_await(call(r, arena, args, count));
    if (reply.kind != kind && !(nil_too && reply.kind == BIDE_REDIS_NIL))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_REDIS_PROTOCOL, "redis %s: %.*s: a reply of another kind",
                                  r->client->address, NAME(args)));
    return bide_ready(bide_redis_reply, reply);
}

#define EXPECT(r, arena, kind, nil_too, ...)                                                       \
    expect(r, arena, kind, nil_too, BIDE__REDIS_ARGS(__VA_ARGS__), BIDE__REDIS_COUNT(__VA_ARGS__))

/* ms of a time to live; at least one: 0 would delete. */
static int64_t ttl_ms(bide_duration ttl)
{
    int64_t ms = ttl.ns / 1000000;
    return ms > 0 ? ms : 1;
}

bide_async(bide_redis_reply) bide_redis_get(bide_redis *r, const char *key)
{
    return EXPECT(r, bide__redis_arena(r), BIDE_REDIS_TEXT, true, "GET", key);
}

bide_async(void) bide_redis_set(bide_redis *r, const char *key, const char *value,
                                bide_duration ttl)
{
    if (ttl.ns == INT64_MAX)
        (void)bide_await(EXPECT(r, NULL, BIDE_REDIS_TEXT, false, "SET", key, value));
    else
        (void)bide_await(
            EXPECT(r, NULL, BIDE_REDIS_TEXT, false, "SET", key, value, "PX", ttl_ms(ttl)));
    return bide_void;
}

bide_async(bool) bide_redis_del(bide_redis *r, const char *key)
{
    bide_redis_reply reply = bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "DEL", key));
    return bide_ready(bool, reply.integer > 0);
}

bide_async(int64_t) bide_redis_incr(bide_redis *r, const char *key, int64_t by)
{
    bide_redis_reply reply =
        bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "INCRBY", key, by));
    return bide_ready(int64_t, reply.integer);
}

bide_async(bool) bide_redis_expire(bide_redis *r, const char *key, bide_duration ttl)
{
    bide_redis_reply reply =
        ttl.ns == INT64_MAX
            ? bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "PERSIST", key))
            : bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "PEXPIRE", key, ttl_ms(ttl)));
    return bide_ready(bool, reply.integer > 0);
}

bide_async(bide_redis_reply) bide_redis_mget(bide_redis *r, const char *const *keys, size_t count)
{
    bide_arena *arena = bide__redis_arena(r);
    bide_redis_arg *args = bide_arena_alloc(arena, (count + 1) * sizeof *args);
    if (!args)
        bide__raise(-ENOMEM, &r->client->object);
    args[0] = bide__redis_text("MGET");
    for (size_t i = 0; i < count; i++)
        args[i + 1] = bide__redis_text(keys[i]);
    return expect(r, arena, BIDE_REDIS_ARRAY, false, args, count + 1);
}

bide_async(bide_redis_reply) bide_redis_hget(bide_redis *r, const char *key, const char *field)
{
    return EXPECT(r, bide__redis_arena(r), BIDE_REDIS_TEXT, true, "HGET", key, field);
}

bide_async(void) bide_redis_hset(bide_redis *r, const char *key, const char *field,
                                 const char *value)
{
    (void)bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "HSET", key, field, value));
    return bide_void;
}

bide_async(bool) bide_redis_hdel(bide_redis *r, const char *key, const char *field)
{
    bide_redis_reply reply =
        bide_await(EXPECT(r, NULL, BIDE_REDIS_INTEGER, false, "HDEL", key, field));
    return bide_ready(bool, reply.integer > 0);
}

bide_async(bide_redis_reply) bide_redis_hgetall(bide_redis *r, const char *key)
{
    return EXPECT(r, bide__redis_arena(r), BIDE_REDIS_ARRAY, false, "HGETALL", key);
}
