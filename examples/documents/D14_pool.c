/*
 * D14: an engine with pool_size=10, max_overflow=10, pool_timeout=30, pool_recycle=3600.
 *
 * The document: the four arguments of create_async_engine, with a table of what they mean.
 *
 * What goes wrong: when all connections are held the next one waits 30 seconds and fails with
 * `QueuePool limit of size 10 overflow 10 reached`: it does not say by whom. A connection that the
 * server has closed meanwhile is found by the query that fails on it. The table says an overflow of
 * half the size, the code has all of it.
 *
 * In bide: the same names mean the same. The 21st holder fails after 30 seconds, and the report on
 * stderr names the 20 tasks, with the lines where they took theirs, since when, and what each of
 * them waits for. Connections that were idle for a while are asked before they are lent. The server
 * here is a pretend one.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { LINES = 64 };

struct server {
    bool lines[LINES];
    int dialled;
};

static async(bide_connection) dial(void *server_)
{
    struct server *server = server_;
    await(bide_sleep(bide_ms(20)));
    bool *line = &server->lines[server->dialled++ % LINES];
    *line = true;
    return ready(bide_connection, line);
}

static async(void) hang_up(void *line)
{
    *(bool *)line = false;
    return bide_void;
}

static bool is_idle(void *line)
{
    return *(bool *)line; /* nothing is said on it that could be half said */
}

static const struct bide_pool_driver pretend = {.open = dial, .close = hang_up, .is_idle = is_idle};

SPAWNABLE(void, use, bide_pool *, int)
async(void) use(bide_pool *pool, int seconds)
{
    with_pooled(connection, pool) {
        (void)connection;
        await(bide_sleep(bide_s(seconds)));
    }
    return bide_void;
}

SPAWNABLE(void, late, bide_pool *)
async(void) late(bide_pool *pool)
{
    bide_error *error;
    int64_t since_ns = bide_clock_ns();
    attempt(&error, use, pool, 1);
    printf("the 21st: %s after %.0f s\n", bide_code_name(error->code),
           (double)(bide_clock_ns() - since_ns) / 1e9);
    return bide_void;
}

static void show(const char *when, const bide_pool *pool)
{
    struct bide_pool_stats now;
    bide_pool_stats(pool, &now);
    printf("%s: %zu open of %zu, %zu held, %zu idle\n", when, now.open, now.limit, now.held,
           now.idle);
}

static async(void) app(void)
{
    struct server server = {.dialled = 0};
    bide_pool *pool = bide_pool_new(&pretend, &server,
                                    &(struct bide_pool_options){.name = "engine",
                                                                .pool_size = 10,
                                                                .max_overflow = 10,
                                                                .pool_timeout = bide_s(30),
                                                                .pool_recycle = bide_s(3600)});
    with_group(g) {
        for (int i = 0; i < 20; i++)
            spawn_void(g, use, pool, 60);
        await(bide_sleep(bide_s(1)));
        show("in use", pool);
        spawn_void(g, late, pool);
    }
    await(bide_sleep(bide_s(5)));
    show("afterwards", pool); /* the overflow is closed */

    int before = server.dialled;
    await(bide_sleep(bide_s(3600)));
    await(use(pool, 1));
    printf("after an hour: %d connection is new\n", server.dialled - before);
    await(bide_pool_close(pool, bide_s(1)));
    bide_pool_free(pool);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
