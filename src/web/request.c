/*
 * What handlers, providers and middleware ask of a request. Called by users; calls the transport.
 */
#include "web/web.h"

#include "core/error.h"
#include "http/cookie.h"
#include "http/fields.h"
#include "http/names.h"
#include "http/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bide_app *bide_app_of(const bide_request *req)
{
    return req->server->app;
}

void *bide__request_state(const bide_request *req)
{
    return req->server->app->options.state;
}

struct bide_db *bide__request_db(const bide_request *req)
{
    return bide__app_db(req->server->app);
}

bide_text bide_method_of(const bide_request *req)
{
    return (bide_text){req->method_text.bytes, req->method_text.length};
}

bide_text bide_path_of(const bide_request *req)
{
    return (bide_text){req->path.bytes, req->path.length};
}

bide_text bide_query_of(const bide_request *req)
{
    return (bide_text){req->query.bytes, req->query.length};
}

bide_text bide_header_of(const bide_request *req, const char *name)
{
    return req->transport->header(req, name);
}

bide_text bide_client_of(bide_request *req)
{
    return req->transport->client(req);
}

bide_text bide_scheme_of(bide_request *req)
{
    return req->transport->scheme(req);
}

bide_text bide_host_of(const bide_request *req)
{
    return req->transport->host(req);
}

bide_text bide__web_body(bide_request *req)
{
    if (!req->has_body)
        req->sent = req->transport->body(req);
    req->has_body = true;
    return req->sent;
}

bide_async(bide_text) bide_body_of(bide_request *req)
{
    return bide_ready(bide_text, bide__web_body(req));
}

bide_arena *bide_arena_of(bide_request *req)
{
    return req->transport->arena(req);
}

int bide_reply_status(const bide_request *req)
{
    return req->status;
}

bide_error *bide_http_error(int status, const char *format, ...)
{
    char text[BIDE__MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (status < 400 || status > 599)
        return bide_error_new(BIDE_MISUSE, "http_error(%d, \"%s\"): not a status from 400 to 599",
                              status, text);
    return bide_error_new(status, "%s", text);
}

static __attribute__((noreturn, cold)) void raise_header(int code, const char *what,
                                                         const char *name)
{
    bide__fail(bide__current->at, bide_error_new(code, "%s: '%s'", what, name));
}

/* Of the response that is there or to come: it has one. */
static void set_type(bide_request *req, const char *type)
{
    req->own_type = type;
    if (req->content_type)
        req->content_type = type;
}

/* The bytes of a field in a head, written once to see whether it may stand there; or as
   bide__web_add_field. */
static int measure(bide_request *req, const char *name, const char *value)
{
    size_t room = strlen(name) + strlen(value) + 8;
    char *written = bide_arena_alloc(bide_arena_of(req), room);
    if (!written)
        return -ENOMEM;
    int size = bide__http_field_write(written, room, bide__slice_of(name), bide__slice_of(value));
    if (size < 0)
        return -EINVAL;
    return (size_t)size > BIDE_CAP_HTTP_REPLY_HEADERS_BYTES - req->fields_bytes ? -EMSGSIZE : size;
}

int bide__web_add_field(bide_request *req, const char *name, const char *value)
{
    bide_arena *arena = bide_arena_of(req);
    int size = bide__http_field_is_ours(name) ? -EINVAL : measure(req, name, value);
    struct bide__web_field *field = size < 0 ? NULL : bide_arena_alloc(arena, sizeof *field);
    if (!field)
        return size < 0 ? size : -ENOMEM;
    *field = (struct bide__web_field){.name = bide_arena_strdup(arena, name),
                                      .value = bide_arena_strdup(arena, value),
                                      .bytes = (uint32_t)size};
    if (!field->name || !field->value)
        return -ENOMEM;
    *req->fields_end = field;
    req->fields_end = &field->next;
    req->fields_bytes += (size_t)size;
    return 0;
}

/* The caller's line fails, not the one that writes the head. */
void bide_set_header(bide_request *req, const char *name, const char *value)
{
    bool is_type = strcasecmp(name, "content-type") == 0;
    int result = is_type ? measure(req, name, value) : bide__web_add_field(req, name, value);
    const char *type = is_type && result >= 0 ? bide_arena_strdup(bide_arena_of(req), value) : NULL;
    if (result == -EINVAL)
        raise_header(BIDE_INVALID, "not a header field of a response", name);
    if (result == -EMSGSIZE)
        raise_header(BIDE_LIMIT, "too many bytes of header fields", name);
    if (result < 0 || (is_type && !type))
        raise_header(BIDE_NO_MEMORY, "no memory for a header field", name);
    if (is_type)
        set_type(req, type);
}

void bide_set_status(bide_request *req, int status)
{
    if (status < 200 || status > 599)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "%d is no status of a reply", status));
    req->own_status = status;
}

void bide_see_other(bide_request *req, const char *location)
{
    req->see_other = bide_arena_strdup(bide_arena_of(req), location);
    if (!req->see_other)
        raise_header(BIDE_NO_MEMORY, "no memory for a location", location);
}

void bide_keep_header(bide_request *req, const char *name, const char *value)
{
    bide_set_header(req, name, value);
    for (struct bide__web_field *field = req->fields; field; field = field->next)
        if (strcasecmp(field->name, name) == 0)
            field->kept = true;
}

static struct bide__slice slice_of(const char *text)
{
    return bide__slice_of(text ? text : "");
}

void bide__set_cookie(bide_request *req, const char *name, const char *value,
                      const bide_cookie *attributes)
{
    char text[BIDE_CAP_WEB_COOKIE_BYTES];
    struct bide__cookie cookie = {.name = slice_of(name),
                                  .value = slice_of(value),
                                  .path = slice_of(attributes->path),
                                  .domain = slice_of(attributes->domain),
                                  .max_age_s = attributes->max_age_s,
                                  .same_site = (enum bide__same_site)attributes->same_site,
                                  .over_plain_http = attributes->over_plain_http,
                                  .for_scripts = attributes->for_scripts};
    int length = bide__cookie_write(text, sizeof text - 1, &cookie);
    if (length < 0)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "not a cookie: '%s'", name));
    text[length] = 0;
    bide_set_header(req, "Set-Cookie", text);
}

bide_group *bide__after_reply(bide_request *req)
{
    if (bide__current->attention & BIDE__ATTENTION_OUTSIDE)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_MISUSE, "bide_after_reply() in a `blocking` handler, which "
                                               "runs on a thread outside of tasks"));
    if (!req->later) {
        bide_group *group = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *group);
        if (!group)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_NO_MEMORY, "no memory for a background task"));
        bide__group_init_held(group, bide__current->at);
        req->later = group;
    }
    return req->later;
}

const char *bide_html_escape(bide_arena *arena, const char *text)
{
    static const char *const entities[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    size_t length = 0;
    if (!text)
        return NULL;
    for (const char *at = text; *at; at++)
        length += entities[(unsigned char)*at] ? strlen(entities[(unsigned char)*at]) : 1;
    char *escaped = bide_arena_alloc(arena, length + 1), *to = escaped;
    if (!escaped)
        return NULL;
    for (const char *at = text; *at; at++) {
        const char *entity = entities[(unsigned char)*at];
        if (entity)
            to = stpcpy(to, entity);
        else
            *to++ = *at;
    }
    *to = 0;
    return escaped;
}

const char *bide_url_escape(bide_arena *arena, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    char *escaped = text ? bide_arena_alloc(arena, 3 * length + 1) : NULL;
    if (escaped)
        escaped[bide__url_encode(bide__slice(text, length), BIDE__URL_PLUS, escaped)] = 0;
    return escaped;
}

const char *bide_local_path(const char *text)
{
    if (!text || text[0] != '/' || text[1] == '/' || strpbrk(text, "\\\"<>^`{|}"))
        return NULL;
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return NULL;
    return text;
}

void bide_answer(bide_request *req, int status, const char *content_type, const void *body,
                 size_t size)
{
    bide_buf *buf = bide__web_buf(req);
    if (!buf || bide_buf_append(buf, body, size) < 0)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a reply"));
    bide__web_reply(req, status, content_type, bide_buf_str(buf), size);
    req->failure.status = 0;
}
