/*
 * What head.c, whole_lines.c and framing.c share and nobody else needs.
 */
#ifndef BIDE_HTTP_HEAD_PARTS_H
#define BIDE_HTTP_HEAD_PARTS_H

#include "http/head.h"
#include "http/scan.h"

/* Places of the states in head.c where whole_lines.c comes from and goes to. */
enum { BIDE__HTTP_AT_START = 0, BIDE__HTTP_AT_FIELD = 8, BIDE__HTTP_AT_END = 14 };

/* head.c. Ends the parsing; gives BAD. */
enum bide__http_result bide__http_refuse(struct bide__http_head *head, int status,
                                         const char *text);
enum bide__http_method bide__http_method_of(const char *name, size_t length);
enum bide__http_result bide__http_parse_in_steps(struct bide__http_head *head, const char *bytes,
                                                 size_t length);

/* whole_lines.c. Takes the fields from head->at on as far as their lines are whole and in order,
 * and the end of the head if it is next: true. head->at is then behind what was taken. */
bool bide__http_read_whole_fields(struct bide__http_head *head, const char *bytes, size_t end);

/* framing.c. What the request target means: BAD or MORE; the whole of a head: BAD or DONE. */
enum bide__http_result bide__http_judge_target(struct bide__http_head *head, const char *bytes);
enum bide__http_result bide__http_judge(struct bide__http_head *head, const char *bytes);

static inline void bide__http_set_span(struct bide__http_span *span, size_t at, size_t end)
{
    span->at = (uint16_t)at;
    span->length = (uint16_t)(end - at);
}

/* Splits what ends a target, `mark` being the first '?' or the end. */
static inline void bide__http_set_path(struct bide__http_head *head, size_t at, size_t mark,
                                       size_t end)
{
    bide__http_set_span(&head->path, at, mark);
    if (mark < end) {
        head->has_query = true;
        bide__http_set_span(&head->query, mark + 1, end);
    }
}

#endif
