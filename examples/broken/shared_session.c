/* Two tasks in one transaction, by a pointer that no type sees. docs/pitfalls/shared_session.md. */
#include <bide/bide.h>

MODEL(item, "items", (i64, id, key, generated), (str, name));

static bide_tx *shared;

SPAWNABLE(void, add, const char *)
async(void) add(const char *name)
{
    await(bide_insert(shared, item, &(item){.name = name}));
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, item));
        with_tx(tx, db) {
            shared = tx;
            await(add("mine"));
            with_group(g) {
                spawn_void(g, add, "another's");
            }
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
