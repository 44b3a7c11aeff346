/*
 * Every string of the corpora (the lines of each .txt in strings/, the items of each .json), once:
 * what is stored somewhere must come back as it was. BIDE_CORPORA names another folder of corpora;
 * without one the test is skipped.
 */
#ifndef BIDE_TEST_STRINGS_H
#define BIDE_TEST_STRINGS_H

#include <bide/bide.h>
#include <bide/test.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MODEL(corpus, "", (list(str), items));

static inline char *strings_file(const char *path, bide_arena *arena)
{
    FILE *file = fopen(path, "r");
    require(file && fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    char *text = bide_arena_alloc(arena, size + 1);
    rewind(file);
    require(text && fread(text, 1, size, file) == size);
    fclose(file);
    text[size] = 0;
    return text;
}

static inline void strings_add(corpus *all, size_t room, const char *text)
{
    for (size_t i = 0; i < all->items.count; i++)
        if (strcmp(all->items.items[i], text) == 0)
            return;
    require(all->items.count < room);
    all->items.items[all->items.count++] = text;
}

/* In `arena`, which takes a MiB. */
static inline corpus strings_all(bide_arena *arena)
{
    enum { ROOM = 10000 };
    const char *corpora = getenv("BIDE_CORPORA");
    corpus all = {.items = {.items = bide_arena_alloc(arena, ROOM * sizeof(char *))}}, some;
    char pattern[512];
    glob_t found;
    require(all.items.items);
    snprintf(pattern, sizeof pattern, "%s/strings/*.[jt]*",
             corpora ? corpora : "../shared/corpora");
    if (glob(pattern, 0, NULL, &found) != 0)
        test_skip("no corpora here");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *rest = NULL, *text = strings_file(found.gl_pathv[i], arena);
        if (strstr(found.gl_pathv[i], ".json")) {
            bide_problems problems;
            char *whole = bide_arena_printf(arena, "{\"items\":%s}", text);
            bide_problems_init(&problems, arena);
            require(whole);
            check_int(bide_json_read(&(bide_input){.arena = arena, .problems = &problems},
                                     corpus_model(), whole, strlen(whole), &some),
                      0);
            for (size_t n = 0; n < some.items.count; n++)
                strings_add(&all, ROOM, some.items.items[n]);
            continue;
        }
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            strings_add(&all, ROOM, line);
    }
    globfree(&found);
    check(all.items.count > 700);
    return all;
}

#endif
