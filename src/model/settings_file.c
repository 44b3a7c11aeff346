/*
 * The lines of a file of settings. Called by settings.c. A line that is wrong is told, without its
 * text, which may be a secret; reading goes on behind it.
 */
#include "model/settings_file.h"

#include <errno.h>
#include <string.h>

struct parser {
    bide_arena *arena;
    const char *at;
    int number; /* of the line at `at` */
    struct bide__settings_line **end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

/* What an escape in double quotes stands for; 0: nothing, both characters stay. */
static char escaped(char c)
{
    static const char names[] = "ntr\"\\'", meant[] = "\n\t\r\"\\'";
    const char *found = c ? strchr(names, c) : NULL;
    return found ? meant[found - names] : '\0';
}

/* A value in quotes, at the first of them: copied without; `at` goes behind the last. NULL: it is
   wrong, or there is no memory. */
static const char *read_quoted(struct parser *parser, const char **at, const char **ret_wrong)
{
    char quote = **at;
    const char *from = *at + 1;
    const char *end = from;
    while (*end && *end != quote)
        end += end[0] == '\\' && end[1] ? 2 : 1;
    if (!*end) {
        *ret_wrong = "a quote is opened and never closed";
        return NULL;
    }
    char *value = bide_arena_alloc(parser->arena, (size_t)(end - from) + 1), *to = value;
    if (!value)
        return NULL;
    for (; from < end; from++) {
        char c = *from == '\\' ? escaped(from[1]) : '\0';
        if (quote == '\'' && c != '\'' && c != '\\')
            c = '\0';
        *to++ = c ? c : *from;
        from += c != '\0';
    }
    *to = '\0';
    *at = end + 1;
    return value;
}

/* A value without quotes: up to the line's end, or ` #`. */
static const char *read_plain(struct parser *parser, const char **at)
{
    const char *from = *at, *end = from;
    while (*end && *end != '\n' && !(*end == '#' && (end == from || is_blank(end[-1]))))
        end++;
    *at = end;
    while (end > from && is_blank(end[-1]))
        end--;
    return bide_arena_strndup(parser->arena, from, (size_t)(end - from));
}

/* The NAME=value at `at`. Fills the line, or says what is wrong. Returns where it ends. */
static const char *read_line(struct parser *parser, const char *at,
                             struct bide__settings_line *line)
{
    if (strncmp(at, "export", 6) == 0 && is_blank(at[6]))
        at = skip_blanks(at + 6);
    const char *name = at;
    while (is_name(*at))
        at++;
    size_t length = (size_t)(at - name);
    at = skip_blanks(at);
    if (length == 0 || *at != '=' || (*name >= '0' && *name <= '9')) {
        line->wrong = "not of the form NAME=value";
        return at;
    }
    line->name = bide_arena_strndup(parser->arena, name, length);
    at = skip_blanks(at + 1);
    bool is_quoted = *at == '"' || *at == '\'';
    line->value = is_quoted ? read_quoted(parser, &at, &line->wrong) : read_plain(parser, &at);
    if (!is_quoted || line->wrong)
        return at;
    at = skip_blanks(at);
    if (*at && *at != '\n' && *at != '#')
        line->wrong = "something stands behind the closing quote";
    return at;
}

/* Goes behind the end of the line at `to`, counting those on the way. */
static void go_on(struct parser *parser, const char *to)
{
    for (; parser->at < to; parser->at++)
        parser->number += *parser->at == '\n';
    const char *end = strchr(parser->at, '\n');
    parser->at = end ? end + 1 : parser->at + strlen(parser->at);
    parser->number++;
}

int bide__settings_lines(bide_arena *arena, const char *text,
                         struct bide__settings_line **ret_first)
{
    struct parser parser = {arena, text, 1, ret_first};
    *ret_first = NULL;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, as some editors write */
        parser.at += 3;
    while (*parser.at) {
        const char *at = skip_blanks(parser.at);
        if (*at && *at != '\n' && *at != '#') {
            struct bide__settings_line *line = bide_arena_alloc_zero(arena, 1, sizeof *line);
            if (!line)
                return -ENOMEM;
            line->number = parser.number;
            at = read_line(&parser, at, line);
            if (line->wrong)
                line->name = line->value = "";
            if (!line->name || !line->value)
                return -ENOMEM;
            *parser.end = line;
            parser.end = &line->next;
        }
        go_on(&parser, at);
    }
    return 0;
}
