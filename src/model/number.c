/*
 * Numbers and their texts: see number.h.
 *
 * A double whose digits make an integer below 2^53, scaled by a power of ten up to 10^22, is read
 * and written by one multiplication or division of two exact doubles, which IEEE 754 rounds
 * correctly (W. D. Clinger, "How to read floating point numbers accurately", 1990). libc does the
 * rest, in the C locale.
 */
#include "model/number.h"

#include "base/caps.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWERS = 22 };
static const double exact_limit = 9007199254740992.0; /* 2^53 */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t bide__number_span(const char *text, size_t length, bool *ret_integer)
{
    const char *at = text, *end = text + length;
    if (at < end && *at == '-')
        at++;
    if (at == end || !is_digit(*at))
        return 0;
    if (*at == '0')
        at++;
    else
        while (at < end && is_digit(*at))
            at++;
    bool integer = true;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        while (at < end && is_digit(*at))
            at++;
        if (at == fraction)
            return 0;
        integer = false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        const char *exponent = at;
        while (at < end && is_digit(*at))
            at++;
        if (at == exponent)
            return 0;
        integer = false;
    }
    *ret_integer = integer;
    return (size_t)(at - text);
}

int bide__parse_i64(const char *text, size_t length, int64_t *ret_value)
{
    const char *at = text, *end = text + length;
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end)
        return -EINVAL;
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    bool over = false;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return -EINVAL;
        uint64_t digit = (uint64_t)(*at - '0');
        over = over || value > (limit - digit) / 10;
        value = value * 10 + digit;
    }
    if (over)
        return -ERANGE;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

/* The digits as an integer and the power of ten it is scaled by. False: too many digits. */
static bool split_digits(const char *text, size_t length, uint64_t *ret_digits, int *ret_power)
{
    const char *at = text, *end = text + length;
    uint64_t digits = 0;
    int power = 0, exponent = 0;
    bool fraction = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (digits > (UINT64_C(1) << 53) / 10)
            return false;
        digits = digits * 10 + (uint64_t)(*at - '0');
        power -= fraction;
    }
    if (at < end) {
        at++;
        bool negative = *at == '-';
        if (*at == '-' || *at == '+')
            at++;
        for (; at < end; at++) {
            if (exponent > 10000)
                return false;
            exponent = exponent * 10 + (*at - '0');
        }
        power += negative ? -exponent : exponent;
    }
    *ret_digits = digits;
    *ret_power = power;
    return true;
}

static int parse_by_libc(const char *text, size_t length, double *ret_value)
{
    char copy[BIDE_CAP_NUMBER_BYTES + 1];
    memcpy(copy, text, length);
    copy[length] = '\0';
    pthread_once(&c_locale_once, make_c_locale);
    double value = c_locale ? strtod_l(copy, NULL, c_locale) : strtod(copy, NULL);
    if (!isfinite(value))
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int bide__parse_f64(const char *text, size_t length, double *ret_value)
{
    bool integer;
    if (length > BIDE_CAP_NUMBER_BYTES || length == 0 ||
        bide__number_span(text, length, &integer) != length)
        return -EINVAL;
    bool negative = *text == '-';
    uint64_t digits;
    int power;
    if (!split_digits(text + negative, length - negative, &digits, &power) ||
        (double)digits > exact_limit || power < -EXACT_POWERS || power > EXACT_POWERS)
        return parse_by_libc(text, length, ret_value);
    double value =
        power < 0 ? (double)digits / powers_of_ten[-power] : (double)digits * powers_of_ten[power];
    *ret_value = negative ? -value : value;
    return 0;
}

static const char pairs[201] = "00010203040506070809101112131415161718192021222324"
                               "25262728293031323334353637383940414243444546474849"
                               "50515253545556575859606162636465666768697071727374"
                               "75767778798081828384858687888990919293949596979899";

static size_t format_u64(char *text, uint64_t value)
{
    size_t length = 1;
    for (uint64_t left = value; left >= 10; left /= 100)
        length += left >= 100 ? 2 : 1;
    char *at = text + length;
    while (value >= 100) {
        at -= 2;
        memcpy(at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, pairs + value * 2, 2);
    else
        at[-1] = (char)('0' + value);
    return length;
}

size_t bide__format_i64(char *text, int64_t value)
{
    if (value >= 0)
        return format_u64(text, (uint64_t)value);
    *text = '-';
    return 1 + format_u64(text + 1, 0 - (uint64_t)value);
}

/* Writes `digits` / 10^`decimals`, with at least one digit on each side of the point. */
static size_t format_scaled(char *text, uint64_t digits, int decimals)
{
    char reversed[BIDE__NUMBER_BYTES];
    size_t count = 0, length = 0;
    for (; decimals > 0; decimals--, digits /= 10)
        reversed[count++] = (char)('0' + digits % 10);
    length = format_u64(text, digits);
    text[length++] = '.';
    if (count == 0)
        text[length++] = '0';
    while (count > 0)
        text[length++] = reversed[--count];
    return length;
}

/* The shortest of 15, 16 or 17 digits that reads back; 17 always do. */
static size_t format_by_libc(char *text, double value)
{
    pthread_once(&c_locale_once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(text, BIDE__NUMBER_BYTES, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value)
            break;
    }
    if (before)
        uselocale(before);
    if (!memchr(text, '.', (size_t)length) && !memchr(text, 'e', (size_t)length)) {
        text[length++] = '.';
        text[length++] = '0';
    }
    return (size_t)length;
}

size_t bide__format_f64(char *text, double value)
{
    if (!isfinite(value)) {
        for (size_t i = 0; i < 4; i++)
            text[i] = "null"[i];
        return 4;
    }
    size_t sign = signbit(value) ? 1 : 0;
    *text = '-';
    double magnitude = fabs(value);
    if (magnitude == 0 || (magnitude >= 1e-5 && magnitude < 1e15)) {
        for (int decimals = 0; decimals <= EXACT_POWERS; decimals++) {
            double scaled = magnitude * powers_of_ten[decimals] + 0.5;
            if (scaled >= exact_limit)
                break;
            uint64_t digits = (uint64_t)scaled;
            if ((double)digits / powers_of_ten[decimals] == magnitude)
                return sign + format_scaled(text + sign, digits, decimals);
        }
    }
    return format_by_libc(text, value);
}
