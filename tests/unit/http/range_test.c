/* The Range field: RFC 9110 14.1, 14.2, 17.15. */
#include "http/range.h"

#include <bide/test.h>

#include <stdio.h>
#include <string.h>

/* What is sent of `size` bytes, as "0-1,5-5"; "whole", "none". */
static const char *ranges_of(const char *value, uint64_t size)
{
    static char text[1024];
    struct bide__http_range ranges[BIDE_CAP_HTTP_RANGES];
    int count = bide__http_ranges(bide__slice_of(value), size, ranges);
    if (count == BIDE__HTTP_RANGE_NONE || count == BIDE__HTTP_RANGE_WHOLE)
        return count == BIDE__HTTP_RANGE_NONE ? "none" : "whole";
    size_t at = 0;
    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu-%llu", i ? "," : "",
                               (unsigned long long)ranges[i].first,
                               (unsigned long long)(ranges[i].first + ranges[i].length - 1));
    return text;
}

TEST_PLAIN(which_bytes)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"bytes=0-499", "0-499"},
        {"bytes=500-999", "500-999"},
        {"bytes=-500", "9500-9999"},
        {"bytes=9500-", "9500-9999"},
        {"bytes=0-0,-1", "0-0,9999-9999"},
        {"bytes= 0-999, 4500-5499, -1000", "0-999,4500-5499,9000-9999"},
        {"BYTES=7-7", "7-7"},
        {" bytes=7-7 ", "7-7"},
        {"bytes=,,7-7,", "7-7"},
        {"bytes=0-99999999999999999999999", "0-9999"},
        {"bytes=-20000", "0-9999"},
        {"bytes=-99999999999999999999999", "0-9999"},
        {"bytes=9999-", "9999-9999"},
        /* not there */
        {"bytes=10000-", "none"},
        {"bytes=10000-10001,20000-", "none"},
        {"bytes=99999999999999999999999-", "none"},
        {"bytes=-0", "none"},
        {"bytes=10000-,5-6", "5-6"},
        /* not well-formed, or of something else */
        {"bytes=5-4", "whole"},
        {"bytes=0-1,5-4", "whole"},
        {"bytes=", "whole"},
        {"bytes=,", "whole"},
        {"bytes=-", "whole"},
        {"bytes=a-b", "whole"},
        {"bytes=1", "whole"},
        {"bytes=--1", "whole"},
        {"bytes=1-2-3", "whole"},
        {"bytes=+1-2", "whole"},
        {"bytes=0x1-2", "whole"},
        {"bytes=1 -2", "whole"},
        {"bytes 0-1", "whole"},
        {"items=0-1", "whole"},
        {"0-1", "whole"},
        {"", "whole"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!check_str(ranges_of(rows[i].value, 10000), rows[i].expected))
            fprintf(stderr, "    of '%s'\n", rows[i].value);
    check_str(ranges_of("bytes=0-", 0), "whole");
    check_str(ranges_of("bytes=-5", 0), "whole");
    check_str(ranges_of("bytes=4294967296-4294967297", (uint64_t)5 << 30), "4294967296-4294967297");
}

TEST_PLAIN(those_that_touch_are_one)
{
    check_str(ranges_of("bytes=0-5,3-9", 100), "0-9");
    check_str(ranges_of("bytes=0-5,6-9", 100), "0-9");
    check_str(ranges_of("bytes=0-5,7-9", 100), "0-5,7-9");
    check_str(ranges_of("bytes=50-60,0-5,7-9,6-6", 100), "50-60,0-9");
    check_str(ranges_of("bytes=0-1,4-5,8-9,1-8", 100), "0-9");
    check_str(ranges_of("bytes=20-29,0-9,5-25", 100), "0-29");
    check_str(ranges_of("bytes=0-,0-,0-,0-,-1", 100), "0-99");
}

TEST_PLAIN(so_many_and_no_more)
{
    char value[1024] = "bytes=", expected[1024] = "";
    for (int i = 0; i < BIDE_CAP_HTTP_RANGES; i++) {
        sprintf(value + strlen(value), "%s%d-%d", i ? "," : "", 10 * i, 10 * i + 1);
        sprintf(expected + strlen(expected), "%s%d-%d", i ? "," : "", 10 * i, 10 * i + 1);
    }
    check_str(ranges_of(value, 10000), expected);
    strcat(value, ",5000-5001");
    check_str(ranges_of(value, 10000), "whole");
}
