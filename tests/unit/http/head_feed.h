/*
 * The trace of a head: "400 text", "more", or for a request
 *     "GET /x 1.1 none keep host=a path=/x query=- | Name: value | ..."
 * and for a response "200 OK 1.1 length=5 keep | ...".
 */
#ifndef BIDE_TESTS_HTTP_HEAD_FEED_H
#define BIDE_TESTS_HTTP_HEAD_FEED_H

#include "feed.h"
#include "http/head.h"

static void note_span(struct trace *trace, const char *bytes, struct bide__http_span span)
{
    note_bytes(trace, bytes + span.at, span.length);
}

static void note_request_line(struct trace *trace, const struct bide__http_head *head,
                              const char *bytes)
{
    note_span(trace, bytes, head->method_text);
    note(trace, " ");
    note_span(trace, bytes, head->target);
    note(trace, " 1.%d", head->minor_version);
}

static void note_head(struct trace *trace, const struct bide__http_head *head, const char *bytes)
{
    static const char *const framings[] = {"none", "length", "chunked", "close-delimited"};
    if (head->response) {
        note(trace, "%d ", head->status);
        note_span(trace, bytes, head->reason);
        note(trace, " 1.%d", head->minor_version);
    } else {
        note_request_line(trace, head, bytes);
    }
    note(trace, " %s", framings[head->framing]);
    if (head->framing == BIDE__HTTP_LENGTH)
        note(trace, "=%llu", (unsigned long long)head->content_length);
    note(trace, " %s%s%s", head->keep_alive ? "keep" : "close",
         head->expect_continue ? " continue" : "", head->upgrade ? " upgrade" : "");
    if (!head->response) {
        note(trace, " host=");
        note_span(trace, bytes, head->host);
        note(trace, " path=");
        note_span(trace, bytes, head->path);
        note(trace, " query=%s", head->has_query ? "" : "-");
        note_span(trace, bytes, head->query);
    }
    for (int i = 0; i < head->count; i++) {
        const struct bide__http_field *field = &head->fields[i];
        check_int(field->id, bide__http_field_id_of(bytes + field->name.at, field->name.length));
        check(field->id == 0 || head->known >> field->id & 1);
        note(trace, " | ");
        note_span(trace, bytes, head->fields[i].name);
        note(trace, ": ");
        note_span(trace, bytes, head->fields[i].value);
    }
    note(trace, " | bytes=%d", head->bytes);
}

/* context: NULL for a request, else the enum bide__http_method of a response's request. */
static void feed_head(struct trace *trace, const char *bytes, size_t length, size_t cut,
                      const void *context)
{
    static struct bide__http_head head;
    memset(&head, 0xAA, sizeof head);
    if (context)
        bide__http_head_response(&head, *(const enum bide__http_method *)context);
    else
        bide__http_head_request(&head);
    enum bide__http_result result = BIDE__HTTP_MORE;
    for (size_t at = 0; at < length && result == BIDE__HTTP_MORE;) {
        at = piece_end(at, length, cut);
        char *copy = copy_of(bytes, at);
        result = bide__http_head_parse(&head, copy, at);
        check_int(bide__http_head_parse(&head, copy, at), result);
        free(copy);
    }
    if (result == BIDE__HTTP_DONE)
        note_head(trace, &head, bytes);
    else if (result == BIDE__HTTP_BAD)
        note(trace, "%d %s", head.refusal.status, head.refusal.text);
    else
        note(trace, "more");
}

#define check_request(raw, expected) feed_all(feed_head, NULL, raw, sizeof(raw) - 1, expected)

#endif
