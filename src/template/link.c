/*
 * {{@route name=field ...}}: the URL of a route as literals, values and pairs of a query. Called by
 * compile.c; calls name.c for the fields, html.c for the place. What routes there are is said by
 * the web layer (struct bide__links).
 *
 * Invariants
 *  1. All of it is checked when the template is compiled: the route, the names of its parameters,
 *     the types of the fields, the values of literals.
 *  2. A URL begins with a path of this site, or with the public URL, so that no value can change
 *     where it leads to.
 */
#include "template/compile.h"

#include "base/nearest.h"
#include "template/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { ARGUMENTS = 32 };

/* `name=field`, `name=7`, `name="text"`. */
struct argument {
    struct bide__slice name, value;
    bool is_literal, is_used;
};

/* A tag that is being compiled. */
struct link_tag {
    struct bide__compiler *compiler;
    const struct bide__source *source;
    const struct bide__names *scope;
    const struct bide__token *token;
    struct bide__slice target; /* a route's name, or a path */
    bool is_absolute;
    struct argument arguments[ARGUMENTS];
    unsigned count;
};

static int refuse(const struct link_tag *tag, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
static int refuse(const struct link_tag *tag, const char *format, ...)
{
    char why[400];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return bide__template_refuse(tag->compiler->problem, tag->source->file->where, tag->token->line,
                                 "{{@%.*s}}: %s", (int)tag->target.length, tag->target.bytes, why);
}

/* "did you mean `x`?", or nothing. */
static const char *meant(const struct link_tag *tag, const struct bide__nearest *nearest)
{
    const char *text = nearest->best ? bide_arena_printf(&tag->compiler->scratch,
                                                         ": did you mean `%s`?", nearest->best)
                                     : "";
    return text ? text : "";
}

static const char *copy_of(const struct link_tag *tag, struct bide__slice text)
{
    const char *copy = bide_arena_strndup(&tag->compiler->scratch, text.bytes, text.length);
    return copy ? copy : "";
}

/* ---- the words of a tag ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes the next word; spaces in quotes are of it. False at the end. */
static bool next_word(struct bide__slice *rest, struct bide__slice *ret_word)
{
    size_t length = 0;
    bool quoted = false;
    while (rest->length > 0 && is_space(*rest->bytes))
        *rest = bide__slice_from(*rest, 1);
    for (; length < rest->length && (quoted || !is_space(rest->bytes[length])); length++)
        quoted ^= rest->bytes[length] == '"';
    *ret_word = bide__slice(rest->bytes, length);
    *rest = bide__slice_from(*rest, length);
    return length > 0;
}

static bool is_literal(struct bide__slice value)
{
    return strchr("\"-0123456789", *value.bytes) ||
           bide__slice_equal(value, bide__slice("true", 4)) ||
           bide__slice_equal(value, bide__slice("false", 5));
}

static int read_argument(struct link_tag *tag, struct bide__slice word)
{
    const char *equals = memchr(word.bytes, '=', word.length);
    size_t length = equals ? (size_t)(equals - word.bytes) : 0;
    struct bide__slice value = equals ? bide__slice_from(word, length + 1) : word;
    if (length == 0 || value.length == 0)
        return refuse(tag, "`%.*s`: parameters are written name=field, name=7 or name=\"text\"",
                      (int)word.length, word.bytes);
    if (tag->count == ARGUMENTS)
        return refuse(tag, "more than %d parameters", ARGUMENTS);
    struct argument *argument = &tag->arguments[tag->count++];
    *argument = (struct argument){bide__slice(word.bytes, length), value, is_literal(value), false};
    if (*value.bytes != '"')
        return 0;
    if (value.length < 2 || value.bytes[value.length - 1] != '"' ||
        memchr(value.bytes + 1, '"', value.length - 2))
        return refuse(tag, "the text of `%.*s` does not end with its quote", (int)length,
                      word.bytes);
    argument->value = bide__slice(value.bytes + 1, value.length - 2);
    return 0;
}

static int read_words(struct link_tag *tag)
{
    struct bide__slice rest = tag->token->text, word;
    if (*rest.bytes == '@') {
        tag->is_absolute = true;
        rest = bide__slice_from(rest, 1);
    }
    if (!next_word(&rest, &tag->target))
        return refuse(tag, "it names no route");
    int result = 0;
    while (result == 0 && next_word(&rest, &word))
        result = read_argument(tag, word);
    return result;
}

static struct argument *find_argument(struct link_tag *tag, const char *name)
{
    for (unsigned i = 0; i < tag->count; i++)
        if (bide__slice_equal(tag->arguments[i].name, bide__slice_of(name)))
            return &tag->arguments[i];
    return NULL;
}

/* ---- what is written ---- */

/* A literal of a URL; in HTML its `&` and `'` are entities. */
static void put_literal(struct link_tag *tag, struct bide__slice text)
{
    bide_buf *literal = &tag->compiler->literal;
    for (size_t i = 0; i < text.length; i++) {
        if (tag->compiler->is_html && text.bytes[i] == '&')
            bide_buf_append_str(literal, "&amp;");
        else if (tag->compiler->is_html && text.bytes[i] == '\'')
            bide_buf_append_str(literal, "&#39;");
        else
            bide_buf_append_char(literal, text.bytes[i]);
    }
}

/* Whether the URL can stand here, which it begins. What follows sees a URL with a path. */
static int take_place(struct link_tag *tag, bool has_query)
{
    struct bide__html *html = &tag->compiler->html, copy = *html;
    enum bide__escape escape;
    size_t stop;
    if (!tag->compiler->is_html)
        return 0;
    bool is_url = html->where == BIDE__HTML_VALUE &&
                  (html->attribute == BIDE__HTML_URL || html->attribute == BIDE__HTML_URLS ||
                   html->attribute == BIDE__HTML_LOADED);
    if (is_url && !(html->url & BIDE__URL_EMPTY))
        return refuse(tag, "it is a whole URL: nothing can stand before it");
    const char *reason = is_url ? NULL : bide__html_value(&copy, false, false, &escape);
    const char *like = tag->is_absolute ? "https://a/a" : "/a";
    if (!reason)
        reason = bide__html_literal(html, bide__slice_of(like), &stop);
    if (!reason && has_query)
        reason = bide__html_literal(html, bide__slice("?a", 2), &stop);
    return reason ? refuse(tag, "%s", reason) : 0;
}

/* ---- values ---- */

static bool is_integer(enum bide_kind kind)
{
    return kind == BIDE_KIND_I32 || kind == BIDE_KIND_I64;
}

/* Whether the text of this is one that the parameter reads. */
static bool fits(const bide_field *field, const struct bide__place *place)
{
    enum bide_kind kind = place->aspect == BIDE__ASPECT_COUNT ? BIDE_KIND_I64
                          : place->aspect == BIDE__ASPECT_IS  ? BIDE_KIND_BOOL
                                                              : place->kind;
    enum bide_kind wanted = field->kind == BIDE_KIND_LIST ? field->type->kind : field->kind;
    if (kind == BIDE_KIND_LIST)
        return field->kind == BIDE_KIND_LIST && strcmp(place->type->name, field->type->name) == 0;
    if (wanted == BIDE_KIND_STR)
        return kind != BIDE_KIND_OBJ && kind != BIDE_KIND_BYTES && kind != BIDE_KIND_JSON;
    if (is_integer(wanted))
        return is_integer(kind);
    return kind == wanted && (place->aspect != BIDE__ASPECT_VALUE ||
                              strcmp(place->type->name, field->type->name) == 0);
}

/* The field that is named, for a parameter (NULL: of any type). */
static int find_place(struct link_tag *tag, struct bide__slice name, const bide_field *parameter,
                      const char *called, struct bide__place *ret_place)
{
    struct bide__token token = *tag->token;
    token.text = name;
    int result = bide__compiler_resolve(tag->compiler, tag->source, tag->scope, &token, ret_place);
    if (result < 0)
        return result;
    bool is_plain = ret_place->aspect != BIDE__ASPECT_VALUE ||
                    (ret_place->kind != BIDE_KIND_LIST && ret_place->kind != BIDE_KIND_OBJ);
    if (parameter ? fits(parameter, ret_place) : is_plain)
        return 0;
    return refuse(tag, "`%.*s` is a `%s`, the route takes `%s` as a `%s`", (int)name.length,
                  name.bytes, ret_place->type->name, called,
                  parameter ? parameter->type->name : "text");
}

/* Whether the route would take the literal. */
static int check_literal(struct link_tag *tag, const bide_field *field, struct bide__slice text)
{
    bide_arena *arena = &tag->compiler->scratch;
    bide_problems problems;
    bide_problems_init(&problems, arena);
    const bide_input input = {.arena = arena, .problems = &problems, .where = "it"};
    bool is_list = field->kind == BIDE_KIND_LIST;
    const struct bide__target target = {is_list ? field->type->kind : field->kind, field->type,
                                        is_list ? NULL : field};
    void *value = bide_arena_alloc_zero(arena, 1, field->type->size + 64);
    if (!value || bide__text_read(&input, NULL, &target, text.bytes, text.length, value) < 0)
        return -ENOMEM;
    return problems.first ? refuse(tag, "`%s` cannot be \"%.*s\": %s", field->json_name,
                                   (int)text.length, text.bytes, problems.first->msg)
                          : 0;
}

/* A literal as a part of a path. */
static int put_part(struct link_tag *tag, const struct bide__link_part *part,
                    struct bide__slice text, enum bide__escape escape)
{
    struct bide__out out = {.buf = &tag->compiler->literal};
    if (part->field && check_literal(tag, part->field, text) < 0)
        return -EINVAL;
    if (!bide__url_part_fits(text, part->is_rest))
        return refuse(tag, "`%.*s` cannot be \"%.*s\": no path can have it", (int)part->text.length,
                      part->text.bytes, (int)text.length, text.bytes);
    bide__out_text(&out, escape, text.bytes, text.length);
    bide__out_flush(&out);
    return 0;
}

/* A parameter of the path: what the tag says, or the field of its name. `is_root`: only a `/`
   stands before it. */
static int add_parameter(struct link_tag *tag, const struct bide__link_part *part, bool is_root)
{
    enum bide__escape escape = !part->is_rest ? BIDE__ESCAPE_URL_QUERY
                               : is_root      ? BIDE__ESCAPE_URL_ROOT
                                              : BIDE__ESCAPE_URL_PATH;
    const char *name = copy_of(tag, part->text);
    struct argument *argument = find_argument(tag, name);
    struct bide__place place;
    if (argument)
        argument->is_used = true;
    if (argument && argument->is_literal)
        return put_part(tag, part, argument->value, escape);
    int result =
        find_place(tag, argument ? argument->value : part->text, part->field, name, &place);
    return result < 0 ? result : bide__compiler_put(tag->compiler, BIDE__OP_PART, &place, escape);
}

/* ---- queries ---- */

static int add_query(struct link_tag *tag, const bide_field *field, struct argument *argument,
                     bool is_first)
{
    struct bide__query query = {.is_first = is_first, .is_html = tag->compiler->is_html};
    argument->is_used = true;
    query.name = field->json_name;
    if (argument->is_literal) {
        if (check_literal(tag, field, argument->value) < 0)
            return -EINVAL;
        query.text = bide_arena_strndup(&tag->compiler->code->arena, argument->value.bytes,
                                        argument->value.length);
        if (!query.text)
            return -ENOMEM;
    } else {
        int result = find_place(tag, argument->value, field, field->json_name, &query.place);
        if (result < 0)
            return result;
    }
    return bide__compiler_put_query(tag->compiler, &query);
}

static int add_queries(struct link_tag *tag, const struct bide__link *link)
{
    int result = 0;
    bool is_first = true;
    for (unsigned i = 0; i < tag->count && result == 0; i++) {
        struct argument *argument = &tag->arguments[i];
        struct bide__nearest nearest = {.wanted = copy_of(tag, argument->name)};
        const bide_field *field = NULL;
        for (unsigned n = 0; n < link->part_count; n++)
            if (link->parts[n].is_parameter)
                bide__nearest_offer(&nearest, copy_of(tag, link->parts[n].text));
        for (unsigned n = 0; n < link->query_count; n++) {
            bide__nearest_offer(&nearest, link->queries[n]->json_name);
            if (strcmp(link->queries[n]->json_name, nearest.wanted) == 0)
                field = link->queries[n];
        }
        if (argument->is_used)
            continue;
        if (!field)
            return refuse(tag, "the route takes no `%s`%s", nearest.wanted, meant(tag, &nearest));
        result = add_query(tag, field, argument, is_first);
        is_first = false;
    }
    return result;
}

/* ---- the tag ---- */

static int add_start(struct link_tag *tag, const struct bide__links *links, bool has_query)
{
    if (tag->is_absolute && !links->origin)
        return refuse(tag, "the application has no `public_url`");
    int result = take_place(tag, has_query);
    if (result < 0)
        return result;
    if (tag->is_absolute)
        put_literal(tag, bide__slice_of(links->origin));
    put_literal(tag, bide__slice_of(links->root));
    return 0;
}

/* {{@/static/style.css}} */
static int add_path(struct link_tag *tag, const struct bide__links *links)
{
    if (tag->count > 0)
        return refuse(tag, "a path takes no parameters");
    if (!links->is_path(copy_of(tag, tag->target)))
        return refuse(tag, "it is no path of this site");
    int result = add_start(tag, links, memchr(tag->target.bytes, '?', tag->target.length));
    if (result < 0)
        return result;
    put_literal(tag, tag->target);
    return links->note_path(links->app, copy_of(tag, tag->target), tag->source->file->where,
                            tag->token->line)
               ? 0
               : refuse(tag, "nothing answers GET at this path");
}

static int add_route(struct link_tag *tag, const struct bide__links *links)
{
    struct bide__nearest nearest = {.wanted = copy_of(tag, tag->target)};
    const struct bide__link *link = NULL;
    for (size_t i = 0; i < links->count; i++) {
        bide__nearest_offer(&nearest, links->all[i].name);
        if (strcmp(links->all[i].name, nearest.wanted) == 0)
            link = &links->all[i];
    }
    if (!link)
        return refuse(tag, "there is no such route%s", meant(tag, &nearest));
    unsigned parameters = 0;
    for (unsigned i = 0; i < link->part_count; i++)
        parameters +=
            link->parts[i].is_parameter && find_argument(tag, copy_of(tag, link->parts[i].text));
    int result = add_start(tag, links, tag->count > parameters);
    for (unsigned i = 0; i < link->part_count && result == 0; i++) {
        bool is_root = i == 1 && link->parts[0].text.length == 1 && !*links->root;
        if (link->parts[i].is_parameter)
            result = add_parameter(tag, &link->parts[i], is_root);
        else
            put_literal(tag, link->parts[i].text);
    }
    return result < 0 ? result : add_queries(tag, link);
}

int bide__compiler_link(struct bide__compiler *compiler, const struct bide__source *source,
                        const struct bide__names *scope, const struct bide__token *token)
{
    struct link_tag tag = {.compiler = compiler,
                           .source = source,
                           .scope = scope,
                           .token = token,
                           .target = token->text};
    const struct bide__links *links = bide__template_links(compiler->templates);
    int result = read_words(&tag);
    if (result < 0)
        return result;
    if (!links || !links->all)
        return refuse(&tag, "there are no routes: templates have them in an application, from its "
                            "check on");
    return *tag.target.bytes == '/' ? add_path(&tag, links) : add_route(&tag, links);
}
