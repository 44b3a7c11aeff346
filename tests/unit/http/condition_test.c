/* Conditions of requests: RFC 9110 13.1.2, 13.1.3, 13.2.2. */
#include "http/condition.h"

#include <bide/test.h>

enum { NOW_S = 1700000000 };

static bool matches(const char *list)
{
    struct bide__http_condition condition = {.if_none_match = bide__slice_of(list)};
    return bide__http_not_modified(&condition, "\"a,b\"", 0, NOW_S);
}

static bool unchanged_since(const char *date, int64_t modified_s)
{
    struct bide__http_condition condition = {.if_modified_since = bide__slice_of(date)};
    return bide__http_not_modified(&condition, "\"x\"", modified_s, NOW_S);
}

TEST_PLAIN(tags_are_compared_weakly_in_a_list)
{
    check(matches("\"a,b\""));
    check(matches("W/\"a,b\""));
    check(matches("\"c\", W/\"d\" ,\"a,b\""));
    check(matches("\"c\",\"a,b\", \"open"));
    check(matches("*"));
    check(matches(" * "));
    check(!matches("\"a\""));
    check(!matches("\"b\""));
    check(!matches("a,b"));
    check(!matches("\"A,B\""));
    check(!matches(""));
    check(!matches("\""));
    check(!matches("w/"));
}

TEST_PLAIN(dates_count_to_the_second)
{
    check(unchanged_since("Sun, 06 Nov 1994 08:49:37 GMT", 784111777));
    check(unchanged_since("Sunday, 06-Nov-94 08:49:37 GMT", 784111776));
    check(!unchanged_since("Sun, 06 Nov 1994 08:49:37 GMT", 784111778));
    check(!unchanged_since("yesterday", 0));
    check(!unchanged_since("", 0));
}

TEST_PLAIN(a_tag_wins_over_a_date)
{
    struct bide__http_condition both = {bide__slice_of("\"old\""),
                                        bide__slice_of("Sun, 06 Nov 1994 08:49:37 GMT")},
                                none = {0};
    check(!bide__http_not_modified(&both, "\"new\"", 0, NOW_S));
    check(bide__http_not_modified(&both, "\"old\"", NOW_S, NOW_S));
    check(!bide__http_not_modified(&none, "\"old\"", 0, NOW_S));
}
