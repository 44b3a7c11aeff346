/*
 * web_test.h: an application's client inside the same program: no sockets.
 *
 *     TEST(users_have_names)
 *     {
 *         with_client(c, make_app()) {
 *             reply r = await(client_post(c, "/users", json("{\"name\":\"Sam\"}")));
 *             check_int(r.status, 201);
 *             check_str(json_str(r, "name"), "Sam");
 *             int64_t id = json_int(r, "id");
 *             ...
 *         }
 *     }
 *
 * A request goes through the same code as one from a connection: middleware, router, parameters,
 * providers, handler, response; only the bytes of HTTP are left out. It runs in the task that
 * calls.
 *
 * Invariants
 *  1. with_client takes the application: it starts it, and stops and frees it on every way out.
 *  2. Cookies that replies set are sent with later requests to their paths, until a reply deletes
 *     them.
 *  3. A reply and what was read from it live until the block is left.
 *  4. What a request left to be done after its reply has ended when the reply is given.
 *
 * layer: web
 */
#ifndef BIDE_WEB_TEST_H
#define BIDE_WEB_TEST_H

#include <bide/client_reply.h>
#include <bide/resource.h>
#include <bide/web.h>

typedef struct bide_client bide_client;
typedef bide_client *bide_client_ptr;
AWAITABLE(bide_client_ptr);

/* One part of a multipart form. */
typedef struct bide_client_part {
    const char *name;
    const char *value;        /* a text, or a file's content */
    const char *file_name;    /* NULL: a plain field */
    const char *content_type; /* of a file; NULL: application/octet-stream */
    size_t size;              /* of the value; 0: up to its NUL */
} bide_client_part;

/* A multipart form, in the client's memory. Raises BIDE_NO_MEMORY. */
bide_client_body bide_client_multipart(bide_client *client, const bide_client_part *parts,
                                       size_t count);

/* Starts the application: raises what bide_app_check finds, and the error of its start hook. */
bide_async(bide_client_ptr) bide_client_open(bide_app_ptr app);
bide_async(void) bide_client_close(bide_client_ptr client, bide_error *error);
RESOURCE(bide__client, bide_client_ptr, bide_client_open, bide_client_close)

/* Sends this header field with every later request; a value of NULL ends that. Both are copied. */
void bide_client_header(bide_client *client, const char *name, const char *value);

/* Where later requests come from, as bide_client_of and bide_scheme_of tell it; "testclient" and
   "http" without this. Their host is the header field's, or "testserver". Both are copied. */
void bide_client_from(bide_client *client, const char *address, const char *scheme);

/* One request. The target is a path, with or without a query, as it would be in a URL. What a
   handler raises becomes a reply; only a cancel is raised, and what a body fails with that is made
   while it is sent: then there is no whole reply. */
bide_async(bide_client_reply) bide_client_send(bide_client_ptr client, const char *method,
                                               const char *target, bide_client_body body);

#ifndef BIDE_NO_KEYWORDS
typedef bide_client_reply reply;
#define with_client(client, app) bide_with(bide__client, client, app)
#define client_get(c, target) bide_client_send(c, "GET", target, (bide_client_body){NULL, "", 0})
#define client_delete(c, target)                                                                   \
    bide_client_send(c, "DELETE", target, (bide_client_body){NULL, "", 0})
#define client_post(c, target, body) bide_client_send(c, "POST", target, body)
#define client_put(c, target, body) bide_client_send(c, "PUT", target, body)
#define client_patch(c, target, body) bide_client_send(c, "PATCH", target, body)
#define client_send(c, method, target, body) bide_client_send(c, method, target, body)
#define client_header(c, name, value) bide_client_header(c, name, value)
#define client_from(c, address, scheme) bide_client_from(c, address, scheme)
#define reply_header(r, name) bide_client_reply_header(r, name)
#define reply_as(model, r) bide_reply_as(model, r)
/* Bodies: a JSON text, an urlencoded form, nothing, or a form of parts:
   multipart(c, part("title", "x"), part_file("picture", data, "a.png", "image/png")). */
#define json(text) bide_body_text("application/json", text)
#define urlencoded(text) bide_body_text("application/x-www-form-urlencoded", text)
#define multipart(c, ...)                                                                          \
    bide_client_multipart(c, (const bide_client_part[]){__VA_ARGS__},                              \
                          sizeof((const bide_client_part[]){__VA_ARGS__}) /                        \
                              sizeof(bide_client_part))
#define part(name, value) ((bide_client_part){name, value, NULL, NULL, 0})
#define part_file(name, content, file_name, content_type)                                          \
    ((bide_client_part){name, content, file_name, content_type, 0})
#define no_body ((bide_client_body){NULL, "", 0})
#define json_int(r, path) bide_json_int(r, path)
#define json_real(r, path) bide_json_real(r, path)
#define json_bool(r, path) bide_json_bool(r, path)
#define json_str(r, path) bide_json_str(r, path)
#define json_count(r, path) bide_json_count(r, path)
#define json_has(r, path) bide_json_has(r, path)
#endif

#endif
