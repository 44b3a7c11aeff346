/*
 * The statements of a text of SQL. See split.h.
 */
#include "db/split.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* What closes a quote that `from` opens, or NULL: a quote that is doubled stands for itself, and a
   backslash keeps the next character where the text is an E'' of PostgreSQL. */
static const char *quote_end(const char *from, const char *end, bool escapes)
{
    char quote = *from;
    for (const char *at = from + 1; at < end; at++) {
        if (escapes && *at == '\\')
            at++;
        else if (*at == quote && at + 1 < end && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* Behind a block comment: PostgreSQL's nest, SQLite's do not, and nobody writes one that differs.
 */
static const char *comment_end(const char *from, const char *end)
{
    int depth = 0;
    for (const char *at = from; at + 1 < end; at++) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
    }
    return NULL;
}

/* The length of `$$` or `$tag$` at `from`; 0: there is none. */
static size_t dollar_quote(const char *from, const char *end)
{
    const char *at = from + 1;
    if (at < end && *at >= '0' && *at <= '9')
        return 0;
    while (at < end && is_word(*at))
        at++;
    return at < end && *at == '$' ? (size_t)(at + 1 - from) : 0;
}

static const char *dollar_end(const char *from, const char *end, size_t tag)
{
    for (const char *at = from + tag; (size_t)(end - at) >= tag; at++)
        if (*at == '$' && memcmp(at, from, tag) == 0)
            return at + tag;
    return NULL;
}

/* One piece that no semicolon in it ends. */
struct token {
    const char *end; /* NULL: it is never closed */
    const char *what;
    bool word;
};

static const char *line_end(const char *at, const char *end)
{
    const char *found = memchr(at, '\n', (size_t)(end - at));
    return found ? found : end;
}

static bool is_comment(const char *at, const char *end)
{
    return at + 1 < end && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'));
}

static struct token token_at(const char *at, const char *end)
{
    size_t tag;
    if (is_comment(at, end))
        return at[0] == '-' ? (struct token){line_end(at, end), "", false}
                            : (struct token){comment_end(at, end), "a comment", false};
    if (*at == '\'' || *at == '"' || *at == '`')
        return (struct token){quote_end(at, end, false), "a quote", false};
    if (*at == '$' && (tag = dollar_quote(at, end)) > 0)
        return (struct token){dollar_end(at, end, tag), "a dollar quote", false};
    if ((*at | 0x20) == 'e' && at + 1 < end && at[1] == '\'')
        return (struct token){quote_end(at + 1, end, true), "a quote", false};
    const char *word = at;
    while (word < end && (is_word(*word) || (word > at && *word == '$')))
        word++;
    return (struct token){word > at ? word : at + 1, "", word > at};
}

static void move(struct bide__sql *sql, const char *to)
{
    for (; sql->at < to; sql->at++)
        sql->line += *sql->at == '\n';
}

const char *bide__sql_piece(const char *at, const char *end)
{
    struct token token = token_at(at, end);
    return token.end ? token.end : end;
}

/* Past what no statement begins with. Gives what is never closed, or NULL. */
static const char *skip_between(struct bide__sql *sql)
{
    while (sql->at < sql->end &&
           (is_space(*sql->at) || *sql->at == ';' || is_comment(sql->at, sql->end))) {
        struct token token = token_at(sql->at, sql->end);
        if (!token.end)
            return token.what;
        move(sql, token.end);
    }
    return NULL;
}

/* Where a statement is, as far as semicolons in it matter. */
struct body {
    int words;
    bool routine; /* `create ... trigger`, or function, or procedure */
    bool creates;
    int depth; /* of BEGIN and CASE */
};

static bool equals(const char *word, size_t length, const char *text)
{
    return strlen(text) == length && strncasecmp(word, text, length) == 0;
}

static void see_word(struct body *body, const char *word, size_t length)
{
    body->words++;
    if (body->words == 1)
        body->creates = equals(word, length, "create");
    /* `create or replace function`, `create temp trigger`: it is among the first. */
    if (body->creates && body->words <= 5 &&
        (equals(word, length, "trigger") || equals(word, length, "function") ||
         equals(word, length, "procedure")))
        body->routine = true;
    if (!body->routine)
        return;
    if (equals(word, length, "begin") || (body->depth > 0 && equals(word, length, "case")))
        body->depth++;
    else if (body->depth > 0 && equals(word, length, "end"))
        body->depth--;
}

static int never_closed(const struct bide__sql *sql, const char *what,
                        struct bide__sql_statement *ret_statement)
{
    *ret_statement = (struct bide__sql_statement){what, strlen(what), sql->line};
    return -EBADMSG;
}

int bide__sql_next(struct bide__sql *sql, struct bide__sql_statement *ret_statement)
{
    struct body body = {.words = 0};
    const char *what = skip_between(sql);
    if (what)
        return never_closed(sql, what, ret_statement);
    if (sql->at >= sql->end)
        return 0;
    *ret_statement = (struct bide__sql_statement){sql->at, 0, sql->line};
    while (sql->at < sql->end && (*sql->at != ';' || body.depth > 0)) {
        struct token token = token_at(sql->at, sql->end);
        if (!token.end)
            return never_closed(sql, token.what, ret_statement);
        if (token.word)
            see_word(&body, sql->at, (size_t)(token.end - sql->at));
        if (!is_space(*sql->at) && !is_comment(sql->at, sql->end))
            ret_statement->length = (size_t)(token.end - ret_statement->text);
        move(sql, token.end);
    }
    if (body.depth > 0) {
        sql->line = ret_statement->line;
        return never_closed(sql, "BEGIN", ret_statement);
    }
    return 1;
}

bool bide__sql_begins(const struct bide__sql_statement *statement, const char *word)
{
    size_t length = strlen(word);
    return statement->length >= length && strncasecmp(statement->text, word, length) == 0 &&
           (statement->length == length || !is_word(statement->text[length]));
}
