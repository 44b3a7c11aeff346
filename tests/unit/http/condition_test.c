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
                                        bide__slice_of("Sun, 06 Nov 1994 08:49:37 GMT"),
                                        .if_match = {NULL, 0}},
                                none = {0};
    check(!bide__http_not_modified(&both, "\"new\"", 0, NOW_S));
    check(bide__http_not_modified(&both, "\"old\"", NOW_S, NOW_S));
    check(!bide__http_not_modified(&none, "\"old\"", 0, NOW_S));
}

static int answer(const char *match, const char *unmodified, const char *none_match,
                  const char *modified)
{
    struct bide__http_condition condition = {.if_match = {NULL, 0}};
    if (match)
        condition.if_match = bide__slice_of(match);
    if (unmodified)
        condition.if_unmodified_since = bide__slice_of(unmodified);
    if (none_match)
        condition.if_none_match = bide__slice_of(none_match);
    if (modified)
        condition.if_modified_since = bide__slice_of(modified);
    return bide__http_precondition(&condition, "\"x\"", 784111777, NOW_S);
}

TEST_PLAIN(preconditions_have_an_order)
{
    static const char then[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    static const char before[] = "Sun, 06 Nov 1994 08:49:36 GMT";
    check_int(answer(NULL, NULL, NULL, NULL), 0);
    check_int(answer("\"x\"", NULL, NULL, NULL), 0);
    check_int(answer("*", NULL, NULL, NULL), 0);
    check_int(answer("\"y\", \"x\"", NULL, NULL, NULL), 0);
    check_int(answer("W/\"x\"", NULL, NULL, NULL), 412);
    check_int(answer("\"y\"", NULL, NULL, NULL), 412);
    check_int(answer("\"x\"", before, NULL, NULL), 0);
    check_int(answer(NULL, before, NULL, NULL), 412);
    check_int(answer(NULL, then, NULL, NULL), 0);
    check_int(answer(NULL, "yesterday", NULL, NULL), 0);
    check_int(answer("\"y\"", NULL, "\"x\"", NULL), 412);
    check_int(answer("\"x\"", NULL, "\"x\"", NULL), 304);
    check_int(answer(NULL, then, NULL, then), 304);
    check_int(answer(NULL, NULL, "\"y\"", then), 0);
}

static bool range_holds(const char *value)
{
    struct bide__http_condition condition = {.if_range = bide__slice_of(value)};
    return bide__http_range_holds(&condition, "\"x\"", 784111777, NOW_S);
}

TEST_PLAIN(a_range_of_what_was_seen_before)
{
    struct bide__http_condition none = {.if_match = {NULL, 0}};
    check(bide__http_range_holds(&none, "\"x\"", 0, NOW_S));
    check(range_holds("\"x\""));
    check(!range_holds("W/\"x\""));
    check(!range_holds("\"y\""));
    check(!range_holds("*"));
    check(!range_holds(""));
    check(range_holds("Sun, 06 Nov 1994 08:49:37 GMT"));
    check(!range_holds("Sun, 06 Nov 1994 08:49:38 GMT"));
    check(!range_holds("Sun, 06 Nov 1994 08:49:36 GMT"));
}
