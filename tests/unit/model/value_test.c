/*
 * value_test.c: the texts of instants, dates, uuids, decimals and numbers, and the forms of e-mail
 * addresses, URLs and base64.
 */
#include "model/model.h"
#include "model/number.h"

#include <bide/test.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST_PLAIN(instants)
{
    static const struct {
        const char *text;
        int result;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01 00:00:00.000001z", 0, 1},
        {"1969-12-31t23:59:59.999999+00:00", 0, -1},
        {"2024-05-06T07:08:09.123456789-03:30", 0, INT64_C(1714991889123456)},
        {"2016-12-31T23:59:60Z", 0, INT64_C(1483228800000000)},
        {"0001-01-01T00:00:00Z", 0, INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", 0, INT64_C(253402300799999999)},
        {"9999-12-31T23:59:59-00:01", -ERANGE, 0},
        {"0000-01-01T00:00:00Z", -ERANGE, 0},
        {"2023-02-29T00:00:00Z", -ERANGE, 0},
        {"2024-01-01T24:00:00Z", -ERANGE, 0},
        {"2024-05-06T07:08:09", -EINVAL, 0},
        {"2024-05-06T07:08:09.Z", -EINVAL, 0},
        {"2024-05-06T07:08:09+24:00", -EINVAL, 0},
        {"2024-05-06T07:08:09+0100", -EINVAL, 0},
        {"2024-05-06", -EINVAL, 0},
        {"2024-05-06T07:08Z", -EINVAL, 0},
        {"2024-05-06T07:08:09Z ", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bide_time time = 0;
        if (!check_int(bide_time_parse(cases[i].text, strlen(cases[i].text), &time),
                       cases[i].result) ||
            !check_int(time, cases[i].us))
            printf("%s\n", cases[i].text);
    }
    char text[BIDE_VALUE_TEXT];
    check_int(bide_time_format(INT64_C(1714991889123456), text), 27);
    check_str(text, "2024-05-06T10:38:09.123456Z");
    check_int(bide_time_format(-1, text), 27);
    check_str(text, "1969-12-31T23:59:59.999999Z");
    check_int(bide_time_format(INT64_MIN, text), 0);
}

TEST_PLAIN(every_day_comes_back)
{
    int year = 1, month = 1, day = 1;
    bide_date first, date;
    require(bide_date_of(1, 1, 1, &first) == 0);
    check_int(first.days, -719162);
    for (int32_t days = first.days; year < 10000; days++) {
        int got_year, got_month, got_day;
        bide_date_split((bide_date){days}, &got_year, &got_month, &got_day);
        require(got_year == year && got_month == month && got_day == day);
        require(bide_date_of(year, month, day, &date) == 0 && date.days == days);
        if (bide_date_of(year, month, day + 1, &date) == 0) {
            day++;
        } else {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
    check_int(bide_date_of(1900, 2, 29, &date), -ERANGE);
    check_int(bide_date_of(2000, 2, 29, &date), 0);
    check_int(bide_date_parse("2024-1-01", 9, &date), -EINVAL);
    check_int(bide_date_parse("2024/01/01", 10, &date), -EINVAL);
}

TEST_PLAIN(uuids)
{
    bide_uuid uuid;
    char text[BIDE_VALUE_TEXT];
    check_int(bide_uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", 36, &uuid), 0);
    check_int(bide_uuid_format(uuid, text), 36);
    check_str(text, "00112233-4455-6677-8899-aabbccddeeff");
    check_int(bide_uuid_parse("00112233-4455-6677-8899-aabbccddeefg", 36, &uuid), -EINVAL);
    check_int(bide_uuid_parse("001122334-455-6677-8899-aabbccddeeff", 36, &uuid), -EINVAL);
    check_int(bide_uuid_parse("00112233445566778899aabbccddeeff", 32, &uuid), -EINVAL);
}

TEST_PLAIN(decimals)
{
    static const char *const same[] = {"0",
                                       "12.50",
                                       "-0.001",
                                       "9223372036854775807",
                                       "0.000",
                                       "-9223372036854775808",
                                       "0.000000000000000001",
                                       "-9.223372036854775808",
                                       "100"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        bide_decimal value;
        char text[BIDE_VALUE_TEXT];
        check_int(bide_decimal_parse(same[i], strlen(same[i]), &value), 0);
        check_int(bide_decimal_format(value, text), strlen(same[i]));
        check_str(text, same[i]);
    }
    static const char *const wrong[] = {"", "-", ".", "1.", ".5", "1e5", "+1", "1.2.3", " 1", "1a"};
    bide_decimal value;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_int(bide_decimal_parse(wrong[i], strlen(wrong[i]), &value), -EINVAL);
    check_int(bide_decimal_parse("9223372036854775808", 19, &value), -ERANGE);
    check_int(bide_decimal_parse("0.0000000000000000001", 21, &value), -ERANGE);
    check_int(bide_decimal_compare((bide_decimal){125, 1}, (bide_decimal){1250, 2}), 0);
    check_int(bide_decimal_compare((bide_decimal){INT64_MAX, 0}, (bide_decimal){INT64_MAX, 18}), 1);
    check_int(bide_decimal_compare((bide_decimal){-1, 18}, (bide_decimal){0, 0}), -1);
}

static void check_f64(const char *text, double expected)
{
    double value = 77;
    if (!check_int(bide__parse_f64(text, strlen(text), &value), 0) ||
        !check_mem(&value, &expected, sizeof value))
        printf("%s\n", text);
}

TEST_PLAIN(doubles_are_read_as_strtod_reads_them)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.1",
        "1e22",
        "1e23",
        "123456789012345678",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "9007199254740993",
        "9007199254740993.0",
        "0.30000000000000004",
        "1e-400",
        "123e-22",
        "8.5e21",
        "0.000000000000000000000000000000000000001e39",
        "179769313486231580793728971405301e276",
        "-1.5E+3",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_f64(texts[i], strtod(texts[i], NULL));
    double value;
    check_int(bide__parse_f64("1e309", 5, &value), -ERANGE);
    check_int(bide__parse_f64("-1e999999999999", 15, &value), -ERANGE);
    check_int(bide__parse_f64("0x10", 4, &value), -EINVAL);
    check_int(bide__parse_f64("inf", 3, &value), -EINVAL);
    check_int(bide__parse_f64("", 0, &value), -EINVAL);
}

TEST_PLAIN(doubles_are_written_short)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-12.5, "-12.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e15, "1e+15"},
        {1e300, "1e+300"},
        {5e-324, "4.94065645841247e-324"},
        {1e-5, "0.00001"},
        {123456.789, "123456.789"},
        {1.0 / 3, "0.3333333333333333"},
        {2251799813685249.5, "2251799813685249.5"},
        {100, "100.0"},
        {INFINITY, "null"},
        {NAN, "null"},
        {1e14 + 0.5, "100000000000000.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[BIDE__NUMBER_BYTES + 1];
        text[bide__format_f64(text, cases[i].value)] = '\0';
        check_str(text, cases[i].text);
    }
}

TEST_PLAIN(doubles_come_back)
{
    uint64_t state = test_seed() + 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        double value = i % 3 ? (double)(int64_t)state / (i % 3 == 1 ? 1e4 : 1e15) : 0;
        if (i % 3 == 0)
            memcpy(&value, &state, sizeof value);
        if (!isfinite(value))
            continue;
        char text[BIDE__NUMBER_BYTES];
        size_t length = bide__format_f64(text, value);
        double again = 0;
        require(bide__parse_f64(text, length, &again) == 0);
        require(memcmp(&again, &value, sizeof value) == 0);
    }
}

/* A locale of our own, so that none needs to be installed; its folder is removed again. */
static bool use_decimal_comma(void)
{
    char folder[] = "/tmp/bide_locale_XXXXXX", command[160];
    if (!mkdtemp(folder))
        return false;
    snprintf(command, sizeof command,
             "localedef --no-archive -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    int status = system(command);
    setenv("LOCPATH", folder, 1);
    bool used = status == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 && used;
}

TEST_PLAIN(the_locale_does_not_matter)
{
    if (!use_decimal_comma())
        test_skip("localedef cannot make a locale: is the package `locales` there?");
    check_str(localeconv()->decimal_point, ",");
    char text[BIDE__NUMBER_BYTES + 1];
    text[bide__format_f64(text, 0.1 + 0.2)] = '\0';
    check_str(text, "0.30000000000000004");
    check_f64("123456789012345678.5e-3", 123456789012345.67);
}

TEST_PLAIN(integers)
{
    int64_t value = 0;
    check_int(bide__parse_i64("-9223372036854775808", 20, &value), 0);
    check_int(value, INT64_MIN);
    check_int(bide__parse_i64("9223372036854775808", 19, &value), -ERANGE);
    check_int(bide__parse_i64("184467440737095516160", 21, &value), -ERANGE);
    check_int(bide__parse_i64("", 0, &value), -EINVAL);
    check_int(bide__parse_i64("-", 1, &value), -EINVAL);
    check_int(bide__parse_i64("1 ", 2, &value), -EINVAL);
    static const int64_t values[] = {0, 9, 10, 99, 100, -1, 123456789, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[BIDE__NUMBER_BYTES + 1], expected[32];
        text[bide__format_i64(text, values[i])] = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        check_str(text, expected);
    }
}

TEST_PLAIN(email_addresses)
{
    static const char *const good[] = {"a@b.example",
                                       "first.last+tag@sub.example.org",
                                       "x_y-z!#$@example.co",
                                       "user@xn--bcher-kva.example",
                                       "-a-@b.example",
                                       "a@1b.c-3.d3",
                                       "%&'*+/=?^`{|}~@b.example",
                                       ("a@b\xc3\xbc"
                                        "cher.example")};
    static const char *const bad[] = {"",
                                      "@",
                                      "a",
                                      "a@",
                                      "@b.example",
                                      "a@b",
                                      "a..b@c.example",
                                      ".a@b.example",
                                      "a.@b.example",
                                      "a b@c.example",
                                      "a@b..example",
                                      "a@-b.example",
                                      "a@b-.example",
                                      "a@b.123",
                                      "a@b.3d",
                                      "a@b.-c",
                                      "a@b.c-",
                                      "a@-",
                                      "a@.example",
                                      "a@b.example.",
                                      "a@b_c.example",
                                      "a\xc3\xbc@b.example",
                                      "a@[127.0.0.1]",
                                      "\"a\"@b.example",
                                      "a@b.example\n",
                                      "a,b@c.example",
                                      "a@b@c.example"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_str(bide__check_email(good[i], strlen(good[i])), NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!check(bide__check_email(bad[i], strlen(bad[i])) != NULL))
            printf("%s\n", bad[i]);
    char text[300];
    memset(text, 'a', sizeof text);
    memcpy(text + 65, "@b.example", 10);
    check(bide__check_email(text, 75) != NULL);
    check_str(bide__check_email(text + 1, 74), NULL);
    memset(text, 'a', sizeof text);
    memcpy(text, "a@", 2);
    memcpy(text + 65, ".example", 8); /* labels have at most 63 bytes */
    check_str(bide__check_email(text, 73), NULL);
    memcpy(text + 65, "a.example", 9);
    check(bide__check_email(text, 74) != NULL);
}

TEST_PLAIN(urls)
{
    static const char *const good[] = {"http://a",
                                       "https://example.org/x?y=1#z",
                                       "HTTP://A.B:80/",
                                       "http://127.0.0.1:8080",
                                       "http://[::1]:80/x",
                                       ("https://b\xc3\xbc"
                                        "cher.example/")};
    static const char *const bad[] = {"",
                                      "http://",
                                      "ftp://a",
                                      "a.b",
                                      "//a",
                                      "http:/a",
                                      "http://a b",
                                      "javascript:alert(1)",
                                      "http://a:99999",
                                      "http://user@a",
                                      "http://.a",
                                      "http://a..b",
                                      "http://[zz]",
                                      "http://a\n",
                                      "http://?x",
                                      "https://a/<x>"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_str(bide__check_url(good[i], strlen(good[i])), NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!check(bide__check_url(bad[i], strlen(bad[i])) != NULL))
            printf("%s\n", bad[i]);
}

TEST_PLAIN(base64)
{
    unsigned char data[16];
    check_int(bide__base64_decode("", 0, data), 0);
    check_int(bide__base64_decode("AA==", 4, data), 1);
    check_int(bide__base64_decode("AAE=", 4, data), 2);
    check_int(bide__base64_decode("+/+/", 4, data), 3);
    check_mem(data, "\xfb\xff\xbf", 3);
    static const char *const bad[] = {
        "A", "AA", "AAA", "AB==", "AAF=", "A===", "====", "AA=A", "AA==AAAA", "AA-_", "AAA\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_int(bide__base64_decode(bad[i], strlen(bad[i]), data), -1);
}

TEST_PLAIN(base64_of_any_length)
{
    unsigned char bytes[2 * BIDE__BASE64_PIECE], back[sizeof bytes];
    char text[2 * BIDE__BASE64_PIECE_TEXT];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 167 + 250);
    check_int(bide__base64_encode("foob", 4, text), 8); /* RFC 4648 section 10 */
    check(memcmp(text, "Zm9vYg==", 8) == 0);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        size_t length = bide__base64_encode(bytes, size, text);
        check_int(length, (size + 2) / 3 * 4);
        check_int(bide__base64_decode(text, length, back), size);
        check(memcmp(back, bytes, size) == 0);
    }
}
