/* What a cache does not let through. */
#include <bide/bide.h>

MODEL(tale, "tales", (i64, id, key), (str, title));
async(tale_ptr) load_tale(bide_db *db, int64_t id);
SPAWNABLE(tale_ptr, load_tale, bide_db *, int64_t)
async(str) load_text(bide_db *db);
SPAWNABLE(str, load_text, bide_db *)

#ifdef CASE_no_time_to_live
// gcc: request for member 'ns' in something not a structure or union
// clang: is not a structure or union
async(tale_ptr) get(bide_cache *c, bide_db *db);
async(tale_ptr) get(bide_cache *c, bide_db *db)
{
#ifndef FIXED
    return bide_cached(c, tale, "t", load_tale, db, 7); // <- here
#else
    return bide_cached(c, tale, "t", bide_s(60), load_tale, db, 7);
#endif
}
#endif // CASE_no_time_to_live

#ifdef CASE_time_to_live_without_a_unit
// gcc: request for member 'ns' in something not a structure or union
// clang: member reference base type 'int' is not a structure or union
async(tale_ptr) get(bide_cache *c, bide_db *db);
async(tale_ptr) get(bide_cache *c, bide_db *db)
{
#ifndef FIXED
    return bide_cached(c, tale, "t", 60, load_tale, db, 7); // <- here
#else
    return bide_cached(c, tale, "t", bide_s(60), load_tale, db, 7);
#endif
}
#endif // CASE_time_to_live_without_a_unit

#ifdef CASE_loader_of_another_type
// gcc: incompatible pointer type
// clang: incompatible pointer types
async(tale_ptr) get(bide_cache *c, bide_db *db);
async(tale_ptr) get(bide_cache *c, bide_db *db)
{
#ifndef FIXED
    return bide_cached(c, tale, "t", bide_s(60), load_text, db); // <- here
#else
    return bide_cached(c, tale, "t", bide_s(60), load_tale, db, 7);
#endif
}
#endif // CASE_loader_of_another_type
