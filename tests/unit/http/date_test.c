/*
 * Dates against libc's calendar, and the three forms that a recipient must take.
 */
#include "http/date.h"
#include "feed.h"

#include "base/rng.h"

#include <errno.h>
#include <time.h>

enum {
    NOW_S = 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
};

/* The date's seconds, or -1 when it is refused. */
static long long parsed(const char *text)
{
    int64_t unix_s = -2;
    char *copy = copy_of(text, strlen(text));
    int code = bide__http_date_parse(bide__slice(copy, strlen(text)), NOW_S, &unix_s);
    free(copy);
    check_int(code == 0 || (code == -EINVAL && unix_s == -2), 1);
    return code == 0 ? unix_s : -1;
}

TEST_PLAIN(dates_are_those_of_libc)
{
    struct bide__rng rng;
    bide__rng_init(&rng, 5322);
    for (int i = 0; i < 50000; i++) {
        time_t when =
            (time_t)bide__rng_below(&rng, UINT64_C(253402300800) + 62167219200U) - 62167219200;
        if (i < 800)
            when = (i - 400) * (time_t)86399;
        struct tm broken;
        char expected[64], text[BIDE__HTTP_DATE_BYTES];
        require(gmtime_r(&when, &broken));
        static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        snprintf(expected, sizeof expected, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                 days[broken.tm_wday], broken.tm_mday, months[broken.tm_mon], broken.tm_year + 1900,
                 broken.tm_hour, broken.tm_min, broken.tm_sec);
        bide__http_date_format(when, text);
        require(strcmp(text, expected) == 0);
        require(parsed(text) == when);
    }
}

TEST_PLAIN(dates_that_cannot_be_written_are_bounded)
{
    char text[BIDE__HTTP_DATE_BYTES];
    bide__http_date_format(INT64_MAX, text);
    check_str(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    bide__http_date_format(INT64_MIN, text);
    check_str(text, "Sat, 01 Jan 0000 00:00:00 GMT");
}

/* RFC 9110 5.6.7 */
TEST_PLAIN(three_forms_are_taken)
{
    check_int(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), NOW_S);
    check_int(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), NOW_S);
    check_int(parsed("Sun Nov  6 08:49:37 1994"), NOW_S);
    check_int(parsed("Sun Nov 16 08:49:37 1994"), NOW_S + 10 * 86400);
    check_int(parsed("Sunday, 06-Nov-44 08:49:37 GMT"), 2362034977);  /* 50 years on: 2044 */
    check_int(parsed("Tuesday, 06-Nov-45 08:49:37 GMT"), -762189023); /* 51 years on: 1945 */
    int64_t in_2030 = 1893456000, unix_s = 0;
    check_int(bide__http_date_parse(bide__slice_of("Wednesday, 06-Nov-80 08:49:37 GMT"), in_2030,
                                    &unix_s),
              0);
    check_int(unix_s, 3498108577);
    check_int(
        bide__http_date_parse(bide__slice_of("Friday, 06-Nov-81 08:49:37 GMT"), in_2030, &unix_s),
        0);
    check_int(unix_s, 373884577);
    check_int(parsed("Tuesday, 29-Feb-00 00:00:00 GMT"), 951782400);
    check_int(parsed("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228799); /* a leap second */
}

TEST_PLAIN(other_forms_are_refused)
{
    static const char *const bad[] = {
        "",
        "S",
        "Sun",
        "Sun,",
        "784111777",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Mosday, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!check_int(parsed(bad[i]), -1))
            fprintf(stderr, "date '%s'\n", bad[i]);
}
