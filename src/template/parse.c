/*
 * Templates into tokens: tags, what they enclose, lines that are nothing but a tag. Called by
 * store.c and compile.c; pure.
 *
 * Invariant
 *  1. Tokens point into the text; a tag that is closed knows where, and is closed in order.
 */
#include "template/template.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
    bide_arena *arena;
    const char *file;
    const char *start, *end;
    const char *at;
    unsigned line;                  /* of `at` */
    struct bide__slice open, close; /* delimiters */
    struct bide__token *tokens;
    uint32_t count, capacity;
    uint32_t opened[BIDE_CAP_TEMPLATE_DEPTH]; /* tokens that are not closed yet */
    unsigned depth;
    struct bide__template_problem *problem;
};

int bide__template_refuse(struct bide__template_problem *problem, const char *file, unsigned line,
                          const char *format, ...)
{
    if (problem->is_set)
        return -EINVAL;
    va_list args;
    va_start(args, format);
    int length = snprintf(problem->text, sizeof problem->text, "%s:%u: ", file, line);
    if (length > 0 && (size_t)length < sizeof problem->text)
        vsnprintf(problem->text + length, sizeof problem->text - (size_t)length, format, args);
    va_end(args);
    problem->is_set = true;
    return -EINVAL;
}

/* A name in a problem: not all of what may be a whole page. */
#define NAME_IN_PROBLEM(slice) (int)((slice).length < 80 ? (slice).length : 80), (slice).bytes

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n' || c == '\r';
}

static struct bide__slice trimmed(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    while (at < end && is_space(end[-1]))
        end--;
    return bide__slice(at, (size_t)(end - at));
}

static const char *find(const char *at, const char *end, struct bide__slice what)
{
    return memmem(at, (size_t)(end - at), what.bytes, what.length);
}

static int add(struct parser *parser, struct bide__token token)
{
    if (parser->count == parser->capacity) {
        uint32_t capacity = parser->capacity ? parser->capacity * 2 : 32;
        if (capacity > BIDE_CAP_TEMPLATE_OPS)
            return bide__template_refuse(parser->problem, parser->file, token.line,
                                         "more than %d tags", BIDE_CAP_TEMPLATE_OPS);
        struct bide__token *grown = bide_arena_alloc_zero(parser->arena, capacity, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        if (parser->count)
            memcpy(grown, parser->tokens, parser->count * sizeof *grown);
        parser->tokens = grown;
        parser->capacity = capacity;
    }
    parser->tokens[parser->count++] = token;
    return 0;
}

static int add_text(struct parser *parser, const char *at, const char *end, unsigned line)
{
    if (at == end)
        return 0;
    return add(parser, (struct bide__token){.kind = BIDE__TOKEN_TEXT,
                                            .line = line,
                                            .text = bide__slice(at, (size_t)(end - at))});
}

/* Where the line begins that `at` is in, if only blanks are before it; else NULL. */
static const char *line_before(const struct parser *parser, const char *at)
{
    while (at > parser->start && is_blank(at[-1]))
        at--;
    return at == parser->start || at[-1] == '\n' ? at : NULL;
}

/* Behind the end of the line that `at` is in, if only blanks are left of it; else NULL. */
static const char *line_behind(const struct parser *parser, const char *at)
{
    while (at < parser->end && is_blank(*at))
        at++;
    if (at == parser->end)
        return at;
    if (*at == '\r' && at + 1 < parser->end && at[1] == '\n')
        at++;
    return *at == '\n' ? at + 1 : NULL;
}

static void count_lines(struct parser *parser, const char *to)
{
    for (const char *at = parser->at; at < to && (at = memchr(at, '\n', (size_t)(to - at))); at++)
        parser->line++;
    parser->at = to;
}

/* {{=<% %>=}}: `text` is what stands between the signs. */
static int set_delimiters(struct parser *parser, struct bide__slice text)
{
    const char *at = text.bytes, *end = at + text.length, *first_end = at;
    while (first_end < end && !is_space(*first_end))
        first_end++;
    struct bide__slice second = trimmed(first_end, end);
    bool wrong = first_end == at || second.length == 0;
    for (const char *c = at; c < end; c++)
        wrong |= *c == '=';
    for (size_t i = 0; i < second.length; i++)
        wrong |= is_space(second.bytes[i]);
    if (wrong)
        return bide__template_refuse(parser->problem, parser->file, parser->line,
                                     "delimiters are set like {{=<%% %%>=}}");
    parser->open = bide__slice(at, (size_t)(first_end - at));
    parser->close = second;
    return 0;
}

static int close_tag(struct parser *parser, struct bide__token token)
{
    if (parser->depth == 0)
        return bide__template_refuse(parser->problem, parser->file, token.line,
                                     "`%.*s` is closed, but was not opened",
                                     NAME_IN_PROBLEM(token.text));
    struct bide__token *opener = &parser->tokens[parser->opened[--parser->depth]];
    if (!bide__slice_equal(opener->text, token.text))
        return bide__template_refuse(parser->problem, parser->file, token.line,
                                     "`%.*s` is closed, but `%.*s` of line %u is open",
                                     NAME_IN_PROBLEM(token.text), NAME_IN_PROBLEM(opener->text),
                                     opener->line);
    opener->partner = parser->count;
    return add(parser, token);
}

static int open_tag(struct parser *parser, struct bide__token token)
{
    if (parser->depth == BIDE_CAP_TEMPLATE_DEPTH)
        return bide__template_refuse(parser->problem, parser->file, token.line,
                                     "more than %d sections inside each other",
                                     BIDE_CAP_TEMPLATE_DEPTH);
    parser->opened[parser->depth++] = parser->count;
    return add(parser, token);
}

static enum bide__token_kind kind_of(char sign)
{
    switch (sign) {
    case '{':
    case '&':
        return BIDE__TOKEN_RAW;
    case '@':
        return BIDE__TOKEN_LINK;
    case '#':
        return BIDE__TOKEN_SECTION;
    case '^':
        return BIDE__TOKEN_INVERTED;
    case '>':
        return BIDE__TOKEN_PARTIAL;
    case '<':
        return BIDE__TOKEN_PARENT;
    case '$':
        return BIDE__TOKEN_BLOCK;
    case '/':
        return BIDE__TOKEN_CLOSE;
    default:
        return BIDE__TOKEN_VALUE;
    }
}

/* One tag, taken apart. */
struct tag {
    char sign;               /* 0: a value */
    struct bide__slice text; /* between sign and end, trimmed */
    const char *end;         /* behind it */
};

/* The tag whose inside begins at `at`. */
static int read_tag(struct parser *parser, const char *at, struct tag *ret_tag)
{
    struct bide__slice close = parser->close;
    while (at < parser->end && is_space(*at))
        at++;
    char sign = at < parser->end && strchr("{&@#^><$/!=", *at) && *at ? *at++ : 0;
    const char *end = find(at, parser->end, close), *inside_end = end;
    if (sign == '{' && end) { /* "}}}": the first brace is the sign's */
        const char *brace = memchr(at, '}', (size_t)(end - at) + 1);
        inside_end = brace;
        end = brace ? find(brace + 1, parser->end, close) : NULL;
        if (end && trimmed(brace + 1, end).length)
            end = NULL;
    } else if (sign == '=' && end) {
        inside_end = end > at && end[-1] == '=' ? end - 1 : NULL;
    }
    if (!end || !inside_end)
        return bide__template_refuse(parser->problem, parser->file, parser->line,
                                     "a tag is not closed by `%.*s%s`", (int)close.length,
                                     close.bytes, sign == '{' ? "` after `}" : "");
    *ret_tag = (struct tag){sign, trimmed(at, inside_end), end + close.length};
    return 0;
}

static int check_name(struct parser *parser, const struct tag *tag)
{
    if (tag->text.length == 0)
        return bide__template_refuse(parser->problem, parser->file, parser->line,
                                     "a tag without a name");
    for (size_t i = 0; i < tag->text.length && tag->sign != '@'; i++)
        if (is_space(tag->text.bytes[i]))
            return bide__template_refuse(parser->problem, parser->file, parser->line,
                                         "a name with a space: `%.*s`", NAME_IN_PROBLEM(tag->text));
    return 0;
}

/* Adds the tag; its literal before it and its standing alone are done. */
static int add_tag(struct parser *parser, const struct tag *tag, struct bide__slice indentation)
{
    if (tag->sign == '!')
        return 0;
    if (tag->sign == '=')
        return set_delimiters(parser, tag->text);
    int result = check_name(parser, tag);
    if (result < 0)
        return result;
    struct bide__token token = {.kind = kind_of(tag->sign),
                                .line = parser->line,
                                .text = tag->text,
                                .indentation = indentation};
    if (token.kind == BIDE__TOKEN_CLOSE)
        return close_tag(parser, token);
    if (token.kind == BIDE__TOKEN_SECTION || token.kind == BIDE__TOKEN_INVERTED ||
        token.kind == BIDE__TOKEN_PARENT || token.kind == BIDE__TOKEN_BLOCK)
        return open_tag(parser, token);
    return add(parser, token);
}

/* The parent that is open innermost, or NULL. */
static struct bide__token *open_parent(const struct parser *parser)
{
    struct bide__token *token =
        parser->depth ? &parser->tokens[parser->opened[parser->depth - 1]] : NULL;
    return token && token->kind == BIDE__TOKEN_PARENT ? token : NULL;
}

/* A parent ends that began behind blanks only. If nothing else is behind its end, it stands alone
   from tag to tag: its blanks go, and the end of this line. Whether they do. */
static bool end_element(struct bide__token *parent, bool ends_line)
{
    struct bide__token *blanks = parent - 1;
    if (!parent->begins_line)
        return false;
    if (!ends_line)
        parent->indentation = bide__slice("", 0);
    else if (!parent->is_alone && parent->indentation.length)
        blanks->text.length -= parent->indentation.length;
    return ends_line;
}

/* Whether it is a block right inside of a parent: its text begins on the next line then. */
static bool is_argument(const struct parser *parser, const struct tag *tag)
{
    return tag->sign == '$' && open_parent(parser);
}

/* The next tag with the literal before it. */
static int step(struct parser *parser, const char *tag_start)
{
    struct tag tag = {0};
    const char *text_start = parser->at, *text_end = tag_start, *next;
    const char *before = NULL, *behind = NULL;
    unsigned text_line = parser->line;
    struct bide__slice indentation = {"", 0};
    count_lines(parser, tag_start);
    int result = read_tag(parser, tag_start + parser->open.length, &tag);
    if (result < 0)
        return result;
    next = tag.end;
    if (tag.sign && !strchr("{&@", tag.sign)) {
        before = line_before(parser, tag_start);
        behind = line_behind(parser, tag.end);
        if (before && before < text_start)
            before = text_start == tag_start ? text_start : NULL;
    }
    bool is_alone = before && behind;
    if (before && (behind || tag.sign == '<'))
        indentation = bide__slice(before, (size_t)(tag_start - before));
    if (is_alone)
        text_end = before;
    struct bide__token *parent = tag.sign == '/' ? open_parent(parser) : NULL;
    if (is_alone || (behind && is_argument(parser, &tag)))
        next = behind;
    if (parent && end_element(parent, behind != NULL))
        next = behind;
    uint32_t index = parser->count + (text_end > text_start);
    result = add_text(parser, text_start, text_end, text_line);
    if (result == 0)
        result = add_tag(parser, &tag, indentation);
    if (result == 0 && tag.sign == '<') {
        parser->tokens[index].begins_line = before != NULL;
        parser->tokens[index].is_alone = is_alone;
    }
    count_lines(parser, next);
    return result;
}

int bide__template_parse(bide_arena *arena, const char *file, struct bide__slice text,
                         struct bide__tokens *ret_tokens, struct bide__template_problem *problem)
{
    struct parser parser = {
        .arena = arena,
        .file = file,
        .start = text.bytes,
        .end = text.bytes + text.length,
        .at = text.bytes,
        .line = 1,
        .open = {"{{", 2},
        .close = {"}}", 2},
        .problem = problem,
    };
    const char *tag;
    int result = 0;
    while (result == 0 && (tag = find(parser.at, parser.end, parser.open)))
        result = step(&parser, tag);
    if (result == 0)
        result = add_text(&parser, parser.at, parser.end, parser.line);
    if (result == 0 && parser.depth) {
        const struct bide__token *opener = &parser.tokens[parser.opened[parser.depth - 1]];
        result = bide__template_refuse(problem, file, opener->line, "`%.*s` is not closed",
                                       NAME_IN_PROBLEM(opener->text));
    }
    *ret_tokens = (struct bide__tokens){parser.tokens, parser.count};
    return result;
}

const char *bide__template_indent(bide_arena *arena, struct bide__slice text,
                                  struct bide__slice indentation, size_t *ret_length)
{
    size_t lines = 1, length = 0;
    for (size_t i = 0; i < text.length; i++)
        lines += text.bytes[i] == '\n';
    char *out = bide_arena_alloc(arena, text.length + lines * indentation.length + 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < text.length; i++) {
        if ((i == 0 || text.bytes[i - 1] == '\n') && text.bytes[i] != '\n') {
            memcpy(out + length, indentation.bytes, indentation.length);
            length += indentation.length;
        }
        out[length++] = text.bytes[i];
    }
    *ret_length = length;
    return out;
}
