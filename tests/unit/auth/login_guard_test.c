/*
 * Locks after failures, on SQLite and on PostgreSQL.
 */
#define DB_ON_SERVER
#include "../db/db_case.h"

static const bide_login_rules rules = {.purpose = "login"};

DB_TEST(five_failures_lock)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_login_row));
        for (int i = 0; i < 5; i++) {
            check_int(await(bide_login_locked(db, &rules, "frodo")), 0);
            check(!await(bide_login_settle(db, &rules, "frodo", false)));
        }
        int64_t left_s = await(bide_login_locked(db, &rules, "frodo"));
        check(left_s > 590 && left_s <= 600);
        check(!await(bide_login_settle(db, &rules, "frodo", true)));
        check(!await(bide_login_settle(db, &rules, "frodo", false)));
        const bide_login_rules other = {.purpose = "reset"};
        check_int(await(bide_login_locked(db, &other, "frodo")), 0);
        check(await(bide_login_settle(db, &other, "frodo", true)));
        check(await(bide_login_settle(db, &rules, "Frodo", true)));
        check(await(bide_login_settle(db, &rules, "", true)));
        with_tx(tx, db) {
            await(bide_login_forget(tx, &rules, "frodo"));
            await(bide_tx_rollback(tx));
        }
        check(await(bide_login_locked(db, &rules, "frodo")) > 0);
        with_tx(tx, db)
            await(bide_login_forget(tx, &rules, "frodo"));
        check_int(await(bide_login_locked(db, &rules, "frodo")), 0);
        check(await(bide_login_settle(db, &rules, "frodo", true)));
    }
}

DB_TEST(a_right_one_forgets)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_login_row));
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 4; i++)
                check(!await(bide_login_settle(db, &rules, "sam", false)));
            check(await(bide_login_settle(db, &rules, "sam", true)));
        }
        check_int(await(bide_scalar(db, i64, "select count(*) from bide_login_failures")), 0);
    }
}

DB_TEST(locks_end)
{
    const bide_login_rules quick = {
        .purpose = "q", .failures = 2, .within = bide_ms(100), .lock = bide_ms(150)};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_login_row));
        check(!await(bide_login_settle(db, &quick, "x", false)));
        check(!await(bide_login_settle(db, &quick, "x", false)));
        check_int(await(bide_login_locked(db, &quick, "x")), 1);
        await(bide_sleep(bide_ms(160)));
        check_int(await(bide_login_locked(db, &quick, "x")), 0);
        check(!await(bide_login_settle(db, &quick, "x", false)));
        check_int(await(bide_login_locked(db, &quick, "x")), 0);
        check(await(bide_login_settle(db, &quick, "x", true)));
    }
}

/* Any span of ten minutes, not one that the first failure begins. */
TEST(the_span_slides)
{
    static const struct {
        int at_s[8];
        int count;
        bool locked;
    } cases[] = {
        {{0, 1, 2, 3, 4}, 5, true},
        {{0, 150, 300, 450, 599}, 5, true},
        {{0, 150, 300, 450, 600}, 5, false},
        {{0, 599, 599, 599, 601, 602}, 6, true},
        {{0, 1, 2, 3, 601, 602, 603, 604}, 8, false},
        {{0, 180, 360, 540, 720, 900, 1080, 1260}, 8, false},
        {{0, 500, 500, 500, 700, 1000}, 6, true},
    };
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_login_row));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *subject = bide_arena_printf(bide_task_arena(), "%zu", i);
            int64_t begin = bide_now_us();
            for (int k = 0; k < cases[i].count; k++) {
                int64_t wait_us = begin + cases[i].at_s[k] * INT64_C(1000000) - bide_now_us();
                if (wait_us > 0)
                    await(bide_sleep(bide_us(wait_us)));
                check(!await(bide_login_settle(db, &rules, subject, false)));
            }
            if (!check((await(bide_login_locked(db, &rules, subject)) > 0) == cases[i].locked))
                printf("case %zu\n", i);
        }
    }
}

TEST(a_lock_is_not_made_longer)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_login_row));
        for (int i = 0; i < 5; i++)
            check(!await(bide_login_settle(db, &rules, "x", false)));
        for (int i = 0; i < 10; i++) {
            check(await(bide_login_locked(db, &rules, "x")) > 0);
            check(!await(bide_login_settle(db, &rules, "x", false)));
            await(bide_sleep(bide_s(59)));
        }
        await(bide_sleep(bide_s(11)));
        check(await(bide_login_settle(db, &rules, "x", true)));
    }
}

static async(void) try_to(bide_db *db, bool right, int *good);
SPAWNABLE(void, try_to, bide_db *, bool, int *)
static async(void) try_to(bide_db *db, bool right, int *good)
{
    if (await(bide_login_locked(db, &rules, "x")) == 0)
        *good += await(bide_login_settle(db, &rules, "x", right));
    return bide_void;
}

DB_TEST(many_guesses_at_once, .timeout_ms = 30000)
{
    with(bide_database, db, c->url) {
        int good = 0;
        await(bide_create_table(db, bide_login_row));
        with_group(g)
            for (int i = 0; i < 40; i++)
                spawn_void(g, try_to, db, false, &good);
        check_int(good, 0);
        check(await(bide_login_locked(db, &rules, "x")) > 0);
        bide_login_row *row = await(bide_one(db, bide_login_row, ""));
        check_int(strlen(row->failed_at), 5 * 16);
        /* Those that asked before the lock, and are right after it. */
        check(!await(bide_login_settle(db, &rules, "x", true)));
    }
}

DB_TEST(many_right_ones_at_once, .timeout_ms = 30000)
{
    with(bide_database, db, c->url) {
        int good = 0;
        await(bide_create_table(db, bide_login_row));
        check(!await(bide_login_settle(db, &rules, "x", false)));
        with_group(g)
            for (int i = 0; i < 40; i++)
                spawn_void(g, try_to, db, true, &good);
        check_int(good, 40);
    }
}

TEST(rules_that_make_no_sense)
{
    const bide_login_rules cases[] = {
        {.purpose = NULL},
        {.purpose = ""},
        {.purpose = "x", .failures = 1},
        {.purpose = "x", .failures = -1},
        {.purpose = "x", .failures = 101},
        {.purpose = "x", .within = {-1}},
        {.purpose = "x", .within = bide_s(2592001)},
        {.purpose = "x", .lock = {-1}},
    };
    with(bide_database, db, "sqlite://:memory:") {
        bide_error *err;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            attempt(&err, bide_login_settle, db, &cases[i], "x", false);
            check(err && err->code == BIDE_INVALID);
            attempt(&err, bide_login_locked, db, &cases[i], "x");
            check(err && err->code == BIDE_INVALID);
        }
    }
}

TEST(the_most_failures, .reports = true)
{
    const bide_login_rules most = {.purpose = "x", .failures = 100};
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_login_row));
        for (int i = 0; i < 100; i++) {
            check_int(await(bide_login_locked(db, &most, "x")), 0);
            check(!await(bide_login_settle(db, &most, "x", false)));
        }
        check(await(bide_login_locked(db, &most, "x")) > 0);
    }
}

TEST(old_rows_are_swept, .reports = true)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_login_row));
        for (int i = 0; i < 500; i++) {
            const char *subject = bide_arena_printf(bide_task_arena(), "%d", i);
            check(!await(bide_login_settle(db, &rules, subject, false)));
            await(bide_sleep(bide_us(60000001)));
        }
        check(await(bide_scalar(db, i64, "select count(*) from bide_login_failures")) < 100);
    }
}

static async(void) guard_once(void);
SPAWNABLE(void, guard_once)
static async(void) guard_once(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_login_row));
        check(!await(bide_login_settle(db, &rules, "x", false)));
        check(!await(bide_login_settle(db, &rules, "x", false)));
        check_int(await(bide_login_locked(db, &rules, "x")), 0);
        check(await(bide_login_settle(db, &rules, "x", true)));
        await(bide_login_forget(db, &rules, "x"));
    }
    return bide_void;
}

TEST(a_cancel_at_every_await, .cancel_everywhere = true)
{
    await(guard_once());
}

TEST(every_allocation_fails_once, .fail_allocations = true, .timeout_ms = 60000)
{
    bide_error *err;
    attempt(&err, guard_once);
    if (err)
        check_int(err->code, BIDE_NO_MEMORY);
}
