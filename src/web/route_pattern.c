/*
 * Patterns: see route_pattern.h for the rules. Called by router.c; calls arena.
 */
#include "web/route_pattern.h"

#include <stdbool.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether a byte stands in a path as it is: pchar of RFC 3986 section 3.3, but no percent sign. */
static bool is_plain(char c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("-.~!$&'()*+,;=:@", c));
}

static bool is_identifier(const char *text, size_t length)
{
    if (length == 0 || is_digit(text[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter(text[i]) && !is_digit(text[i]))
            return false;
    return true;
}

/* These three fill a piece; they return what is wrong, or NULL. */
static const char *parse_literal(const char *text, size_t length,
                                 struct bide__route_piece *ret_piece)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%')
            return "it is to be written decoded, without '%'";
        if (text[i] == '?' || text[i] == '#')
            return "it is a path only, without '?' and '#'";
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            return "it has a control character";
        if (text[i] == '{' || text[i] == '}')
            return "a parameter is a whole segment, '{name}' between two slashes";
    }
    if ((length == 1 && text[0] == '.') || (length == 2 && text[0] == '.' && text[1] == '.'))
        return "the segments '.' and '..' never arrive: paths are normalised";
    *ret_piece = (struct bide__route_piece){BIDE__ROUTE_LITERAL, text, length};
    return NULL;
}

static const char *parse_parameter(const char *text, size_t length,
                                   struct bide__route_piece *ret_piece)
{
    const char *close = memchr(text, '}', length);
    if (!close)
        return "a '{' is not closed in its segment";
    if (close != text + length - 1)
        return "a parameter is a whole segment, '{name}' between two slashes";
    const char *name = text + 1;
    size_t name_length = length - 2;
    const char *colon = memchr(name, ':', name_length);
    enum bide__route_piece_kind kind = colon ? BIDE__ROUTE_REST : BIDE__ROUTE_PARAMETER;
    if (colon) {
        if (close - colon != 5 || memcmp(colon, ":path", 5) != 0)
            return "after a parameter's name only ':path' may follow";
        name_length = (size_t)(colon - name);
    }
    if (!is_identifier(name, name_length))
        return "a parameter's name is a C identifier";
    *ret_piece = (struct bide__route_piece){kind, name, name_length};
    return NULL;
}

static const char *parse_piece(const char *text, size_t length, struct bide__route_pattern *pattern)
{
    if (pattern->piece_count == BIDE__ROUTE_SEGMENTS)
        return "it has too many segments";
    struct bide__route_piece *piece = &pattern->pieces[pattern->piece_count];
    const char *wrong = length > 0 && text[0] == '{' ? parse_parameter(text, length, piece)
                                                     : parse_literal(text, length, piece);
    if (wrong)
        return wrong;
    for (unsigned i = 0; i < pattern->piece_count; i++) {
        const struct bide__route_piece *earlier = &pattern->pieces[i];
        if (earlier->kind == BIDE__ROUTE_REST)
            return piece->kind == BIDE__ROUTE_REST ? "it has two catch-alls"
                                                   : "a catch-all is the last segment";
        if (earlier->kind == BIDE__ROUTE_PARAMETER && piece->kind != BIDE__ROUTE_LITERAL &&
            earlier->length == piece->length &&
            memcmp(earlier->text, piece->text, piece->length) == 0)
            return "it has two parameters of one name";
    }
    pattern->piece_count++;
    pattern->parameter_count += piece->kind != BIDE__ROUTE_LITERAL;
    return pattern->parameter_count > BIDE__ROUTE_PARAMETERS ? "it has too many parameters" : NULL;
}

const char *bide__route_pattern_parse(const char *text, struct bide__route_pattern *ret_pattern)
{
    if (strlen(text) > BIDE__ROUTE_PATTERN_BYTES)
        return "it is too long";
    if (text[0] != '/')
        return "it has to begin with '/'";
    ret_pattern->piece_count = 0;
    ret_pattern->parameter_count = 0;
    for (;;) {
        text++;
        size_t length = strcspn(text, "/");
        if (length == 0 && text[0] == '/')
            return "it has an empty segment";
        const char *wrong = parse_piece(text, length, ret_pattern);
        if (wrong)
            return wrong;
        text += length;
        if (text[0] == '\0')
            return NULL;
    }
}

char *bide__route_piece_encode(bide_arena *arena, const struct bide__route_piece *piece,
                               size_t *ret_length)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = bide_arena_alloc(arena, 3 * piece->length);
    if (!text)
        return NULL;
    size_t length = 0;
    for (size_t i = 0; i < piece->length; i++) {
        unsigned char byte = (unsigned char)piece->text[i];
        if (is_plain(piece->text[i])) {
            text[length++] = piece->text[i];
        } else {
            text[length++] = '%';
            text[length++] = digits[byte >> 4];
            text[length++] = digits[byte & 15];
        }
    }
    *ret_length = length;
    return text;
}
