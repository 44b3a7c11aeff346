/*
 * encode.c: texts in a message: fields folded and in encoded words, bodies in quoted-printable or
 * base64. Pure; called by message.c. What it is given is UTF-8, and fields have no control
 * characters. Errors are the buffer's.
 *
 * Source: RFC 5322 sections 2.1.1, 2.2.3; RFC 2045 section 6; RFC 2047.
 */
#include "mail/mail.h"

#include "model/model.h"

#include <stdint.h>
#include <string.h>

enum {
    FIELD_COLUMNS = 76, /* of a line with encoded words: RFC 2047 section 2 */
    BODY_COLUMNS = 76,  /* RFC 2045 sections 6.7, 6.8 */
    WORD_FRAME = 12,    /* =?utf-8?B?...?= */
};

/* ---- base64 ---- */

enum { GROUP_BYTES = BODY_COLUMNS / 4 * 3 }; /* of a line */

/* At most GROUP_BYTES. */
static void put_base64(bide_buf *out, const unsigned char *bytes, size_t size)
{
    char row[BODY_COLUMNS];
    bide_buf_append(out, row, bide__base64_encode(bytes, size, row));
}

/* ---- fields ---- */

static bool is_plain(const char *text)
{
    for (const char *at = text; *at; at++)
        if (*at < ' ' || *at > '~')
            return false;
    return true;
}

/* Whether it can be folded at its single spaces as it is, and is not taken for an encoded word. */
static bool folds_as_it_is(const char *text)
{
    if (!is_plain(text) || strstr(text, "=?") || *text == ' ')
        return false;
    for (;;) {
        size_t word = strcspn(text, " ");
        if (word == 0 || word > FIELD_COLUMNS)
            return false;
        if (!text[word])
            return true;
        text += word + 1;
    }
}

/* Words with spaces between them; gives the column behind the last one. */
static size_t put_words(bide_buf *out, const char *text, size_t column)
{
    for (;;) {
        size_t word = strcspn(text, " ");
        bool fold = column > 1 && column + 1 + word > FIELD_COLUMNS;
        bide_buf_append_str(out, fold ? "\r\n " : " ");
        bide_buf_append(out, text, word);
        column = (fold ? 0 : column) + 1 + word;
        if (!text[word])
            return column;
        text += word + 1;
    }
}

/* How many bytes, at most `room`, are whole characters. */
static size_t whole_characters(const char *text, size_t room)
{
    size_t length = strnlen(text, room + 1);
    if (length <= room)
        return length;
    for (length = room; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
        length--;
    return length;
}

static size_t put_encoded_words(bide_buf *out, const char *text, size_t column)
{
    while (*text) {
        size_t free = column + 1 + WORD_FRAME < FIELD_COLUMNS ? FIELD_COLUMNS - column - 1 : 0;
        size_t room = free > WORD_FRAME ? (free - WORD_FRAME) / 4 * 3 : 0;
        size_t length = whole_characters(text, room);
        if (length == 0) {
            bide_buf_append_str(out, "\r\n");
            column = 0;
            continue;
        }
        bide_buf_append_str(out, " =?utf-8?B?");
        put_base64(out, (const unsigned char *)text, length);
        bide_buf_append_str(out, "?=");
        column += 1 + WORD_FRAME + (length + 2) / 3 * 4;
        text += length;
    }
    return column;
}

void bide__mail_put_text(bide_buf *out, const char *name, const char *text)
{
    size_t column = strlen(name) + 1;
    bide_buf_printf(out, "%s:", name);
    if (folds_as_it_is(text))
        put_words(out, text, column);
    else
        put_encoded_words(out, text, column);
    bide_buf_append_str(out, "\r\n");
}

/* Letters, digits and spaces need no quotes. */
static bool needs_quotes(const char *name)
{
    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -'")];
}

static size_t put_name(bide_buf *out, const char *name, size_t column)
{
    if (!needs_quotes(name) && folds_as_it_is(name))
        return put_words(out, name, column);
    if (!is_plain(name) || strstr(name, "=?") || strlen(name) > FIELD_COLUMNS / 2)
        return put_encoded_words(out, name, column);
    if (column > 1 && column + 3 + 2 * strlen(name) > FIELD_COLUMNS) {
        bide_buf_append_str(out, "\r\n");
        column = 0;
    }
    bide_buf_append_str(out, " \"");
    for (const char *at = name; *at; at++, column++) {
        if (*at == '"' || *at == '\\') {
            bide_buf_append_char(out, '\\');
            column++;
        }
        bide_buf_append_char(out, *at);
    }
    bide_buf_append_char(out, '"');
    return column + 3;
}

void bide__mail_put_mailboxes(bide_buf *out, const char *name,
                              const struct bide__mailboxes *mailboxes)
{
    size_t column = strlen(name) + 1;
    bide_buf_printf(out, "%s:", name);
    for (size_t i = 0; i < mailboxes->count; i++) {
        const struct bide__mailbox *box = &mailboxes->items[i];
        size_t length = strlen(box->address) + 4; /* " <", ">" and a comma */
        if (*box->name)
            column = put_name(out, box->name, column);
        if (column > 1 && column + length > FIELD_COLUMNS) {
            bide_buf_append_str(out, "\r\n");
            column = 0;
        }
        bide_buf_printf(out, *box->name ? " <%s>" : " %s", box->address);
        bide_buf_append_str(out, i + 1 < mailboxes->count ? "," : "");
        column += length;
    }
    bide_buf_append_str(out, "\r\n");
}

/* ---- bodies ---- */

/* The length of the line at `text`, and where the next one begins. */
static size_t line_at(const char *text, const char **ret_next)
{
    size_t length = strcspn(text, "\r\n");
    const char *end = text + length;
    *ret_next = end + (end[0] == '\r' && end[1] == '\n' ? 2 : end[0] ? 1 : 0);
    return length;
}

/* A program that keeps mails in one file may change it. */
static bool is_from_line(const char *line, size_t length)
{
    return length >= 5 && memcmp(line, "From ", 5) == 0;
}

static bool goes_as_it_is(const char *text)
{
    while (*text) {
        const char *line = text;
        size_t length = line_at(text, &text);
        if (length > BODY_COLUMNS || is_from_line(line, length) ||
            (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t')))
            return false;
        for (size_t i = 0; i < length; i++)
            if ((line[i] < ' ' && line[i] != '\t') || line[i] > '~')
                return false;
    }
    return true;
}

static void put_lines(bide_buf *out, const char *text)
{
    while (*text) {
        const char *line = text;
        size_t length = line_at(text, &text);
        bide_buf_append(out, line, length);
        bide_buf_append_str(out, "\r\n");
    }
}

/* `row` has room for its end. */
static void put_row(bide_buf *out, char *row, size_t length)
{
    row[length] = '\r';
    row[length + 1] = '\n';
    bide_buf_append(out, row, length + 2);
}

static void put_quoted_line(bide_buf *out, const char *line, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    char row[BODY_COLUMNS + 2];
    size_t column = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        bool space = c == ' ' || c == '\t';
        bool plain = (c > ' ' && c <= '~' && c != '=') || (space && i + 1 < length);
        if (i == 0 && is_from_line(line, length))
            plain = false;
        /* One column stays free for the `=` of a line that goes on. */
        if (column + (plain ? 1 : 3) > BODY_COLUMNS - 1) {
            row[column++] = '=';
            put_row(out, row, column);
            column = 0;
        }
        row[column++] = plain ? line[i] : '=';
        if (!plain) {
            row[column++] = digits[c >> 4];
            row[column++] = digits[c & 15];
        }
    }
    put_row(out, row, column);
}

static void put_quoted_printable(bide_buf *out, const char *text)
{
    while (*text) {
        const char *line = text;
        size_t length = line_at(text, &text);
        put_quoted_line(out, line, length);
    }
}

/* In base64 the line breaks of the text are CRLF too: RFC 2046 section 4.1.1. */
static void put_base64_body(bide_buf *out, const char *text)
{
    unsigned char group[GROUP_BYTES] = {0};
    size_t held = 0;
    while (*text) {
        const char *line = text;
        size_t length = line_at(text, &text);
        for (size_t i = 0; i < length + 2; i++) {
            group[held++] = (unsigned char)(i < length ? line[i] : "\r\n"[i - length]);
            if (held < sizeof group)
                continue;
            put_base64(out, group, held);
            bide_buf_append_str(out, "\r\n");
            held = 0;
        }
    }
    put_base64(out, group, held);
    bide_buf_append_str(out, held ? "\r\n" : "");
}

static void (*writer_of(const char *text, const char **ret_name))(bide_buf *out, const char *text)
{
    size_t length = 0, high = 0;
    if (goes_as_it_is(text)) {
        *ret_name = "7bit";
        return put_lines;
    }
    for (; text[length]; length++)
        high += (unsigned char)text[length] > 126;
    bool dense = high > length / 6; /* where base64 begins to be shorter */
    *ret_name = dense ? "base64" : "quoted-printable";
    return dense ? put_base64_body : put_quoted_printable;
}

const char *bide__mail_encoding(const char *text)
{
    const char *name;
    writer_of(text, &name);
    return name;
}

void bide__mail_put_body(bide_buf *out, const char *text)
{
    const char *name;
    writer_of(text, &name)(out, text);
}
