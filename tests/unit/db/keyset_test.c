/*
 * keyset_test.c: pages after a row: the order, rows that come and go, what is refused.
 */
#define DB_ON_SERVER
#include "db_case.h"

MODEL(mark, "marks", (i64, id, key, generated), (i32, grade), (str, name));
VIEW(mark_name, mark, id, name);

enum { MARKS = 25 };

static async(void) fill(bide_db *db)
{
    static mark marks[MARKS];
    await(bide_create_table(db, mark));
    for (int i = 0; i < MARKS; i++)
        marks[i] = (mark){.id = i + 1, .grade = i % 3, .name = i % 2 ? "odd" : "even"};
    await(bide_insert_many(db, mark, marks, MARKS));
    return bide_void;
}

DB_TEST(pages_follow_each_other_in_either_direction)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        mark *last = NULL;
        mark_list page;
        int seen = 0, grade = -1;
        int64_t id = 0;
        do {
            page = await(bide_page_after(db, mark, last, 10, (asc, grade, id), ""));
            for (size_t i = 0; i < page.count; i++, seen++) {
                const mark *m = &page.items[i];
                check(m->grade > grade || (m->grade == grade && m->id > id));
                grade = m->grade;
                id = m->id;
            }
            last = &page.items[page.count - 1];
        } while (page.count == 10);
        check_int(seen, MARKS);
        page = await(bide_page_after(db, mark, NULL, 3, (desc, id), "name = $1", "odd"));
        check_int(page.count, 3);
        check_int(page.items[0].id, 24);
        check_int(page.items[2].id, 20);
        mark at = {.id = 4};
        page = await(bide_page_after(db, mark, &at, 3, (desc, id), "name = $1", "odd"));
        check_int(page.count, 1);
        check_int(page.items[0].id, 2);
    }
}

DB_TEST(rows_that_come_and_go_shift_nothing)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        mark_list page = await(bide_page_after(db, mark, NULL, 5, (asc, id), ""));
        await(bide_do(db, "delete from marks where id < 4"));
        mark early = {.id = -1, .name = "early"};
        await(bide_insert(db, mark, &early));
        page = await(bide_page_after(db, mark, &page.items[4], 5, (asc, id), ""));
        check_int(page.items[0].id, 6);
        check_int(page.items[4].id, 10);
    }
}

DB_TEST(a_whole_query_and_a_view_have_pages)
{
    with(bide_database, db, c->url) {
        await(fill(db));
        mark_name at = {.id = 20};
        mark_name_list page =
            await(bide_page_after(db, mark_name, &at, 10, (asc, id), "grade > $1", 0));
        check_int(page.count, 3);
        check_int(page.items[0].id, 21);
        page =
            await(bide_page_after(db, mark_name, &at, 10, (asc, id),
                                  "select id, upper(name) as name from marks where grade = $1", 0));
        check_int(page.count, 2);
        check_str(page.items[0].name, "ODD");
    }
}

DB_TEST(an_order_that_is_not_total_is_refused)
{
    bide_error *err = NULL;
    with(bide_database, db, c->url) {
        await(fill(db));
        await(bide_create_table(db, item));
        attempt(&err, bide_page_after, db, mark, NULL, 5, (asc, grade), "");
        check(err && err->code == BIDE_QUERY);
        attempt(&err, bide_page_after, db, mark, NULL, 5, (asc, id), "grade = 1 order by name");
        check(err && err->code == BIDE_QUERY);
        attempt(&err, bide_page_after, db, item, NULL, 5, (asc, note, id), "");
        check(err && err->code == BIDE_QUERY);
        attempt(&err, bide_page_after, db, mark, NULL, 0, (asc, id), "");
        check(err && err->code == BIDE_INVALID);
        attempt(&err, bide_page_after, db, mark, NULL, 1001, (asc, id), "");
        check(err && err->code == BIDE_INVALID);
    }
}
