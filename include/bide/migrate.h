/*
 * migrate.h: the schema of a database: migrations, and whether it fits the program.
 *
 *     migrations/0001_users.sql           with(bide_database, db, url) {
 *                                             await(bide_migrate(db, "migrations"));
 *         -- migrate:up                       await(bide_check_queries(db));
 *         create table users (...);           ...
 *                                         }
 *         -- migrate:down
 *         drop table users;
 *
 * A folder has files NUMBER_NAME.sql, which run in the order of their numbers: 0001, 0002 ...
 * without a gap, or times like 20261121093000. Statements end with semicolons. Each file runs in a
 * transaction of its own: one that fails leaves the database as before it. `-- migrate:up
 * transaction:false` is for what cannot run in one (VACUUM, CREATE INDEX CONCURRENTLY).
 *
 * The table `bide_migrations` says what was applied: number, name, checksum, time.
 *
 * Invariants
 *  1. A file is applied once, however many processes start at the same time: each waits for its
 *     turn and looks again.
 *  2. What was applied and the folder agree, or nothing runs: a file that has changed or is gone, a
 *     new one below the last applied, a gap, two of one number are BIDE_SCHEMA or BIDE_INVALID, and
 *     the message names the file.
 *  3. A file without a transaction that did not end stands as unfinished, and is named, until it
 *     was taken back or its row is gone.
 *
 * The same from a shell: `bide migrate up|down|status|new|check` (docs/migrations.md), and the
 * check of all queries without a database: `bide check --sql`.
 *
 * layer: db
 */
#ifndef BIDE_MIGRATE_H
#define BIDE_MIGRATE_H

#include <bide/db.h>

/*
 * Applies what is not applied yet; gives how many files that were. For the start of a program: it
 * waits for other processes that do the same. Errors: as above; BIDE_QUERY with the file and line
 * of a statement that fails; BIDE_SYSTEM when the folder cannot be read. May suspend.
 */
bide_async(int64_t) bide_migrate(bide_db *db, const char *folder);

/* Makes `number` the last that is applied: applies up to it, or takes back what is above, the last
   first. 0 takes everything back. Gives how many files that were. */
bide_async(int64_t) bide_migrate_to(bide_db *db, const char *folder, int64_t number);

/*
 * Prepares every query of the program against this database and looks at the tables of all models
 * that it reads or writes. BIDE_SCHEMA with the place of the first one that does not fit, and
 * `field`, the column it is about, where one is; more of them are logged. For programs with one
 * database. Changes nothing.
 */
bide_async(void) bide_check_queries(bide_db *db);

SPAWNABLE(int64_t, bide_migrate, bide_db *, const char *)
SPAWNABLE(int64_t, bide_migrate_to, bide_db *, const char *, int64_t)
SPAWNABLE(void, bide_check_queries, bide_db *)

#endif
