/*
 * Lists as binds of SQLite: `= any($1)` is no SQL of its, so that the same text serves all
 * databases it is rewritten, and a table-valued function gives the items. See sqlite_list.c.
 *
 * layer: db
 */
#ifndef BIDE_DB_SQLITE_LIST_H
#define BIDE_DB_SQLITE_LIST_H

#include "db/driver.h"

#if BIDE_SQLITE
#include <sqlite3.h>

/* What SQLite takes in place of the text, which ends with a NUL: `ret_text`, which needs no
   initialising and is the caller's to end. Of the numbers up to 63, `ret_lists` gets the bits of
   those that are lists; 0: the text stands as it is, and `ret_text` is empty. 0 or -EBADMSG. */
int bide__sqlite_lists(const char *text, size_t length, bide_buf *ret_text, uint64_t *ret_lists,
                       struct bide__trouble *trouble);

/* Gives the connection the function that such a text calls. SQLITE_OK or SQLite's code. */
int bide__sqlite_list_register(sqlite3 *handle);

/* The same for a parameter of it: the list must stay as long as the statement runs. */
int bide__sqlite_list_bind(sqlite3_stmt *handle, int at, const bide_bind *list);

/* The first item that no SQL value can be, or NULL: why. */
const char *bide__sqlite_list_refused(const bide_bind *list);
#endif

#endif
