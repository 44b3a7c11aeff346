/*
 * What is sent of a file. See content.h. Calls http/range.c, and the transport while it is sent.
 */
#include "web/content.h"

#include "base/random.h"
#include "core/error.h"
#include "http/range.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BOUNDARY_BYTES = 33, HEAD_BYTES = 1280 };

/* The ranges of a reply; the whole file is one. */
struct parts {
    struct bide__web_source source;
    int fd;
    int count;
    uint64_t size; /* of the file */
    const char *type;
    char boundary[BOUNDARY_BYTES]; /* "": there is one part, without a head */
    struct bide__http_range ranges[BIDE_CAP_HTTP_RANGES];
};

static __attribute__((noreturn, cold)) void raise_memory(void)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a file"));
}

struct bide__http_condition bide__content_condition(const bide_request *req)
{
    if (req->method != BIDE__HTTP_GET && req->method != BIDE__HTTP_HEAD)
        return (struct bide__http_condition){.if_match = {NULL, 0}};
    return (struct bide__http_condition){
        .if_none_match = bide__web_header(req, "if-none-match"),
        .if_modified_since = bide__web_header(req, "if-modified-since"),
        .if_match = bide__web_header(req, "if-match"),
        .if_unmodified_since = bide__web_header(req, "if-unmodified-since"),
        .if_range = bide__web_header(req, "if-range")};
}

void bide__content_refuse(bide_request *req, int precondition)
{
    if (precondition == 412)
        bide__web_refuse(req, 412, "Precondition Failed");
    else
        bide__web_reply(req, 304, NULL, "", 0);
}

/* ---- which bytes ---- */

/* As bide__http_ranges; a HEAD has none (RFC 9110 14.2). */
static int ranges_of(const bide_request *req, const struct bide__file_stamp *stamp,
                     const struct bide__http_condition *condition, struct parts *parts)
{
    struct bide__slice value = bide__web_header(req, "range");
    char tag[BIDE__FILE_TAG_BYTES];
    if (req->method != BIDE__HTTP_GET || !value.bytes)
        return BIDE__HTTP_RANGE_WHOLE;
    bide__file_tag(stamp, tag);
    if (!bide__http_range_holds(condition, tag, stamp->modified_ns / 1000000000,
                                bide_now_us() / 1000000))
        return BIDE__HTTP_RANGE_WHOLE;
    return bide__http_ranges(value, stamp->size, parts->ranges);
}

/* ---- parts ---- */

/* The head of a part; of the one behind the last: the end. */
static size_t put_head(const struct parts *parts, int number, char out[HEAD_BYTES])
{
    const struct bide__http_range *range = &parts->ranges[number];
    if (!parts->boundary[0])
        return 0;
    if (number == parts->count)
        return (size_t)snprintf(out, HEAD_BYTES, "\r\n--%s--\r\n", parts->boundary);
    return (size_t)snprintf(out, HEAD_BYTES,
                            "%s--%s\r\nContent-Type: %.1024s\r\nContent-Range: bytes %" PRIu64
                            "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                            number ? "\r\n" : "", parts->boundary, parts->type, range->first,
                            range->first + range->length - 1, parts->size);
}

static int64_t whole_size(const struct parts *parts)
{
    char head[HEAD_BYTES];
    uint64_t size = put_head(parts, parts->count, head);
    for (int i = 0; i < parts->count; i++)
        size += put_head(parts, i, head) + parts->ranges[i].length;
    return (int64_t)size;
}

static void make_boundary(struct parts *parts)
{
    uint64_t random[2];
    if (bide__random(random, sizeof random) < 0)
        bide__fail(bide__current->at, bide_error_new(BIDE_SYSTEM, "the system has no randomness"));
    snprintf(parts->boundary, BOUNDARY_BYTES, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
}

/* Status and header fields of a reply with ranges; what it is of. */
static const char *say_ranges(bide_request *req, const struct parts *parts)
{
    const struct bide__http_range *one = parts->ranges;
    char text[96];
    if (parts->boundary[0]) {
        const char *type = bide_arena_printf(bide_arena_of(req),
                                             "multipart/byteranges; boundary=%s", parts->boundary);
        if (!type)
            raise_memory();
        return type;
    }
    snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, one->first,
             one->first + one->length - 1, parts->size);
    bide_set_header(req, "Content-Range", text);
    return parts->type;
}

static void refuse_range(bide_request *req, const struct bide__file_stamp *stamp)
{
    char text[64];
    snprintf(text, sizeof text, "bytes */%" PRIu64, stamp->size);
    bide__web_refuse(req, 416, "Range Not Satisfiable");
    bide_set_header(req, "Content-Range", text);
}

/* ---- from memory ---- */

static void put_parts(const struct parts *parts, const char *memory, bide_buf *buf)
{
    char head[HEAD_BYTES];
    for (int i = 0; i < parts->count; i++) {
        bide_buf_append(buf, head, put_head(parts, i, head));
        bide_buf_append(buf, memory + parts->ranges[i].first, (size_t)parts->ranges[i].length);
    }
    bide_buf_append(buf, head, put_head(parts, parts->count, head));
}

bool bide__content_ranges(bide_request *req, const struct bide__file_stamp *stamp, const char *type,
                          const struct bide__http_condition *condition, const char *memory)
{
    struct parts parts = {.size = stamp->size, .type = type};
    parts.count = ranges_of(req, stamp, condition, &parts);
    if (parts.count == BIDE__HTTP_RANGE_WHOLE)
        return false;
    if (parts.count == BIDE__HTTP_RANGE_NONE) {
        refuse_range(req, stamp);
        return true;
    }
    if (parts.count > 1)
        make_boundary(&parts);
    bide_buf *buf = bide__web_buf(req);
    if (!buf)
        raise_memory();
    put_parts(&parts, memory, buf);
    if (bide_buf_error(buf) < 0)
        raise_memory();
    bide__web_reply_buf(req, 206, say_ranges(req, &parts));
    return true;
}

/* ---- from where it is ---- */

static void run(bide_request *req, struct bide__web_source *source) BIDE__UNCHECKED;
static void run(bide_request *req, struct bide__web_source *source)
{
    const struct parts *parts = bide__container_of(source, struct parts, source);
    char head[HEAD_BYTES];
    for (int i = 0; i < parts->count; i++) {
        bide__web_write(req, head, put_head(parts, i, head));
        bide__web_write_file(req, parts->fd, parts->ranges[i].first, parts->ranges[i].length);
    }
    bide__web_write(req, head, put_head(parts, parts->count, head));
}

static void drop(struct bide__web_source *source)
{
    close(bide__container_of(source, struct parts, source)->fd);
}

void bide__content_file(bide_request *req, const struct bide__file_stamp *stamp, const char *type,
                        const struct bide__http_condition *condition, int fd)
{
    struct parts *parts = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *parts);
    if (!parts) {
        close(fd);
        raise_memory();
    }
    *parts = (struct parts){
        .source = {.run = run, .drop = drop}, .fd = fd, .size = stamp->size, .type = type};
    int count = ranges_of(req, stamp, condition, parts);
    bide__web_reply(req, count == BIDE__HTTP_RANGE_WHOLE ? 200 : 206, type, "", 0);
    req->source = &parts->source; /* from here on the request closes it */
    if (count == BIDE__HTTP_RANGE_NONE) {
        refuse_range(req, stamp);
        return;
    }
    parts->count = count;
    if (count == BIDE__HTTP_RANGE_WHOLE) {
        parts->count = 1;
        parts->ranges[0] = (struct bide__http_range){0, stamp->size};
    } else {
        if (count > 1)
            make_boundary(parts);
        req->content_type = say_ranges(req, parts);
    }
    parts->source.size = whole_size(parts);
}
