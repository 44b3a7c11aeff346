/*
 * patch_test.c: what a PARTIAL holds, into a row; rows that are inserted unless they exist.
 */
#define DB_ON_SERVER
#include "db/check.h"

#include "db_case.h"

#include <bide/json.h>

MODEL(member, "members", (i64, id, key, generated), (str, email, unique), (i32, age, optional),
      (level, rank), (str, bio, optional), (hash, password, optional), (time, made_at, generated));
PARTIAL(member_changes, member, email, age, rank, bio);
MODEL(liked, "likes", (i64, who, key), (i64, what, key), (i32, weight),
      (time, made_at, generated));
MODEL(keyless, "members", (str, email));
PARTIAL(keyless_changes, keyless, email);
PARTIAL(liked_changes, liked, weight);

static member_changes read_changes(const char *text)
{
    member_changes changes;
    bide_problems problems = {0};
    bide_input input = {.arena = bide_task_arena(), .problems = &problems};
    require(bide_json_read(&input, member_changes_model(), text, strlen(text), &changes) == 0);
    return changes;
}

static member *patch(bide_db *db, int64_t id, const char *text) BIDE__TASK;
static member *patch(bide_db *db, int64_t id, const char *text)
{
    member_changes changes = read_changes(text);
    return await(bide_patch(db, member, id, member_changes, &changes));
}

DB_TEST(what_is_there_is_written_and_the_rest_is_left)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, member));
        member m = {
            .email = "a@b.example", .age = 50, .rank = level_high, .bio = "x", .password = {"h"}};
        await(bide_insert(db, member, &m));
        member *now = patch(db, m.id, "{\"age\":0,\"bio\":null}");
        check_int(now->age, 0);
        check(bide_has(now, age));
        check(!now->bio);
        check_str(now->email, "a@b.example");
        check_int(now->rank, level_high);
        check_str(now->password.text, "h");
        check(now->made_at == m.made_at);
        member *read = await(bide_one(db, member, "id = $1", m.id));
        check(bide_has(read, age) && read->age == 0 && !read->bio);
        now = patch(db, m.id, "{\"rank\":\"low\",\"email\":\"c@d.example\",\"age\":null}");
        check_int(now->rank, level_low);
        check_str(now->email, "c@d.example");
        check(!bide_has(now, age));
    }
}

/* A transaction that only reads shows it. */
DB_TEST(without_changes_it_only_reads)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, member));
        member m = {.email = "a@b.example"};
        member_changes none = {.age = 9};
        await(bide_insert(db, member, &m));
        with_read_tx(tx, db) {
            member *now = await(bide_patch(tx, member, m.id, member_changes, &none));
            check_str(now->email, "a@b.example");
            check(!bide_has(now, age));
        }
    }
}

DB_TEST(what_a_patch_cannot_do)
{
    with(bide_database, db, c->url) {
        bide_error *err = NULL;
        member_changes changes = {.email = NULL}, none = {.age = 0};
        keyless_changes more = {.email = NULL};
        await(bide_create_table(db, member));
        member a = {.email = "a"}, b = {.email = "b"};
        await(bide_insert(db, member, &a));
        await(bide_insert(db, member, &b));
        bide_set_field(&changes, email, "b");
        check(!attempt(&err, bide_patch, db, member, a.id, member_changes, &changes));
        require(err);
        check_int(err->code, BIDE_CONFLICT);
        check_str(err->field, "email");
        for (int i = 0; i < 2; i++) {
            err = NULL;
            (void)attempt(&err, bide_patch, db, member, 77, member_changes, i ? &changes : &none);
            require(err);
            check_int(err->code, BIDE_NOT_FOUND);
        }
        err = NULL;
        (void)attempt(&err, bide_patch, db, keyless, 1, keyless_changes, &more);
        require(err);
        check_contains(err->message, "the model keyless has not one key");
        err = NULL;
        liked_changes heavier = {.weight = 1};
        (void)attempt(&err, bide_patch, db, liked, 1, liked_changes, &heavier);
        require(err);
        check_contains(err->message, "the model liked has not one key");
        check_str(await(bide_one(db, member, "id = $1", a.id))->email, "a");
    }
}

/* What a call in this file would fail with, the check of all queries finds before. */
DB_TEST(a_patch_without_one_key_is_found_by_the_check)
{
    with(bide_database, db, c->url) {
        struct bide__check check = {.arena = bide_task_arena(), .scratch = true};
        require(bide__notes_read(check.arena, &check.notes) == 0);
        await(bide__check_run(db, &check));
        int keyless_found = 0, liked_found = 0, others = 0;
        for (const struct bide__finding *one = check.first; one; one = one->next) {
            keyless_found += strcmp(one->message, "the model keyless has not one key") == 0;
            liked_found += strcmp(one->message, "the model liked has not one key") == 0;
            others += strstr(one->message, "has not one key") == NULL;
        }
        check_int(keyless_found, 1);
        check_int(liked_found, 1);
        check_int(others, 0);
    }
}

DB_TEST(a_row_is_inserted_unless_it_exists)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, liked));
        await(bide_create_table(db, member));
        liked first = {.who = 1, .what = 2}, again = first, other = {.who = 1, .what = 3};
        check(await(bide_insert_new(db, liked, &first, who, what)));
        check(first.made_at > 0);
        bool made = await(bide_insert_new(db, liked, &again, who, what));
        check(!made);
        check_int(again.made_at, 0);
        check(!bide_has(&again, made_at));
        check(await(bide_insert_new(db, liked, &other, who, what)));
        check_int(await(bide_scalar(db, i64, "select count(*) from likes")), 2);
        member m = {.email = "a"}, same = {.email = "a"};
        with_tx(tx, db) {
            check(await(bide_insert_new(tx, member, &m, email)));
            check(m.id > 0);
            check(!await(bide_insert_new(tx, member, &same, email)));
            check_int(same.id, 0);
            await(bide_do(tx, "update members set bio = 'still open'")); /* nothing has failed */
        }
        check_str(await(bide_one(db, member, "id = $1", m.id))->bio, "still open");
    }
}

/* Other rules are errors as ever. */
DB_TEST(another_rule_is_no_reason_to_be_silent)
{
    with(bide_database, db, c->url) {
        bide_error *err = NULL;
        await(bide_create_table(db, member));
        member m = {.email = "a"}, clash = {.email = "a"};
        await(bide_insert(db, member, &m));
        clash.id = m.id + 1;
        bide_set_field(&clash, id, m.id + 1);
        (void)attempt(&err, bide_insert_new, db, member, &clash, id);
        require(err);
        check_int(err->code, BIDE_CONFLICT);
        check_str(err->field, "email");
    }
}

DB_TEST(each_allocation_may_fail, .fail_allocations = true)
{
    with(bide_database, db, c->url) {
        await(bide_create_table(db, member));
        member m = {.email = "a"};
        member_changes changes = {.age = 0};
        bide_set_field(&changes, email, "b");
        check(await(bide_insert_new(db, member, &m, email)));
        check_str(await(bide_patch(db, member, m.id, member_changes, &changes))->email, "b");
    }
}
