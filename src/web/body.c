/*
 * Bodies of requests: JSON into the row of its model, forms into pairs and files for bind.c.
 * Called by dispatch.c; calls the transport, which may wait for the peer, and http's multipart
 * parser.
 *
 * A form is in memory as a whole: what it may take is the server's body_bytes.
 */
#include "web/web.h"

#include "base/caps.h"
#include "http/multipart.h"

#include <errno.h>
#include <string.h>

/* The media type of a Content-Type field, without its parameters. */
static struct bide__slice media_type(bide_text type)
{
    struct bide__slice rest = bide__slice(type.at, type.length), name;
    if (!bide__slice_split(&rest, ';', &name))
        return bide__slice("", 0);
    return bide__slice_trim(name);
}

static bool is_type(struct bide__slice type, const char *name)
{
    return bide__slice_equal_nocase(type, bide__slice_of(name));
}

/* application/json, or application/...+json (RFC 6839). */
static bool is_json(struct bide__slice type)
{
    return is_type(type, "application/json") ||
           (type.length > 17 && is_type(bide__slice(type.bytes, 12), "application/") &&
            is_type(bide__slice_from(type, type.length - 5), "+json"));
}

static bool read_json(bide_request *req, bide_problems *problems, int *ret_error) BIDE__TASK;
static bool read_json(bide_request *req, bide_problems *problems, int *ret_error)
{
    bide_text type = bide_header_of(req, "content-type");
    if (type.at && !is_json(media_type(type))) {
        bide__web_refuse(req, 415, "the body is to be application/json");
        return false;
    }
    bide_text text = bide__web_body(req);
    if (text.length == 0) {
        bide_problems_add(problems, "missing", "[\"body\"]", "Field required");
        memset(req->block + req->plan->body_at, 0, req->plan->body->size); /* it may be looked at */
        return true;
    }
    if (!type.at) {
        bide__web_refuse(req, 415, "the body has no content type");
        return false;
    }
    bide_input input = {.arena = bide_arena_of(req), .problems = problems};
    int error = bide_json_read(&input, req->plan->body, text.at, text.length,
                               req->block + req->plan->body_at);
    *ret_error = error == -EBADMSG ? 0 : error;
    return true;
}

/* ---- multipart ---- */

/* A part on its way: its data lies in one piece in the body, from the end of its head on. What the
   parser gives is only counted: it may be the front of a delimiter, which the parser keeps. */
struct part {
    struct bide__slice name, file_name, content_type;
    bool is_file;
    const char *data;
    size_t size;
};

/* A copy, since the parser keeps its heads for one part only. */
static bool copy(bide_request *req, struct bide__slice from, struct bide__slice *ret_copy)
{
    char *text = bide_arena_strndup(bide_arena_of(req), from.length ? from.bytes : "", from.length);
    *ret_copy = bide__slice(text, from.length);
    return text != NULL;
}

static bool begin_part(bide_request *req, const struct bide__multipart *form, const char *data,
                       struct part *part)
{
    part->is_file = form->is_file;
    part->data = data;
    part->size = 0;
    return copy(req, form->name, &part->name) && copy(req, form->file_name, &part->file_name) &&
           copy(req, form->content_type, &part->content_type);
}

/* What browsers send for a file that nobody chose is no file. */
static int end_part(bide_request *req, bide_problems *problems, struct bide__web_form *form,
                    const struct part *part, struct bide__web_upload ***end)
{
    if (!part->is_file) {
        int result = bide__pairs_add(req, problems, &form->pairs, part->name,
                                     bide__slice(part->data, part->size));
        return result == -ENOMEM ? result : 0;
    }
    if (part->file_name.length == 0 && part->size == 0)
        return 0;
    struct bide__web_upload *upload = bide_arena_alloc(bide_arena_of(req), sizeof *upload);
    if (!upload)
        return -ENOMEM;
    *upload = (struct bide__web_upload){
        NULL, part->name,
        (bide_upload){part->file_name.bytes, part->content_type.bytes, part->data, part->size}};
    **end = upload;
    *end = &upload->next;
    return 0;
}

/* The events of the parser, over a body that is there as a whole. */
static enum bide__http_result parse_parts(bide_request *req, bide_problems *problems,
                                          struct bide__multipart *parser, struct bide__slice rest,
                                          struct bide__web_form *form, int *ret_error)
{
    struct bide__web_upload **end = &form->uploads;
    struct part part = {.data = rest.bytes};
    for (;;) {
        struct bide__slice data;
        size_t used;
        enum bide__http_result result =
            bide__multipart_next(parser, rest.bytes, rest.length, &used, &data);
        rest = bide__slice_from(rest, used);
        switch (result) {
        case BIDE__HTTP_PART:
            if (!begin_part(req, parser, rest.bytes, &part))
                *ret_error = -ENOMEM;
            break;
        case BIDE__HTTP_DATA:
            part.size += data.length;
            break;
        case BIDE__HTTP_PART_END:
            *ret_error = end_part(req, problems, form, &part, &end);
            break;
        case BIDE__HTTP_MORE:
            return bide__multipart_ended(parser);
        default:
            return result;
        }
        if (*ret_error < 0)
            return BIDE__HTTP_DONE;
    }
}

static bool read_multipart(bide_request *req, bide_problems *problems, struct bide__slice boundary,
                           bide_text body, struct bide__web_form *form, int *ret_error)
{
    struct bide__multipart parser;
    char *storage = bide_arena_alloc(bide_arena_of(req), BIDE_CAP_FORM_PART_HEAD_BYTES);
    if (!storage) {
        *ret_error = -ENOMEM;
        return true;
    }
    bide__multipart_init(&parser, boundary, storage, BIDE_CAP_FORM_PART_HEAD_BYTES);
    if (parse_parts(req, problems, &parser, bide__slice(body.at, body.length), form, ret_error) !=
        BIDE__HTTP_BAD)
        return true;
    bide__web_refuse(req, parser.refusal.status, parser.refusal.text);
    return false;
}

/* An empty body is an empty form, whatever its type: what is missing is said field by field. */
static bool read_form(bide_request *req, bide_problems *problems, struct bide__web_form *form,
                      int *ret_error) BIDE__TASK;
static bool read_form(bide_request *req, bide_problems *problems, struct bide__web_form *form,
                      int *ret_error)
{
    bide_text field = bide_header_of(req, "content-type");
    struct bide__slice boundary, type = media_type(field);
    bool is_multipart = is_type(type, "multipart/form-data");
    bool is_urlencoded = is_type(type, "application/x-www-form-urlencoded");
    bide__pairs_init(&form->pairs);
    form->uploads = NULL;
    if (field.at && !is_multipart && !is_urlencoded) {
        bide__web_refuse(req, 415,
                         "the body is to be a form: multipart/form-data or "
                         "application/x-www-form-urlencoded");
        return false;
    }
    if (is_multipart &&
        bide__multipart_boundary(bide__slice(field.at, field.length), &boundary) < 0) {
        bide__web_refuse(req, 400, "the form's content type has no valid boundary");
        return false;
    }
    bide_text body = bide__web_body(req);
    if (body.length == 0)
        return true;
    if (!field.at) {
        bide__web_refuse(req, 415, "the body has no content type");
        return false;
    }
    if (is_multipart)
        return read_multipart(req, problems, boundary, body, form, ret_error);
    *ret_error = bide__pairs_decode(req, problems, &form->pairs, bide__slice(body.at, body.length),
                                    "[\"body\"]");
    return true;
}

bool bide__web_read_body(bide_request *req, bide_problems *problems,
                         struct bide__web_form *ret_form, int *ret_error)
{
    *ret_error = 0;
    if (req->plan->takes_form)
        return read_form(req, problems, ret_form, ret_error);
    return read_json(req, problems, ret_error);
}
