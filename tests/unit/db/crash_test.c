/*
 * One backend of PostgreSQL is killed under load (kill -9), so the server ends all the others and
 * recovers: typed errors, no reply for the wrong task, nothing lost that was committed, nothing
 * done by halves, and all goes on by itself.
 */
#include "db_case.h"

enum { TASKS = 16, MOST = 20000 };

static struct load {
    bool over;
    int wrong, failed, crash;
    int healed; /* tasks, of what they began since the last crash */
    int next;
    enum outcome { NEVER, FAILED, UNKNOWN, DONE } outcomes[MOST];
} load;

static bool is_of_a_crash(const bide_error *err)
{
    bool known = err->code == BIDE_UNREACHABLE || err->code == BIDE_OUTCOME_UNKNOWN ||
                 err->code == BIDE_TIMEOUT;
    if (!check(known))
        bide_error_print(err);
    return known;
}

static async(void) ask(bide_db *db, int n);
SPAWNABLE(void, ask, bide_db *, int)
static async(void) ask(bide_db *db, int n)
{
    item *got = await(bide_one(db, item, "select $1::bigint as id, $2 as name, 1 as amount", n,
                               bide_arena_printf(bide_task_arena(), "n%d", n)));
    load.wrong += got->id != n || atoi(got->name + 1) != n;
    return bide_void;
}

/* Two rows, or none. */
static async(void) add_two(bide_db *db, int n);
SPAWNABLE(void, add_two, bide_db *, int)
static async(void) add_two(bide_db *db, int n)
{
    with_tx(tx, db) {
        await(bide_do(tx, "insert into pairs values ($1, 1)", n));
        await(bide_do(tx, "insert into pairs values ($1, 2)", n));
    }
    return bide_void;
}

static async(void) work(bide_db *db, bool writes);
SPAWNABLE(void, work, bide_db *, bool)
static async(void) work(bide_db *db, bool writes)
{
    int healed = 0; /* the last crash after which something that was begun later went well */
    while (!load.over && load.next < MOST)
        with_arena {
            bide_error *err;
            int n = load.next++, crash = load.crash;
            if (writes)
                attempt(&err, add_two, db, n);
            else
                attempt(&err, ask, db, n);
            if (writes)
                load.outcomes[n] = !err                                ? DONE
                                   : err->code == BIDE_OUTCOME_UNKNOWN ? UNKNOWN
                                                                       : FAILED;
            load.failed += err && is_of_a_crash(err);
            if (!err && crash > healed) {
                healed = crash;
                load.healed++;
            }
            await(bide_sleep(bide_ms(1)));
        }
    return bide_void;
}

static async(void) kill_one(bide_db *db)
{
    int64_t pid = await(bide_scalar(db, i64, "select pg_backend_pid()::bigint"));
    await(bide_sleep(bide_ms(300))); /* the load goes on */
    int before = load.failed;
    require(kill((pid_t)pid, SIGKILL) == 0);
    with_deadline(bide_s(10)) {
        while (load.failed == before)
            await(bide_sleep(bide_ms(1)));
    }
    await(bide_sleep(bide_ms(300))); /* by now the others are ended, too */
    load.crash++;
    load.healed = 0;
    return bide_void;
}

static async(void) check_pairs(bide_db *db)
{
    for (int n = 0; n < load.next; n++)
        with_arena {
            int64_t rows =
                await(bide_scalar(db, i64, "select count(*) from pairs where n = $1", n));
            if (load.outcomes[n] == DONE)
                check_int(rows, 2);
            else if (load.outcomes[n] == UNKNOWN)
                check(rows == 0 || rows == 2);
            else
                check_int(rows, 0);
        }
    return bide_void;
}

TEST(one_backend_is_killed_under_load, .real_clock = true, .timeout_ms = 90000)
{
    /* As in production: what was committed is in the log of the server. */
    struct postgres_server own = {.settings = "synchronous_commit=on"};
    postgres_make(&own, "trust");
    with(bide_database, db, own.url) {
        await(bide_do(db, "create table pairs (n integer, side integer)"));
        await(bide_do(db, "create index pairs_n on pairs (n)"));
        with_group(g) {
            for (int i = 0; i < TASKS; i++)
                spawn_void(g, work, db, i % 2);
            for (int crash = 0; crash < 2; crash++) {
                await(kill_one(db));
                with_deadline(bide_s(30)) {
                    while (load.healed < TASKS)
                        await(bide_sleep(bide_ms(20)));
                }
            }
            load.over = true;
        }
        check_int(load.wrong, 0);
        await(check_pairs(db));
        check_int(await(bide_scalar(db, i64,
                                    "select count(*) from pg_stat_activity where datname = 'test' "
                                    "and pid <> pg_backend_pid() and xact_start is not null")),
                  0);
    }
    postgres_end(&own);
}
