/*
 * The tokens of a C file, and the shapes that rules ask for: bodies of headings, statements,
 * functions. Called by check.c and the rules. Nothing is preprocessed: the words of bide are
 * macros, and stand in the source as they are meant.
 */
#include "check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "bide-check:";

static void *grown(void *all, size_t count, size_t size)
{
    if (count & (count - 1))
        return all;
    all = reallocarray(all, count ? 2 * count : 1, size);
    if (!all)
        die(EXIT_BUILD, "out of memory");
    return all;
}

/* A comment may say that a rule does not hold here, and why. */
static void read_comment(struct source *source, const char *from, const char *to, int line)
{
    const char *at = memmem(from, (size_t)(to - from), mark, sizeof mark - 1);
    if (!at)
        return;
    at += sizeof mark - 1;
    while (at < to && *at == ' ')
        at++;
    const char *end = at;
    while (end < to && (isalnum((unsigned char)*end) || *end == '-'))
        end++;
    const char *reason = end;
    while (reason < to && !isalnum((unsigned char)*reason))
        reason++;
    for (const char *c = from; c < to; c++)
        line += *c == '\n';
    source->suppressions =
        grown(source->suppressions, source->suppression_count, sizeof *source->suppressions);
    source->suppressions[source->suppression_count++] = (struct suppression){
        line, text_of("%.*s", (int)(end - at), at), *end == ':' && reason < to};
}

/* The word of the preprocessor line that begins here; NULL: it is another line. */
static const char *directive(const char *line)
{
    line += strspn(line, " \t");
    return *line == '#' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

/* Whether it is `if 0`, and no more than a comment follows. */
static bool is_if_0(const char *word)
{
    const char *number = word + 2 + (strncmp(word, "if", 2) == 0 ? strspn(word + 2, " \t") : 0);
    return number > word + 2 && *number == '0' &&
           strchr("/\r\n", number[1 + strspn(number + 1, " \t")]);
}

/* The line that ends the `#if 0` of the lines that begin here, which nobody compiles. */
static const char *end_of_if_0(const char *line)
{
    for (int depth = 1; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *word = directive(line);
        if (!word)
            continue;
        bool ends = strncmp(word, "endif", 5) == 0;
        if (depth == 1 && (ends || strncmp(word, "el", 2) == 0))
            break;
        depth += (strncmp(word, "if", 2) == 0) - ends;
    }
    return line;
}

/* The end of what is not a token: space, a comment, a preprocessor line; or `at`. */
static const char *skip(struct source *source, const char *at, const char *text, int line)
{
    if (isspace((unsigned char)*at))
        return at + 1;
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        end = end ? end + 2 : at + strlen(at);
        read_comment(source, at, end, line);
        return end;
    }
    bool is_line = at[0] == '/' && at[1] == '/';
    if (!is_line && *at == '#') {
        const char *before = at;
        while (before > text && (before[-1] == ' ' || before[-1] == '\t'))
            before--;
        is_line = before == text || before[-1] == '\n';
    }
    if (!is_line)
        return at;
    const char *end = at;
    while (*end && !(*end == '\n' && end[-1] != '\\'))
        end++;
    if (at[0] == '/')
        read_comment(source, at, end, line);
    else if (*end && is_if_0(directive(at)))
        return end_of_if_0(end + 1);
    return end;
}

static const char *end_of_token(const char *at)
{
    const char *end = at + 1;
    if (*at == '"' || *at == '\'') {
        while (*end && *end != *at && *end != '\n')
            end += *end == '\\' && end[1] ? 2 : 1;
        return *end ? end + 1 : end;
    }
    if (isalnum((unsigned char)*at) || *at == '_')
        while (isalnum((unsigned char)*end) || *end == '_')
            end++;
    return end;
}

static void match_brackets(struct source *source)
{
    int *open = calloc((size_t)source->count + 1, sizeof *open), depth = 0;
    if (!open)
        die(EXIT_BUILD, "out of memory");
    for (int i = 0; i < source->count; i++) {
        char c = *source->tokens[i].text;
        if (strchr("([{", c)) {
            open[depth++] = i;
        } else if (strchr(")]}", c) && depth > 0) {
            source->tokens[i].match = open[--depth];
            source->tokens[open[depth]].match = i;
        }
    }
    free(open);
}

struct source *scan(const char *file)
{
    const char *text = read_file(file);
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        die(EXIT_BUILD, "out of memory");
    if (!text)
        return NULL;
    source->file = file;
    int line = 1;
    for (const char *at = text; *at;) {
        const char *end = skip(source, at, text, line);
        if (end == at) {
            end = end_of_token(at);
            source->tokens = grown(source->tokens, (size_t)source->count, sizeof *source->tokens);
            source->tokens[source->count++] = (struct token){at, (int)(end - at), line, -1};
        }
        for (; at < end; at++)
            line += *at == '\n';
    }
    match_brackets(source);
    return source;
}

bool is_word(const struct source *source, int i, const char *word)
{
    return i >= 0 && i < source->count && (int)strlen(word) == source->tokens[i].length &&
           strncmp(source->tokens[i].text, word, strlen(word)) == 0;
}

bool is_name(const struct source *source, int i)
{
    return i >= 0 && i < source->count &&
           (isalpha((unsigned char)*source->tokens[i].text) || *source->tokens[i].text == '_');
}

bool has_same(const struct source *source, int from, int to, int i)
{
    const struct token *wanted = &source->tokens[i];
    for (int k = from; k < to; k++)
        if (source->tokens[k].length == wanted->length &&
            strncmp(source->tokens[k].text, wanted->text, (size_t)wanted->length) == 0)
            return true;
    return false;
}

/* Whether what stands in brackets after this word belongs to a statement that follows. */
static bool is_heading(const struct source *source, int i)
{
    static const char *const words[] = {"if", "for", "while", "switch", "with", "shielded"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is_word(source, i, words[k]))
            return true;
    return is_name(source, i) && (strncmp(source->tokens[i].text, "with_", 5) == 0 ||
                                  strncmp(source->tokens[i].text, "bide_with", 9) == 0);
}

int end_of_statement(const struct source *source, int i)
{
    if (is_word(source, i, "{"))
        return source->tokens[i].match < 0 ? source->count : source->tokens[i].match + 1;
    if (is_word(source, i, "do")) {
        int end = end_of_statement(source, i + 1);
        bool whole = is_word(source, end, "while") && is_word(source, end + 1, "(") &&
                     source->tokens[end + 1].match > end;
        return whole ? end_of_statement(source, source->tokens[end + 1].match + 1) : end;
    }
    if (is_word(source, i, "else"))
        return end_of_statement(source, i + 1);
    if (is_heading(source, i)) {
        int next = i + 1;
        if (is_word(source, next, "("))
            next = source->tokens[next].match + 1;
        int end = next > i ? end_of_statement(source, next) : source->count;
        return is_word(source, end, "else") ? end_of_statement(source, end) : end;
    }
    while (i < source->count && !is_word(source, i, ";") && !is_word(source, i, "}")) {
        bool opens = is_word(source, i, "(") || is_word(source, i, "{") || is_word(source, i, "[");
        i = opens && source->tokens[i].match > i ? source->tokens[i].match + 1 : i + 1;
    }
    return i < source->count ? i + 1 : i;
}

int body_of(const struct source *source, int i, int *ret_from)
{
    int next = i + 1;
    if (is_word(source, next, "(") && source->tokens[next].match > next)
        next = source->tokens[next].match + 1;
    *ret_from = next;
    return end_of_statement(source, next);
}

static bool may_await(const struct source *source, int i)
{
    static const char *const words[] = {
        "await",       "await_task", "attempt",  "move_on_after", "gather",     "gather_settled",
        "first_of",    "retry",      "retry_tx", "with",          "give",       "provide",
        "start_ready", "offload",    "shielded", "spawn",         "spawn_void",
    };
    const char *text = source->tokens[i].text;
    int length = source->tokens[i].length;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is_word(source, i, words[k]))
            return true;
    if (strncmp(text, "with_", 5) == 0 || strncmp(text, "bide_with", 9) == 0 ||
        strncmp(text, "bide_await", 10) == 0 || strncmp(text, "bide_attempt", 12) == 0)
        return !is_word(source, i, "with_no_await");
    bool capitals = is_word(source, i + 1, "(") && isupper((unsigned char)*text);
    for (int k = 0; k < length; k++)
        capitals = capitals && !islower((unsigned char)text[k]);
    return capitals;
}

bool awaits(const struct source *source, int from, int to)
{
    for (int i = from; i < to; i++)
        if (is_name(source, i) && may_await(source, i))
            return true;
    return false;
}

/* Whether what is before the name of a function makes it one that runs in a task. */
static bool is_async_before(const struct source *source, int name)
{
    int i = name - 1;
    while (is_word(source, i, "*"))
        i--;
    if (!is_word(source, i, ")") || source->tokens[i].match < 1)
        return false;
    int word = source->tokens[i].match - 1;
    return is_word(source, word, "async") || is_word(source, word, "bide_async");
}

/* GET(...) { }, TEST(...) { } and their kind; a blocking one runs on a thread of its own. */
static bool is_async_macro(const struct source *source, int name)
{
    static const char *const words[] = {"GET",  "POST",     "PUT",        "PATCH",  "DELETE",
                                        "TEST", "PROVIDER", "MIDDLEWARE", "EXPLORE"};
    for (int i = name + 2; i < source->tokens[name + 1].match; i++)
        if (is_word(source, i, "blocking"))
            return false;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is_word(source, name, words[k]))
            return true;
    return false;
}

bool next_function(const struct source *source, int *i, struct function *ret_function)
{
    for (; *i + 1 < source->count; ++*i) {
        int open = *i + 1, close = is_word(source, open, "(") ? source->tokens[open].match : -1;
        if (is_word(source, *i, "{") && source->tokens[*i].match > *i)
            *i = source->tokens[*i].match; /* a type, an initialiser */
        if (!is_name(source, *i) || close < 0 || !is_word(source, close + 1, "{") ||
            source->tokens[close + 1].match < 0)
            continue;
        *ret_function =
            (struct function){open, close + 2, source->tokens[close + 1].match,
                              is_async_before(source, *i) || is_async_macro(source, *i)};
        *i = ret_function->to + 1;
        return true;
    }
    return false;
}
