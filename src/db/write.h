/*
 * What the files that write models share: one call under way. Called only by write.c and
 * write_rows.c.
 */
#ifndef BIDE_DB_WRITE_H
#define BIDE_DB_WRITE_H

#include "db/db.h"

/* Sets of fields are bits by their index. */
struct bide__writing {
    struct bide__work work;
    struct bide__write what;
    bide_buf *text;
    size_t text_rows; /* rows that the text inserts; 0: there is none */
    bide_bind *binds; /* room for BIDE_CAP_DB_INSERT_BINDS, with more than one row */
    uint64_t given;   /* fields that the text binds, in this order ... */
    uint64_t read;    /* ... and that it gives back */
    uint64_t counted; /* the one among them that is known without asking; 0: none */
    bide_bind key;    /* of a delete */
    int64_t affected; /* by the last insert */
};

static inline uint64_t bide__bit(size_t index)
{
    return UINT64_C(1) << index;
}

/* ---- write.c ---- */

/* Sets what the program makes, and tells what is given and what the database makes. */
int bide__sort_fields(const bide_model *model, void *row, uint64_t *ret_given, uint64_t *ret_read,
                      struct bide__trouble *trouble);

/* "a","b": the fields of the set. */
void bide__put_fields(bide_buf *buf, const bide_model *model, uint64_t fields);

/* The statement that inserts so many rows, value by value; its end, from RETURNING on. */
void bide__put_insert(struct bide__writing *writing, size_t rows);
void bide__put_returning(struct bide__writing *writing);

void *bide__row_at(const struct bide__writing *writing, size_t index);

/* Gives the fields of the set that the returned rows have to the structs, in their order. */
int bide__read_back(struct bide__writing *writing, struct bide__run *run, uint64_t fields,
                    size_t first, size_t rows);

/* Inserts the next rows by one statement with all of their values. */
int bide__insert_alike(struct bide__writing *writing, struct bide__connection *connection,
                       size_t first, size_t *ret_rows);

/* Whether a rule of the table is what went wrong; says in the trouble which row, or rows, broke it.
   Gives `code`. */
bool bide__broke_rule(const struct bide__writing *writing);
int bide__name_rows(struct bide__writing *writing, size_t first, size_t last, int code);

/* ---- write_rows.c ---- */

/* Inserts all rows, of a driver that takes a column of many rows as one value. */
int bide__insert_arrays(struct bide__writing *writing, struct bide__connection *connection);

#endif
