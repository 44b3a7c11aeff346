/*
 * E7: the base model: a table name, url, canonical_url, a mixed metaclass.
 *
 * The document: a declarative base gives every model `id`, `created_at`, a table named as the
 * class, and the property url, `/<class>/<id>/`, with canonical_url, which puts the site in front.
 * Since the properties are collected by a metaclass and tables made by another one, the base needs
 * a third that inherits from both.
 *
 * What goes wrong: two metaclasses do not mix by themselves: a TypeError when the module is loaded.
 * The table is named by the class, so renaming that loses the rows. What a subclass has in the
 * end is known only at run time.
 *
 * In bide: a list of fields that models share is a macro. Fields and computed fields come with it;
 * the function of a shared one takes any row. Each model is a table whose name is written down.
 */
#include <bide/bide.h>

#include <stdio.h>

static const char site[] = "https://frodo.example";

static const char *url_of(const bide_row *row)
{
    int64_t id = *(const int64_t *)row->data; /* the key is the first field of all of them */
    return bide_arena_printf(row->arena, "/%s/%lld/", row->model->name, (long long)id);
}

static const char *canonical_url_of(const bide_row *row)
{
    return bide_arena_printf(row->arena, "%s%s", site, url_of(row));
}

#define BASE_FIELDS                                                                                \
    (i64, id, key, generated), (computed(str), url, url_of),                                       \
        (computed(str), canonical_url, canonical_url_of)

MODEL(post, "posts", BASE_FIELDS, (str, title));
MODEL(tag, "tags", BASE_FIELDS, (str, name, unique));

static void show(const bide_model *model, const void *row)
{
    bide_buf out;
    bide_buf_init(&out, 4096);
    if (bide_json_write(model, row, bide_task_arena(), &out) == 0)
        printf("%s of table %s: %s\n", model->name, model->table, bide_buf_str(&out));
    bide_buf_done(&out);
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        post p = {.title = "Async"};
        tag t = {.name = "c"};
        await(bide_create_table(db, post));
        await(bide_create_table(db, tag));
        await(bide_insert(db, post, &p));
        await(bide_insert(db, tag, &t));
        show(post_model(), await(bide_one(db, post, "id = $1", p.id)));
        show(tag_model(), await(bide_one(db, tag, "name = $1", "c")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
