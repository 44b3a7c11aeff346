/*
 * The tokenizer of HTML over the literals of a template: see html.h. Called by compile.c; calls
 * attribute.c and url.c.
 */
#include "template/html.h"

enum { START = 4, START_DASH }; /* of a comment */

static bool is_letter(char c)
{
    return (unsigned char)(c | 0x20) >= 'a' && (unsigned char)(c | 0x20) <= 'z';
}

static void append(char name[BIDE__HTML_NAME_BYTES], char c)
{
    size_t length = strlen(name);
    if (length + 1 < BIDE__HTML_NAME_BYTES)
        name[length] = bide__ascii_lower(c); /* the rest is zero */
}

/* What stands behind the `>` of a tag. */
static void end_tag(struct bide__html *html)
{
    static const char *const code[] = {"script",   "style", "iframe",    "noembed",
                                       "noframes", "xmp",   "plaintext", NULL};
    static const char *const plain[] = {"title", "textarea", NULL};
    struct bide__html next = {.where = BIDE__HTML_TEXT};
    if (!html->closes && bide__html_is_one_of(html->element, code))
        next.where = BIDE__HTML_CODE;
    else if (!html->closes && bide__html_is_one_of(html->element, plain))
        next.where = BIDE__HTML_PLAIN;
    if (next.where != BIDE__HTML_TEXT)
        memcpy(next.element, html->element, sizeof next.element);
    *html = next;
}

static const char *begin_name(struct bide__html *html, char c)
{
    if (html->cut)
        return "the name of an attribute goes on behind a section";
    if (strchr("\"'<=", c))
        return "a quote, `<` or `=` between the attributes of a tag";
    memset(html->name, 0, sizeof html->name);
    append(html->name, c);
    html->where = BIDE__HTML_NAME;
    return NULL;
}

static void begin_value(struct bide__html *html, char quote)
{
    html->where = quote ? BIDE__HTML_VALUE : BIDE__HTML_BARE;
    html->quote = quote;
    html->attribute = bide__html_attribute(html->element, html->name);
    html->url = BIDE__URL_EMPTY | BIDE__URL_HOST;
    html->seen = 0;
    memset(html->scheme, 0, sizeof html->scheme);
    html->refresh |= strcmp(html->element, "meta") == 0 && strcmp(html->name, "http-equiv") == 0;
}

static void end_value(struct bide__html *html)
{
    html->where = BIDE__HTML_INSIDE;
    html->attribute = BIDE__HTML_ANY;
    html->quote = 0;
    html->url = html->seen = 0;
    memset(html->name, 0, sizeof html->name);
    memset(html->scheme, 0, sizeof html->scheme);
}

static const char *open_tag(struct bide__html *html, char c)
{
    if (html->cut && (is_letter(c) || strchr("/!?", c)))
        return "a section stands between `<` and what follows it";
    html->cut = false;
    if (c == '/' && !html->closes) {
        html->closes = true;
    } else if (is_letter(c)) {
        html->where = BIDE__HTML_ELEMENT;
        append(html->element, c);
    } else if (c == '!' && !html->closes) {
        html->where = BIDE__HTML_MARKUP;
    } else if (html->closes || c == '?') {
        html->where = BIDE__HTML_MARKUP;
        html->seen = 9; /* no comment */
        html->closes = false;
        if (c == '>')
            *html = (struct bide__html){.where = BIDE__HTML_TEXT};
    } else {
        *html = (struct bide__html){.where = c == '<' ? BIDE__HTML_OPEN : BIDE__HTML_TEXT};
    }
    return NULL;
}

/* In <!doctype ...> and at the beginning of a comment. */
static const char *in_markup(struct bide__html *html, char c)
{
    if (html->seen == 0 && c == '[')
        return "`<![CDATA[`: write text with entities";
    if (html->seen <= 1 && c == '-') {
        if (html->seen++ == 1) {
            html->where = BIDE__HTML_COMMENT;
            html->seen = START; /* `<!-->` and `<!--->` are whole ones */
        }
        return NULL;
    }
    html->seen = 9;
    if (c == '>')
        *html = (struct bide__html){.where = BIDE__HTML_TEXT};
    return NULL;
}

/* `seen`: START right behind `<!--`, START_DASH behind a `-` there; then how many of `--!`. */
static void in_comment(struct bide__html *html, char c)
{
    unsigned seen = html->seen;
    if (c == '>' && seen >= 2)
        *html = (struct bide__html){.where = BIDE__HTML_TEXT};
    else if (c == '-')
        html->seen = seen == START ? START_DASH : seen == 0 || seen == 3 ? 1 : 2;
    else
        html->seen = c == '!' && seen == 2 ? 3 : 0;
}

/* In <script> and the like: all is text up to `</script`. */
static const char *in_code(struct bide__html *html, char c)
{
    size_t length = strlen(html->element);
    if (html->seen == length + 2 && (bide__html_is_space(c) || c == '/' || c == '>')) {
        html->where = BIDE__HTML_INSIDE;
        html->closes = true;
        html->seen = 0;
        if (c == '>')
            end_tag(html);
        return NULL;
    }
    if (html->seen == 1 && (c == '!' || (html->where == BIDE__HTML_PLAIN && is_letter(c))))
        return html->where == BIDE__HTML_PLAIN ? "a tag or a comment in <title> or <textarea>"
                                               : "`<!` in <script> or <style>";
    if (c == '<')
        html->seen = 1;
    else if (html->seen == 1 && c == '/')
        html->seen = 2;
    else if (html->seen >= 2 && html->seen < length + 2 &&
             bide__ascii_lower(c) == html->element[html->seen - 2])
        html->seen++;
    else
        html->seen = 0;
    return NULL;
}

/* Between the attributes of a tag, in and behind their names. */
static const char *in_tag(struct bide__html *html, char c)
{
    if (c == '>') {
        end_tag(html);
        return NULL;
    }
    if (bide__html_is_space(c) || c == '/') {
        if (html->where == BIDE__HTML_NAME && bide__html_is_space(c))
            html->where = BIDE__HTML_NAMED;
        else if (html->where != BIDE__HTML_NAMED || c == '/')
            html->where = BIDE__HTML_INSIDE;
        if (html->where == BIDE__HTML_INSIDE)
            memset(html->name, 0, sizeof html->name);
        html->cut = html->cut && html->where == BIDE__HTML_NAMED;
        return NULL;
    }
    if (html->where == BIDE__HTML_ELEMENT || html->where == BIDE__HTML_NAME) {
        if (html->cut)
            return "a name goes on behind a section";
        if (strchr("\"'<", c))
            return "a quote or `<` in the name of a tag or an attribute";
        if (c == '=' && html->where == BIDE__HTML_NAME)
            html->where = BIDE__HTML_EQUALS;
        else
            append(html->where == BIDE__HTML_NAME ? html->name : html->element, c);
        return NULL;
    }
    if (c == '=' && html->where == BIDE__HTML_NAMED) {
        if (html->cut)
            return "a section stands between an attribute and its `=`";
        html->where = BIDE__HTML_EQUALS;
        return NULL;
    }
    html->cut = html->cut && html->where != BIDE__HTML_NAMED; /* there was a space */
    return begin_name(html, c);
}

static const char *in_value(struct bide__html *html, char c)
{
    if (html->where == BIDE__HTML_EQUALS) {
        if (c == '>')
            return "an attribute without a value behind its `=`";
        if (html->cut)
            return "a section stands between `=` and the value";
        if (c == '"' || c == '\'')
            begin_value(html, c);
        else if (!bide__html_is_space(c))
            begin_value(html, 0);
        return NULL;
    }
    if (html->where == BIDE__HTML_BARE) {
        if (html->cut)
            return "a section in an attribute without quotes";
        if (bide__html_is_space(c) || c == '>')
            end_value(html);
        if (c == '>')
            end_tag(html);
        return NULL;
    }
    if (c == html->quote) {
        end_value(html);
        return NULL;
    }
    if (html->attribute == BIDE__HTML_URL || html->attribute == BIDE__HTML_URLS ||
        html->attribute == BIDE__HTML_LOADED)
        return bide__html_url_literal(html, c);
    return NULL;
}

static const char *take(struct bide__html *html, char c)
{
    switch (html->where) {
    case BIDE__HTML_TEXT:
        if (c == '<')
            html->where = BIDE__HTML_OPEN;
        return NULL;
    case BIDE__HTML_OPEN:
        return open_tag(html, c);
    case BIDE__HTML_ELEMENT:
    case BIDE__HTML_INSIDE:
    case BIDE__HTML_NAME:
    case BIDE__HTML_NAMED:
        return in_tag(html, c);
    case BIDE__HTML_EQUALS:
    case BIDE__HTML_VALUE:
    case BIDE__HTML_BARE:
        return in_value(html, c);
    case BIDE__HTML_COMMENT:
        in_comment(html, c);
        return NULL;
    case BIDE__HTML_MARKUP:
        return in_markup(html, c);
    case BIDE__HTML_CODE:
    case BIDE__HTML_PLAIN:
        return in_code(html, c);
    }
    return NULL;
}

const char *bide__html_literal(struct bide__html *html, struct bide__slice literal,
                               size_t *ret_stop)
{
    for (size_t i = 0; i < literal.length; i++) {
        const char *reason = take(html, literal.bytes[i]);
        if (reason) {
            *ret_stop = i;
            return reason;
        }
    }
    return NULL;
}

/* ---- values ---- */

static const char *in_attribute(struct bide__html *html, bool is_number,
                                enum bide__escape *ret_escape)
{
    html->valued |= strcmp(html->element, "meta") == 0;
    if (html->valued && html->refresh)
        return "a value in a <meta http-equiv>";
    switch (html->attribute) {
    case BIDE__HTML_URL:
    case BIDE__HTML_URLS:
    case BIDE__HTML_LOADED:
        return bide__html_url_value(html, ret_escape);
    case BIDE__HTML_STYLE:
        if (!is_number)
            return "a text in a `style` attribute: only numbers and words of an enum can stand "
                   "there; use a class";
        return NULL;
    case BIDE__HTML_REFUSED:
        return "a value in an attribute that is a program or switches a protection off (on..., "
               "srcdoc, sandbox ...): put it into a data- attribute";
    default:
        return NULL;
    }
}

const char *bide__html_value(struct bide__html *html, bool is_raw, bool is_number,
                             enum bide__escape *ret_escape)
{
    *ret_escape = is_raw ? BIDE__ESCAPE_NONE : BIDE__ESCAPE_HTML;
    if (is_raw && html->where != BIDE__HTML_TEXT)
        return "an html_safe can stand raw between tags only";
    switch (html->where) {
    case BIDE__HTML_TEXT:
        return NULL;
    case BIDE__HTML_PLAIN:
        html->seen = 0;
        return NULL;
    case BIDE__HTML_VALUE:
        return in_attribute(html, is_number, ret_escape);
    case BIDE__HTML_EQUALS:
    case BIDE__HTML_BARE:
        return "a value in an attribute without quotes: write name=\"{{...}}\"";
    case BIDE__HTML_CODE:
        return "a value in <script>, <style> or another element that is no text: put it into a "
               "data- attribute";
    case BIDE__HTML_COMMENT:
    case BIDE__HTML_MARKUP:
        return "a value in a comment: write {{! ... }}, which does not leave the server";
    default:
        return "a value in a tag: it can only stand in the quotes of an attribute";
    }
}

/* ---- sections ---- */

void bide__html_cut(struct bide__html *html)
{
    switch (html->where) {
    case BIDE__HTML_OPEN:
    case BIDE__HTML_ELEMENT:
    case BIDE__HTML_NAME:
    case BIDE__HTML_NAMED:
        html->cut = true;
        break;
    case BIDE__HTML_EQUALS:
    case BIDE__HTML_BARE:
        html->cut = true;
        break;
    default:
        break;
    }
}

static bool is_between(const struct bide__html *html)
{
    return html->where == BIDE__HTML_ELEMENT || html->where == BIDE__HTML_INSIDE ||
           html->where == BIDE__HTML_NAME || html->where == BIDE__HTML_NAMED;
}

static bool is_same(const struct bide__html *a, const struct bide__html *b)
{
    return a->where == b->where && a->attribute == b->attribute && a->quote == b->quote &&
           a->closes == b->closes && strcmp(a->element, b->element) == 0;
}

bool bide__html_equal(const struct bide__html *a, const struct bide__html *b)
{
    return is_same(a, b) && a->cut == b->cut && a->refresh == b->refresh &&
           a->valued == b->valued && a->url == b->url && a->seen == b->seen &&
           strcmp(a->name, b->name) == 0 && strcmp(a->scheme, b->scheme) == 0;
}

const char *bide__html_join(struct bide__html *html, const struct bide__html *other)
{
    const unsigned both = BIDE__URL_PAST;
    if (is_between(html) && is_between(other) && html->closes == other->closes &&
        strcmp(html->element, other->element) == 0) {
        html->cut |=
            other->cut || html->where != BIDE__HTML_INSIDE || other->where != BIDE__HTML_INSIDE;
        html->where = BIDE__HTML_INSIDE;
        memset(html->name, 0, sizeof html->name);
    } else if (!is_same(html, other)) {
        return "the section ends in another place of HTML than it begins: inside of a tag, an "
               "attribute, a comment or a <script>";
    }
    if (html->where == BIDE__HTML_VALUE && strcmp(html->name, other->name) != 0)
        return "the section ends in another attribute than it begins";
    if (strcmp(html->scheme, other->scheme) != 0 && !(html->url & other->url & BIDE__URL_PAST)) {
        html->url |= BIDE__URL_OPEN;
        memset(html->scheme, 0, sizeof html->scheme);
    }
    html->url = (html->url & other->url & both) | ((html->url | other->url) & ~both);
    html->refresh |= other->refresh;
    html->valued |= other->valued;
    html->cut |= other->cut;
    if (html->where == BIDE__HTML_VALUE)
        html->seen = html->seen < other->seen ? html->seen : other->seen;
    else if (html->seen != other->seen)
        return "the section ends in the middle of `<!--`, `-->` or `</script`";
    return NULL;
}
