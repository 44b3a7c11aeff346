/*
 * A reply that is made already, for what stands around the route. See reply.h. Called by middleware
 * and by the library's own pages; calls request.c.
 */
#include "web/reply.h"

#include "http/fields.h"

#include <string.h>

struct bide__web_field *bide__web_field(const bide_request *req, const char *name)
{
    struct bide__web_field *field = req->fields;
    while (field && !bide__slice_equal_nocase(bide__slice_of(field->name), bide__slice_of(name)))
        field = field->next;
    return field;
}

bool bide__web_field_lists(const bide_request *req, const char *name, const char *element)
{
    const struct bide__web_field *field = bide__web_field(req, name);
    struct bide__slice rest = bide__slice_of(field ? field->value : ""), one;
    while (bide__http_list_next(&rest, &one))
        if (bide__slice_equal_nocase(one, bide__slice_of(element)))
            return true;
    return false;
}

void bide__web_field_default(bide_request *req, const char *name, const char *value)
{
    if (*value && !bide__web_field(req, name))
        bide_set_header(req, name, value);
}

void bide__web_vary(bide_request *req, const char *name)
{
    struct bide__web_field *vary = bide__web_field(req, "Vary");
    if (!vary) {
        bide_set_header(req, "Vary", name);
    } else if (!bide__web_field_lists(req, "Vary", name) &&
               !bide__web_field_lists(req, "Vary", "*")) {
        const char *both = bide_arena_printf(bide_arena_of(req), "%s, %s", vary->value, name);
        uint32_t more = (uint32_t)strlen(name) + 2;
        if (!both || more > BIDE_CAP_HTTP_REPLY_HEADERS_BYTES - req->fields_bytes) {
            vary->value = "*"; /* without room: nobody keeps it */
            return;
        }
        vary->value = both;
        vary->bytes += more;
        req->fields_bytes += more;
    }
}

bool bide__web_swap_body(bide_request *req, bide_buf *buf)
{
    bide_buf *own = req->buffer ? &req->buffer->buf : bide__web_buf(req);
    if (!own)
        return false;
    bide_buf before = *own;
    *own = *buf;
    *buf = before;
    own->cap_bytes = BIDE_CAP_WEB_RESPONSE_BYTES;
    req->body = bide_buf_str(own);
    req->body_size = bide_buf_length(own);
    return true;
}
