/*
 * library.c: a shared library of the program, with queries of its own: see README.md.
 */
#include <bide/bide.h>

extern async(int64_t) library_query(bide_db *db);

async(int64_t) library_query(bide_db *db)
{
    int64_t count = await(bide_scalar(db, i64, "select count(*) from users"));
    /* expect: no such table: uzers */
    count += await(bide_scalar(db, i64, "select count(*) from uzers"));
    return ready(int64_t, count);
}
