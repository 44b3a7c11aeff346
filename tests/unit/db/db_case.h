/*
 * What the tests of src/db share: models, and a database in a folder of its own.
 */
#ifndef BIDE_TEST_DB_CASE_H
#define BIDE_TEST_DB_CASE_H

#include <bide/bide.h>
#include <bide/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ENUM(level, low, middle, high);
MODEL(item, "items", (i64, id, key, generated), (str, name, unique), (i32, amount),
      (str, note, optional));
MODEL(thing, "things", (uuid, id, key, generated), (time, made_at, generated), (bool, flag),
      (i32, small), (i64, large), (f64, real), (str, text), (bytes, data), (date, day),
      (decimal, price), (level, rank), (json, extra, optional), (i32, age, optional),
      (hash, password, optional));
VIEW(item_name, item, id, name);

struct db_case {
    char folder[64], file[96], url[128];
};

static void db_case_done(struct db_case *c)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", c->file, endings[i]);
        unlink(name);
    }
    rmdir(c->folder);
}

static inline struct db_case db_case_new(const char *options)
{
    struct db_case c;
    snprintf(c.folder, sizeof c.folder, "/tmp/bide-db-XXXXXX");
    if (!mkdtemp(c.folder))
        test_skip("no folder for a database can be made");
    snprintf(c.file, sizeof c.file, "%s/test.db", c.folder);
    snprintf(c.url, sizeof c.url, "sqlite://%s%s", c.file, options);
    return c;
}

/* DB_CASE(c, "?options"): a folder that goes with the block. */
#define DB_CASE(c, options)                                                                        \
    struct db_case c __attribute__((__cleanup__(db_case_done))) = db_case_new(options)

#endif
