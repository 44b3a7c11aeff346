/*
 * A folder of migrations, read and checked. Called by migrate.c, check.c and command.c, outside of
 * tasks or on a lane: it reads files.
 *
 * A file is NUMBER_NAME.sql. A line `-- migrate:up` begins what makes the change, a line
 * `-- migrate:down` what takes it back; before the first there are comments only. Behind either may
 * stand `transaction:false`.
 */
#ifndef BIDE_DB_MIGRATION_FILES_H
#define BIDE_DB_MIGRATION_FILES_H

#include "db/driver.h"

struct bide__migration_part {
    const char *text; /* NULL: the file has none */
    size_t length;
    int line; /* of the file, where the text begins */
    bool transaction;
};

struct bide__migration {
    int64_t number;
    const char *file; /* "0001_users.sql" */
    char checksum[17];
    struct bide__migration_part up, down;
};

struct bide__migrations {
    const char *folder;
    struct bide__migration *all; /* by number */
    size_t count;
};

/* What is wrong with a file or the set of them is BIDE_INVALID and names the file. */
int bide__migrations_read(const char *folder, bide_arena *arena,
                          struct bide__migrations *ret_migrations, struct bide__trouble *trouble);

/* Makes the next file; gives its path in the arena. */
int bide__migrations_new(const char *folder, const char *name, bide_arena *arena,
                         const char **ret_path, struct bide__trouble *trouble);

#endif
