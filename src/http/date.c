/*
 * date.c: see date.h. Days are counted in the proleptic Gregorian calendar, in eras of 400 years
 * that begin in March, so that the leap day is the last of its year (H. Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms", 2013; written from the description).
 */
#include "http/date.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

enum {
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    DAYS_PER_ERA = 146097,
    S_PER_DAY = 86400,
};
#define OLDEST_S INT64_C(-62167219200) /* 0000-01-01 */
#define LATEST_S INT64_C(253402300799) /* 9999-12-31 23:59:59 */

struct date {
    int year, month, day; /* month from 1 */
    int hour, minute, second;
};

static int64_t days_of(int year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - DAYS_TO_1970;
}

static struct date date_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - DAYS_PER_ERA + 1) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    struct date date = {
        .month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9),
        .day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
    };
    date.year = (int)(year_of_era + era * 400 + (date.month <= 2));
    return date;
}

static char *put_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

static char *put(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

void bide__http_date_format(int64_t unix_s, char out[BIDE__HTTP_DATE_BYTES])
{
    unix_s = unix_s < OLDEST_S ? OLDEST_S : unix_s > LATEST_S ? LATEST_S : unix_s;
    int64_t days = (unix_s >= 0 ? unix_s : unix_s - S_PER_DAY + 1) / S_PER_DAY;
    int second = (int)(unix_s - days * S_PER_DAY);
    struct date date = date_of(days);
    int day_name = (int)(((days + 4) % 7 + 7) % 7); /* 1970 began on a Thursday */
    char *end = put(out, day_names + 3 * day_name, 3);
    end = put(end, ", ", 2);
    end = put_digits(end, date.day, 2);
    *end++ = ' ';
    end = put(end, month_names + 3 * (date.month - 1), 3);
    *end++ = ' ';
    end = put_digits(end, date.year, 4);
    *end++ = ' ';
    end = put_digits(end, second / 3600, 2);
    *end++ = ':';
    end = put_digits(end, second / 60 % 60, 2);
    *end++ = ':';
    end = put_digits(end, second % 60, 2);
    put(end, " GMT", sizeof " GMT");
}

/* The readers below take their part off the front of the text, and say whether it was there. */

static bool take(struct bide__slice *text, const char *expected)
{
    size_t length = strlen(expected);
    if (text->length < length || memcmp(text->bytes, expected, length) != 0)
        return false;
    *text = bide__slice_from(*text, length);
    return true;
}

static bool take_number(struct bide__slice *text, size_t digits, int *ret_value)
{
    int value = 0;
    if (text->length < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (text->bytes[i] < '0' || text->bytes[i] > '9')
            return false;
        value = value * 10 + (text->bytes[i] - '0');
    }
    *text = bide__slice_from(*text, digits);
    *ret_value = value;
    return true;
}

static bool take_name(struct bide__slice *text, const char *names, int *ret_index)
{
    for (int i = 0; names[3 * i] && text->length >= 3; i++) {
        if (memcmp(text->bytes, names + 3 * i, 3) == 0) {
            *text = bide__slice_from(*text, 3);
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool take_time(struct bide__slice *text, struct date *date)
{
    return take_number(text, 2, &date->hour) && take(text, ":") &&
           take_number(text, 2, &date->minute) && take(text, ":") &&
           take_number(text, 2, &date->second);
}

static bool take_month(struct bide__slice *text, struct date *date)
{
    int index;
    if (!take_name(text, month_names, &index))
        return false;
    date->month = index + 1;
    return true;
}

/* "06 Nov 1994 08:49:37 GMT" */
static bool take_fixdate(struct bide__slice *text, struct date *date)
{
    return take_number(text, 2, &date->day) && take(text, " ") && take_month(text, date) &&
           take(text, " ") && take_number(text, 4, &date->year) && take(text, " ") &&
           take_time(text, date) && take(text, " GMT");
}

/* "06-Nov-94 08:49:37 GMT" */
static bool take_rfc850(struct bide__slice *text, int64_t now_s, struct date *date)
{
    int year;
    if (!take_number(text, 2, &date->day) || !take(text, "-") || !take_month(text, date) ||
        !take(text, "-") || !take_number(text, 2, &year) || !take(text, " ") ||
        !take_time(text, date) || !take(text, " GMT"))
        return false;
    int now_year = date_of(now_s / S_PER_DAY).year;
    date->year = now_year - now_year % 100 + year;
    if (date->year > now_year + 50)
        date->year -= 100;
    else if (date->year <= now_year - 50)
        date->year += 100;
    return true;
}

/* "Nov  6 08:49:37 1994" */
static bool take_asctime(struct bide__slice *text, struct date *date)
{
    return take_month(text, date) && take(text, " ") &&
           (take(text, " ") ? take_number(text, 1, &date->day)
                            : take_number(text, 2, &date->day)) &&
           take(text, " ") && take_time(text, date) && take(text, " ") &&
           take_number(text, 4, &date->year);
}

static bool exists(const struct date *date)
{
    if (date->day < 1 || date->hour > 23 || date->minute > 59 || date->second > 60)
        return false;
    struct date same = date_of(days_of(date->year, date->month, date->day));
    return same.day == date->day && same.month == date->month;
}

int bide__http_date_parse(struct bide__slice text, int64_t now_s, int64_t *ret_unix_s)
{
    static const char *const rests[] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};
    struct date date = {0};
    int day_name;
    bool read = false;
    if (!take_name(&text, day_names, &day_name))
        return -EINVAL;
    if (take(&text, ", "))
        read = take_fixdate(&text, &date);
    else if (take(&text, rests[day_name]))
        read = take(&text, ", ") && take_rfc850(&text, now_s, &date);
    else if (take(&text, " "))
        read = take_asctime(&text, &date);
    if (!read || text.length > 0 || !exists(&date))
        return -EINVAL;
    *ret_unix_s = days_of(date.year, date.month, date.day) * S_PER_DAY + date.hour * 3600 +
                  date.minute * 60 + (date.second > 59 ? 59 : date.second);
    return 0;
}
