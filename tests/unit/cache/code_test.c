/*
 * Codes to be typed in: each rule on SQLite, on PostgreSQL and in Redis.
 */
#define DB_ON_SERVER
#include "../db/db_case.h"
#include "../redis/redis_case.h"

static const char secret[] = "a secret of the application";
static const bide_code_rules by_mail = {.purpose = "register", .secret = secret};

/* Where a test's codes are: in Redis, if there is one. */
typedef struct place {
    bide_db *db;
    bide_redis *redis;
} place;

static bide_code_place at(const place *p)
{
    return (bide_code_place){p->redis ? NULL : p->db, NULL, p->redis};
}

static bide_code_place in(const place *p, bide_tx *tx)
{
    return (bide_code_place){tx->db, tx, p->redis};
}

#define ON_EACH(name)                                                                              \
    static async(void) name##_on(const place *p);                                                  \
    TEST(name##_on_sqlite, .real_clock = true)                                                     \
    {                                                                                              \
        with(bide_database, db, "sqlite://:memory:") {                                             \
            await(bide_create_table(db, bide_code_row));                                           \
            await(name##_on(&(place){db, NULL}));                                                  \
        }                                                                                          \
    }                                                                                              \
    TEST(name##_on_postgresql, .real_clock = true)                                                 \
    {                                                                                              \
        DB_SERVER(c, "");                                                                          \
        with(bide_database, db, c.url) {                                                           \
            await(bide_create_table(db, bide_code_row));                                           \
            await(name##_on(&(place){db, NULL}));                                                  \
        }                                                                                          \
    }                                                                                              \
    TEST(name##_in_redis, .real_clock = true)                                                      \
    {                                                                                              \
        struct redis_server server = redis_make(NULL);                                             \
        defer(redis_end, &server);                                                                 \
        with(bide_database, db, "sqlite://:memory:")                                               \
            with(bide_redis, r, server.url, NULL)                                                  \
                await(name##_on(&(place){db, r}));                                                 \
    }                                                                                              \
    static async(void) name##_on(const place *p)

/* Another code than this one. */
static const char *wrong_of(const char *code)
{
    char *wrong = bide_arena_strdup(bide_task_arena(), code);
    require(wrong);
    wrong[0] = (char)(wrong[0] == '9' ? '0' : wrong[0] + 1);
    return wrong;
}

ON_EACH(good_once)
{
    const char *code = await(bide_code_issue(at(p), &by_mail, "a@b.example"));
    check_int(strlen(code), 6);
    check_int(strspn(code, "0123456789"), 6);
    const bide_code_rules other = {.purpose = "reset", .secret = secret};
    const bide_code_rules stranger = {.purpose = "register", .secret = "another secret, as long"};
    check(!await(bide_code_consume(at(p), &other, "a@b.example", code)));
    check(!await(bide_code_consume(at(p), &stranger, "a@b.example", code)));
    check(!await(bide_code_consume(at(p), &by_mail, "A@b.example", code)));
    check(!await(bide_code_consume(at(p), &by_mail, "a@b.example", wrong_of(code))));
    check(!await(bide_code_consume(at(p), &by_mail, "a@b.example", NULL)));
    check(await(bide_code_consume(at(p), &by_mail, "a@b.example", code)));
    check(!await(bide_code_consume(at(p), &by_mail, "a@b.example", code)));
    return bide_void;
}

ON_EACH(tries_are_limited)
{
    const char *code = await(bide_code_issue(at(p), &by_mail, "x"));
    for (int i = 0; i < 5; i++)
        check(!await(bide_code_consume(at(p), &by_mail, "x", wrong_of(code))));
    check(!await(bide_code_consume(at(p), &by_mail, "x", code)));
    return bide_void;
}

ON_EACH(time_and_the_next_one)
{
    const bide_code_rules quick = {
        .purpose = "q", .secret = secret, .ttl = bide_ms(120), .resend = bide_ms(60), .digits = 18};
    bide_error *err;
    const char *first = await(bide_code_issue(at(p), &quick, "x"));
    attempt(&err, bide_code_issue, at(p), &quick, "x");
    require(err);
    check_int(err->code, BIDE_LIMIT);
    check_int(strlen(await(bide_code_issue(at(p), &quick, "y"))), 18);
    await(bide_sleep(bide_ms(70)));
    const char *second = await(bide_code_issue(at(p), &quick, "x"));
    check(!await(bide_code_consume(at(p), &quick, "x", first)));
    check(await(bide_code_consume(at(p), &quick, "x", second)));
    const char *third = await(bide_code_issue(at(p), &quick, "x"));
    await(bide_sleep(bide_ms(130)));
    check(!await(bide_code_consume(at(p), &quick, "x", third)));
    return bide_void;
}

static async(void) take(const place *p, const char *code, int *won);
typedef const place *place_ptr;
SPAWNABLE(void, take, place_ptr, const char *, int *)
static async(void) take(const place *p, const char *code, int *won)
{
    *won += await(bide_code_consume(at(p), &by_mail, "x", code));
    return bide_void;
}

static async(void) take_in_tx(const place *p, const char *code, int *won);
SPAWNABLE(void, take_in_tx, place_ptr, const char *, int *)
static async(void) take_in_tx(const place *p, const char *code, int *won)
{
    with_tx(tx, p->db) {
        *won += await(bide_code_consume(in(p, tx), &by_mail, "x", code));
        await(bide_yield());
    }
    return bide_void;
}

ON_EACH(one_of_many_wins)
{
    int won = 0;
    const char *code = await(bide_code_issue(at(p), &by_mail, "x"));
    with_group(g) {
        for (int i = 0; i < 2; i++) {
            spawn_void(g, take, p, code, &won);
            spawn_void(g, take_in_tx, p, code, &won);
        }
    }
    check_int(won, 1);
    return bide_void;
}

static async(void) use_and_fail(const place *p, const char *code, bool begun, bool *good);
SPAWNABLE(void, use_and_fail, place_ptr, const char *, bool, bool *)
static async(void) use_and_fail(const place *p, const char *code, bool begun, bool *good)
{
    with_tx(tx, p->db) {
        if (begun)
            check_int(await(bide_scalar(tx, i64, "select 1")), 1);
        *good = await(bide_code_consume(in(p, tx), &by_mail, "x", code));
        fail(bide_error_new(409, "taken"));
    }
    return bide_void;
}

ON_EACH(given_back_by_a_rollback)
{
    bide_error *err;
    bool good;
    const char *code = await(bide_code_issue(at(p), &by_mail, "x"));
    for (int i = 0; i < 4; i++) {
        attempt(&err, use_and_fail, p, code, i % 2, &good);
        require(err);
        check_int(err->code, 409);
        check(good);
        await(bide_sleep(bide_ms(30))); /* in Redis it takes a moment */
    }
    with_tx(tx, p->db)
        check(await(bide_code_consume(in(p, tx), &by_mail, "x", code)));
    check(!await(bide_code_consume(at(p), &by_mail, "x", code)));
    return bide_void;
}

/* A handler that fails because of a wrong code rolls back: the tries count all the same. */
ON_EACH(tries_count_through_rollbacks)
{
    for (int begun = 0; begun < 2; begun++) {
        bide_error *err;
        bool good;
        const bide_code_rules anew = {
            .purpose = "register", .secret = secret, .resend = bide_ms(1)};
        const char *code = await(bide_code_issue(at(p), &anew, "x"));
        for (int i = 0; i < 5; i++) {
            attempt(&err, use_and_fail, p, wrong_of(code), begun, &good);
            check(!good);
            await(bide_sleep(bide_ms(5)));
        }
        check(!await(bide_code_consume(at(p), &by_mail, "x", code)));
    }
    return bide_void;
}

TEST(issued_in_a_transaction_that_fails)
{
    with(bide_database, db, "sqlite://:memory:") {
        const char *code = NULL;
        await(bide_create_table(db, bide_code_row));
        with_tx(tx, db) {
            code = await(bide_code_issue(tx, &by_mail, "x"));
            await(bide_tx_rollback(tx));
        }
        check(!await(bide_code_consume(db, &by_mail, "x", code)));
        check_int(await(bide_scalar(db, i64, "select count(*) from bide_codes")), 0);
        code = await(bide_code_issue(db, &by_mail, "x@y.example"));
        /* What is stored tells neither. */
        bide_code_row *row = await(bide_one(db, bide_code_row, ""));
        check_int(strlen(row->id), 64);
        check_int(strlen(row->digest.text), 64);
    }
}

TEST(rules_that_make_no_sense)
{
    static const bide_code_rules rules[] = {
        {.secret = secret},
        {.purpose = "p"},
        {.purpose = "p", .secret = "too short"},
        {.purpose = "p", .secret = secret, .digits = 3},
        {.purpose = "p", .secret = secret, .digits = 19},
        {.purpose = "p", .secret = secret, .attempts = -1},
        {.purpose = "p", .secret = secret, .ttl = {INT64_MAX}},
    };
    with(bide_database, db, "sqlite://:memory:") {
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
            bide_error *err;
            attempt(&err, bide_code_issue, db, &rules[i], "x");
            require(err);
            check_int(err->code, BIDE_INVALID);
        }
    }
}

static async(void) everything(const char *url);
SPAWNABLE(void, everything, const char *)
static async(void) everything(const char *url)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_code_row));
        with(bide_redis, r, url, NULL) {
            for (int i = 0; i < 2; i++) {
                const place p = {db, i ? r : NULL};
                bide_error *err;
                bool good;
                int won = 0; /* Redis may give it back a moment later */
                const char *code = await(bide_code_issue(at(&p), &by_mail, "x"));
                attempt(&err, use_and_fail, &p, code, true, &good);
                if (err->code != 409)
                    fail(err);
                await(take_in_tx(&p, code, &won));
                await(take(&p, code, &won));
                check(won <= 1);
            }
        }
    }
    return bide_void;
}

TEST(a_cancel_at_every_await, .real_clock = true, .cancel_everywhere = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_error *err;
    attempt(&err, everything, server.url);
    if (err && !check(err->code == BIDE_CANCELLED || err->code == BIDE_CLOSED ||
                      err->code == BIDE_REDIS_LOST))
        bide_error_print(err);
}

TEST(every_allocation_fails_once, .real_clock = true, .fail_allocations = true, .timeout_ms = 60000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_error *err;
    attempt(&err, everything, server.url);
    if (err && !check(err->code == BIDE_NO_MEMORY || err->code == BIDE_REDIS_LOST ||
                      err->code == BIDE_CLOSED || err->code == BIDE_TIMEOUT))
        bide_error_print(err);
}
