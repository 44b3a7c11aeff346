/*
 * The two written forms of a log record: text for people, JSON lines for collectors. Pure: no
 * state, no system calls. Called by log.c; calls libc.
 *
 * Invariants
 *  1. A record makes exactly one line: control characters of messages and values are escaped.
 *  2. A JSON line is valid UTF-8 (RFC 3629): a byte that is not becomes U+FFFD.
 */
#include "base/log_format.h"

#include "base/caps.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A bounded writer: what does not fit is left out. */
struct out {
    char *at;
    char *end;
};

static void put_bytes(struct out *out, const char *bytes, size_t length)
{
    size_t room = (size_t)(out->end - out->at);
    if (length > room)
        length = room;
    memcpy(out->at, bytes, length);
    out->at += length;
}

static void put(struct out *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct out *out, const char *format,
                                                             ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0)
        put_bytes(out, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* The length of the UTF-8 sequence that `text` begins with (RFC 3629, section 4), or 0 if it is
 * none. */
static size_t utf8_length(const unsigned char *text, size_t length)
{
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    size_t size = c >= 0xC2 && c <= 0xDF   ? 2
                  : (c & 0xF0) == 0xE0     ? 3
                  : c >= 0xF0 && c <= 0xF4 ? 4
                                           : 0;
    if (size == 0 || size > length)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (c == 0xE0 && text[1] < 0xA0) || (c == 0xF0 && text[1] < 0x90);
    bool surrogate = c == 0xED && text[1] > 0x9F;
    bool too_large = c == 0xF4 && text[1] > 0x8F;
    return overlong || surrogate || too_large ? 0 : size;
}

/* A text between its quotes in JSON (RFC 8259, section 7). */
static void put_json(struct out *out, const char *text, size_t length)
{
    for (size_t i = 0, step; i < length; i += step) {
        unsigned char c = (unsigned char)text[i];
        step = utf8_length((const unsigned char *)text + i, length - i);
        if (step == 0) {
            put(out, "\\ufffd");
            step = 1;
        } else if (c == '"' || c == '\\') {
            put_format(out, "\\%c", c);
        } else if (c == '\n') {
            put(out, "\\n");
        } else if (c < 0x20 || c == 0x7F) {
            put_format(out, "\\u%04x", c);
        } else {
            put_bytes(out, text + i, step);
        }
    }
}

/* A text in a text line; `quoted` also escapes what would end the quotes. */
static void put_text(struct out *out, const char *text, size_t length, bool quoted)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n')
            put(out, "\\n");
        else if (c < 0x20 || c == 0x7F)
            put_format(out, "\\x%02x", c);
        else if (quoted && (c == '"' || c == '\\'))
            put_format(out, "\\%c", c);
        else
            put_bytes(out, text + i, 1);
    }
}

static bool needs_quotes(const char *value)
{
    if (!*value)
        return true;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == '"' || *value == '=' || *value == 0x7F)
            return true;
    return false;
}

/*
 * RFC 3339, UTC, milliseconds. Not by gmtime_r(3): it takes a lock, which stays locked in a child
 * forked while another thread formatted. The date is counted in eras of 400 years that begin in
 * March (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
 */
static void put_time(struct out *out, int64_t time_ns)
{
    int64_t ms = time_ns / BIDE__NS_PER_MS;
    int64_t days = ms / 86400000 + 719468; /* since 0000-03-01 */
    int day_ms = (int)(ms % 86400000);
    int64_t era = days / 146097;
    int day_of_era = (int)(days % 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int march_month = (5 * day_of_year + 2) / 153;
    int day = day_of_year - (153 * march_month + 2) / 5 + 1;
    int month = march_month < 10 ? march_month + 3 : march_month - 9;
    int year = (int)(era * 400) + year_of_era + (month <= 2);
    put_format(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, day_ms / 3600000,
               day_ms / 60000 % 60, day_ms / 1000 % 60, day_ms % 1000);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* One pair at a time from a record: moves `*at` on. False at the end. */
static bool next_field(const struct bide__log_record *record, const char **at, char *ret_kind,
                       const char **ret_key, const char **ret_value)
{
    if (*at >= record->text + record->fields_length)
        return false;
    *ret_kind = **at;
    *ret_key = *at + 1;
    *ret_value = *ret_key + strlen(*ret_key) + 1;
    *at = *ret_value + strlen(*ret_value) + 1;
    return true;
}

static void format_text(const struct bide__log_record *record, struct out *out)
{
    static const char *const names[] = {"", "DEBUG", "INFO", "WARN", "ERROR"};
    put_time(out, record->time_ns);
    put_format(out, " %s ", names[record->level]);
    if (record->task_id)
        put_format(out, "[task %" PRIu64 "] ", record->task_id);
    put_format(out, "%.80s:%d ", base_name(record->file), record->line);
    put_text(out, record->text + record->fields_length, record->message_length, false);
    const char *at = record->text, *key, *value;
    for (char kind; next_field(record, &at, &kind, &key, &value);) {
        bool quoted = kind == 's' && needs_quotes(value);
        put(out, " ");
        put_text(out, key, strlen(key), false);
        put(out, quoted ? "=\"" : "=");
        put_text(out, value, strlen(value), quoted);
        put(out, quoted ? "\"" : "");
    }
}

static void format_json(const struct bide__log_record *record, struct out *out)
{
    static const char *const names[] = {"", "debug", "info", "warn", "error"};
    put(out, "{\"time\":\"");
    put_time(out, record->time_ns);
    put_format(out, "\",\"level\":\"%s\"", names[record->level]);
    if (record->task_id)
        put_format(out, ",\"task\":%" PRIu64, record->task_id);
    if (record->loop >= 0)
        put_format(out, ",\"loop\":%d", record->loop);
    put(out, ",\"source\":\"");
    const char *file = base_name(record->file);
    put_json(out, file, strnlen(file, 80));
    put_format(out, ":%d\",\"message\":\"", record->line);
    put_json(out, record->text + record->fields_length, record->message_length);
    put(out, "\"");
    const char *at = record->text, *key, *value;
    for (char kind; next_field(record, &at, &kind, &key, &value);) {
        put(out, ",\"");
        put_json(out, key, strlen(key));
        put(out, kind == 's' ? "\":\"" : "\":");
        put_json(out, value, strlen(value));
        put(out, kind == 's' ? "\"" : "");
    }
    put(out, "}");
}

size_t bide__log_format(const struct bide__log_record *record, bool json, char *line)
{
    struct out out = {line, line + BIDE_CAP_LOG_LINE_BYTES - 1};
    if (json)
        format_json(record, &out);
    else
        format_text(record, &out);
    *out.at++ = '\n';
    return (size_t)(out.at - line);
}

/* Appends one pair; false when it does not fit, and then nothing is written. */
static bool pack_field(struct out *out, const bide_log_field *field)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, field->number);
    const char *value = field->text ? field->text : number;
    size_t key_size = strlen(field->key) + 1, value_size = strlen(value) + 1;
    if (key_size >= BIDE_CAP_LOG_RECORD_BYTES || value_size >= BIDE_CAP_LOG_RECORD_BYTES ||
        1 + key_size + value_size > (size_t)(out->end - out->at))
        return false;
    put(out, field->text ? "s" : "n");
    put_bytes(out, field->key, key_size);
    put_bytes(out, value, value_size);
    return true;
}

void bide__log_fill(struct bide__log_record *record, size_t room, const bide_log_field *fields,
                    const char *format, va_list args)
{
    static const bide_log_field cut = {"cut", "...", 0};
    enum { CUT_BYTES = sizeof "scut" + sizeof "..." };
    /* Pairs get at most half, so that the message always has a place. */
    struct out out = {record->text, record->text + room / 2 - CUT_BYTES};
    while (fields && fields->key && pack_field(&out, fields))
        fields++;
    if (fields && fields->key) {
        out.end += CUT_BYTES;
        pack_field(&out, &cut);
    }
    record->fields_length = (uint32_t)(out.at - record->text);

    size_t left = room - record->fields_length;
    int length = vsnprintf(out.at, left, format, args);
    if (length < 0)
        length = snprintf(out.at, left, "(invalid log format)");
    if ((size_t)length >= left) {
        length = (int)left - 1;
        memcpy(out.at + length - 3, "...", 3);
    }
    record->message_length = (uint32_t)length;
    size_t bytes =
        offsetof(struct bide__log_record, text) + record->fields_length + (size_t)length + 1;
    record->bytes = (uint32_t)((bytes + 7) & ~(size_t)7);
}
