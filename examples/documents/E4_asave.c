/*
 * E4: asave: update, read back, flush the caches.
 *
 * The document: a model's asave updates the row, reads it back, and deletes the keys of its caches
 * in Redis one after the other; acache reads through them.
 *
 * What goes wrong: there is no transaction around the two queries. The cache is dropped before the
 * row is committed, so somebody reads the old row and puts it back, and without a time to live it
 * stays for good. What is read from Redis is unpickled, which runs code.
 *
 * In bide: update and reading back are one transaction; the keys are dropped when it is committed,
 * together, and not when it is rolled back. What was read before the drop cannot be put back after
 * it: a miss gives a ticket, and the drop makes it void. A time to live must be said.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(post, "posts", (i64, id, key, generated), (str, title), (i32, views));

SPAWNABLE(post_ptr, load_post, bide_db *, int64_t)
async(post_ptr) load_post(bide_db *db, int64_t id)
{
    printf("    (reads the database)\n");
    return ready(post_ptr, await(bide_maybe(db, post, "id = $1", id)));
}

static async(void) acache(const char *when, bide_db *db, bide_cache *cache, int64_t id)
{
    const char *key = bide_cache_key("post:%lld", (long long)id);
    const post *found = await(bide_cached(cache, post, key, bide_s(60), load_post, db, id));
    printf("%s: %s\n", when, found ? found->title : "none");
    return bide_void;
}

SPAWNABLE(void, asave, bide_db *, bide_cache *, post *, bool)
async(void) asave(bide_db *db, bide_cache *cache, post *row, bool fails)
{
    with_tx(tx, db) {
        await(bide_update(tx, post, row, title));
        await(bide_refresh(tx, post, row));
        bide_cache_invalidate_after(tx, cache, bide_cache_key("post:%lld", (long long)row->id),
                                    "posts:newest", "posts:by-tag");
        await(acache("  not committed, read by others", db, cache, row->id));
        if (fails)
            fail(bide_error_new(1000, "on purpose"));
    }
    return bide_void;
}

static async(void) run(bide_db *db, bide_cache *cache)
{
    bide_error *error;
    post first = {.title = "Hello", .views = 7};
    await(bide_insert(db, post, &first));
    await(acache("first", db, cache, first.id));
    await(acache("again", db, cache, first.id));

    post change = {.id = first.id, .title = "Hello, world"};
    await(asave(db, cache, &change, false));
    printf("saved, row back: %s, %d views\n", change.title, change.views);
    await(acache("afterwards", db, cache, first.id));

    post mistake = {.id = first.id, .title = "Nonsense"};
    attempt(&error, asave, db, cache, &mistake, true);
    printf("rolled back\n");
    await(acache("afterwards", db, cache, first.id));

    bide_cache_ticket ticket;
    const char *text = await(bide_cache_get(cache, "posts:newest", &ticket));
    await(asave(db, cache, &change, false));
    bool kept = await(bide_cache_put(cache, "posts:newest", ticket, "an old list", bide_s(60)));
    printf("posts:newest %s; what was read before the save is kept: %s\n", text ? text : "missing",
           kept ? "yes" : "no");
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        with(bide_cache, cache, "memory:", NULL) {
            await(bide_create_table(db, post));
            await(run(db, cache));
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
