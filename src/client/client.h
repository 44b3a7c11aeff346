/*
 * What the files of src/client share. Nothing of it is there when the library was built without
 * libcurl (BIDE_CURL).
 */
#ifndef BIDE_CLIENT_CLIENT_H
#define BIDE_CLIENT_CLIENT_H

#include "base/slice.h"
#include "transfer/transfer.h"

#include <bide/http_client.h>
#include <bide/semaphore.h>

#if BIDE_CURL

struct bide_http_client {
    bide_http_client_options options; /* its texts are in `arena`, its zeros are filled in */
    bide_arena arena;
    struct bide__transfers *transfers;
    bide_semaphore slots;
    CURLSH *jar; /* cookies; NULL: none are kept */
    struct bide__loop *loop;
    struct bide__object object;
    size_t users; /* who opened it, and requests under way; the last one frees it */
    bool closed;
};

/* One request on its way: in the frame of its task. */
struct bide__http_call {
    bide_http_client *client;
    const bide_http_request *request;
    bide_arena *arena; /* the reply's */
    struct bide__slice method;
    const char *url;    /* absolute */
    char label[200];    /* "GET https://host/path", for messages: without a query */
    bool keeps_body;    /* no redirection has made a GET of it */
    bool keeps_secrets; /* none has led to another origin */
    bool changed;       /* what is not idempotent was answered, by a redirection */
    bool sent;          /* of the running attempt */
    bool again;         /* libcurl was about to send it once more */
    bool sets_cookies;  /* the reply does */
    bool head_ended;    /* lines from here on are trailers */
    int code;           /* of a callback: -EMSGSIZE, -ENOMEM */
    bide_buf head;      /* lines of the last head */
    bide_buf body;
    struct bide__transfer transfer; /* with a sink or a source: body.c */
    bool receive_paused, send_paused;
    bide_buf pieces, handed; /* for the sink, and with it */
    uint64_t received;       /* bytes for the sink so far */
    bide_buf outgoing;       /* of the source */
    uint64_t sourced;        /* bytes of the source so far */
    bool source_ended;
    CURL *easy;
    struct curl_slist *fields;
    struct curl_slist *addresses; /* of the URL's host, found by bide_resolve */
    char problem[CURL_ERROR_SIZE];
};

/* ---- easy.c: one attempt, as libcurl wants to be told ---- */

/* Whether there is a byte in it that no value of a field may have. */
bool bide__http_has_control(const char *text);

/* NULL, or what is wrong with a list of fields. */
const char *bide__http_fields_problem(const bide_http_field *fields);

/* Makes the easy handle, or sets it for another URL. 0, -ENOMEM. */
int bide__http_call_prepare(struct bide__http_call *call);

/* Frees what the attempts took; may be called for a zeroed call. */
void bide__http_call_done(struct bide__http_call *call);

/* ---- body.c: bodies that are streamed ---- */

size_t bide__http_take_piece(struct bide__http_call *call, const char *bytes, size_t size);
size_t bide__http_give_piece(char *bytes, size_t size, size_t count, void *call);

/* The attempt of a call with a sink or a source. Suspends, and raises. */
CURLcode bide__http_pump(struct bide__http_call *call) BIDE__TASK;

/* ---- jar.c: bounds of the cookies, after a reply, or a part of one. 0, -ENOMEM. ---- */

int bide__http_jar_bound(struct bide__http_call *call);

/* Whether doing it twice is like doing it once (RFC 9110 section 9.2.2). */
bool bide__http_is_idempotent(struct bide__slice method);

#endif
#endif
