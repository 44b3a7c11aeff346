/*
 * retry_test.c: retry_tx: which errors make it again, how often, and what is left of a try.
 */
#define DB_ON_SERVER
#include "db_case.h"

struct trouble {
    int calls, failing; /* the first so many calls fail ... */
    int code;           /* ... with this */
    int committed, rolled_back;
};

static void note(void *arg)
{
    ++*(int *)arg;
}

SPAWNABLE(int64_t, put_item, bide_tx *, struct trouble *, const char *)
async(int64_t) put_item(bide_tx *tx, struct trouble *trouble, const char *name)
{
    item i = {.name = name};
    bide_tx_on_commit(tx, note, &trouble->committed);
    bide_tx_on_rollback(tx, note, &trouble->rolled_back);
    await(bide_insert(tx, item, &i));
    if (++trouble->calls <= trouble->failing)
        fail(bide_error_new(trouble->code, "on purpose"));
    return ready(int64_t, i.id + 100);
}

SPAWNABLE(void, only_once, bide_tx *)
async(void) only_once(bide_tx *tx)
{
    await(bide_do(tx, "delete from items"));
    return bide_void;
}

static async(int64_t) count(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select count(*) from items")));
}

DB_TEST(it_is_made_again_until_it_succeeds)
{
    bide_error *err = NULL;
    struct trouble trouble = {.failing = 3, .code = BIDE_TX_RETRY};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        int64_t got = retry_tx(&err, db, put_item, &trouble, "ring");
        check(!err);
        check(got > 100);
        check_int(trouble.calls, 4);
        check_int(trouble.committed, 1);
        check_int(trouble.rolled_back, 3);
        check_int(await(count(db)), 1);
        retry_tx(&err, db, only_once);
        check(!err);
        check_int(await(count(db)), 0);
    }
}

DB_TEST(it_gives_up_after_eight_tries)
{
    bide_error *err = NULL;
    struct trouble trouble = {.failing = 100, .code = BIDE_TX_RETRY};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        int64_t got = retry_tx(&err, db, put_item, &trouble, "ring");
        check(err && err->code == BIDE_TX_RETRY);
        check_int(got, 0);
        check_int(trouble.calls, 8);
        check_int(trouble.rolled_back, 8);
        check_int(await(count(db)), 0);
    }
}

DB_TEST(other_errors_end_it)
{
    static const int codes[] = {BIDE_OUTCOME_UNKNOWN, BIDE_UNREACHABLE, BIDE_QUERY, 1000};
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            struct trouble trouble = {.failing = 1, .code = codes[i]};
            retry_tx(&err, db, put_item, &trouble, "ring");
            check(err && err->code == codes[i]);
            check_int(trouble.calls, 1);
        }
        check_int(await(count(db)), 0);
    }
}

SPAWNABLE(int64_t, conflict_after_order, bide_tx *, struct trouble *)
async(int64_t) conflict_after_order(bide_tx *tx, struct trouble *trouble)
{
    (void)tx;
    trouble->calls++;
    bide_error *order = bide_error_new(BIDE_OUTCOME_UNKNOWN, "the order was sent");
    fail(bide_error_because(bide_error_new(BIDE_TX_RETRY, "conflict"), order));
}

DB_TEST(what_else_may_have_been_done_ends_it)
{
    bide_error *err = NULL;
    struct trouble trouble = {.calls = 0};
    with(bide_database, db, c->url) {
        retry_tx(&err, db, conflict_after_order, &trouble);
        check(err && err->code == BIDE_TX_RETRY);
        check_int(trouble.calls, 1);
    }
}

SPAWNABLE(void, until_cancelled, bide_db *, struct trouble *, bool *)
async(void) until_cancelled(bide_db *db, struct trouble *trouble, bool *was_cancel)
{
    bide_error *err = NULL;
    bide_cancel_task(bide_current_task(), "enough");
    retry_tx(&err, db, put_item, trouble, "ring");
    *was_cancel = err && err->is_cancel;
    return bide_void;
}

DB_TEST(a_deadline_and_a_cancel_end_it)
{
    bide_error *err = NULL;
    struct trouble trouble = {.failing = 100, .code = BIDE_TX_RETRY};
    bool was_cancel = false;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        with_deadline(bide_ms(0)) {
            retry_tx(&err, db, put_item, &trouble, "ring");
        }
        check(err != NULL);
        check(trouble.calls <= 1);
        trouble.calls = 0;
        with_group(g) {
            spawn_void(g, until_cancelled, db, &trouble, &was_cancel);
        }
        check(was_cancel);
        check_int(trouble.calls, 0);
        check_int(await(count(db)), 0);
    }
}

DB_TEST(a_cancel_at_any_await_leaves_all_or_nothing, .cancel_everywhere = true)
{
    bide_error *err = NULL;
    struct trouble trouble = {.failing = 1, .code = BIDE_TX_RETRY};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        retry_tx(&err, db, put_item, &trouble, "ring");
        check_int(trouble.committed, !err);
        if (err)
            fail(err);
        check_int(await(count(db)), 1);
    }
}

SPAWNABLE(int64_t, move, bide_tx *, const char *, const char *, int *)
async(int64_t) move(bide_tx *tx, const char *from, const char *to, int *tries)
{
    ++*tries;
    int64_t n = await(bide_exec(tx, "update items set amount = amount - 1 where name = $1", from));
    await(bide_sleep(bide_ms(20))); /* so that the two meet */
    n += await(bide_exec(tx, "update items set amount = amount + 1 where name = $1", to));
    return ready(int64_t, n);
}

SPAWNABLE(void, move_often, bide_db *, const char *, const char *, int *)
async(void) move_often(bide_db *db, const char *from, const char *to, int *tries)
{
    bide_error *err;
    for (int i = 0; i < 2; i++) {
        check_int(retry_tx(&err, db, move, from, to, tries), 2);
        check(!err);
    }
    return bide_void;
}

DB_TEST(a_deadlock_of_two_transactions_is_made_again)
{
    int tries = 0;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item rows[] = {{.name = "a", .amount = 10}, {.name = "b", .amount = 10}};
        await(bide_insert_many(db, item, rows, 2));
        with_group(g) {
            spawn_void(g, move_often, db, "a", "b", &tries);
            spawn_void(g, move_often, db, "b", "a", &tries);
        }
        check(tries >= (c->server ? 5 : 4));
        check_int(await(bide_scalar(db, i64, "select sum(amount) from items")), 20);
        check_int(await(bide_scalar(db, i64, "select min(amount) from items")), 10);
    }
}

/* Two doctors are on call, and each may leave if the other stays: write skew. */
SPAWNABLE(int64_t, leave_call, bide_tx *, const char *, int *)
async(int64_t) leave_call(bide_tx *tx, const char *name, int *tries)
{
    ++*tries;
    bide_tx_isolation(tx, BIDE_SERIALIZABLE);
    int64_t on_call = await(bide_scalar(tx, i64, "select count(*) from items where amount = 1"));
    await(bide_sleep(bide_ms(20)));
    if (on_call < 2)
        return ready(int64_t, 0);
    return bide_exec(tx, "update items set amount = 0 where name = $1", name);
}

SPAWNABLE(void, leave_call_once, bide_db *, const char *, int *)
async(void) leave_call_once(bide_db *db, const char *name, int *tries)
{
    bide_error *err;
    retry_tx(&err, db, leave_call, name, tries);
    check(!err);
    return bide_void;
}

DB_TEST(a_serialization_failure_is_made_again)
{
    int tries = 0;
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        item rows[] = {{.name = "a", .amount = 1}, {.name = "b", .amount = 1}};
        await(bide_insert_many(db, item, rows, 2));
        with_group(g) {
            spawn_void(g, leave_call_once, db, "a", &tries);
            spawn_void(g, leave_call_once, db, "b", &tries);
        }
        check_int(await(bide_scalar(db, i64, "select sum(amount) from items")), 1);
        check_int(tries, c->server ? 3 : 2);
    }
}

static async(int) isolate_late(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        with_tx(tx, db) {
            await(bide_do(tx, "create table t (a integer)"));
            bide_tx_isolation(tx, BIDE_SERIALIZABLE);
        }
    }
    return ready(int, 0);
}

static void run_isolate_late(void)
{
    exit(bide_run(isolate_late));
}

TEST_PLAIN(an_isolation_after_the_first_statement_is_misuse)
{
    check_dies(run_isolate_late, "is set after its first statement");
}
