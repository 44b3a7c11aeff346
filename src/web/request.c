/*
 * What handlers, providers and middleware ask of a request. Called by users; calls the transport.
 */
#include "web/web.h"

#include "core/error.h"
#include "http/fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bide_app *bide_app_of(const bide_request *req)
{
    return req->server->app;
}

void *bide_app_state(const bide_request *req)
{
    return req->server->app->options.state;
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

/* Written once to see whether it may stand in a head, so that it is the caller's line that fails.
 */
void bide_set_header(bide_request *req, const char *name, const char *value)
{
    bide_arena *arena = bide_arena_of(req);
    size_t room = strlen(name) + strlen(value) + 8;
    char *written = bide_arena_alloc(arena, room);
    struct bide__web_field *field = bide_arena_alloc(arena, sizeof *field);
    if (!written || !field)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a header"));
    if (bide__http_field_write(written, room, bide__slice_of(name), bide__slice_of(value)) < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "not a header field: '%s'", name));
    *field = (struct bide__web_field){NULL, bide_arena_strdup(arena, name),
                                      bide_arena_strdup(arena, value)};
    if (!field->name || !field->value)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a header"));
    *req->fields_end = field;
    req->fields_end = &field->next;
}

void bide_answer(bide_request *req, int status, const char *content_type, const void *body,
                 size_t size)
{
    bide_buf *buf = bide__web_buf(req);
    if (!buf || bide_buf_append(buf, body, size) < 0)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a reply"));
    bide__web_reply(req, status, content_type, bide_buf_str(buf), size);
}
