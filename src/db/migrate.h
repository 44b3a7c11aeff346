/*
 * Migrations on a database. Called by command.c and check.c.
 *
 *     bide_migrate -> migrate.c -> migration_files.c (the folder) -> split.c (statements)
 *                        `-> tx.c, turn.c, connection.c
 */
#ifndef BIDE_DB_MIGRATE_H
#define BIDE_DB_MIGRATE_H

#include "db/db.h"
#include "db/migration_files.h"

#include <bide/migrate.h>

/* A row of bide_migrations. */
struct bide__applied {
    int64_t number, at_us; /* at_us 0: not finished */
    const char *file, *checksum;
};

struct bide__history {
    struct bide__applied *all; /* by number */
    size_t count;
};

/* Reads the folder on a lane; raises. The arena is the caller's. */
bide_async(void) bide__migrations_load(const char *folder, bide_arena *arena,
                                       struct bide__migrations *ret_migrations);

/* What was applied; it changes nothing. Raises only what is wrong with the database. */
bide_async(void) bide__history_load(bide_db *db, bide_arena *arena,
                                    struct bide__history *ret_history);

/* What the folder and the database do not agree about. */
int bide__history_check(const struct bide__migrations *set, const struct bide__history *history,
                        struct bide__trouble *trouble);

/* The migration to apply next or, with `ret_down`, to take back, to come to `to`; NULL: none. */
const struct bide__migration *bide__migration_next(const struct bide__migrations *set,
                                                   const struct bide__history *history, int64_t to,
                                                   bool *ret_down);

/* Does that one; gives whether there was one. Raises. */
struct bide__migrated {
    const struct bide__migration *migration;
    bool down;
};
bide_async(bool) bide__migrate_one(bide_db *db, const struct bide__migrations *set, int64_t to,
                                   struct bide__migrated *ret_done);

/* Runs the statements of a part. */
int bide__migration_run(struct bide__connection *connection,
                        const struct bide__migration *migration,
                        const struct bide__migration_part *part, struct bide__trouble *trouble);

#endif
