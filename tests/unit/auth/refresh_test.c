/*
 * Sessions in a table, on SQLite and on PostgreSQL: rotation, reuse, ends, many at once.
 */
#define DB_ON_SERVER
#include "../db/db_case.h"

#include <bide/log.h>

static const bide_refresh_rules rules = {{0}, {0}};

static async(int64_t) families(bide_db *db)
{
    return bide_scalar(db, i64, "select count(*) from bide_refresh_tokens");
}

DB_TEST(each_rotation_gives_the_next)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *token = await(bide_refresh_issue(db, &rules, "7"));
        check_int(strlen(token), 64);
        for (int i = 0; i < 3; i++) {
            bide_refreshed *next = await(bide_refresh_rotate(db, &rules, token));
            require(next);
            check_str(next->subject, "7");
            check_int(strlen(next->token), 64);
            check(strcmp(next->token, token) != 0);
            token = next->token;
        }
        check_int(await(families(db)), 1);
    }
}

/* A thief and the user have the same token: whoever comes second ends both. */
DB_TEST(a_token_used_twice_ends_its_family)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *first = await(bide_refresh_issue(db, &rules, "7"));
        const char *other = await(bide_refresh_issue(db, &rules, "7"));
        bide_refreshed *second = await(bide_refresh_rotate(db, &rules, first));
        require(second);
        bide_refreshed *third = await(bide_refresh_rotate(db, &rules, second->token));
        require(third);
        check(!await(bide_refresh_rotate(db, &rules, first)));
        check(!await(bide_refresh_rotate(db, &rules, third->token)));
        check(!await(bide_refresh_rotate(db, &rules, second->token)));
        check(await(bide_refresh_rotate(db, &rules, other)) != NULL);
    }
}

DB_TEST(what_is_no_token)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *token = await(bide_refresh_issue(db, &rules, "7"));
        bide_arena *arena = bide_task_arena();
        const char *const cases[] = {
            NULL,
            "",
            "x",
            "' or 1=1 --",
            bide_arena_strndup(arena, token, 63),
            bide_arena_strndup(arena, token, 24),
            bide_arena_printf(arena, "%s ", token),
            bide_arena_printf(arena, "%sA", token),
            bide_arena_printf(arena, " %.63s", token),
            bide_token_make(arena, 48),
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            check(!await(bide_refresh_rotate(db, &rules, cases[i])));
            await(bide_refresh_revoke(db, cases[i]));
        }
        check(await(bide_refresh_rotate(db, &rules, token)) != NULL);
    }
}

DB_TEST(what_is_stored_opens_nothing)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *token = await(bide_refresh_issue(db, &rules, "7"));
        bide_refresh_row *row = await(bide_one(db, bide_refresh_row, ""));
        check_int(strlen(row->id), 64);
        check_int(strlen(row->digest.text), 64);
        check(!strstr(row->id, bide_arena_strndup(bide_task_arena(), token, 8)));
        check(!await(bide_refresh_rotate(db, &rules, row->id)));
        check(!await(bide_refresh_rotate(db, &rules, row->digest.text)));
        check(row->expires_at_us - row->issued_at_us == INT64_C(14) * 86400 * 1000000);
        check(row->ends_at_us - row->issued_at_us == INT64_C(90) * 86400 * 1000000);
        check_int(await(families(db)), 1);
    }
}

DB_TEST(sessions_end)
{
    const bide_refresh_rules quick = {.idle = bide_ms(150), .ttl = bide_ms(250)};
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *idle = await(bide_refresh_issue(db, &quick, "7"));
        bide_refreshed *next =
            await(bide_refresh_rotate(db, &quick, await(bide_refresh_issue(db, &quick, "7"))));
        require(next);
        await(bide_sleep(bide_ms(100)));
        next = await(bide_refresh_rotate(db, &quick, next->token));
        require(next);
        await(bide_sleep(bide_ms(70)));
        check(!await(bide_refresh_rotate(db, &quick, idle)));
        next = await(bide_refresh_rotate(db, &quick, next->token)); /* 170 ms: not idle */
        require(next);
        await(bide_sleep(bide_ms(100)));
        check(!await(bide_refresh_rotate(db, &quick, next->token))); /* 270 ms: its end */
        check_int(await(families(db)), 0);
    }
}

DB_TEST(revoked)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        const char *a = await(bide_refresh_issue(db, &rules, "7"));
        bide_refreshed *b = await(bide_refresh_rotate(db, &rules, a));
        require(b);
        await(bide_refresh_revoke(db, a)); /* an old one of the family */
        check(!await(bide_refresh_rotate(db, &rules, b->token)));
        const char *mine[3];
        for (int i = 0; i < 3; i++)
            mine[i] = await(bide_refresh_issue(db, &rules, "7"));
        const char *others = await(bide_refresh_issue(db, &rules, "77"));
        check_int(await(bide_refresh_revoke_all(db, "7")), 3);
        check_int(await(bide_refresh_revoke_all(db, "7")), 0);
        for (int i = 0; i < 3; i++)
            check(!await(bide_refresh_rotate(db, &rules, mine[i])));
        check(await(bide_refresh_rotate(db, &rules, others)) != NULL);
    }
}

static async(void) in_a_transaction(bide_db *db, const char *token);
SPAWNABLE(void, in_a_transaction, bide_db *, const char *)
static async(void) in_a_transaction(bide_db *db, const char *token)
{
    with_tx(tx, db) {
        check_int(strlen(await(bide_refresh_issue(tx, &rules, "8"))), 64);
        await(bide_refresh_revoke(tx, token));
        check_int(await(bide_refresh_revoke_all(tx, "7")), 0);
        fail(bide_error_new(409, "taken"));
    }
    return bide_void;
}

DB_TEST(with_the_transaction_around_it)
{
    with(bide_database, db, c->url) {
        bide_error *err;
        await(bide_create_table(db, bide_refresh_row));
        const char *token = await(bide_refresh_issue(db, &rules, "7"));
        attempt(&err, in_a_transaction, db, token);
        check(err && err->code == 409);
        check_int(await(families(db)), 1);
        check(await(bide_refresh_rotate(db, &rules, token)) != NULL);
    }
}

struct race {
    bide_db *db;
    const char *token, *next;
    int won;
};
typedef struct race *race_ptr;
static async(void) rotate(race_ptr race);
SPAWNABLE(void, rotate, race_ptr)
static async(void) rotate(race_ptr race)
{
    bide_refreshed *next = await(bide_refresh_rotate(race->db, &rules, race->token));
    if (next) {
        race->won++;
        race->next = next->token;
    }
    return bide_void;
}

/* One at most: the winner may find that a loser ended the family before it could read its row. */
DB_TEST(one_of_many_wins, .timeout_ms = 30000)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        int won = 0;
        for (int i = 0; i < 10; i++) {
            struct race race = {.db = db, .token = await(bide_refresh_issue(db, &rules, "7"))};
            with_group(g)
                for (int k = 0; k < 8; k++)
                    spawn_void(g, rotate, &race);
            check(race.won <= 1);
            won += race.won;
            if (race.next)
                check(!await(bide_refresh_rotate(db, &rules, race.next)));
        }
        check(won > 0);
        check_int(await(families(db)), 0);
    }
}

/* The newest token goes with its family while it is being rotated. */
DB_TEST(reuse_beside_a_rotation, .timeout_ms = 30000)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, bide_refresh_row));
        for (int i = 0; i < 20; i++) {
            struct race old = {.db = db, .token = await(bide_refresh_issue(db, &rules, "7"))};
            bide_refreshed *next = await(bide_refresh_rotate(db, &rules, old.token));
            require(next);
            struct race new = {.db = db, .token = next->token};
            with_group(g) {
                spawn_void(g, rotate, &new);
                spawn_void(g, rotate, &old);
            }
            check_int(old.won, 0);
            if (new.next)
                check(!await(bide_refresh_rotate(db, &rules, new.next)));
        }
        check_int(await(families(db)), 0);
    }
}

TEST(rules_that_make_no_sense)
{
    const bide_refresh_rules cases[] = {
        {.idle = {-1}, .ttl = {0}},
        {.idle = bide_s(2), .ttl = bide_s(1)},
        {.idle = bide_s(1), .ttl = bide_s(315360001)},
        {.idle = bide_s(7776001), .ttl = {0}},
    };
    with(bide_database, db, "sqlite://:memory:") {
        bide_error *err;
        await(bide_create_table(db, bide_refresh_row));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            attempt(&err, bide_refresh_issue, db, &cases[i], "7");
            check(err && err->code == BIDE_INVALID);
            attempt(&err, bide_refresh_rotate, db, &cases[i], "x");
            check(err && err->code == BIDE_INVALID);
        }
        attempt(&err, bide_refresh_issue, db, &rules, "");
        check(err && err->code == BIDE_INVALID);
        attempt(&err, bide_refresh_revoke, db, "x");
        check(!err);
    }
}

TEST(old_sessions_are_swept, .reports = true)
{
    const bide_refresh_rules quick = {.idle = bide_s(1), .ttl = bide_s(1)};
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_refresh_row));
        for (int i = 0; i < 10; i++)
            check_int(strlen(await(bide_refresh_issue(db, &quick, "old"))), 64);
        await(bide_sleep(bide_s(2)));
        for (int i = 0; i < 300; i++)
            check_int(strlen(await(bide_refresh_issue(db, &rules, "new"))), 64);
        check_int(await(families(db)), 300);
    }
}

static async(void) live_a_session(void);
SPAWNABLE(void, live_a_session)
static async(void) live_a_session(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_refresh_row));
        const char *token = await(bide_refresh_issue(db, &rules, "7"));
        bide_refreshed *next = await(bide_refresh_rotate(db, &rules, token));
        check(next != NULL);
        check(!await(bide_refresh_rotate(db, &rules, token)));
        await(bide_refresh_revoke(db, token));
    }
    return bide_void;
}

TEST(a_cancel_at_every_await, .cancel_everywhere = true)
{
    await(live_a_session());
}

TEST(every_allocation_fails_once, .fail_allocations = true, .timeout_ms = 60000)
{
    bide_error *err;
    attempt(&err, live_a_session);
    if (err)
        check_int(err->code, BIDE_NO_MEMORY);
}
