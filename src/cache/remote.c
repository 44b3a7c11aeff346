/*
 * remote.c: a store in Redis. A key holds `v` and the text, or `t` and a token in hexadecimal
 * digits; scripts make and use tokens, so that nothing comes between. Called by cache.c and
 * after.c; calls the client of src/redis.
 */
#include "cache/cache.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 64 + 1 + BIDE_CAP_CACHE_KEY_BYTES + 1, TOKEN_TEXT = 20, COUNT_MOST = 64 };

void bide__cache_remote_init(bide_cache *c)
{
    c->reserve.text = "local v = redis.call('GET', KEYS[1])\n"
                      "if v then return v end\n"
                      "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                      "return ARGV[1]";
    c->fill.text = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
                   "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
                   "return 1";
}

static const char *full_key(const bide_cache *c, const char *key, char *room)
{
    snprintf(room, KEY_BYTES, "%s:%s", c->prefix, key);
    return room;
}

static const char *token_text(uint64_t token, char *room)
{
    snprintf(room, TOKEN_TEXT, "t%016llx", (unsigned long long)token);
    return room;
}

/* What the server has for a key. What is neither value nor token was put there by others. */
static struct bide__cache_seen look_of(const bide_redis_reply *reply)
{
    const char *text = reply->text;
    if (reply->kind == BIDE_REDIS_NIL || !text)
        return (struct bide__cache_seen){.found = BIDE__CACHE_NONE};
    if (text[0] == 'v')
        return (struct bide__cache_seen){
            .found = BIDE__CACHE_HIT, .text = text + 1, .size = reply->size - 1};
    uint64_t token = text[0] == 't' ? strtoull(text + 1, NULL, 16) : 0;
    return (struct bide__cache_seen){.found = token ? BIDE__CACHE_TOKEN : BIDE__CACHE_AWAY,
                                     .token = token};
}

static bide_async(bide__cache_seen) remote_look(bide_cache *c, const char *key)
{
    char room[KEY_BYTES];
    bide_redis_reply reply = bide_await(bide_redis_get(c->redis, full_key(c, key, room)));
    return bide_ready(bide__cache_seen, look_of(&reply));
}

static bide_async(bide__cache_seen) remote_reserve(bide_cache *c, const char *key)
{
    char room[KEY_BYTES], token[TOKEN_TEXT];
    uint64_t number = bide__splitmix64(&c->jitter) | 1; /* 0 is no token */
    const bide_redis_arg args[] = {bide_redis_arg(full_key(c, key, room)),
                                   bide_redis_arg(token_text(number, token)),
                                   bide_redis_arg(BIDE_CAP_CACHE_TOKEN_MS)};
    bide_redis_reply reply = bide_await(bide_redis_eval(c->redis, &c->reserve, args, 1, 3));
    return bide_ready(bide__cache_seen, look_of(&reply));
}

static bide_async(bool) remote_fill(bide_cache *c, const char *key, uint64_t token,
                                    const char *text, size_t size, bide_duration ttl)
{
    char room[KEY_BYTES], token_room[TOKEN_TEXT];
    char *value = bide__alloc(size + 1);
    if (!value)
        bide__raise(-ENOMEM, &c->object);
    bide_defer(bide__free, value);
    value[0] = 'v';
    memcpy(value + 1, text, size);
    int64_t ms = ttl.ns / 1000000;
    const bide_redis_arg args[] = {
        bide_redis_arg(full_key(c, key, room)), bide_redis_arg(token_text(token, token_room)),
        bide_redis_arg(((bide_bytes){(const unsigned char *)value, size + 1})),
        bide_redis_arg(ms > 0 ? ms : 1)};
    bide_redis_reply reply = bide_await(bide_redis_eval(c->redis, &c->fill, args, 1, 4));
    return bide_ready(bool, reply.integer > 0);
}

static bide_async(void) drop_some(bide_cache *c, const char *const *keys, size_t count)
{
    char *room = bide__alloc(count * KEY_BYTES);
    if (!room)
        bide__raise(-ENOMEM, &c->object);
    bide_defer(bide__free, room);
    bide_redis_arg args[COUNT_MOST + 1] = {bide_redis_arg("DEL")};
    for (size_t i = 0; i < count; i++)
        args[i + 1] = bide_redis_arg(full_key(c, keys[i], room + i * KEY_BYTES));
    (void)bide_await(bide_redis_argv(c->redis, args, count + 1));
    return bide_void;
}

static bide_async(void) remote_drop(bide_cache *c, const char *const *keys, size_t count)
{
    for (size_t done = 0; done < count; done += COUNT_MOST) {
        size_t left = count - done;
        (void)bide_await(drop_some(c, keys + done, left < COUNT_MOST ? left : COUNT_MOST));
    }
    return bide_void;
}

const struct bide__cache_kind bide__cache_in_redis = {
    .look = remote_look,
    .reserve = remote_reserve,
    .fill = remote_fill,
    .drop = remote_drop,
};
