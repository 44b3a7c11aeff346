/* Quality values: who is refused, who is welcome. */
#include "http/accept.h"

#include <bide/test.h>

static int quality(const char *list, const char *name)
{
    return bide__http_quality(bide__slice_of(list), name);
}

static bool takes_gzip(const char *list)
{
    return bide__http_takes_gzip(bide__slice_of(list));
}

/* RFC 9110 12.4.2: three digits at most, from 0 to 1. */
TEST_PLAIN(weights)
{
    check_int(quality("gzip", "gzip"), 1000);
    check_int(quality("GZip ; Q=0.5", "gzip"), 500);
    check_int(quality("gzip;q=0.125", "gzip"), 125);
    check_int(quality("gzip;q=1.000", "gzip"), 1000);
    check_int(quality("gzip;q=1.", "gzip"), 1000);
    check_int(quality("gzip;q=0", "gzip"), 0);
    check_int(quality("gzip;level=9;q=0.25", "gzip"), 250);
    check_int(quality("br;q=0.9, gzip;q=0.1", "gzip"), 100);
    check_int(quality("", "gzip"), -1);
    check_int(quality("br", "gzip"), -1);
    check_int(quality("gzipped", "gzip"), -1);
}

TEST_PLAIN(a_malformed_weight_refuses)
{
    check_int(quality("gzip;q=1.001", "gzip"), 0);
    check_int(quality("gzip;q=2", "gzip"), 0);
    check_int(quality("gzip;q=0.1234", "gzip"), 0);
    check_int(quality("gzip;q=-1", "gzip"), 0);
    check_int(quality("gzip;q=abc", "gzip"), 0);
    check_int(quality("gzip;q", "gzip"), 0);
    check_int(quality("gzip;", "gzip"), 1000);
}

TEST_PLAIN(a_star_is_for_those_not_named)
{
    check_int(quality("*", "gzip"), 1000);
    check_int(quality("*;q=0.5, gzip;q=0", "gzip"), 0);
    check_int(quality("gzip;q=0, *", "gzip"), 0);
    check_int(quality("gzip, *;q=0", "identity"), 0);
}

TEST_PLAIN(gzip_is_taken_when_it_is_no_less_welcome)
{
    check(takes_gzip("gzip"));
    check(takes_gzip("x-gzip"));
    check(takes_gzip("gzip, deflate, br, zstd"));
    check(takes_gzip("*"));
    check(takes_gzip("gzip;q=0.5, identity;q=0.5"));
    check(!takes_gzip("gzip;q=0.5, identity"));
    check(!takes_gzip("gzip;q=0"));
    check(!takes_gzip("gzip;q=0, *"));
    check(!takes_gzip("x-gzip;q=0, *"));
    check(!takes_gzip("br"));
    check(!takes_gzip("identity"));
    check(!takes_gzip(""));
    check(!bide__http_takes_gzip(bide__slice(NULL, 0)));
}
