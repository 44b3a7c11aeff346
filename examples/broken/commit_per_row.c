/* A loop of inserts, each of which commits. docs/pitfalls/commit_per_row.md. */
#include <bide/bide.h>

MODEL(item, "items", (i64, id, key, generated), (i64, number));

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, item));
        for (int i = 0; i < 60; i++)
            await(bide_insert(db, item, &(item){.number = i}));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
