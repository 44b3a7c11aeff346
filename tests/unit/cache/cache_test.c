/*
 * The rules of a cache, each on a store in memory and in Redis: single flight, its hand-over and
 * its failure, fill against invalidate, the time to live, invalidation after a commit.
 */
#include "../effects.h"
#include "../redis/redis_case.h"
#include "base/caps.h"

ENUM(mood, glad, sad);
MODEL(tale, "tales", (i64, id, key, generated), (str, title), (i32, pages, optional), (mood, mood),
      (list(str), tags), (str, _hidden, optional), (bytes, cover), (time, made_at, readonly));
MODEL(account, "accounts", (i64, id, key), (hash, password));

static int loads, slow_loads; /* the first of them take longer than any test */

static async(tale_ptr) load_tale(int64_t id);
SPAWNABLE(tale_ptr, load_tale, int64_t)
static async(tale_ptr) load_tale(int64_t id)
{
    static const char *const tags[] = {"a", "\"b\""};
    loads++;
    await(bide_sleep(loads <= slow_loads ? bide_s(100) : bide_ms(5)));
    if (id < 0)
        fail(bide_error_new(1234, "no tale %lld", (long long)id));
    if (id == 0)
        return ready(tale_ptr, NULL);
    tale *t = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *t);
    if (!t)
        fail(bide_error_new(BIDE_NO_MEMORY, "no room for a tale"));
    *t = (tale){.id = id, .title = "T\xc3\xa4le", .mood = mood_sad, ._hidden = "h", .made_at = 77};
    t->tags.items = (const char **)(uintptr_t)tags;
    t->tags.count = 2;
    t->cover = (bide_bytes){(const unsigned char *)"\0x", 2};
    return ready(tale_ptr, t);
}

/* The body runs with `url`, on both stores. */
#define ON_BOTH(name, ...)                                                                         \
    static async(void) name##_on(const char *url);                                                 \
    TEST(name##_in_memory, .real_clock = true, __VA_ARGS__)                                        \
    {                                                                                              \
        await(name##_on("memory:"));                                                               \
    }                                                                                              \
    TEST(name##_in_redis, .real_clock = true, __VA_ARGS__)                                         \
    {                                                                                              \
        struct redis_server server = redis_make(NULL);                                             \
        defer(redis_end, &server);                                                                 \
        await(name##_on(server.url));                                                              \
    }                                                                                              \
    static async(void) name##_on(const char *url)

static void check_tale(const tale *t)
{
    require(t);
    check_int(t->id, 7);
    check_str(t->title, "T\xc3\xa4le");
    check_int(t->mood, mood_sad);
    check_str(t->_hidden, "h");
    check_int(t->made_at, 77);
    require(t->tags.count == 2);
    check_str(t->tags.items[1], "\"b\"");
    check_int(t->cover.size, 2);
    check_int(t->cover.data[1], 'x');
    check(!bide_field_has_value(tale_model(), bide_model_field(tale_model(), "pages", 5), t));
}

ON_BOTH(a_value_is_loaded_once, .timeout_ms = 30000)
{
    struct bide__memory memory;
    with(bide_cache, c, url, NULL) {
        loads = 0;
        effects_begin(&memory);
        for (int i = 0; i < 3; i++)
            check_tale(await(bide_cached(c, tale, "t7", bide_s(10), load_tale, 7)));
        check(!effects_end(&memory)); /* what was kept may be kept again */
        check_int(loads, 1);
        for (int i = 0; i < 2; i++)
            check_ptr(await(bide_cached(c, tale, "none", bide_s(10), load_tale, 0)), NULL);
        check_int(loads, 2);
        await(bide_cache_invalidate(c, "t7", "none"));
        check_tale(await(bide_cached(c, tale, "t7", bide_s(10), load_tale, 7)));
        check_int(loads, 3);
        struct bide_cache_stats stats;
        bide_cache_stats(c, &stats);
        check_int(stats.hits, 3);
        check_int(stats.misses, 3);
        check_int(stats.loads, 3);
        check_int(stats.kept, 3);
        check_int(stats.invalidated, 2);
    }
    return bide_void;
}

static async(tale_list) load_tales(size_t count);
SPAWNABLE(tale_list, load_tales, size_t)
static async(tale_list) load_tales(size_t count)
{
    loads++;
    tale_list list = {bide_arena_alloc_zero(bide_task_arena(), count + 1, sizeof(tale)), count};
    if (!list.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no room for tales"));
    for (size_t i = 0; i < count; i++)
        list.items[i] = (tale){.id = (int64_t)i, .title = "x"};
    return ready(tale_list, list);
}

static async(str) load_text(const char *text);
SPAWNABLE(str, load_text, const char *)
static async(str) load_text(const char *text)
{
    loads++;
    return ready(str, text);
}

ON_BOTH(lists_and_texts, .timeout_ms = 30000)
{
    with(bide_cache, c, url, NULL) {
        loads = 0;
        for (int i = 0; i < 2; i++) {
            tale_list list = await(bide_cached_list(c, tale, "l", bide_s(10), load_tales, 3));
            require(list.count == 3);
            check_int(list.items[2].id, 2);
            check_int(await(bide_cached_list(c, tale, "l0", bide_s(10), load_tales, 0)).count, 0);
            check_str(await(bide_cached_text(c, "a", bide_s(10), load_text, "b\nc")), "b\nc");
            check_str(await(bide_cached_text(c, "b", bide_s(10), load_text, "")), "");
            check_ptr(await(bide_cached_text(c, "c", bide_s(10), load_text, NULL)), NULL);
        }
        check_int(loads, 5);
        /* What is there is of another kind: loaded, and given. */
        check_tale(await(bide_cached(c, tale, "a", bide_s(10), load_tale, 7)));
    }
    return bide_void;
}

static async(void) ask(bide_cache_ptr c, int64_t id, int *found, int *code);
SPAWNABLE(void, ask, bide_cache_ptr, int64_t, int *, int *)
static async(void) ask(bide_cache_ptr c, int64_t id, int *found, int *code)
{
    bide_error *err;
    tale *t = attempt(&err, bide_cached, c, tale, "t", bide_s(10), load_tale, id);
    if (err && err->is_cancel)
        fail(err);
    if (err && err->code == 1234)
        check_contains(err->message, "no tale");
    *code = err ? err->code : 0;
    *found += t && t->id == id;
    return bide_void;
}

ON_BOTH(many_ask_and_one_loads, .timeout_ms = 30000)
{
    int found = 0, code;
    with(bide_cache, c, url, NULL) {
        loads = 0;
        with_group(g)
            for (int i = 0; i < 50; i++)
                spawn_void(g, ask, c, 7, &found, &code);
        check_int(loads, 1);
        check_int(found, 50);
    }
    return bide_void;
}

ON_BOTH(one_that_fails_fails_for_all_who_wait, .timeout_ms = 30000)
{
    int found = 0, codes[20];
    with(bide_cache, c, url, NULL) {
        loads = 0;
        with_group(g)
            for (int i = 0; i < 20; i++)
                spawn_void(g, ask, c, -1, &found, &codes[i]);
        check_int(loads, 1);
        for (int i = 0; i < 20; i++)
            check_int(codes[i], 1234);
        await(ask(c, -1, &found, codes)); /* that is not kept */
        check_int(loads, 2);
        await(ask(c, 7, &found, codes));
        check_int(found, 1);
    }
    return bide_void;
}

ON_BOTH(a_cancelled_leader_hands_over, .timeout_ms = 60000, .in_order = true)
{
    int found = 0, code;
    with(bide_cache, c, url, NULL) {
        loads = 0;
        slow_loads = 2;
        with_group(g) {
            task(void) first = spawn(g, ask, c, 7, &found, &code);
            task(void) second = spawn(g, ask, c, 7, &found, &code);
            for (int i = 0; i < 10; i++)
                spawn_void(g, ask, c, 7, &found, &code);
            while (loads == 0)
                await(bide_yield());
            bide_cancel(first, "a test");
            while (loads == 1)
                await(bide_yield());
            bide_cancel(second, "a test");
        }
        check_int(found, 10);
        check_int(loads, 3);
    }
    return bide_void;
}

static int64_t row; /* what the database would have */
static async(str) read_row(void);
SPAWNABLE(str, read_row)
static async(str) read_row(void)
{
    int64_t was = row;
    loads++;
    await(bide_sleep(bide_ms(20)));
    return ready(str, bide_cache_key("%lld", (long long)was));
}

static async(str) cached_row(bide_cache_ptr c);
SPAWNABLE(str, cached_row, bide_cache_ptr)
static async(str) cached_row(bide_cache_ptr c)
{
    return bide_cached_text(c, "row", bide_s(10), read_row);
}

ON_BOTH(what_was_read_before_an_invalidation_is_not_kept, .timeout_ms = 30000)
{
    with(bide_cache, c, url, NULL) {
        loads = 0;
        row = 1;
        with_group(g) {
            task(str) old = spawn(g, cached_row, c);
            while (loads == 0)
                await(bide_yield());
            row = 2;
            await(bide_cache_invalidate(c, "row"));
            /* One that asks now does not wait for what was read before. */
            check_str(await(cached_row(c)), "2");
            check_str(await_task(old), "1");
        }
        check_str(await(cached_row(c)), "2");
        check_int(loads, 2);
        struct bide_cache_stats stats;
        bide_cache_stats(c, &stats);
        check_int(stats.outdated, 1);
        check_int(stats.kept, 1);
    }
    return bide_void;
}

ON_BOTH(by_hand, .timeout_ms = 30000)
{
    with(bide_cache, c, url, NULL) {
        bide_cache_ticket ticket, other;
        check_ptr(await(bide_cache_get(c, "k", &ticket)), NULL);
        check_ptr(await(bide_cache_get(c, "k", &other)), NULL);
        check_ptr(await(bide_cache_get(c, "k", NULL)), NULL);
        check_int(other.token, ticket.token); /* the same readers: nothing was invalidated */
        check(await(bide_cache_put(c, "k", ticket, "v", bide_s(10))));
        check(!await(bide_cache_put(c, "k", other, "w", bide_s(10))));
        check_str(await(bide_cache_get(c, "k", &ticket)), "v");
        check_int(ticket.token, 0);
        check(!await(bide_cache_put(c, "k", ticket, "w", bide_s(10))));
        await(bide_cache_invalidate(c, "k"));
        check_ptr(await(bide_cache_get(c, "k", &ticket)), NULL);
        await(bide_cache_invalidate(c, "k"));
        check(!await(bide_cache_put(c, "k", ticket, "v", bide_s(10))));
        check_ptr(await(bide_cache_get(c, "k", &ticket)), NULL);
        check(await(bide_cache_put(c, "k", ticket, "v", bide_ms(40))));
        check_str(await(bide_cache_get(c, "k", NULL)), "v");
        await(bide_sleep(bide_ms(60)));
        check_ptr(await(bide_cache_get(c, "k", NULL)), NULL);
    }
    return bide_void;
}

static async(void) ask_itself(bide_cache_ptr c);
static async(str) endless(bide_cache_ptr c);
SPAWNABLE(str, endless, bide_cache_ptr)
SPAWNABLE(void, ask_itself, bide_cache_ptr)
static async(str) endless(bide_cache_ptr c)
{
    await(ask_itself(c));
    return ready(str, "x");
}
static async(void) ask_itself(bide_cache_ptr c)
{
    (void)await(bide_cached_text(c, "x", bide_s(1), endless, c));
    return bide_void;
}

ON_BOTH(misuse, .timeout_ms = 30000)
{
    struct bide_cache_options options = {.value_bytes = 4};
    bide_error *err;
    with(bide_cache, c, url, &options) {
        char key[BIDE_CAP_CACHE_KEY_BYTES + 2];
        memset(key, 'k', sizeof key - 1);
        key[sizeof key - 1] = 0;
        const char *const keys[] = {"", NULL, key};
        for (int i = 0; i < 3; i++) {
            attempt(&err, bide_cached_text, c, keys[i], bide_s(1), load_text, "x");
            require(err);
            check_int(err->code, BIDE_INVALID);
        }
        check_str(await(bide_cached_text(c, key + 1, bide_s(1), load_text, "x")), "x");
        const bide_duration ttls[] = {{0}, {-1}, BIDE_FOREVER};
        for (int i = 0; i < 3; i++) {
            attempt(&err, bide_cached_text, c, "k", ttls[i], load_text, "x");
            require(err);
            check_int(err->code, BIDE_INVALID);
        }
        attempt(&err, ask_itself, c);
        require(err);
        check_int(err->code, BIDE_DEADLOCK);
        /* A longer one is given, and not kept. */
        loads = 0;
        for (int i = 0; i < 2; i++)
            check_str(await(bide_cached_text(c, "long", bide_s(1), load_text, "12345")), "12345");
        check_int(loads, 2);
    }
    return bide_void;
}

static async(account_ptr) load_account(int64_t id);
SPAWNABLE(account_ptr, load_account, int64_t)
static async(account_ptr) load_account(int64_t id)
{
    static account a = {.password = {"$argon2id$..."}};
    a.id = id;
    return ready(account_ptr, &a);
}

TEST(secrets_are_not_kept)
{
    bide_error *err;
    with(bide_cache, c, "memory:", NULL) {
        attempt(&err, bide_cached, c, account, "a", bide_s(1), load_account, 1);
        require(err);
        check_int(err->code, BIDE_INVALID);
        check_contains(err->message, "secret field: keep a VIEW of account");
    }
}

TEST(time_to_live_and_its_jitter)
{
    with(bide_cache, c, "memory:", NULL) {
        size_t early = 0;
        for (int i = 0; i < 100; i++)
            (void)await(bide_cached_text(c, bide_cache_key("k%d", i), bide_s(100), load_text, "x"));
        await(bide_sleep(bide_s(89)));
        for (int i = 0; i < 100; i++)
            check_str(await(bide_cache_get(c, bide_cache_key("k%d", i), NULL)), "x");
        await(bide_sleep(bide_s(6)));
        for (int i = 0; i < 100; i++)
            early += !await(bide_cache_get(c, bide_cache_key("k%d", i), NULL));
        check(early > 10 && early < 90);
        await(bide_sleep(bide_s(6)));
        for (int i = 0; i < 100; i++)
            check_ptr(await(bide_cache_get(c, bide_cache_key("k%d", i), NULL)), NULL);
        struct bide_cache_stats stats;
        bide_cache_stats(c, &stats);
        check_int(stats.expired, 100);
        check_int(stats.entries, 0);
        check_int(stats.bytes, 0);
    }
}

TEST(a_store_in_memory_is_bounded)
{
    struct bide_cache_options options = {.max_entries = 10};
    struct bide_cache_stats stats;
    with(bide_cache, c, "memory:", &options) {
        for (int i = 0; i < 30; i++) {
            const char *key = bide_cache_key("k%d", i);
            (void)await(bide_cached_text(c, key, bide_s(9), load_text, "x"));
            check_str(await(bide_cache_get(c, "k0", NULL)), "x"); /* in use: it stays */
        }
        bide_cache_stats(c, &stats);
        check_int(stats.entries, 10);
        check_int(stats.evicted, 20);
        check_ptr(await(bide_cache_get(c, "k1", NULL)), NULL);
        check_str(await(bide_cache_get(c, "k29", NULL)), "x");
    }
    options = (struct bide_cache_options){.max_bytes = 4000};
    with(bide_cache, c, "memory:", &options) {
        char large[3000];
        memset(large, 'x', sizeof large - 1);
        large[sizeof large - 1] = 0;
        for (int i = 0; i < 5; i++) {
            const char *key = bide_cache_key("k%d", i);
            check_str(await(bide_cached_text(c, key, bide_s(9), load_text, large)), large);
            bide_cache_stats(c, &stats);
            check(stats.bytes <= 4000);
        }
        check_int(stats.entries, 1);
    }
}

/* Two handles of one name stand for two loops: they share no flight, but the store. */
TEST(a_named_store_is_shared)
{
    with(bide_cache, a, "memory:shared", NULL) {
        with(bide_cache, b, "memory:shared", NULL) {
            with(bide_cache, own, "memory:", NULL) {
                loads = 0;
                row = 1;
                check_str(await(cached_row(a)), "1");
                check_str(await(cached_row(b)), "1");
                check_int(loads, 1);
                check_ptr(await(bide_cache_get(own, "row", NULL)), NULL);
                await(bide_cache_invalidate(b, "row"));
                with_group(g) {
                    task(str) old = spawn(g, cached_row, a);
                    while (loads == 1)
                        await(bide_yield());
                    row = 2;
                    await(bide_cache_invalidate(b, "row"));
                    check_str(await_task(old), "1");
                }
                check_ptr(await(bide_cache_get(a, "row", NULL)), NULL);
            }
        }
    }
}

static async(void) change(bide_db_ptr db, bide_cache_ptr c, bool fails);
SPAWNABLE(void, change, bide_db_ptr, bide_cache_ptr, bool)
static async(void) change(bide_db_ptr db, bide_cache_ptr c, bool fails)
{
    with_tx(tx, db) {
        check_int(await(bide_scalar(tx, i64, "select 1")), 1);
        bide_cache_invalidate_after(tx, c, "k", "l");
        check_str(await(bide_cache_get(c, "k", NULL)), "v"); /* not before the commit */
        if (fails)
            fail(bide_error_new(1000, "no"));
    }
    return bide_void;
}

ON_BOTH(invalidated_after_the_commit, .timeout_ms = 30000)
{
    bide_error *err;
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_cache, c, url, NULL) {
            (void)await(bide_cached_text(c, "k", bide_s(10), load_text, "v"));
            attempt(&err, change, db, c, true);
            require(err);
            check_str(await(bide_cache_get(c, "k", NULL)), "v");
            await(change(db, c, false));
            check_ptr(await(bide_cache_get(c, "k", NULL)), NULL);
            await(bide_sleep(bide_ms(20)));
            check_ptr(await(bide_cache_get(c, "k", NULL)), NULL);
            struct bide_cache_stats stats;
            bide_cache_stats(c, &stats);
            check_int(stats.pending, 0);
            check_int(stats.invalidated, 2);
        }
    }
    return bide_void;
}

TEST(without_redis, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_cache_options options = {.timeout = bide_ms(50)};
    struct bide_cache_stats stats;
    bide_error *err;
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_cache, c, server.url, &options) {
            (void)await(bide_cached_text(c, "k", bide_s(10), load_text, "v"));
            with(bide_cache, other, server.url, &options) {
                kill(server.pid, SIGSTOP);
                loads = 0;
                int64_t since_ns = bide_clock_ns();
                for (int i = 0; i < 100; i++) /* the first finds out, the others do not ask */
                    check_str(await(bide_cached_text(c, "x", bide_s(10), load_text, "w")), "w");
                check_int(loads, 100);
                check(bide_clock_ns() - since_ns < 900000000);
                attempt(&err, bide_cache_invalidate, c, "k");
                require(err);
                check_int(err->code, BIDE_TIMEOUT);
                with_tx(tx, db) {
                    check_int(await(bide_scalar(tx, i64, "select 1")), 1);
                    bide_cache_invalidate_after(tx, c, "k");
                }
                kill(server.pid, SIGCONT);
                /* Still to be done: this handle does not look at it. */
                check_ptr(await(bide_cache_get(c, "k", NULL)), NULL);
                do {
                    await(bide_sleep(bide_ms(10)));
                    bide_cache_stats(c, &stats);
                } while (stats.pending > 0);
                check_ptr(await(bide_cache_get(other, "k", NULL)), NULL);
                await(bide_sleep(bide_s(1.1))); /* it is asked again */
                loads = 0;
                for (int i = 0; i < 3; i++)
                    check_str(await(bide_cached_text(c, "x", bide_s(10), load_text, "w")), "w");
                check_int(loads, 1);
            }
        }
        options.strict = true;
        with(bide_cache, c, server.url, &options) {
            redis_kill(&server);
            attempt(&err, bide_cached_text, c, "y", bide_s(10), load_text, "w");
            require(err);
        }
        attempt(&err, bide_cache_open, server.url, NULL);
        require(err);
        check_int(err->code, BIDE_SYSTEM);
    }
}

static async(void) everything(const char *url);
SPAWNABLE(void, everything, const char *)
static async(void) everything(const char *url)
{
    int found = 0, code;
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_cache, c, url, NULL) {
            with_group(g)
                for (int i = 0; i < 3; i++)
                    spawn_void(g, ask, c, 7, &found, &code);
            (void)await(bide_cached_list(c, tale, "l", bide_s(10), load_tales, 2));
            with_tx(tx, db) {
                check_int(await(bide_scalar(tx, i64, "select 1")), 1);
                bide_cache_invalidate_after(tx, c, "l", "m");
            }
            await(bide_cache_invalidate(c, "t"));
            check_str(await(bide_cached_text(c, "x", bide_s(1), load_text, "v")), "v");
        }
    }
    return bide_void;
}

/* The errors that a cancel or a failed allocation may lead to, here or in the client's tasks. */
ON_BOTH(a_cancel_at_every_await, .timeout_ms = 60000, .cancel_everywhere = true)
{
    bide_error *err;
    attempt(&err, everything, url);
    if (err && !check(err->code == BIDE_CANCELLED || err->code == BIDE_CLOSED ||
                      err->code == BIDE_REDIS_LOST))
        bide_error_print(err);
    return bide_void;
}

ON_BOTH(every_allocation_fails_once, .timeout_ms = 60000, .fail_allocations = true)
{
    bide_error *err;
    attempt(&err, everything, url);
    if (err && !check(err->code == BIDE_NO_MEMORY || err->code == BIDE_REDIS_LOST ||
                      err->code == BIDE_CLOSED || err->code == BIDE_TIMEOUT))
        bide_error_print(err);
    return bide_void;
}
