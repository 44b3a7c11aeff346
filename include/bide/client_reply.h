/*
 * client_reply.h: bodies to send and replies that came back: of an application in the same program
 * (web_test.h), and of other servers (http_client.h).
 *
 *     if (r.status == 200)
 *         return bide_json_int(r, "items.0.id");
 *
 * Nothing here suspends.
 *
 * layer: web
 */
#ifndef BIDE_CLIENT_REPLY_H
#define BIDE_CLIENT_REPLY_H

#include <bide/json.h>

/* What came back. */
typedef struct bide_client_reply {
    int status;
    const char *body; /* ends with a NUL */
    size_t length;
    const struct bide__web_field *fields;
    bide_arena *arena; /* where all of it lives, and what is read from it */
} bide_client_reply;
AWAITABLE(bide_client_reply);

/* A body to send. */
typedef struct bide_client_body {
    const char *content_type; /* NULL: no body */
    const void *data;
    size_t size;
} bide_client_body;

/* A text of a type: bide_body_text("application/json", "{}"). It is not copied. */
static inline bide_client_body bide_body_text(const char *content_type, const char *text)
{
    return (bide_client_body){content_type, text, __builtin_strlen(text)};
}

/* A row as JSON: bide_body_model(user, &u), in bide_task_arena(). Raises BIDE_NO_MEMORY, BIDE_LIMIT
   beyond 16 MiB, BIDE_INVALID for what JSON cannot say (json.h) and for async computed fields. */
#define bide_body_model(model, row) bide__body_model(model##_model(), 0 ? (const model *)0 : (row))
bide_client_body bide__body_model(const bide_model *model, const void *row);

/* A header field of the reply, in any case of letters; NULL without it. */
const char *bide_client_reply_header(bide_client_reply from, const char *name);

/*
 * A value inside the reply: "id", "items.0.name", "" for the whole. Raise BIDE_INVALID, quoting the
 * body, when it is not there or of another type.
 */
int64_t bide_json_int(bide_client_reply from, const char *path);
double bide_json_real(bide_client_reply from, const char *path);
bool bide_json_bool(bide_client_reply from, const char *path);
const char *bide_json_str(bide_client_reply from, const char *path);
/* Items of a list, keys of an object. */
size_t bide_json_count(bide_client_reply from, const char *path);
bool bide_json_has(bide_client_reply from, const char *path); /* null counts */

/* The whole reply as a model: bide_reply_as(user_out, r). Raises BIDE_INVALID if it does not fit.
 */
#define bide_reply_as(model, reply)                                                                \
    (*(const model *)bide__reply_as(reply, model##_model(), sizeof(model)))
const void *bide__reply_as(bide_client_reply from, const bide_model *model, size_t size);

#endif
