/*
 * Every query of the program beside a schema. Called by command.c and by users
 * (bide_check_queries).
 *
 *     notes.c: the notes of the program (db_macros.h), sorted
 *     check.c: each is prepared in a transaction that is rolled back; what does not fit is found
 */
#ifndef BIDE_DB_CHECK_H
#define BIDE_DB_CHECK_H

#include "db/db.h"
#include "db/migration_files.h"

struct bide__notes {
    const struct bide__note *const *all; /* by file and line, each once */
    size_t count;
};

/* All notes of what is loaded. 0 or -ENOMEM. */
int bide__notes_read(bide_arena *arena, struct bide__notes *ret_notes);

struct bide__finding {
    const struct bide__note *note; /* NULL: a migration, which the message names */
    const char *message;
    int code;     /* enum bide_code */
    int position; /* in the note's text, in bytes from 1; 0: not known */
    char field[BIDE__NAME_BYTES];
    struct bide__finding *next;
};

struct bide__check {
    bide_arena *arena; /* of what is found */
    struct bide__notes notes;
    const struct bide__migrations *migrations; /* for a scratch schema; NULL: there are none */
    bool scratch; /* makes the schema first, from migrations, models and the program's own */
    struct bide__finding *first, **end;
    size_t checked;
};

/* Checks on this database, and leaves nothing in it. Raises only what is no finding. */
bide_async(void) bide__check_run(bide_db *db, struct bide__check *check);

#endif
