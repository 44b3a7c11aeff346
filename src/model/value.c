/*
 * The texts of uuids, instants, dates and decimals: see value.h. Pure; called by the readers and
 * the writer of this folder, and by users.
 *
 * Days are counted in a year that begins in March, so that the leap day is the last one, in eras
 * of 400 years, which all have the same number of days.
 */
#include <bide/value.h>

#include "model/number.h"

#include <errno.h>
#include <string.h>

#define DAY_US INT64_C(86400000000)

enum { DAYS_OF_ERA = 146097, DAYS_TO_1970 = 719468, FIRST_YEAR = 1, LAST_YEAR = 9999 };

static int32_t days_of(int year, int month, int day)
{
    int shifted_year = year - (month <= 2);
    int era = shifted_year / 400; /* years are above 0 */
    int year_of_era = shifted_year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_OF_ERA + day_of_era - DAYS_TO_1970;
}

void bide_date_split(bide_date date, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t days = (int64_t)date.days + DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - DAYS_OF_ERA + 1) / DAYS_OF_ERA;
    int64_t day_of_era = days - era * DAYS_OF_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *ret_month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static int days_in(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int bide_date_of(int year, int month, int day, bide_date *ret_date)
{
    if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1 ||
        day > days_in(year, month))
        return -ERANGE;
    ret_date->days = days_of(year, month, day);
    return 0;
}

/* A number of exactly `count` digits, or -1. */
static int digits_at(const char *text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static void put_digits(char *text, int value, int count)
{
    while (count-- > 0) {
        text[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

int bide_date_parse(const char *text, size_t length, bide_date *ret_date)
{
    if (length != 10 || text[4] != '-' || text[7] != '-')
        return -EINVAL;
    int year = digits_at(text, 4), month = digits_at(text + 5, 2), day = digits_at(text + 8, 2);
    if (year < 0 || month < 0 || day < 0)
        return -EINVAL;
    return bide_date_of(year, month, day, ret_date);
}

size_t bide_date_format(bide_date date, char *text)
{
    int year, month, day;
    bide_date_split(date, &year, &month, &day);
    if (year < FIRST_YEAR || year > LAST_YEAR)
        return 0;
    put_digits(text, year, 4);
    text[4] = '-';
    put_digits(text + 5, month, 2);
    text[7] = '-';
    put_digits(text + 8, day, 2);
    text[10] = '\0';
    return 10;
}

/* `.123456` at `*at`, as microseconds; 0 where there is none; -1 for another form. */
static int fraction_us(const char **at, const char *end)
{
    if (*at == end || **at != '.')
        return 0;
    int value = 0, count = 0;
    for ((*at)++; *at < end && **at >= '0' && **at <= '9'; (*at)++, count++)
        if (count < 6)
            value = value * 10 + (**at - '0');
    if (count == 0 || count > 9)
        return -1;
    for (; count < 6; count++)
        value *= 10;
    return value;
}

/* The offset at the end of an instant, in minutes. False for another form. */
static bool offset_minutes(const char *at, const char *end, int *ret_minutes)
{
    if (end - at == 1 && (*at == 'Z' || *at == 'z')) {
        *ret_minutes = 0;
        return true;
    }
    if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':')
        return false;
    int hours = digits_at(at + 1, 2), minutes = digits_at(at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_minutes = (*at == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

int bide_time_parse(const char *text, size_t length, bide_time *ret_time)
{
    if (length < 20 || text[13] != ':' || text[16] != ':' ||
        (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
        return -EINVAL;
    bide_date date;
    int error = bide_date_parse(text, 10, &date);
    int hour = digits_at(text + 11, 2), minute = digits_at(text + 14, 2);
    int second = digits_at(text + 17, 2);
    const char *at = text + 19, *end = text + length;
    int fraction = fraction_us(&at, end), offset;
    if (error == -EINVAL || hour < 0 || minute < 0 || second < 0 || fraction < 0 ||
        !offset_minutes(at, end, &offset))
        return -EINVAL;
    if (error || hour > 23 || minute > 59 || second > 60)
        return -ERANGE;
    int64_t seconds = hour * INT64_C(3600) + minute * INT64_C(60) + second - offset * INT64_C(60);
    int64_t us = date.days * DAY_US + seconds * 1000000 + fraction;
    char again[BIDE_VALUE_TEXT];
    if (!bide_time_format(us, again))
        return -ERANGE; /* the offset moved it out of the years that have a text */
    *ret_time = us;
    return 0;
}

size_t bide_time_format(bide_time time, char *text)
{
    int64_t days = time / DAY_US - (time % DAY_US < 0);
    int64_t us = time % DAY_US + (time % DAY_US < 0 ? DAY_US : 0);
    if (days < INT32_MIN || days > INT32_MAX || !bide_date_format((bide_date){(int32_t)days}, text))
        return 0;
    int seconds = (int)(us / 1000000), fraction = (int)(us % 1000000);
    memcpy(text + 10, "T00:00:00", 9);
    put_digits(text + 11, seconds / 3600, 2);
    put_digits(text + 14, seconds / 60 % 60, 2);
    put_digits(text + 17, seconds % 60, 2);
    size_t length = 19;
    if (fraction) {
        text[19] = '.';
        put_digits(text + 20, fraction, 6);
        length = 26;
    }
    text[length] = 'Z';
    text[length + 1] = '\0';
    return length + 1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_dash_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int bide_uuid_parse(const char *text, size_t length, bide_uuid *ret_uuid)
{
    bide_uuid uuid;
    if (length != 36)
        return -EINVAL;
    for (int i = 0; i < 16; i++) {
        if (is_dash_before(i) && *text++ != '-')
            return -EINVAL;
        int high = hex_value(text[0]), low = hex_value(text[1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        uuid.bytes[i] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    *ret_uuid = uuid;
    return 0;
}

size_t bide_uuid_format(bide_uuid uuid, char *text)
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (is_dash_before(i))
            *text++ = '-';
        *text++ = hex[uuid.bytes[i] >> 4];
        *text++ = hex[uuid.bytes[i] & 15];
    }
    *text = '\0';
    return 36;
}

int bide_decimal_parse(const char *text, size_t length, bide_decimal *ret_decimal)
{
    bool negative = length > 0 && *text == '-';
    const char *at = text + negative, *end = text + length;
    const char *point = memchr(at, '.', (size_t)(end - at));
    uint64_t units = 0, limit = (uint64_t)INT64_MAX + negative;
    bool over = false;
    if (at == end || at == point || (point && point + 1 == end))
        return -EINVAL;
    for (; at < end; at++) {
        if (at == point)
            continue;
        if (*at < '0' || *at > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(*at - '0');
        over = over || units > (limit - digit) / 10;
        units = units * 10 + digit;
    }
    int64_t scale = point ? end - point - 1 : 0;
    if (over || scale > 18)
        return -ERANGE;
    ret_decimal->units = negative ? (int64_t)(0 - units) : (int64_t)units;
    ret_decimal->scale = (int32_t)scale;
    return 0;
}

size_t bide_decimal_format(bide_decimal decimal, char *text)
{
    char digits[BIDE__NUMBER_BYTES];
    char *out = text;
    size_t count = bide__format_i64(digits, decimal.units), skip = 0;
    size_t scale = decimal.scale < 0 ? 0 : decimal.scale > 18 ? 18 : (size_t)decimal.scale;
    if (digits[0] == '-') {
        *out++ = '-';
        skip = 1;
        count--;
    }
    if (count <= scale) {
        *out++ = '0';
    } else {
        memcpy(out, digits + skip, count - scale);
        out += count - scale;
        skip += count - scale;
        count = scale;
    }
    if (scale) {
        *out++ = '.';
        memset(out, '0', scale - count);
        memcpy(out + scale - count, digits + skip, count);
        out += scale;
    }
    *out = '\0';
    return (size_t)(out - text);
}

int bide_decimal_compare(bide_decimal a, bide_decimal b)
{
    __extension__ __int128 left = a.units, right = b.units; /* 19 digits times 10^18 fit */
    for (int32_t scale = a.scale; scale < b.scale; scale++)
        left *= 10;
    for (int32_t scale = b.scale; scale < a.scale; scale++)
        right *= 10;
    return left < right ? -1 : left > right;
}
