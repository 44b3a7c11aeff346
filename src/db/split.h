/*
 * The statements of a text of SQL. Pure. Called by migration_files.c and migrate.c.
 *
 * Knows what a semicolon may stand in without ending a statement: strings, quoted names, comments,
 * dollar quotes, and the bodies of triggers and routines (BEGIN ... END). Both databases' SQL is
 * read, so what only one of them has is known everywhere.
 *
 * Source: sqlite.org/lang.html; PostgreSQL: "Lexical Structure", CREATE FUNCTION.
 */
#ifndef BIDE_DB_SPLIT_H
#define BIDE_DB_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

struct bide__sql {
    const char *at, *end; /* what is left */
    int line;             /* of `at`, from the first on */
};

struct bide__sql_statement {
    const char *text; /* without the semicolon, and without space and comments around it */
    size_t length;
    int line; /* where it begins */
};

/* 1: the next statement; 0: no more; -EBADMSG: something is opened and never closed, `line` says
   where, and `text` what. */
int bide__sql_next(struct bide__sql *sql, struct bide__sql_statement *ret_statement);

/* Behind the quote, comment, word or single character at `at`; the end, if it is never closed. */
const char *bide__sql_piece(const char *at, const char *end);

/* Whether the statement's first word is this one, in any case. */
bool bide__sql_begins(const struct bide__sql_statement *statement, const char *word);

#endif
