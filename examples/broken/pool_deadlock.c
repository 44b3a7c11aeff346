/* Two requests hold a connection each and want a second one. docs/pitfalls/pool_deadlock.md. */
#include <bide/bide.h>

/* A pretend server: a connection is a number. */
static async(bide_connection) dial(void *next)
{
    await(bide_sleep(bide_ms(20)));
    return ready(bide_connection, (int *)next + 1);
}

static async(void) hang_up(void *line)
{
    (void)line;
    return bide_void;
}

static bool is_idle(void *line)
{
    return line != NULL;
}

static const struct bide_pool_driver pretend = {.open = dial, .close = hang_up, .is_idle = is_idle};

static async(void) close_pool(void *pool)
{
    await(bide_pool_close(pool, bide_s(1)));
    bide_pool_free(pool);
    return bide_void;
}

static async(void) audit(bide_pool *pool)
{
    with_pooled(second, pool) {
        (void)second;
        await(bide_sleep(bide_ms(5)));
    }
    return bide_void;
}

SPAWNABLE(void, checkout, bide_pool *)
async(void) checkout(bide_pool *pool)
{
    with_pooled(first, pool) {
        (void)first;
        await(bide_sleep(bide_ms(5)));
        await(audit(pool));
    }
    return bide_void;
}

static async(void) app(void)
{
    int next = 0;
    bide_pool *pool = bide_pool_new(
        &pretend, &next,
        &(struct bide_pool_options){.name = "db", .pool_size = 2, .max_overflow = -1});
    defer(close_pool, pool);
    with_group(g) {
        spawn_void(g, checkout, pool);
        spawn_void(g, checkout, pool);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
