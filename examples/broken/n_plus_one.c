/* A query for each row of another query. docs/pitfalls/n_plus_one.md. */
#include <bide/bide.h>

#include <stdio.h>

MODEL(post, "posts", (i64, id, key, generated), (i64, author_id), (str, title));
MODEL(author, "authors", (i64, id, key, generated), (str, name));

static async(void) fill(bide_db *db)
{
    await(bide_create_table(db, post));
    await(bide_create_table(db, author));
    with_tx(tx, db) {
        for (int i = 1; i <= 60; i++) {
            await(bide_insert(tx, author, &(author){.name = "somebody"}));
            post one = {.author_id = i, .title = "something"};
            await(bide_insert(tx, post, &one));
        }
    }
    return bide_void;
}

static async(void) app(void)
{
    int found = 0;
    with(bide_database, db, "sqlite://:memory:") {
        await(fill(db));
        post_list posts = await(bide_all(db, post, ""));
        for (size_t i = 0; i < posts.count; i++) {
            author *by = await(bide_maybe(db, author, "id = $1", posts.items[i].author_id));
            found += by != NULL;
        }
    }
    printf("%d posts with authors\n", found);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
