/*
 * Templates: see README.md. An input is which hostile value to use, then the template and two
 * partials, `p` and `q`, with a byte 0x1e between them.
 */
#include "fuzz.h"

#include "base/utf8.h"

#include <bide/template.h>
#include <errno.h>

enum {
    OUT_BYTES = 1 << 20,
    NAME_BYTES = 64,
};

ENUM(shade, light, dark);
typedef struct branch branch;
MODEL(branch, "", (str, v), (list(branch), more));
MODEL(row, "", (str, v), (str, w, optional), (i64, n), (f64, f), (bool, yes), (bool, no),
      (shade, s), (list(str), list), (obj(branch), tree), (obj(branch), none, optional),
      (html_safe, safe), (time, at), (bytes, data), (hash, secret));

static const char *const hostile[] = {"\"><script>x</script>",
                                      "' onclick='x",
                                      "\" onclick=\"x",
                                      "javascript:alert(1)",
                                      "--><b>",
                                      "</title></textarea></style></script><i>",
                                      "/evil",
                                      "\\evil",
                                      ":x",
                                      "script",
                                      "= x=y",
                                      "&colon;",
                                      "<!--",
                                      "\xff\xfe<",
                                      "java\tscript:x",
                                      "`",
                                      "{{v}}",
                                      "a b\nc",
                                      "%00",
                                      "data:text/html,x"};

/* ---- what a browser makes of a page: tags and attributes, and the values that are programs ----
 */

struct shape {
    char *at;
    size_t length;
};

static void add(struct shape *shape, const char *bytes, size_t length)
{
    shape->at = realloc(shape->at, shape->length + length + 1);
    promise(shape->at);
    memcpy(shape->at + shape->length, bytes, length);
    shape->length += length;
    shape->at[shape->length] = '\0';
}

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The scheme that a URL has for a browser, without its `:`; "" for none. */
static void scheme_of(const char *at, const char *end, char scheme[NAME_BYTES])
{
    size_t length = 0;
    while (at < end && (unsigned char)*at <= ' ')
        at++;
    for (; at < end && length + 1 < NAME_BYTES; at++) {
        if (*at == '\t' || *at == '\n' || *at == '\r')
            continue;
        if (*at == ':') {
            scheme[length] = '\0';
            return;
        }
        if (!is_letter(*at) && !(length && strchr("0123456789+-.", *at)))
            break;
        scheme[length++] = *at | 0x20;
    }
    scheme[0] = '\0';
}

static int is_url(const char *name)
{
    return strcmp(name, "href") == 0 || strcmp(name, "src") == 0 || strcmp(name, "action") == 0 ||
           strcmp(name, "formaction") == 0 || strcmp(name, "xlink:href") == 0;
}

/* The value of an attribute: whole where it is a program, the scheme of a URL. */
static void add_value(struct shape *shape, const char *name, const char *at, const char *end)
{
    char scheme[NAME_BYTES];
    if (strncmp(name, "on", 2) == 0 || strcmp(name, "style") == 0 || strcmp(name, "srcdoc") == 0 ||
        strcmp(name, "http-equiv") == 0)
        add(shape, at, (size_t)(end - at));
    if (!is_url(name))
        return;
    scheme_of(at, end, scheme);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0 &&
        strcmp(scheme, "mailto") != 0 && strcmp(scheme, "tel") != 0 && strcmp(scheme, "about") != 0)
        add(shape, scheme, strlen(scheme));
}

static const char *take_name(const char *at, const char *end, const char *stops,
                             char name[NAME_BYTES])
{
    size_t length = 0;
    for (; at < end && !is_space(*at) && !strchr(stops, *at); at++)
        if (length + 1 < NAME_BYTES)
            name[length++] = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
    name[length] = '\0';
    return at;
}

/* The attributes up to behind the `>`. */
static const char *take_attributes(struct shape *shape, const char *at, const char *end)
{
    char name[NAME_BYTES];
    for (;;) {
        while (at < end && (is_space(*at) || *at == '/'))
            at++;
        if (at == end || *at == '>')
            return at < end ? at + 1 : end;
        const char *start = at;
        at = take_name(at + (*at == '='), end, "/>=", name);
        if (*start == '=')
            add(shape, "=", 1);
        add(shape, " ", 1);
        add(shape, name, strlen(name));
        const char *behind = at;
        while (behind < end && is_space(*behind))
            behind++;
        if (behind == end || *behind != '=')
            continue;
        at = behind + 1;
        while (at < end && is_space(*at))
            at++;
        const char *value = at;
        if (at < end && (*at == '"' || *at == '\'')) {
            const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
            value = at + 1;
            at = close ? close : end;
            add_value(shape, name, value, at);
            at += at < end;
        } else {
            while (at < end && !is_space(*at) && *at != '>')
                at++;
            add(shape, value, (size_t)(at - value)); /* no value of a row stands here */
        }
    }
}

static const char *find(const char *at, const char *end, const char *what)
{
    const char *found = memmem(at, (size_t)(end - at), what, strlen(what));
    return found ? found : end;
}

/* Behind a comment whose inside begins at `at`. */
static const char *comment_end(const char *at, const char *end)
{
    if (at < end && *at == '>')
        return at + 1;
    if (end - at >= 2 && at[0] == '-' && at[1] == '>')
        return at + 2;
    const char *plain = find(at, end, "-->"), *bang = find(at, end, "--!>");
    return plain <= bang ? (plain < end ? plain + 3 : end) : bang + 4;
}

/* Where the text ends that an element like <script> has inside. */
static const char *text_end(const char *at, const char *end, const char *name)
{
    size_t length = strlen(name);
    for (; at < end; at++)
        if (*at == '<' && (size_t)(end - at) > length + 2 && at[1] == '/' &&
            strncasecmp(at + 2, name, length) == 0 &&
            (is_space(at[length + 2]) || strchr("/>", at[length + 2])))
            return at;
    return end;
}

static void take_shape(struct shape *shape, const char *at, const char *end)
{
    static const char *const code[] = {"script", "style", "iframe", "noembed", "noframes", "xmp"};
    char name[NAME_BYTES];
    while ((at = memchr(at, '<', (size_t)(end - at)))) {
        at++;
        int closes = at < end && *at == '/';
        if (end - at >= 3 && memcmp(at, "!--", 3) == 0) {
            const char *stop = comment_end(at + 3, end);
            add(shape, "<!", 2);
            add(shape, at, (size_t)(stop - at));
            at = stop;
        } else if (at < end &&
                   (*at == '!' || *at == '?' || (closes && at + 1 < end && !is_letter(at[1])))) {
            const char *stop = find(at, end, ">");
            add(shape, "<!", 2);
            add(shape, at, (size_t)(stop - at));
            at = stop;
        } else if (at + closes < end && is_letter(at[closes])) {
            add(shape, closes ? "</" : "<", (size_t)1 + (size_t)closes);
            at = take_name(at + closes, end, "/>", name);
            add(shape, name, strlen(name));
            at = take_attributes(shape, at, end);
            for (size_t i = 0; !closes && i < sizeof code / sizeof *code; i++)
                if (strcmp(name, code[i]) == 0) {
                    const char *stop = text_end(at, end, name);
                    add(shape, at, (size_t)(stop - at));
                    at = stop;
                }
            if (!closes && strcmp(name, "plaintext") == 0)
                return;
            if (!closes && (strcmp(name, "title") == 0 || strcmp(name, "textarea") == 0))
                at = text_end(at, end, name);
        }
    }
}

/* ---- one input ---- */

static struct shape shape_with(const bide_template *template, const char *text, int *ret_result)
{
    struct shape shape = {NULL, 0};
    const char *list[] = {text, text};
    branch leaves[] = {{.v = text}, {.v = text}};
    row values = {.v = text,
                  .w = text,
                  .n = 7,
                  .f = 0.5,
                  .yes = true,
                  .s = shade_dark,
                  .list = {list, 2},
                  .tree = {.v = text, .more = {leaves, 2}},
                  .safe.text = "<b>safe</b>",
                  .data = {(const unsigned char *)"abc", 3}};
    bide_arena arena;
    bide_buf out;
    bide_arena_init(&arena, NULL, OUT_BYTES);
    bide_buf_init(&out, OUT_BYTES);
    *ret_result = bide_template_write(template, &values, NULL, &arena, &out);
    promise(*ret_result == 0 || *ret_result == -ELOOP || *ret_result == -EMSGSIZE);
    if (*ret_result == 0) {
        const char *page = bide_buf_str(&out);
        promise(bide__utf8_valid(page, bide_buf_length(&out)));
        take_shape(&shape, page, page + bide_buf_length(&out));
    }
    bide_buf_done(&out);
    bide_arena_done(&arena);
    return shape;
}

static void check_template(const bide_template *template, unsigned seed)
{
    int plain_result, result;
    struct shape plain = shape_with(template, "b", &plain_result);
    struct shape other =
        shape_with(template, hostile[seed % (sizeof hostile / sizeof *hostile)], &result);
    if (plain_result == 0 && result == 0) {
        if (strcmp(plain.at ? plain.at : "", other.at ? other.at : "") != 0)
            fprintf(stderr, "plain: %s\nother: %s\n", plain.at, other.at);
        promise(strcmp(plain.at ? plain.at : "", other.at ? other.at : "") == 0);
    }
    free(plain.at);
    free(other.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"t.html", "p.html", "q.html"};
    if (size < 1)
        return 0;
    char *text = malloc(size);
    promise(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    bide_templates *templates = bide_templates_open(NULL, NULL);
    char *rest = text;
    int added = 0;
    for (int i = 0; i < 3 && added == 0; i++) {
        char *end = rest ? strchr(rest, '\x1e') : NULL;
        if (end)
            *end = '\0';
        added = bide_templates_add(templates, names[i], rest ? rest : "");
        rest = end ? end + 1 : NULL;
    }
    const bide_template *template =
        added == 0 ? bide_template_of(templates, "t", row_model(), NULL) : NULL;
    const char *problem = bide_templates_problem(templates);
    if (template)
        check_template(template, data[0]);
    else
        promise(problem && strstr(problem, ".html:"));
    bide_templates_close(templates);
    free(text);
    return 0;
}
