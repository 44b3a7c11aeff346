/*
 * Every string of the corpora, stored and read back on both databases: as a value that is bound, in
 * a row of many, in a query that finds it.
 */
#define DB_ON_SERVER
#include "../strings.h"
#include "db_case.h"

MODEL(note, "notes", (i64, id, key), (str, text), (bytes, raw));

/* One field of each string, and a query that finds it. */
static async(void) store_and_find(bide_db *db, const char *text)
{
    item row = {.name = text, .note = text};
    await(bide_insert(db, item, &row));
    item *found = await(bide_one(db, item, "name = $1 and note = $1", text));
    check_str(found->name, text);
    check_str(found->note, text);
    check(found->id == row.id);
    check_str(await(bide_scalar(db, str, "select name from items where id = $1", row.id)), text);
    return bide_void;
}

DB_TEST(every_string_is_stored_and_found, .timeout_ms = 60000)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, 4 << 20);
    corpus all = strings_all(&arena);
    with(bide_database, db, c->url) {
        await(bide_create_table(db, item));
        for (size_t i = 0; i < all.items.count; i++)
            with_arena
                await(store_and_find(db, all.items.items[i]));
        check_int(await(bide_scalar(db, i64, "select count(*) from items")), all.items.count);
    }
    bide_arena_done(&arena);
}

DB_TEST(every_string_in_rows_of_many, .timeout_ms = 60000)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, 8 << 20);
    corpus all = strings_all(&arena);
    note *notes = bide_arena_alloc_zero(&arena, all.items.count, sizeof *notes);
    require(notes);
    for (size_t i = 0; i < all.items.count; i++) {
        const char *text = all.items.items[i];
        notes[i] = (note){.id = (int64_t)i, .text = text};
        notes[i].raw = (bide_bytes){(const unsigned char *)text, strlen(text)};
    }
    with(bide_database, db, c->url) {
        await(bide_create_table(db, note));
        with_tx(tx, db) {
            for (size_t i = 0; i < all.items.count; i++)
                bide_add(tx, note, &notes[i]);
        }
        note_list read = await(bide_all(db, note, "order by id"));
        require(read.count == all.items.count);
        for (size_t i = 0; i < read.count; i++) {
            check_str(read.items[i].text, all.items.items[i]);
            require(read.items[i].raw.size == notes[i].raw.size);
            check(memcmp(read.items[i].raw.data, notes[i].raw.data, notes[i].raw.size) == 0);
        }
    }
    bide_arena_done(&arena);
}
