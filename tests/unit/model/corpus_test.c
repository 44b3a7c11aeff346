/*
 * corpus_test.c: the parsing cases of nst/JSONTestSuite (MIT), where they are: y_ must be accepted,
 * n_ must be refused, i_ is free. Each goes through bide_json_check and, as a field of a model,
 * through the reader. BIDE_CORPORA names another folder of corpora.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "models.h"

MODEL(holder, "", (json, value));

static char *file_text(const char *folder, const char *name, size_t *ret_length)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    require(file);
    char *text = malloc(1 << 20);
    require(text);
    *ret_length = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

/* `{"value":TEXT}`, in a block of exactly its size. */
static bool is_accepted_as_field(const char *text, size_t length)
{
    struct reading r;
    holder h;
    reading_init(&r);
    char *whole = malloc(length + 10);
    require(whole);
    memcpy(whole, "{\"value\":", 9);
    memcpy(whole + 9, text, length);
    whole[9 + length] = '}';
    int result = bide_json_read(&r.input, holder_model(), whole, length + 10, &h);
    free(whole);
    reading_done(&r);
    return result == 0;
}

TEST_PLAIN(json_test_suite)
{
    char folder[512];
    const char *corpora = getenv("BIDE_CORPORA");
    snprintf(folder, sizeof folder, "%s/json/test_parsing",
             corpora ? corpora : "../shared/corpora");
    DIR *entries = opendir(folder);
    if (!entries)
        test_skip("no corpora here");
    int counts[3] = {0, 0, 0};
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *name = entry->d_name;
        if (name[1] != '_')
            continue;
        size_t length, offset;
        const char *reason;
        char *text = file_text(folder, name, &length);
        char *exact = malloc(length + !length); /* a sanitizer sees a byte too far */
        require(exact);
        memcpy(exact, text, length);
        bool accepted = bide_json_check(exact, length, &offset, &reason) == 0;
        bool as_field = is_accepted_as_field(exact, length);
        if (name[0] == 'y') {
            if (!check(accepted) || !check(as_field))
                printf("refused: %s\n", name);
            counts[0]++;
        } else if (name[0] == 'n') {
            if (!check(!accepted))
                printf("accepted: %s\n", name);
            counts[1]++;
        } else {
            counts[2]++;
        }
        free(exact);
        free(text);
    }
    closedir(entries);
    check(counts[0] >= 95 && counts[1] >= 188 && counts[2] >= 35);
}
