/*
 * The notes that uses of the database leave (db_macros.h): collected from all files that are
 * loaded. Called by check.c; calls base/symbol.c.
 */
#include "db/check.h"

#include "base/symbol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct collection {
    const struct bide__note **all; /* NULL: only counts */
    size_t count;
};

static void see(const void *bytes, size_t size, void *arg)
{
    struct collection *collection = arg;
    const struct bide__note *notes = bytes;
    for (size_t i = 0; i < size / sizeof *notes; i++) {
        if (collection->all)
            collection->all[collection->count] = &notes[i];
        collection->count++;
    }
}

static const char *model_name(const struct bide__note *note)
{
    return note->model ? note->model()->name : "";
}

static int by_place(const void *a, const void *b)
{
    const struct bide__note *left = *(const struct bide__note *const *)a;
    const struct bide__note *right = *(const struct bide__note *const *)b;
    int order = strcmp(left->file, right->file);
    if (order == 0)
        order = (left->line > right->line) - (left->line < right->line);
    if (order == 0)
        order = strcmp(left->text, right->text);
    if (order == 0)
        order = (left->kind > right->kind) - (left->kind < right->kind);
    return order ? order : strcmp(model_name(left), model_name(right));
}

int bide__notes_read(bide_arena *arena, struct bide__notes *ret_notes)
{
    struct collection collection = {NULL, 0};
    size_t kept = 0;
    bide__symbol_sections("bide_notes", see, &collection);
    collection.all = bide_arena_alloc_zero(arena, collection.count + 1, sizeof *collection.all);
    if (!collection.all)
        return -ENOMEM;
    collection.count = 0;
    bide__symbol_sections("bide_notes", see, &collection);
    qsort(collection.all, collection.count, sizeof *collection.all, by_place);
    for (size_t i = 0; i < collection.count; i++) /* one of a header is in many files */
        if (kept == 0 || by_place(&collection.all[kept - 1], &collection.all[i]) != 0)
            collection.all[kept++] = collection.all[i];
    *ret_notes = (struct bide__notes){collection.all, kept};
    return 0;
}
