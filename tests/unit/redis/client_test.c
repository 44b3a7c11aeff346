/*
 * Commands against a real server: replies to the right task, in order, whoever is cancelled;
 * limits; errors.
 */
#include "base/caps.h"
#include "io/name.h"
#include "redis_case.h"

static int find_cache(const char *host, struct bide__address *addresses, size_t *count)
{
    *count = 1;
    return strcmp(host, "cache.shire.example") == 0
               ? bide__address_parse("127.0.0.1", 0, &addresses[0])
               : -2;
}

TEST(a_server_has_a_name, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide__name_source = find_cache;
    const char *port = strrchr(server.tcp_url, ':');
    bide_error *err = NULL;
    with(bide_redis, r,
         bide_arena_printf(bide_task_arena(), "redis://cache.shire.example%s/1", port), NULL) {
        await(bide_redis_set(r, "name", "Ada", bide_s(60)));
        check_str(await(bide_redis_get(r, "name")).text, "Ada");
    }
    attempt(&err, bide_redis_open, "redis://nowhere.example:1", NULL);
    require(err);
    check_int(err->code, BIDE_UNREACHABLE);
    check_contains(err->message, "the name \"nowhere.example\" has no address");
}

TEST(the_usual_commands, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    const char *const urls[] = {server.url, server.tcp_url};
    for (int i = 0; i < 2; i++) {
        with(bide_redis, r, urls[i], NULL) {
            await(bide_redis_set(r, "name", "Ada", bide_s(60)));
            check_str(await(bide_redis_get(r, "name")).text, "Ada");
            check(await(bide_redis(r, "PTTL", "name")).integer > 50000);
            check(await(bide_redis_expire(r, "name", bide_ms(1))));
            await(bide_sleep(bide_ms(5)));
            check_ptr(await(bide_redis_get(r, "name")).text, NULL);
            await(bide_redis_set(r, "kept", "v", BIDE_FOREVER));
            check_int(await(bide_redis(r, "TTL", "kept")).integer, -1);
            check_int(await(bide_redis_incr(r, "n", 5)), 5);
            check_int(await(bide_redis_incr(r, "n", -7)), -2);
            const char *const keys[] = {"kept", "none", "n"};
            bide_redis_reply all = await(bide_redis_mget(r, keys, 3));
            require(all.count == 3);
            check_str(all.items[0].text, "v");
            check_int(all.items[1].kind, BIDE_REDIS_NIL);
            check_str(all.items[2].text, "-2");
            await(bide_redis_hset(r, "h", "f", "1"));
            check_str(await(bide_redis_hget(r, "h", "f")).text, "1");
            check_int(await(bide_redis_hgetall(r, "h")).count, 2);
            check(await(bide_redis_hdel(r, "h", "f")));
            check(!await(bide_redis_hdel(r, "h", "f")));
            check(await(bide_redis_del(r, "n")));
            check(!await(bide_redis_del(r, "n")));
        }
    }
}

TEST(errors_of_the_server_are_raised, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        bide_error *err;
        await(bide_redis_set(r, "text", "x", BIDE_FOREVER));
        attempt(&err, bide_redis_incr, r, "text", 1);
        require(err);
        check_int(err->code, BIDE_REDIS_REFUSED);
        check_contains(err->message, "INCRBY: ERR value is not an integer");
        attempt(&err, bide_redis, r, "NOSUCH", 1);
        require(err);
        check_contains(err->message, "unknown command");
        attempt(&err, bide_redis_set, r, "k", NULL, BIDE_FOREVER);
        require(err);
        check_int(err->code, BIDE_INVALID);
        attempt(&err, bide_redis_get, r, "text");
        check_ptr(err, NULL);
        await(bide_redis(r, "CONFIG", "SET", "maxmemory", 1));
        attempt(&err, bide_redis_set, r, "k", "v", BIDE_FOREVER);
        require(err);
        check_contains(err->message, "OOM command not allowed");
        await(bide_redis(r, "CONFIG", "SET", "maxmemory", 0));
        await(bide_redis_set(r, "k", "v", BIDE_FOREVER));
    }
}

TEST(login, .real_clock = true)
{
    struct redis_server server = redis_make("s%e:c");
    defer(redis_end, &server);
    char url[160];
    bide_error *err;
    snprintf(url, sizeof url, "redis://:s%%25e%%3ac@127.0.0.1:%s/2", server.port);
    struct bide_redis_options options = {.name = "tester"};
    with(bide_redis, r, url, &options) {
        const char *info = await(bide_redis(r, "CLIENT", "INFO")).text;
        check_contains(info, " db=2 ");
        check_contains(info, " name=tester ");
    }
    snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%s", server.port);
    attempt(&err, bide_redis_open, url, NULL);
    require(err);
    check_int(err->code, BIDE_REDIS_REFUSED);
    check_contains(err->message, "WRONGPASS");
    check_ptr(strstr(err->message, "wrong@"), NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%s", server.port);
    attempt(&err, bide_redis_open, url, NULL);
    require(err);
    check_contains(err->message, "NOAUTH");
    snprintf(url, sizeof url, "redis://:s%%25e%%3ac@127.0.0.1:%s/99", server.port);
    attempt(&err, bide_redis_open, url, NULL);
    require(err);
    check_contains(err->message, "SELECT");
}

TEST(nobody_there, .real_clock = true)
{
    char port[8], url[64];
    bide_error *err;
    redis_free_port(port);
    snprintf(url, sizeof url, "redis://127.0.0.1:%s", port);
    attempt(&err, bide_redis_open, url, NULL);
    require(err);
    check_int(err->code, BIDE_SYSTEM);
    check_int(err->system_errno, ECONNREFUSED);
    attempt(&err, bide_redis_open, "redis://:secret@x:0", NULL);
    require(err);
    check_int(err->code, BIDE_INVALID);
    check_ptr(strstr(err->message, "secret"), NULL);
}

/* Says a text of its own, and counts an answer that is another's. */
static async(void) echo(bide_redis_ptr r, int who, int rounds, size_t *wrong);
SPAWNABLE(void, echo, bide_redis_ptr, int, int, size_t *)
static async(void) echo(bide_redis_ptr r, int who, int rounds, size_t *wrong)
{
    for (int i = 0; i < rounds; i++)
        with_arena {
            char text[40];
            snprintf(text, sizeof text, "%d of %d", i, who);
            bide_redis_reply reply =
                who % 3 ? await(bide_redis(r, "ECHO", text))
                        : await(bide_redis(r, "EVAL", "return {ARGV[1],{ARGV[1]}}", 0, text));
            if (reply.kind == BIDE_REDIS_ARRAY)
                reply = reply.items[1].items[0];
            *wrong += strcmp(reply.text, text) != 0;
        }
    return bide_void;
}

TEST(many_tasks_each_get_their_own, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    size_t wrong = 0;
    with(bide_redis, r, server.url, NULL) {
        with_group(g) {
            for (int i = 0; i < 64; i++)
                spawn_void(g, echo, r, i, 100, &wrong);
        }
    }
    check_int(wrong, 0);
}

TEST(ten_thousand_cancelled_tasks, .real_clock = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    size_t wrong = 0;
    uint64_t state = test_seed();
    with(bide_redis, r, server.url, NULL) {
        for (int round = 0; round < 20; round++) {
            with_group(all) {
                task(void) tasks[500];
                for (int i = 0; i < 500; i++)
                    tasks[i] = spawn(all, echo, r, i, 1000000, &wrong);
                /* One by one, while the others go on: before, in and after a turn of replies. */
                for (int i = 0; i < 500; i++) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    if (state >> 62 == 0)
                        await(bide_yield());
                    bide_cancel(tasks[i], "a test");
                }
            }
            await(echo(r, 1000 + round, 10, &wrong));
        }
        check_int(await(bide_redis_incr(r, "n", 1)), 1);
    }
    check_int(wrong, 0);
}

TEST(a_large_value_there_and_back, .real_clock = true, .timeout_ms = 30000)
{
    enum { SIZE = 8 << 20 };
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    unsigned char *value = malloc(SIZE);
    require(value);
    defer(free, value);
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (unsigned char)(i * 31 + i / 997);
    size_t wrong = 0;
    struct bide_redis_options options = {.timeout = bide_s(25)};
    with(bide_redis, r, server.tcp_url, &options) {
        with_group(g) {
            spawn_void(g, echo, r, 1, 200, &wrong);
            bide_bytes bytes = {value, SIZE};
            await(bide_redis(r, "SET", "large", bytes));
            bide_redis_reply reply = await(bide_redis_get(r, "large"));
            require(reply.size == SIZE);
            check(memcmp(reply.text, value, SIZE) == 0);
        }
        /* One that has no room for it fails alone. */
        bide_error *err;
        await(bide_redis(r, "SETRANGE", "large", BIDE_CAP_TASK_ARENA_BYTES, "x"));
        attempt(&err, bide_redis_get, r, "large");
        require(err);
        check_int(err->code, BIDE_NO_MEMORY);
        await(echo(r, 2, 10, &wrong));
    }
    check_int(wrong, 0);
}

TEST(what_is_cancelled_before_it_is_sent_is_never_done, .real_clock = true, .in_order = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        await(bide_redis_incr(r, "n", 1));
        with_group(g) {
            task(int64_t) tasks[5];
            for (int i = 0; i < 5; i++) {
                tasks[i] = spawn(g, bide_redis_incr, r, "n", 1);
                spawn_void(g, bide_redis_incr, r, "n", 1);
            }
            await(bide_yield()); /* all have queued it, nobody has sent it */
            for (int i = 0; i < 5; i++)
                bide_cancel(tasks[i], "a test");
        }
        check_int(await(bide_redis_incr(r, "n", 0)), 6);
    }
}

TEST(no_more_wait_than_allowed, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_redis_options options = {.max_waiting = 4};
    bide_error *err;
    with(bide_redis, r, server.url, &options) {
        with_group(g) {
            for (int i = 0; i < 4; i++)
                spawn_void(g, bide_redis_incr, r, "n", 1);
            await(bide_yield());
            attempt(&err, bide_redis_incr, r, "n", 1);
            require(err);
            check_int(err->code, BIDE_LIMIT);
        }
        check_int(await(bide_redis_incr(r, "n", 0)), 4);
    }
}

static async(void) wait_for_the_end(bide_redis_ptr r, int *code);
SPAWNABLE(void, wait_for_the_end, bide_redis_ptr, int *)
static async(void) wait_for_the_end(bide_redis_ptr r, int *code)
{
    bide_error *err;
    attempt(&err, bide_redis, r, "BLPOP", "none", 0);
    *code = err ? err->code : 0;
    return bide_void;
}

static bide_redis *inherited;

static void ask_it(void) BIDE__UNCHECKED;
static void ask_it(void)
{
    (void)await(bide_redis_get(inherited, "k"));
}

static void lease_of_it(void) BIDE__UNCHECKED;
static void lease_of_it(void)
{
    with(bide_redis_leased, c, inherited)
        await(bide_redis(c, "PING"));
}

static void close_it(void)
{
    bide_redis_close(inherited);
}

TEST(the_child_of_a_fork_cannot_use_it, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    static const char said[] = "which was forked off after it was opened";
    with(bide_redis, r, server.url, NULL) {
        inherited = r;
        check_dies(ask_it, said);
        check_dies(lease_of_it, said);
        check_dies(close_it, said);
        await(bide_redis_set(r, "k", "v", BIDE_FOREVER));
    }
}

TEST(closing_under_a_task_that_waits, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    int code = 0;
    bide_redis *r = await(bide_redis_open(server.url, NULL));
    with_group(g) {
        spawn_void(g, wait_for_the_end, r, &code);
        await(bide_sleep(bide_ms(20)));
        bide_redis_close(r);
    }
    check_int(code, BIDE_CLOSED);
}

static async(void) everything(const char *url, size_t *wrong);
SPAWNABLE(void, everything, const char *, size_t *)
static async(void) everything(const char *url, size_t *wrong)
{
    static const char *const names[] = {"news"};
    with(bide_redis, r, url, NULL) {
        await(echo(r, 3, 2, wrong));
        with(bide_redis_leased, c, r)
            await(echo(c, 1, 1, wrong));
        with_redis_tx(tx, r) {
            await(bide_redis_watch(tx, "n"));
            bide_redis_queue(tx, "INCR", "n");
        }
        with(bide_redis_subscription, s, r, names, 1, 4) {
            bide_redis_message *m;
            await(bide_redis(r, "PUBLISH", "news", "x"));
            with_deadline(bide_s(1)) /* it is lost when the subscription's connection is */
                if (await(bide_receive(bide_redis_messages(s), &m)))
                    bide_free(m);
        }
        await(echo(r, 4, 1, wrong));
    }
    return bide_void;
}

/* Also the tasks of the client itself are cancelled: then it says that it is closed, or a command
   was lost with its connection. */
TEST(a_cancel_at_every_await, .real_clock = true, .cancel_everywhere = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    size_t wrong = 0;
    bide_error *err;
    attempt(&err, everything, server.url, &wrong);
    if (err && !check(err->code == BIDE_CANCELLED || err->code == BIDE_CLOSED ||
                      err->code == BIDE_REDIS_LOST))
        bide_error_print(err);
    check_int(wrong, 0);
}

TEST(every_allocation_fails_once, .real_clock = true, .fail_allocations = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    size_t wrong = 0;
    bide_error *err;
    attempt(&err, everything, server.url, &wrong);
    if (err && !check(err->code == BIDE_NO_MEMORY || err->code == BIDE_REDIS_LOST ||
                      err->code == BIDE_CLOSED || err->code == BIDE_TIMEOUT))
        bide_error_print(err);
    check_int(wrong, 0);
}
