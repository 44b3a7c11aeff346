/*
 * Texts into members: conversion, then the limits of the field; a wrong value becomes a problem in
 * pydantic's words. Called by the readers of JSON and forms, and for defaults; calls the parsers of
 * single types.
 *
 * Invariant
 *  1. A value that has a problem leaves its member as it was (zero).
 */
#include "base/caps.h"
#include "model/model.h"
#include "model/number.h"
#include "model/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t characters(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* Whether a length in characters, or in bytes, is within the limits; else adds the problem. */
static bool check_length(const bide_input *input, const struct bide__path *path,
                         const bide_field *field, size_t length, bool is_bytes)
{
    bool is_short = length < field->min_length;
    if (!is_short && length <= field->max_length)
        return true;
    static const char *const types[2][2] = {{"string_too_long", "string_too_short"},
                                            {"bytes_too_long", "bytes_too_short"}};
    size_t limit = is_short ? field->min_length : field->max_length;
    bide__problem(input, path, types[is_bytes][is_short], "%s should have at %s %zu %s%s",
                  is_bytes ? "Data" : "String", is_short ? "least" : "most", limit,
                  is_bytes ? "byte" : "character", plural(limit));
    return false;
}

void bide__check_count(const bide_input *input, const struct bide__path *path,
                       const bide_field *field, size_t count)
{
    bool limited = field && field->flags & BIDE_LEN;
    size_t least = limited ? field->min_length : 0;
    size_t most = limited ? field->max_length : BIDE_CAP_JSON_ITEMS;
    if (count < least)
        bide__problem(input, path, "too_short",
                      "List should have at least %zu item%s after validation, not %zu", least,
                      plural(least), count);
    else if (count > most)
        bide__problem(input, path, "too_long",
                      "List should have at most %zu item%s after validation, not %zu", most,
                      plural(most), count);
}

static bool check_pattern(const bide_input *input, const struct bide__path *path,
                          const bide_field *field, const char *text, size_t length)
{
    int matched = bide__pattern_match(field, text, length);
    if (matched == 1)
        return true;
    if (matched == 0)
        bide__problem(input, path, "string_pattern_mismatch", "String should match pattern '%s'",
                      field->pattern);
    else
        bide__problem(input, path, "string_pattern_mismatch",
                      "String is too complex for pattern '%s'", field->pattern);
    return false;
}

/* The limits of a str, secret or plain_pw: the first that does not hold is the problem. */
static bool check_text(const bide_input *input, const struct bide__path *path,
                       const bide_field *field, const char *text, size_t length, unsigned facts)
{
    if (field->flags & BIDE_LEN &&
        !check_length(input, path, field,
                      facts & BIDE__TEXT_ASCII ? length : characters(text, length), false))
        return false;
    if (field->flags & BIDE_MATCH && !check_pattern(input, path, field, text, length))
        return false;
    const char *reason = NULL;
    if (field->flags & BIDE_EMAIL && (reason = bide__check_email(text, length)))
        bide__problem(input, path, "value_error", "value is not a valid email address: %s", reason);
    else if (field->flags & BIDE_URL && (reason = bide__check_url(text, length)))
        bide__problem(input, path, "url_parsing", "Input should be a valid URL, %s", reason);
    return reason == NULL;
}

static int convert_text(const bide_input *input, const struct bide__path *path,
                        const bide_field *field, const char *text, size_t length, unsigned facts,
                        void *ret_value)
{
    if (field && !check_text(input, path, field, text, length, facts))
        return 0;
    if (!(facts & BIDE__TEXT_KEPT)) {
        char *copy = bide_arena_alloc(input->arena, length + 1);
        if (!copy)
            return -ENOMEM;
        bide__text_copy(copy, text, length);
        copy[length] = '\0';
        text = copy;
    }
    memcpy(ret_value, &text, sizeof text); /* the secret types hold just that pointer */
    return 0;
}

static int convert_bytes(const bide_input *input, const struct bide__path *path,
                         const struct bide__target *target, const char *text, size_t length,
                         bide_bytes *ret_value)
{
    unsigned char *data = bide_arena_alloc(input->arena, BIDE__BASE64_BYTES(length));
    if (!data)
        return -ENOMEM;
    ptrdiff_t size = bide__base64_decode(text, length, data);
    if (size < 0)
        bide__problem(input, path, "bytes_invalid_encoding",
                      "Data should be valid base64: the length is a multiple of four");
    else if (!target->field || !(target->field->flags & BIDE_LEN) ||
             check_length(input, path, target->field, (size_t)size, true))
        *ret_value = (bide_bytes){data, (size_t)size};
    return 0;
}

static void convert_enum(const bide_input *input, const struct bide__path *path,
                         const bide_type *type, const char *text, size_t length, void *ret_value)
{
    for (size_t i = 0; i < type->enum_count; i++) {
        if (strlen(type->enum_names[i]) == length &&
            memcmp(type->enum_names[i], text, length) == 0) {
            int32_t value = (int32_t)i;
            memcpy(ret_value, &value, sizeof value);
            return;
        }
    }
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < type->enum_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'",
                                 i == 0                      ? ""
                                 : i + 1 == type->enum_count ? " or "
                                                             : ", ",
                                 type->enum_names[i]);
    bide__problem(input, path, "enum", "Input should be %s", names);
}

/* The problem of a number out of its range; `text` is the limit that it breaks. */
static void out_of_range(const bide_input *input, const struct bide__path *path, bool below,
                         const char *text)
{
    bide__problem(input, path, below ? "greater_than_equal" : "less_than_equal",
                  "Input should be %s than or equal to %s", below ? "greater" : "less", text);
}

/* A limit as it was declared: 150, 0.5. */
static void limit_text(long double limit, char *text)
{
    size_t length = limit >= (long double)INT64_MIN && limit < (long double)INT64_MAX &&
                            limit == (long double)(int64_t)limit
                        ? bide__format_i64(text, (int64_t)limit)
                        : bide__format_f64(text, (double)limit);
    text[length] = '\0';
}

static bool in_range(const bide_input *input, const struct bide__path *path,
                     const bide_field *field, double value)
{
    if (!field || !(field->flags & BIDE_RANGE))
        return true;
    bool below = value < (double)field->min;
    if (!below && value <= (double)field->max)
        return true;
    char text[BIDE__NUMBER_BYTES + 1];
    limit_text(below ? field->min : field->max, text);
    out_of_range(input, path, below, text);
    return false;
}

static int convert_decimal(const bide_input *input, const struct bide__path *path,
                           const bide_field *field, const char *text, size_t length,
                           bide_decimal *ret_value)
{
    bide_decimal value;
    int error = bide_decimal_parse(text, length, &value);
    if (error == -EINVAL) {
        bide__problem(input, path, "decimal_parsing", "Input should be a valid decimal");
    } else if (error) {
        bide__problem(input, path, "decimal_max_digits",
                      "Decimal input should have no more than 18 digits in total");
    } else {
        double power = 1;
        for (int32_t i = 0; i < value.scale; i++)
            power *= 10;
        if (in_range(input, path, field, (double)value.units / power))
            *ret_value = value;
    }
    return 0;
}

/* The types that have one text and no limits: the name and the parser's answer make the problem. */
static int convert_parsed(const bide_input *input, const struct bide__path *path,
                          enum bide_kind kind, const char *text, size_t length, void *ret_value)
{
    if (kind == BIDE_KIND_UUID) {
        if (bide_uuid_parse(text, length, ret_value))
            bide__problem(input, path, "uuid_parsing", "Input should be a valid UUID");
    } else if (kind == BIDE_KIND_DATE) {
        int error = bide_date_parse(text, length, ret_value);
        if (error)
            bide__problem(input, path, "date_from_datetime_parsing",
                          "Input should be a valid date, %s",
                          error == -ERANGE ? "there is no such day" : "YYYY-MM-DD");
    } else {
        int error = bide_time_parse(text, length, ret_value);
        if (error)
            bide__problem(input, path, "datetime_parsing",
                          "Input should be a valid datetime with an offset, %s",
                          error == -ERANGE ? "there is no such instant"
                                           : "such as 2024-05-06T07:08:09Z");
    }
    return 0;
}

int bide__convert_string(const bide_input *input, const struct bide__path *path,
                         const struct bide__target *target, const char *text, size_t length,
                         unsigned facts, void *ret_value)
{
    switch (target->kind) {
    case BIDE_KIND_STR:
    case BIDE_KIND_SECRET:
    case BIDE_KIND_PLAIN_PW:
    case BIDE_KIND_HASH:
        return convert_text(input, path, target->field, text, length, facts, ret_value);
    case BIDE_KIND_BYTES:
        return convert_bytes(input, path, target, text, length, ret_value);
    case BIDE_KIND_ENUM:
        convert_enum(input, path, target->type, text, length, ret_value);
        return 0;
    case BIDE_KIND_DECIMAL:
        return convert_decimal(input, path, target->field, text, length, ret_value);
    case BIDE_KIND_UUID:
    case BIDE_KIND_TIME:
    case BIDE_KIND_DATE:
        return convert_parsed(input, path, target->kind, text, length, ret_value);
    default:
        bide__problem_of_type(input, path, target);
        return 0;
    }
}

static void convert_integer(const bide_input *input, const struct bide__path *path,
                            const struct bide__target *target, const char *text, size_t length,
                            void *ret_value)
{
    int64_t least = target->kind == BIDE_KIND_I32 ? INT32_MIN : INT64_MIN;
    int64_t most = target->kind == BIDE_KIND_I32 ? INT32_MAX : INT64_MAX;
    if (target->field) {
        least = target->field->min_int;
        most = target->field->max_int;
    }
    int64_t value;
    bool over = bide__parse_i64(text, length, &value) != 0;
    if (over)
        value = *text == '-' ? INT64_MIN : INT64_MAX;
    if (over || value < least || value > most) {
        char limit[BIDE__NUMBER_BYTES + 1];
        bool below = over ? *text == '-' : value < least;
        limit[bide__format_i64(limit, below ? least : most)] = '\0';
        out_of_range(input, path, below, limit);
    } else if (target->kind == BIDE_KIND_I32) {
        int32_t narrow = (int32_t)value;
        memcpy(ret_value, &narrow, sizeof narrow);
    } else {
        memcpy(ret_value, &value, sizeof value);
    }
}

int bide__convert_number(const bide_input *input, const struct bide__path *path,
                         const struct bide__target *target, const char *text, size_t length,
                         bool is_integer, void *ret_value)
{
    if (target->kind == BIDE_KIND_I32 || target->kind == BIDE_KIND_I64) {
        if (is_integer)
            convert_integer(input, path, target, text, length, ret_value);
        else
            bide__problem(input, path, "int_from_float",
                          "Input should be a valid integer, got a number with a fractional part");
        return 0;
    }
    if (target->kind == BIDE_KIND_F64) {
        double value;
        if (bide__parse_f64(text, length, &value))
            bide__problem(input, path, "finite_number", "Input should be a finite number");
        else if (in_range(input, path, target->field, value))
            memcpy(ret_value, &value, sizeof value);
        return 0;
    }
    if (target->kind == BIDE_KIND_DECIMAL)
        return convert_decimal(input, path, target->field, text, length, ret_value);
    bide__problem_of_type(input, path, target);
    return 0;
}

void bide__problem_of_type(const bide_input *input, const struct bide__path *path,
                           const struct bide__target *target)
{
    static const struct {
        const char *type, *msg;
    } words[] = {
        [BIDE_KIND_BOOL] = {"bool_type", "Input should be a valid boolean"},
        [BIDE_KIND_I32] = {"int_type", "Input should be a valid integer"},
        [BIDE_KIND_I64] = {"int_type", "Input should be a valid integer"},
        [BIDE_KIND_F64] = {"float_type", "Input should be a valid number"},
        [BIDE_KIND_STR] = {"string_type", "Input should be a valid string"},
        [BIDE_KIND_BYTES] = {"bytes_type", "Input should be a base64 string"},
        [BIDE_KIND_UUID] = {"uuid_type", "Input should be a UUID string"},
        [BIDE_KIND_TIME] = {"datetime_type", "Input should be a valid datetime string"},
        [BIDE_KIND_DATE] = {"date_type", "Input should be a valid date string"},
        [BIDE_KIND_DECIMAL] = {"decimal_type", "Input should be a decimal string or number"},
        [BIDE_KIND_JSON] = {"json_type", "Input should be valid JSON"},
        [BIDE_KIND_SECRET] = {"string_type", "Input should be a valid string"},
        [BIDE_KIND_PLAIN_PW] = {"string_type", "Input should be a valid string"},
        [BIDE_KIND_HASH] = {"string_type", "Input should be a valid string"},
        [BIDE_KIND_ENUM] = {"enum", "Input should be a string, the name of a value"},
        [BIDE_KIND_OBJ] = {"model_type", "Input should be an object"},
        [BIDE_KIND_LIST] = {"list_type", "Input should be a valid list"},
    };
    bide__problem(input, path, words[target->kind].type, "%s", words[target->kind].msg);
}

int bide__set_default(const bide_input *input, const struct bide__path *path,
                      const bide_field *field, void *ret_value)
{
    struct bide__target target = {field->kind, field->type, field};
    if (field->dflt_text && field->kind == BIDE_KIND_JSON) {
        bide_json json = {field->dflt_text, strlen(field->dflt_text)};
        size_t offset;
        const char *reason;
        if (bide_json_check(json.text, json.length, &offset, &reason))
            bide__problem_of_type(input, path, &target);
        else
            memcpy(ret_value, &json, sizeof json);
        return 0;
    }
    if (field->dflt_text)
        return bide__convert_string(input, path, &target, field->dflt_text,
                                    strlen(field->dflt_text), BIDE__TEXT_KEPT, ret_value);
    char text[BIDE__NUMBER_BYTES + 1];
    bool is_integer = (double)field->dflt_int == field->dflt_real;
    size_t length = is_integer ? bide__format_i64(text, field->dflt_int)
                               : bide__format_f64(text, field->dflt_real);
    if (field->kind == BIDE_KIND_BOOL && is_integer) {
        bool value = field->dflt_int != 0;
        memcpy(ret_value, &value, sizeof value);
        return 0;
    }
    if (field->kind == BIDE_KIND_ENUM && is_integer && field->dflt_int >= 0 &&
        (uint64_t)field->dflt_int < field->type->enum_count) {
        int32_t value = (int32_t)field->dflt_int;
        memcpy(ret_value, &value, sizeof value);
        return 0;
    }
    return bide__convert_number(input, path, &target, text, length, is_integer, ret_value);
}

void bide__finish_row(const bide_input *input, const struct bide__path *path,
                      const bide_model *model, uint64_t seen, void *row)
{
    uint64_t required = input->trusted ? model->required & model->writable : model->required;
    uint64_t absent = (required | model->defaulted) & ~seen;
    for (; absent; absent &= absent - 1) {
        const bide_field *field = &model->fields[bide__first_bit(absent)];
        struct bide__path here = {path, field->json_name, field->json_key_length - 3, 0};
        if (field->flags & BIDE_DFLT)
            bide__set_default(input, &here, field, (char *)row + field->offset);
        else
            bide__problem(input, &here, "missing", "Field required");
    }
}
