/*
 * Markdown by md4c's parser, written by our own callbacks. Called by cached.c, changes.c, admin.c.
 *
 * Invariants
 *  1. Every text of the source is escaped, in elements and in attributes; only this file makes a
 *     `<`, and attributes are always in double quotes.
 *  2. A URL is decoded first, then its scheme is looked at, then it is encoded: what the browser
 *     reads is what was judged.
 *
 * Source: md4c.h; CommonMark 0.30; RFC 3986; WHATWG URL, "scheme start state".
 */
#include "blog/markdown.h"

#include <errno.h>
#include <md4c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum mode { MODE_HTML, MODE_TEXT, MODE_PROSE };

/* One source on its way. */
typedef struct writer {
    const char *source;
    bide_buf out;
    enum mode mode;
    unsigned marks;
    unsigned images;     /* around the text: it is an alternative text */
    unsigned no_prose;   /* headings, code and tables around the text */
    bool image_is_shown; /* of the outermost image */
    bool image_is_link;
    char image_host[256]; /* of one that is elsewhere; "" for one that is not */
    size_t image_at;      /* where its alternative text begins */
    bool link_is_open;
    unsigned headings, levels[6]; /* those around the text, as they were typed */
    int error;                    /* 0 or a negative errno */
} writer;
typedef writer *writer_ptr;

static void raw(writer *w, const char *html)
{
    if (w->mode == MODE_HTML && w->images == 0)
        bide_buf_append_str(&w->out, html);
}

static void escaped(writer *w, const char *text, size_t length)
{
    if (w->mode != MODE_HTML) {
        bide_buf_append(&w->out, text, length);
        return;
    }
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        const char *entity = text[i] == '&'    ? "&amp;"
                             : text[i] == '<'  ? "&lt;"
                             : text[i] == '>'  ? "&gt;"
                             : text[i] == '"'  ? "&quot;"
                             : text[i] == '\'' ? "&#39;"
                                               : NULL;
        if (!entity)
            continue;
        bide_buf_append(&w->out, text + from, i - from);
        bide_buf_append_str(&w->out, entity);
        from = i + 1;
    }
    bide_buf_append(&w->out, text + from, length - from);
}

static size_t encode(unsigned long c, char *out)
{
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = 0xFFFD;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = bytes; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00 >> bytes & 0xFF) | c);
    return bytes;
}

/* What an entity stands for, at most 4 bytes; 0 for a name that is not known here. */
static size_t entity(const char *text, size_t size, char *out)
{
    static const struct {
        const char *name, *text;
    } names[] = {{"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
                 {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", "\xc2\xa0"}};
    if (size > 3 && text[1] == '#') {
        bool is_hex = text[2] == 'x' || text[2] == 'X';
        return encode(strtoul(text + 2 + is_hex, NULL, is_hex ? 16 : 10), out);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == size && memcmp(names[i].name, text, size) == 0) {
            size_t length = strlen(names[i].text);
            memcpy(out, names[i].text, length);
            return length;
        }
    }
    return 0;
}

static void entity_text(writer *w, const char *text, size_t size)
{
    char decoded[4];
    size_t length = entity(text, size, decoded);
    if (length > 0)
        escaped(w, decoded, length);
    else
        bide_buf_append(&w->out, text, size); /* of letters and digits, by md4c.h */
}

/* An attribute's text without entities: `out` has room for its size and 1. */
static size_t attribute(const MD_ATTRIBUTE *from, char *out)
{
    size_t length = 0;
    for (int i = 0; from->size > 0 && from->substr_offsets[i] < from->size; i++) {
        const char *text = from->text + from->substr_offsets[i];
        size_t size = from->substr_offsets[i + 1] - from->substr_offsets[i], decoded = 0;
        if (from->substr_types[i] == MD_TEXT_NULLCHAR)
            decoded = size < 3 ? 0 : encode(0, out + length);
        else if (from->substr_types[i] == MD_TEXT_ENTITY)
            decoded = entity(text, size, out + length); /* the shortest has 4 bytes */
        if (decoded == 0 && from->substr_types[i] != MD_TEXT_NULLCHAR) {
            memcpy(out + length, text, size);
            decoded = size;
        }
        length += decoded;
    }
    out[length] = '\0';
    return length;
}

/* Whether a URL is one of this site or has a scheme of the list ("http https "). */
static bool is_allowed(const char *url, const char *schemes)
{
    size_t length = strcspn(url, ":/?#");
    if (url[length] != ':')
        return true;
    for (const char *at = schemes; *at; at += strcspn(at, " ") + 1)
        if (strcspn(at, " ") == length && strncasecmp(at, url, length) == 0)
            return true;
    return false;
}

/* The host that an allowed URL goes to; "" for a place of this site. */
static void host_of(const char *url, char *ret_host, size_t room)
{
    const char *after = url + strcspn(url, ":/?#");
    bool has_scheme = *after == ':', has_host = strncmp(after + has_scheme, "//", 2) == 0;
    has_host = has_host && (has_scheme || after == url);
    *ret_host = '\0';
    if (has_host) {
        const char *host = after + has_scheme + 2, *end = host + strcspn(host, "/?#");
        for (const char *at = host; at < end; at++)
            host = *at == '@' ? at + 1 : host; /* behind a name and a password */
        snprintf(ret_host, room, "%.*s", (int)(end - host), host);
    }
    if (!*ret_host && (has_scheme || has_host))
        snprintf(ret_host, room, "elsewhere");
}

static void url_text(writer *w, const char *url, size_t length)
{
    static const char kept[] = "!#$%&'()*+,-./:;=?@_~[]";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)url[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (is_plain || (c && strchr(kept, c)))
            escaped(w, url + i, 1);
        else
            bide_buf_printf(&w->out, "%%%02X", c);
    }
}

/* Writes `open`, the URL and a title, if the URL may be used; the tag is still open then. */
static bool linked(writer *w, const char *open, const MD_ATTRIBUTE *url, const char *schemes)
{
    char *decoded = malloc(url->size + 1);
    if (!decoded) {
        w->error = -ENOMEM;
        return false;
    }
    size_t length = attribute(url, decoded);
    bool allowed = is_allowed(decoded, schemes);
    if (allowed) {
        bide_buf_append_str(&w->out, open);
        url_text(w, decoded, length);
        bide_buf_append_char(&w->out, '"');
    }
    free(decoded);
    return allowed;
}

static void titled(writer *w, const MD_ATTRIBUTE *title)
{
    char *decoded = title->size > 0 ? malloc(title->size + 1) : NULL;
    if (!decoded)
        return;
    size_t length = attribute(title, decoded);
    bide_buf_append_str(&w->out, " title=\"");
    escaped(w, decoded, length);
    bide_buf_append_char(&w->out, '"');
    free(decoded);
}

static void open_code(writer *w, const MD_BLOCK_CODE_DETAIL *code)
{
    raw(w, "<pre><code");
    if (code->lang.size > 0 && w->mode == MODE_HTML) {
        bide_buf_append_str(&w->out, " class=\"language-");
        escaped(w, code->lang.text, code->lang.size); /* one word, by md4c.h */
        bide_buf_append_char(&w->out, '"');
    }
    raw(w, ">");
}

static void open_item(writer *w, const MD_BLOCK_LI_DETAIL *item)
{
    if (!item->is_task)
        raw(w, "<li>");
    else if (item->task_mark == ' ')
        raw(w, "<li class=\"task\"><input type=\"checkbox\" disabled aria-label=\"to do\">");
    else
        raw(w, "<li class=\"task\"><input type=\"checkbox\" disabled checked aria-label=\"done\">");
}

static void open_cell(writer *w, const char *tag, const MD_BLOCK_TD_DETAIL *cell)
{
    static const char *const classes[] = {
        [MD_ALIGN_DEFAULT] = ">",
        [MD_ALIGN_LEFT] = " class=\"left\">",
        [MD_ALIGN_CENTER] = " class=\"center\">",
        [MD_ALIGN_RIGHT] = " class=\"right\">",
    };
    raw(w, tag);
    raw(w, classes[cell->align]);
}

static bool is_prose(MD_BLOCKTYPE type)
{
    return type != MD_BLOCK_H && type != MD_BLOCK_CODE && type != MD_BLOCK_TABLE;
}

/* Too many marks, or no room: the parser stops. */
static int go_on(writer *w)
{
    if (++w->marks > MARKDOWN_MARKS)
        w->error = -EMSGSIZE;
    if (w->error == 0)
        w->error = bide_buf_error(&w->out);
    return w->error ? 1 : 0;
}

/* Which of `headings` one of this level is: below those around it, and no level is left out. */
static unsigned enter_heading(writer *w, unsigned level)
{
    while (w->headings > 0 && w->levels[w->headings - 1] >= level)
        w->headings--;
    w->levels[w->headings++] = level;
    return w->headings;
}

static const char *const headings[] = {"", "h2>", "h3>", "h4>", "h5>", "h6>", "h6>"};
static const char *const blocks[] = {
    [MD_BLOCK_QUOTE] = "blockquote>\n", [MD_BLOCK_UL] = "ul>\n",       [MD_BLOCK_P] = "p>",
    [MD_BLOCK_THEAD] = "thead>\n",      [MD_BLOCK_TBODY] = "tbody>\n", [MD_BLOCK_TR] = "tr>",
};

static int enter_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
    writer *w = arg;
    w->no_prose += !is_prose(type);
    if (type == MD_BLOCK_HR) {
        raw(w, "<hr>\n");
    } else if (type == MD_BLOCK_LI) {
        open_item(w, detail);
    } else if (type == MD_BLOCK_CODE) {
        open_code(w, detail);
    } else if (type == MD_BLOCK_TH) {
        open_cell(w, "<th scope=\"col\"", detail);
    } else if (type == MD_BLOCK_TD) {
        open_cell(w, "<td", detail);
    } else if (type == MD_BLOCK_TABLE) {
        raw(w, "<div class=\"table\"><table>\n");
    } else if (type == MD_BLOCK_OL) {
        unsigned start = ((MD_BLOCK_OL_DETAIL *)detail)->start;
        raw(w, "<ol");
        if (start != 1 && w->mode == MODE_HTML)
            bide_buf_printf(&w->out, " start=\"%u\"", start);
        raw(w, ">\n");
    } else if (type == MD_BLOCK_H) {
        raw(w, "<");
        raw(w, headings[enter_heading(w, ((MD_BLOCK_H_DETAIL *)detail)->level)]);
    } else if (type != MD_BLOCK_DOC && blocks[type]) {
        raw(w, "<");
        raw(w, blocks[type]);
    }
    return go_on(w);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
    writer *w = arg;
    (void)detail;
    w->no_prose -= !is_prose(type);
    if (w->mode != MODE_HTML) {
        size_t length = bide_buf_length(&w->out);
        if (length > 0 && bide_buf_str(&w->out)[length - 1] != '\n')
            bide_buf_append_char(&w->out, '\n');
    } else if (type == MD_BLOCK_LI || type == MD_BLOCK_OL) {
        raw(w, type == MD_BLOCK_LI ? "</li>\n" : "</ol>\n");
    } else if (type == MD_BLOCK_CODE) {
        raw(w, "</code></pre>\n");
    } else if (type == MD_BLOCK_TH || type == MD_BLOCK_TD) {
        raw(w, type == MD_BLOCK_TH ? "</th>" : "</td>");
    } else if (type == MD_BLOCK_TABLE) {
        raw(w, "</table></div>\n");
    } else if (type == MD_BLOCK_H) {
        raw(w, "</");
        raw(w, headings[w->headings]);
        raw(w, "\n");
    } else if (type != MD_BLOCK_DOC && type != MD_BLOCK_HR && blocks[type]) {
        raw(w, "</");
        raw(w, blocks[type]);
        if (type == MD_BLOCK_P || type == MD_BLOCK_TR)
            raw(w, "\n");
    }
    return go_on(w);
}

static const char open_link[] = "<a rel=\"nofollow noopener\" href=\"";
static const char *const spans[] = {
    [MD_SPAN_EM] = "em>",
    [MD_SPAN_STRONG] = "strong>",
    [MD_SPAN_CODE] = "code>",
    [MD_SPAN_DEL] = "del>",
};

/* One that is elsewhere is a link: a reader's browser asks no other host unless the reader does. */
static void enter_image(writer *w, const MD_SPAN_IMG_DETAIL *image)
{
    char *decoded = malloc(image->src.size + 1);
    if (!decoded) {
        w->error = -ENOMEM;
        return;
    }
    attribute(&image->src, decoded);
    bool allowed = is_allowed(decoded, "http https ");
    host_of(allowed ? decoded : "", w->image_host, sizeof w->image_host);
    free(decoded);
    if (allowed && *w->image_host && !w->link_is_open) {
        w->image_is_link = linked(w, open_link, &image->src, "http https ");
        titled(w, &image->title);
        raw(w, ">");
    } else if (allowed && !*w->image_host) {
        w->image_is_shown = linked(w, "<img loading=\"lazy\" src=\"", &image->src, "http https ");
        titled(w, &image->title);
        bide_buf_append_str(&w->out, " alt=\"");
    }
    w->image_at = bide_buf_length(&w->out);
}

static void leave_image(writer *w)
{
    bool has_text = bide_buf_length(&w->out) > w->image_at;
    if (*w->image_host) {
        raw(w, has_text ? " (picture: " : "picture: ");
        escaped(w, w->image_host, strlen(w->image_host));
        raw(w, has_text ? ")" : "");
    }
    raw(w, w->image_is_link ? "</a>" : w->image_is_shown ? "\">" : "");
    w->image_is_link = w->image_is_shown = false;
    *w->image_host = '\0';
}

static int enter_span(MD_SPANTYPE type, void *detail, void *arg)
{
    writer *w = arg;
    bool is_shown = w->mode == MODE_HTML && w->images == 0;
    if (type == MD_SPAN_IMG) {
        if (is_shown)
            enter_image(w, detail);
        w->images++;
    } else if (type == MD_SPAN_A) {
        const MD_SPAN_A_DETAIL *link = detail;
        if (is_shown && linked(w, open_link, &link->href, "http https mailto tel ")) {
            titled(w, &link->title);
            bide_buf_append_char(&w->out, '>');
            w->link_is_open = true;
        }
    } else if (type < sizeof spans / sizeof *spans && spans[type]) {
        raw(w, "<");
        raw(w, spans[type]);
    }
    return go_on(w);
}

static int leave_span(MD_SPANTYPE type, void *detail, void *arg)
{
    writer *w = arg;
    (void)detail;
    if (type == MD_SPAN_IMG) {
        w->images--;
        if (w->mode == MODE_HTML && w->images == 0)
            leave_image(w);
    } else if (type == MD_SPAN_A) {
        if (w->images == 0 && w->link_is_open) {
            raw(w, "</a>");
            w->link_is_open = false;
        }
    } else if (type < sizeof spans / sizeof *spans && spans[type]) {
        raw(w, "</");
        raw(w, spans[type]);
    }
    return go_on(w);
}

static int text(MD_TEXTTYPE type, const MD_CHAR *bytes, MD_SIZE size, void *arg)
{
    writer *w = arg;
    if (w->mode == MODE_PROSE && (w->no_prose > 0 || w->images > 0))
        return go_on(w);
    if (type == MD_TEXT_BR && w->mode == MODE_HTML && w->images == 0)
        raw(w, "<br>\n");
    else if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR)
        bide_buf_append_char(&w->out, '\n');
    else if (type == MD_TEXT_NULLCHAR)
        bide_buf_append_str(&w->out, "\xef\xbf\xbd");
    else if (type == MD_TEXT_ENTITY)
        entity_text(w, bytes, size);
    else
        escaped(w, bytes, size);
    return go_on(w);
}

/* On any thread. */
static void write_all(writer_ptr w)
{
    static const MD_PARSER parser = {
        .flags = MD_DIALECT_GITHUB | MD_FLAG_NOHTML,
        .enter_block = enter_block,
        .leave_block = leave_block,
        .enter_span = enter_span,
        .leave_span = leave_span,
        .text = text,
    };
    bide_buf_init(&w->out, MARKDOWN_HTML_BYTES);
    int result = md_parse(w->source, (MD_SIZE)strlen(w->source), &parser, w);
    if (result != 0 && w->error == 0)
        w->error = -ENOMEM;
}
OFFLOADABLE(void, write_all, writer_ptr)

static void done(void *arg)
{
    bide_buf_done(&((writer *)arg)->out);
}

/* What was written, in the arena. */
static const char *taken(writer *w, bide_arena *arena)
{
    if (w->error == -EMSGSIZE)
        fail(http_error(422, "This text has too many marks"));
    const char *kept = w->error ? NULL : bide_arena_strdup(arena, bide_buf_str(&w->out));
    if (!kept)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a text"));
    return kept;
}

async(bide_html_safe) markdown_html(bide_arena *arena, const char *source)
{
    writer w = {.source = source, .mode = MODE_HTML};
    defer(done, &w);
    if (strlen(source) <= MARKDOWN_INLINE_BYTES)
        write_all(&w);
    else
        await(offload(BIDE_CPU, write_all, &w));
    return ready(bide_html_safe, (bide_html_safe){.text = taken(&w, arena)});
}

const char *markdown_text(bide_arena *arena, const char *source, markdown_text_kind kind)
{
    writer w = {.source = source, .mode = kind == MARKDOWN_PROSE ? MODE_PROSE : MODE_TEXT};
    defer(done, &w);
    write_all(&w);
    return taken(&w, arena);
}
