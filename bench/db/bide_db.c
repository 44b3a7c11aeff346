/* bide's side of the suite, written as a user would write it: bide_db CASE [URL] prints what rate.h
 * says, for sqlite_read and the pool nanoseconds per operation. Each case does what its
 * twins in rival_* do; README.md says what is counted. `http_pg` is an application: it prints
 * `PORT n` and serves until it is killed. */
#include <bide/bide.h>

#include "rate.h"
#include <unistd.h>

typedef struct measured measured;
AWAITABLE(measured);

MODEL(account, "accounts", (i64, id, key), (str, name), (i64, balance));
MODEL(entry, "entries", (i64, id, key, generated), (i64, account, range(1, ACCOUNTS)), (i64, delta),
      (str, note));

/* So many share an arena, as those of a request do. */
enum { REQUEST_QUERIES = 16, LIFETIME_S = 120 };
static const char *url;
static bide_db *db;
static bide_redis *redis;
static struct rate rate;

static async(void) select_account(uint64_t *seed)
{
    int64_t id = next_account(seed);
    const account *found = await(bide_one(db, account, "id = $1", id));
    if (found->id != id)
        abort();
    rate_goes_on(&rate, 1);
    return bide_void;
}

static async(void) pg_select(uint64_t seed)
{
    while (!rate.over) {
        with_arena {
            for (int i = 0; i < REQUEST_QUERIES; i++)
                await(select_account(&seed));
        }
    }
    return bide_void;
}

static async(void) pg_tx(uint64_t seed)
{
    while (!rate.over) {
        with_arena {
            int64_t id = next_account(&seed);
            with_tx(tx, db) {
                int64_t rows = 0;
                (void)await(bide_scalar(tx, i64, "select balance from accounts where id = $1", id));
                rows += await(
                    bide_exec(tx, "update accounts set balance = balance + 1 where id = $1", id));
                rows += await(
                    bide_exec(tx, "insert into entries (account, delta, note) values ($1, $2, $3)",
                              id, 1, NOTE));
                if (rows != 2)
                    abort();
            }
        }
        rate_goes_on(&rate, 1);
    }
    return bide_void;
}

/* pg_insert, sqlite_batch */
static async(void) insert_batches(uint64_t seed)
{
    while (!rate.over) {
        with_arena {
            static entry rows[BATCH_ROWS];
            for (int i = 0; i < BATCH_ROWS; i++)
                rows[i] = (entry){.account = next_account(&seed), .delta = i, .note = NOTE};
            await(bide_insert_many(db, entry, rows, BATCH_ROWS));
            if (rows[BATCH_ROWS - 1].id < BATCH_ROWS)
                abort();
        }
        rate_goes_on(&rate, BATCH_ROWS);
    }
    return bide_void;
}

static async(void) sqlite_write(uint64_t seed)
{
    do {
        int64_t rows =
            await(bide_exec(db, "insert into entries (account, delta, note) values ($1, $2, $3)",
                            next_account(&seed), 1, NOTE));
        if (rows != 1)
            abort();
    } while (rate_goes_on(&rate, 1));
    return bide_void;
}

static async(void) redis_get(uint64_t seed)
{
    (void)seed;
    while (!rate.over) {
        with_arena {
            for (int i = 0; i < REQUEST_QUERIES; i++) {
                bide_redis_reply got = await(bide_redis_get(redis, "key"));
                if (got.size != 3)
                    abort();
                rate_goes_on(&rate, 1);
            }
        }
    }
    return bide_void;
}

/* ---- one task, nanoseconds per operation ---- */

static async(measured) sqlite_read(uint64_t count)
{
    uint64_t seed = 1, start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i += REQUEST_QUERIES) {
        with_arena {
            for (int j = 0; j < REQUEST_QUERIES; j++) {
                int64_t id = next_account(&seed);
                const account *found = await(bide_one(db, account, "id = $1", id));
                if (found->id != id)
                    abort();
            }
        }
    }
    count = (count + REQUEST_QUERIES - 1) / REQUEST_QUERIES * REQUEST_QUERIES;
    struct measured run = {count, measure_now_ns() - start_ns};
    return ready(measured, run);
}

static async(bide_connection) open_nothing(void *arg)
{
    return ready(bide_connection, arg);
}

static async(void) leave_it(void *connection)
{
    (void)connection;
    return bide_void;
}

static bool always_idle(void *connection)
{
    (void)connection;
    return true;
}

static const struct bide_pool_driver no_driver = {
    .open = open_nothing, .close = leave_it, .is_idle = always_idle, .reset = leave_it};

static async(measured) pool(uint64_t count)
{
    int peer;
    bide_pool *pool = bide_pool_new(&no_driver, &peer, NULL);
    with_pooled(first, pool) { /* opened before the clock runs */
        (void)first;
    }
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        with_pooled(connection, pool) {
            __asm__ volatile("" ::"r"(connection) : "memory");
        }
    }
    struct measured run = {count, measure_now_ns() - start_ns};
    await(bide_pool_close(pool, bide_s(10)));
    bide_pool_free(pool);
    return ready(measured, run);
}

static async(measured) mutex_pair(uint64_t count)
{
    static bide_mutex mutex;
    uint64_t start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        with_lock(&mutex) {
            __asm__ volatile("" ::: "memory");
        }
    }
    struct measured run = {count, measure_now_ns() - start_ns};
    return ready(measured, run);
}

/* ---- an application ---- */

PROVIDER(bide_db_ptr, database)
{
    provide(db);
}

GET(get_account, "/accounts/{id}", account, path(i64, id, range(1, ACCOUNTS)),
    depends(bide_db_ptr, accounts, database))
{
    return *await(bide_one(accounts, account, "id = $1", id));
}

static async(void) serve(void)
{
    struct bide_http_options options = {.requests = UINT32_MAX};
    bide_app *app = bide_app_new(.title = "bench");
    bide_app_add_all(app, "");
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        printf("PORT %d\n", bide_listener_port(listener));
        fflush(stdout);
        await(bide_app_serve(app, listener, &options));
    }
    return bide_void;
}

/* ---- cases ---- */

static const struct test_case {
    const char *name;
    async_fn(void) (*work)(uint64_t seed); /* `tasks` of them, until the time is over */
    async_fn(measured) (*measure)(uint64_t count);
    int tasks;
    uint64_t every; /* operations between two looks at the clock */
} cases[] = {
    {"pg_select", pg_select, NULL, 64, 16},
    {"pg_tx", pg_tx, NULL, 16, 16},
    {"pg_insert", insert_batches, NULL, 1, 1},
    {"http_pg", NULL, NULL, 0, 0},
    {"sqlite_read", NULL, sqlite_read, 0, 0},
    {"sqlite_write", sqlite_write, NULL, 64, 64},
    {"sqlite_batch", insert_batches, NULL, 1, 1},
    {"redis_get", redis_get, NULL, 64, 64},
    {"pool", NULL, pool, 0, 0},
    {"mutex", NULL, mutex_pair, 0, 0},
};
static const struct test_case *chosen;

SPAWNABLE(void, work, uint64_t)
async(void) work(uint64_t seed)
{
    await(chosen->work(seed));
    return bide_void;
}

static async(void) run_tasks(void)
{
    rate = rate_begin(chosen->every);
    with_group(g) {
        for (int i = 0; i < chosen->tasks; i++)
            spawn_void(g, work, (uint64_t)i);
    }
    rate_print(&rate, chosen->name);
    return bide_void;
}

static async(void) run_measure(void)
{
    uint64_t target_ns = measure_target_ns(), count = 1000;
    for (int last = 0; !last;)
        count = measure_next_count(await(chosen->measure(count)), target_ns, &last);
    measure_print(chosen->name, await(chosen->measure(count)));
    return bide_void;
}

static async(void) run_chosen(void)
{
    if (chosen->work)
        await(run_tasks());
    else if (chosen->measure)
        await(run_measure());
    else
        await(serve());
    return bide_void;
}

static async(void) run(void)
{
    if (!url) {
        await(run_chosen());
    } else if (!strcmp(chosen->name, "redis_get")) {
        with(bide_redis, opened, url, NULL) {
            redis = opened;
            await(run_chosen());
        }
    } else {
        with(bide_database, opened, url) {
            db = opened;
            await(run_chosen());
        }
    }
    return bide_void;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(argv[1], cases[i].name))
            chosen = &cases[i];
    if (!chosen) {
        fprintf(stderr, "usage: bide_db CASE [URL]\n");
        return 2;
    }
    url = argc > 2 ? argv[2] : NULL;
    return bide_run(run);
}
