/*
 * outbox_page.c: /dev/outbox and /dev/outbox.json. Called by applications, for requests by the
 * dispatch; calls outbox.c and template/escape.c.
 *
 * Invariant: a byte of a mail reaches the page through put_escaped only.
 */
#include "mail/mail.h"

#include "core/error.h"
#include "http/url.h"
#include "template/escape.h"

#include <bide/json.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

MODEL(outbox_item, "", (i64, id), (time, sent_at), (str, from), (str, to), (str, cc), (str, bcc),
      (str, reply_to), (str, subject), (str, text), (str, html), (str, message_id));

/* ---- requests ---- */

static bool is(bide_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

static void check_request(const bide_request *req, bide_text rest)
{
    bide_text method = bide_method_of(req);
    if (rest.length > 0)
        bide__fail(bide__current->at, bide_http_error(404, "Not Found"));
    if (!is(method, "GET") && !is(method, "HEAD"))
        bide__fail(bide__current->at, bide_http_error(405, "Method Not Allowed"));
}

/* The parameter `to`, or NULL. A plus sign is itself: addresses have no spaces. */
static const char *address_asked_for(bide_request *req)
{
    bide_text query = bide_query_of(req);
    struct bide__slice rest = {query.at, query.length}, name, value;
    while (bide__url_pair_next(&rest, &name, &value)) {
        size_t length = 0;
        if (name.length != 2 || memcmp(name.bytes, "to", 2) != 0)
            continue;
        char *address = bide_arena_alloc(bide_arena_of(req), value.length + 1);
        if (!address)
            bide__raise(-ENOMEM, NULL);
        if (bide__url_decode(value, BIDE__URL_PLUS, address, &length) < 0)
            bide__fail(bide__current->at, bide_http_error(422, "`to` is malformed"));
        address[length] = 0;
        return address;
    }
    return NULL;
}

static void end_page(void *out)
{
    bide_buf_done(out);
}

static void answer(bide_request *req, const char *type, const bide_buf *out)
{
    if (bide_buf_error(out) < 0)
        bide__raise(bide_buf_error(out), NULL);
    bide_set_header(req, "Cache-Control", "no-store");
    bide_answer(req, 200, type, bide_buf_str(out), bide_buf_length(out));
}

/* ---- JSON ---- */

static bide_async(void) serve_json(bide_request *req, bide_text rest, const void *arg)
{
    bide_buf out;
    (void)arg;
    check_request(req, rest);
    bide_arena *arena = bide_arena_of(req);
    bide_outbox_mails mails = bide_outbox_list(address_asked_for(req));
    outbox_item *items = bide_arena_alloc_zero(arena, mails.count + 1, sizeof *items);
    if (!items)
        bide__raise(-ENOMEM, NULL);
    for (size_t i = 0; i < mails.count; i++) {
        const bide_outbox_mail *mail = &mails.items[i];
        items[i] = (outbox_item){.id = mail->id,
                                 .sent_at = mail->sent_at,
                                 .from = mail->from,
                                 .to = mail->to,
                                 .cc = mail->cc,
                                 .bcc = mail->bcc,
                                 .reply_to = mail->reply_to,
                                 .subject = mail->subject,
                                 .text = mail->text,
                                 .html = mail->html,
                                 .message_id = mail->message_id};
    }
    bide_buf_init(&out, BIDE_CAP_OUTBOX_PAGE_BYTES);
    bide_defer(end_page, &out);
    int code = bide_json_write_list(outbox_item_model(), items, mails.count, arena, &out);
    if (code < 0)
        bide__raise(code, NULL);
    answer(req, "application/json", &out);
    return bide_void;
}

/* ---- the page ---- */

static void put_escaped(bide_buf *out, const char *text, size_t length)
{
    struct bide__out to = {.buf = out};
    bide__out_html(&to, text, length);
    bide__out_flush(&to);
}

/* The length of the http or https URL at `text`, 0: none. What ends a sentence is not part of it.
 */
static size_t link_length(const char *text)
{
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return 0;
    size_t length = 0;
    while ((unsigned char)text[length] > ' ' && !strchr("<>\"'`{}|\\^", text[length]))
        length++;
    while (strchr(".,;:!?)]*_", text[length - 1]))
        length--;
    return length > strlen("https://") ? length : 0;
}

static void put_with_links(bide_buf *out, const char *text)
{
    while (*text) {
        size_t length = 0, before = 0;
        while (text[before] && (length = link_length(text + before)) == 0)
            before++;
        put_escaped(out, text, before);
        text += before;
        if (length == 0)
            break;
        bide_buf_append_str(out, "<a rel=\"noreferrer noopener\" href=\"");
        put_escaped(out, text, length);
        bide_buf_append_str(out, "\">");
        put_escaped(out, text, length);
        bide_buf_append_str(out, "</a>");
        text += length;
    }
}

static void put_row(bide_buf *out, const char *name, const char *text)
{
    if (!*text)
        return;
    bide_buf_printf(out, "<dt>%s</dt><dd>", name);
    put_escaped(out, text, strlen(text));
    bide_buf_append_str(out, "</dd>\n");
}

static void put_source(bide_buf *out, const char *name, const char *text)
{
    if (!*text)
        return;
    bide_buf_printf(out, "<details><summary>%s</summary><pre>", name);
    put_escaped(out, text, strlen(text));
    bide_buf_append_str(out, "</pre></details>\n");
}

static void put_mail(bide_buf *out, const bide_outbox_mail *mail)
{
    char date[BIDE_VALUE_TEXT];
    bide_time_format(mail->sent_at - mail->sent_at % 1000000, date);
    bide_buf_printf(out, "<article id=\"mail-%lld\">\n<h2>", (long long)mail->id);
    const char *subject = *mail->subject ? mail->subject : "(no subject)";
    put_escaped(out, subject, strlen(subject));
    bide_buf_append_str(out, "</h2>\n<dl>\n");
    put_row(out, "From", mail->from);
    put_row(out, "To", mail->to);
    put_row(out, "Cc", mail->cc);
    put_row(out, "Bcc", mail->bcc);
    put_row(out, "Reply-To", mail->reply_to);
    put_row(out, "Date", date);
    bide_buf_append_str(out, "</dl>\n");
    if (*mail->text) {
        bide_buf_append_str(out, "<pre>");
        put_with_links(out, mail->text);
        bide_buf_append_str(out, "</pre>\n");
    }
    put_source(out, "HTML", mail->html);
    put_source(out, "Source", mail->source);
    bide_buf_append_str(out, "</article>\n");
}

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\"><title>Outbox</title>\n"
    "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 "
    "1rem}"
    "article{border:1px solid #8888;border-radius:.5rem;padding:0 1rem 1rem;margin:1rem 0}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dd{margin:0}"
    "dd,h2{overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}</style>\n"
    "</head><body><main><h1>Outbox</h1>\n";

static bide_async(void) serve_page(bide_request *req, bide_text rest, const void *arg)
{
    bide_buf out;
    (void)arg;
    check_request(req, rest);
    bide_outbox_mails mails = bide_outbox_list(address_asked_for(req));
    bide_buf_init(&out, BIDE_CAP_OUTBOX_PAGE_BYTES);
    bide_defer(end_page, &out);
    bide_buf_append_str(&out, page_head);
    bide_buf_printf(&out,
                    "<p>The last %zu mails of this process, newest first. Nothing is sent.</p>\n",
                    mails.count);
    for (size_t i = 0; i < mails.count; i++)
        put_mail(&out, &mails.items[i]);
    bide_buf_append_str(&out, "</main></body></html>\n");
    bide_set_header(req, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    bide_set_header(req, "X-Content-Type-Options", "nosniff");
    answer(req, "text/html; charset=utf-8", &out);
    return bide_void;
}

void bide_outbox_routes(bide_app *app)
{
    bide_app_mount(app, "/dev/outbox", serve_page, NULL);
    bide_app_mount(app, "/dev/outbox.json", serve_json, NULL);
}
