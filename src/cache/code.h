/*
 * What code.c, code_sql.c and code_redis.c share.
 */
#ifndef BIDE_CACHE_CODE_H
#define BIDE_CACHE_CODE_H

#include <bide/code.h>

enum { BIDE__CODE_DIGEST = 65 }; /* hexadecimal digits and a NUL */

/* A subject's code, by what is stored of it. */
struct bide__code {
    char id[BIDE__CODE_DIGEST];
    char digest[BIDE__CODE_DIGEST];
    int attempts;
    bide_duration ttl, resend;
};

/* Whether two digests are the same, in constant time. */
bool bide__code_equal(const char *a, const char *b);

/* Stores a new code; false: the last one is too recent. */
bide_async(bool) bide__code_sql_issue(bide_code_place place, const struct bide__code *code);
bide_async(bool) bide__code_redis_issue(bide_redis *redis, const struct bide__code *code);

/* Counts a try, compares, and takes the code out. */
bide_async(bool) bide__code_sql_consume(bide_code_place place, const struct bide__code *code);
bide_async(bool) bide__code_redis_consume(bide_code_place place, const struct bide__code *code);

#endif
