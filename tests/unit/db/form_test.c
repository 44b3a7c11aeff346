/*
 * form_test.c: what becomes of the texts of calls, and when it is made again.
 */
#include "db/db.h"
#include "db_case.h"

TEST(a_text_is_one_form_per_model_and_shape)
{
    with(bide_database, db, "sqlite://:memory:") {
        static const char text[] = "id = $1 order by id";
        const struct bide__form *form = bide__form_of(db, text, item_model(), BIDE__SHAPE_ANY, 2);
        check_str(
            form->whole.data,
            "select \"id\",\"name\",\"amount\",\"note\" from \"items\" where id = $1 order by id");
        check_int(form->whole.length, strlen(form->whole.data));
        check(form->whole.hash == bide__text_hash(form->whole.data, form->whole.length));
        check(bide__form_of(db, text, item_model(), BIDE__SHAPE_ANY, 2) == form);
        const struct bide__form *view =
            bide__form_of(db, text, item_name_model(), BIDE__SHAPE_ANY, 2);
        check_str(view->whole.data,
                  "select \"id\",\"name\" from \"items\" where id = $1 order by id");
        const struct bide__form *page =
            bide__form_of(db, text, item_name_model(), BIDE__SHAPE_PAGE, 2);
        check_str(page->whole.data,
                  "select \"id\",\"name\" from \"items\" where id = $1 order by id "
                  "limit $2 offset $3");
        check_str(page->counting.data,
                  "select count(*) from (select \"id\",\"name\" from \"items\" "
                  "where id = $1 order by id) as counted");
        check(bide__form_of(db, text, item_model(), BIDE__SHAPE_ANY, 2) == form);
    }
}

TEST(another_text_at_the_same_address_is_another_form)
{
    with(bide_database, db, "sqlite://:memory:") {
        char text[] = "select 1";
        const struct bide__form *one = bide__form_of(db, text, NULL, BIDE__SHAPE_ANY, 1);
        text[7] = '2';
        const struct bide__form *two = bide__form_of(db, text, NULL, BIDE__SHAPE_ANY, 1);
        check_str(one->whole.data, "select 1");
        check_str(two->whole.data, "select 2");
    }
}

TEST(more_texts_than_are_kept)
{
    with(bide_database, db, "sqlite://:memory:") {
        static char texts[BIDE_CAP_DB_FORMS + 9][20];
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < BIDE_CAP_DB_FORMS + 9; i++) {
                snprintf(texts[i], sizeof texts[i], "select %d", i);
                check_str(bide__form_of(db, texts[i], NULL, BIDE__SHAPE_ANY, 1)->whole.data,
                          texts[i]);
            }
            check_int(db->forms.count, BIDE_CAP_DB_FORMS);
        }
    }
}

/* A kept statement whose columns are others than when it was prepared. */
TEST(columns_that_change_are_matched_again)
{
    DB_CASE(c, "");
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        item first = {.name = "ring", .amount = 7, .note = "gold"};
        await(bide_insert(db, item, &first));
        for (int round = 0; round < 2; round++) {
            item *found = await(bide_one(db, item, "select * from items"));
            check_str(found->name, "ring");
            check_int(found->amount, 7);
            check_str(found->note, "gold");
            if (round == 0) {
                await(bide_do(db, "alter table items drop column amount"));
                check_int(await(bide_scalar(db, i64, "select count(*) from items")), 1);
                await(bide_do(db, "alter table items add column amount integer default 7"));
            }
        }
        await(bide_do(db, "alter table items add column more integer default 7"));
        bide_error *err = NULL;
        attempt(&err, bide_one, db, item, "select * from items");
        require(err);
        check_int(err->code, BIDE_QUERY);
    }
}
