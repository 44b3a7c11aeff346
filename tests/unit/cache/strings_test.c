/*
 * Every string of the corpora through Redis and through a cache on either store: as a key, as a
 * value, as an argument of a script, in a hash.
 */
#include "../redis/redis_case.h"
#include "../strings.h"
#include "base/caps.h"

MODEL(line, "lines", (i64, id, key), (str, text), (list(str), words));

static async(line_ptr) load_line(const char *text);
SPAWNABLE(line_ptr, load_line, const char *)
static async(line_ptr) load_line(const char *text)
{
    line *l = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *l);
    const char **words = bide_arena_alloc(bide_task_arena(), 2 * sizeof *words);
    require(l && words);
    words[0] = words[1] = text;
    *l = (line){.id = 1, .text = text, .words = {.items = words, .count = 2}};
    return ready(line_ptr, l);
}

static async(line_ptr) load_nothing(const char *text);
SPAWNABLE(line_ptr, load_nothing, const char *)
static async(line_ptr) load_nothing(const char *text)
{
    check_str(text, "not asked for");
    return ready(line_ptr, NULL);
}

static async(void) keep_all(bide_cache *c, const corpus *all)
{
    for (size_t i = 0; i < all->items.count; i++)
        with_arena {
            const char *text = all->items.items[i], *key = bide_cache_key("line:%zu", i);
            bide_cache_ticket ticket;
            (void)await(bide_cached(c, line, key, bide_s(60), load_line, text));
            line *kept = await(bide_cached(c, line, key, bide_s(60), load_nothing, text));
            require(kept);
            check_str(kept->text, text);
            check_str(kept->words.items[1], text);
            /* As a text, and as a key, where it can be one. */
            bool is_key = text[0] && strlen(text) <= BIDE_CAP_CACHE_KEY_BYTES;
            key = is_key ? text : bide_cache_key("text:%zu", i);
            check_ptr(await(bide_cache_get(c, key, &ticket)), NULL);
            check(await(bide_cache_put(c, key, ticket, text, bide_s(60))));
            check_str(await(bide_cache_get(c, key, NULL)), text);
        }
    return bide_void;
}

TEST(through_a_cache_in_memory, .timeout_ms = 60000)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, 4 << 20);
    corpus all = strings_all(&arena);
    with(bide_cache, c, "memory:", NULL)
        await(keep_all(c, &all));
    bide_arena_done(&arena);
}

TEST(through_a_cache_in_redis, .real_clock = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_arena arena;
    bide_arena_init(&arena, NULL, 4 << 20);
    corpus all = strings_all(&arena);
    struct bide_cache_options strict = {.strict = true, .timeout = bide_s(5)};
    with(bide_cache, c, server.url, &strict)
        await(keep_all(c, &all));
    bide_arena_done(&arena);
}

TEST(through_redis, .real_clock = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_arena arena;
    bide_arena_init(&arena, NULL, 4 << 20);
    corpus all = strings_all(&arena);
    bide_redis_script same = {.text = "return {ARGV[1], redis.call('GET', KEYS[1])}"};
    with(bide_redis, r, server.url, NULL) {
        for (size_t i = 0; i < all.items.count; i++)
            with_arena {
                const char *text = all.items.items[i];
                await(bide_redis_set(r, text, text, bide_s(60)));
                await(bide_redis_hset(r, "all", text, text));
                check_str(await(bide_redis_hget(r, "all", text)).text, text);
                const bide_redis_arg args[] = {bide_redis_arg(text), bide_redis_arg(text)};
                bide_redis_reply both = await(bide_redis_eval(r, &same, args, 1, 2));
                require(both.count == 2);
                check_str(both.items[0].text, text);
                check_str(both.items[1].text, text);
            }
        check_int(await(bide_redis(r, "HLEN", "all")).integer, all.items.count);
    }
    bide_arena_done(&arena);
}
