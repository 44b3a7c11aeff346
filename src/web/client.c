/*
 * The client inside the program: a transport of which both ends are here. Called by tests; calls
 * dispatch.c, as serve.c does.
 */
#include "web/web.h"

#include "base/list.h"
#include "base/mem.h"
#include "core/error.h"
#include "http/cookie.h"
#include "http/status.h"

#include <bide/web_test.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* bytes of all replies of one client */
#define CLIENT_BYTES ((size_t)256 << 20)
/* bytes of one request beside its body, as of one on a connection */
#define REQUEST_BYTES ((size_t)BIDE_CAP_HTTP_ARENA_BYTES)

/* One that a reply has set: for paths that begin so (RFC 6265 section 5.1.4). */
struct cookie {
    struct cookie *next;
    const char *name, *path;
    const char *value; /* NULL: it was deleted */
};

struct bide_client {
    struct bide__web_server server;
    bide_arena arena;               /* replies, fields, cookies */
    struct bide__web_field *fields; /* of every request */
    struct cookie *cookies;         /* the jar */
    const char *address, *scheme;   /* where requests come from */
};

struct client_request {
    bide_request base;
    bide_client *client;
    bide_arena arena;
    bide_client_body body;
    const char *cookie; /* the Cookie field, or NULL */
    uint64_t most_body_bytes;
    bide_buf made; /* the body of a reply that is made while it is sent */
};

static __attribute__((noreturn)) void raise_memory(void)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for the client"));
}

static void *must(void *memory)
{
    if (!memory)
        raise_memory();
    return memory;
}

static struct client_request *request_of(const bide_request *req)
{
    return bide__container_of(req, struct client_request, base);
}

static bool is_named(const char *a, const char *b)
{
    return bide__slice_equal_nocase(bide__slice_of(a), bide__slice_of(b));
}

static bide_text text_of(const char *text)
{
    return (bide_text){text, text ? strlen(text) : 0};
}

static bide_text header(const bide_request *req, const char *name)
{
    const struct client_request *request = request_of(req);
    const struct bide__web_field *field = request->client->fields;
    while (field && !(field->value && is_named(field->name, name)))
        field = field->next;
    if (field)
        return text_of(field->value);
    if (is_named(name, "content-type"))
        return text_of(request->body.content_type);
    if (is_named(name, "cookie"))
        return text_of(request->cookie);
    return text_of(is_named(name, "host") ? "testserver" : NULL);
}

static bide_arena *arena(bide_request *req)
{
    return &request_of(req)->arena;
}

/* As http's: a copy with a NUL behind it, not beyond the cap. */
static bide_text body(bide_request *req)
{
    const struct client_request *request = request_of(req);
    size_t size = request->body.size;
    if (size > request->most_body_bytes)
        bide__fail(bide__current->at, bide_error_new(413, "the body is too large"));
    char *copy = must(bide_arena_alloc(arena(req), size + 1));
    memcpy(copy, request->body.data, size);
    copy[size] = 0;
    return (bide_text){copy, size};
}

static bide_text client_address(bide_request *req)
{
    return text_of(request_of(req)->client->address);
}

static bide_text scheme(bide_request *req)
{
    return text_of(request_of(req)->client->scheme);
}

static bide_text host(const bide_request *req)
{
    return header(req, "host");
}

/* Nobody has a deadline here: virtual time stands still while a handler runs. */
static void allow(bide_request *req, uint64_t body_bytes, bide_duration deadline)
{
    (void)deadline;
    if (body_bytes > 0)
        request_of(req)->most_body_bytes = body_bytes;
}

static bool begin(bide_request *req, int64_t size)
{
    (void)size;
    return req->method != BIDE__HTTP_HEAD && !bide__http_bodiless(req->status);
}

static void write_piece(bide_request *req, const void *data, size_t size)
{
    if (bide_buf_append(&request_of(req)->made, data, size) < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "a reply of more than %zu bytes", CLIENT_BYTES));
}

static void write_file(bide_request *req, int fd, uint64_t offset, uint64_t size)
{
    char bytes[8192];
    while (size > 0) {
        ssize_t n =
            pread(fd, bytes, size < sizeof bytes ? (size_t)size : sizeof bytes, (off_t)offset);
        if (n <= 0)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_SYSTEM, "a file that is sent: %s",
                                      n == 0 ? "it has become shorter" : strerror(errno)));
        write_piece(req, bytes, (size_t)n);
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
}

static const struct bide__transport client_transport = {
    header, arena, body, client_address, scheme, host, allow, begin, write_piece, write_file};

/* ---- the cookie jar ---- */

static char *copy_of(bide_client *client, struct bide__slice text)
{
    return must(bide_arena_strndup(&client->arena, text.bytes ? text.bytes : "", text.length));
}

/* The value of `name=...` if the attribute is that one. */
static bool is_attribute(struct bide__slice attribute, const char *name,
                         struct bide__slice *ret_value)
{
    size_t length = strlen(name);
    attribute = bide__slice_trim(attribute);
    if (attribute.length <= length || attribute.bytes[length] != '=' ||
        !bide__slice_equal_nocase(bide__slice(attribute.bytes, length), bide__slice_of(name)))
        return false;
    *ret_value = bide__slice_from(attribute, length + 1);
    return true;
}

/* What a cookie without Path is for: the folder of the request's path. */
static struct bide__slice folder_of(struct bide__slice path)
{
    const char *slash = path.length ? memrchr(path.bytes, '/', path.length) : NULL;
    if (!slash || slash == path.bytes)
        return bide__slice("/", 1);
    return bide__slice(path.bytes, (size_t)(slash - path.bytes));
}

/* `name=value; attribute...`; Max-Age=0 or less deletes it. */
static void keep_cookie(bide_client *client, struct bide__slice request_path, const char *text)
{
    size_t pair_length = strcspn(text, ";");
    const char *equals = memchr(text, '=', pair_length);
    struct bide__slice rest = bide__slice_of(text + pair_length), attribute, value;
    struct bide__slice path = folder_of(request_path);
    bool deleted = false;
    if (!equals)
        return;
    while (bide__slice_split(&rest, ';', &attribute)) {
        if (is_attribute(attribute, "max-age", &value))
            deleted = value.length > 0 && (*value.bytes == '-' || *value.bytes == '0');
        else if (is_attribute(attribute, "path", &value) && value.length > 0 && *value.bytes == '/')
            path = value;
    }
    struct bide__slice name = bide__slice_trim(bide__slice(text, (size_t)(equals - text)));
    struct cookie *cookie = client->cookies;
    while (cookie && !(bide__slice_equal(bide__slice_of(cookie->name), name) &&
                       bide__slice_equal(bide__slice_of(cookie->path), path)))
        cookie = cookie->next;
    if (!cookie) {
        cookie = must(bide_arena_alloc(&client->arena, sizeof *cookie));
        *cookie =
            (struct cookie){client->cookies, copy_of(client, name), copy_of(client, path), NULL};
        client->cookies = cookie;
    }
    value = bide__slice(equals + 1, (size_t)(text + pair_length - equals) - 1);
    cookie->value = deleted ? NULL : copy_of(client, bide__slice_trim(value));
}

static bool is_for(const struct cookie *cookie, struct bide__slice path)
{
    size_t length = strlen(cookie->path);
    return path.length >= length && memcmp(path.bytes, cookie->path, length) == 0 &&
           (path.length == length || cookie->path[length - 1] == '/' || path.bytes[length] == '/');
}

static const char *cookie_field(bide_client *client, struct bide__slice path, bide_arena *memory)
{
    const char *text = NULL;
    for (const struct cookie *cookie = client->cookies; cookie; cookie = cookie->next)
        if (cookie->value && is_for(cookie, path))
            text = must(bide_arena_printf(memory, "%s%s%s=%s", text ? text : "", text ? "; " : "",
                                          cookie->name, cookie->value));
    return text;
}

/* ---- bodies ---- */

bide_client_body bide_client_multipart(bide_client *client, const bide_client_part *parts,
                                       size_t count)
{
    static const char boundary[] = "bide-client-boundary-7d1c";
    bide_client_body body = {
        must(bide_arena_printf(&client->arena, "multipart/form-data; boundary=%s", boundary)), NULL,
        0};
    bide_buf out;
    bide_buf_init(&out, CLIENT_BYTES);
    for (size_t i = 0; i < count; i++) {
        const bide_client_part *part = &parts[i];
        bide_buf_printf(&out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary,
                        part->name);
        if (part->file_name)
            bide_buf_printf(&out, "; filename=\"%s\"\r\nContent-Type: %s", part->file_name,
                            part->content_type ? part->content_type : "application/octet-stream");
        bide_buf_append_str(&out, "\r\n\r\n");
        bide_buf_append(&out, part->value, part->size ? part->size : strlen(part->value));
        bide_buf_append_str(&out, "\r\n");
    }
    bide_buf_printf(&out, "--%s--\r\n", boundary);
    body.size = bide_buf_length(&out);
    char *copy = bide_arena_alloc(&client->arena, body.size + 1);
    if (copy && !bide_buf_error(&out))
        memcpy(copy, bide_buf_str(&out), body.size + 1);
    bool written = !bide_buf_error(&out);
    bide_buf_done(&out);
    body.data = must(written ? copy : NULL);
    return body;
}

/* ---- requests ---- */

/* Waits for what was to come after the reply; who failed has been reported. */
static void run_later(bide_request *req) BIDE__TASK;
static void run_later(bide_request *req)
{
    const bide_group *later = req->later;
    if (!later || later->live == 0)
        return;
    size_t count = 0;
    bide_task_ref *refs = must(bide_arena_alloc(bide_arena_of(req), later->live * sizeof *refs));
    bide__list_foreach(node, &later->children)
    {
        const struct bide_task *task = bide__task_of_node(node);
        refs[count++] = (bide_task_ref){(struct bide_task *)(uintptr_t)task, task->head.id};
    }
    bide__web_replied(req);
    bide_await(bide_wait(BIDE_ALL, refs, count));
}

void bide_client_header(bide_client *client, const char *name, const char *value)
{
    struct bide__web_field *field = client->fields;
    while (field && !is_named(field->name, name))
        field = field->next;
    if (!field) {
        field = must(bide_arena_alloc(&client->arena, sizeof *field));
        *field = (struct bide__web_field){.next = client->fields,
                                          .name = must(bide_arena_strdup(&client->arena, name))};
        client->fields = field;
    }
    field->value = value ? must(bide_arena_strdup(&client->arena, value)) : NULL;
}

void bide_client_from(bide_client *client, const char *address, const char *scheme)
{
    client->address = must(bide_arena_strdup(&client->arena, address));
    client->scheme = must(bide_arena_strdup(&client->arena, scheme));
}

static void end_request(void *arg)
{
    struct client_request *request = arg;
    bide__web_release(&request->base);
    bide_buf_done(&request->made);
    bide_arena_done(&request->arena);
}

/* What a connection would send, out of the request's memory. */
static bide_client_reply take_reply(bide_client *client, const bide_request *req)
{
    bide_client_reply taken = {.status = req->status, .arena = &client->arena, .body = ""};
    const struct bide__web_field **end = &taken.fields;
    for (const struct bide__web_field *field = req->fields; field; field = field->next) {
        struct bide__web_field *copy = must(bide_arena_alloc(&client->arena, sizeof *copy));
        *copy = (struct bide__web_field){
            .name = must(bide_arena_strdup(&client->arena, field->name)),
            .value = must(bide_arena_strdup(&client->arena, field->value))};
        *end = copy;
        end = (const struct bide__web_field **)&copy->next;
        if (is_named(copy->name, "set-cookie"))
            keep_cookie(client, req->path, copy->value);
    }
    if (req->content_type) {
        struct bide__web_field *type = must(bide_arena_alloc(&client->arena, sizeof *type));
        *type = (struct bide__web_field){
            .next = (struct bide__web_field *)(uintptr_t)taken.fields,
            .name = "Content-Type",
            .value = must(bide_arena_strdup(&client->arena, req->content_type))};
        taken.fields = type;
    }
    if (req->method != BIDE__HTTP_HEAD && !bide__http_bodiless(req->status)) {
        char *copy = must(bide_arena_alloc(&client->arena, req->body_size + 1));
        memcpy(copy, req->body, req->body_size);
        copy[req->body_size] = 0;
        taken.body = copy;
        taken.length = req->body_size;
    }
    return taken;
}

bide_async(bide_client_reply) bide_client_send(bide_client_ptr client, const char *method,
                                               const char *target, bide_client_body sent)
{
    struct client_request request = {
        .client = client, .body = sent, .most_body_bytes = BIDE_CAP_HTTP_BODY_BYTES};
    bide_request *req = &request.base;
    struct bide__slice rest = bide__slice_of(target);
    bide_arena_init(&request.arena, NULL, REQUEST_BYTES + 3 * sent.size);
    bide_buf_init(&request.made, CLIENT_BYTES);
    bide_defer(end_request, &request);
    int cancelled = bide__checkpoint(bide__task_current());
    if (cancelled < 0)
        bide__raise(cancelled, NULL);
    req->transport = &client_transport;
    req->method_text = bide__slice_of(method);
    req->method = bide__web_method(req->method_text);
    bide__slice_split(&rest, '?', &req->path);
    req->query = rest;
    request.cookie = cookie_field(client, req->path, &request.arena);
    bide__web_prepare(req, &client->server);
    bide__web_answer(req);
    if (req->source) {
        bide__web_send(req);
        req->body = bide_buf_str(&request.made);
    }
    bide_client_reply taken = take_reply(client, req);
    run_later(req);
    return bide_ready(bide_client_reply, taken);
}

const char *bide_client_reply_header(bide_client_reply from, const char *name)
{
    const struct bide__web_field *field = from.fields;
    while (field && !is_named(field->name, name))
        field = field->next;
    return field ? field->value : NULL;
}

/* ---- the application's life ---- */

static void free_client(void *arg)
{
    bide_client *client = arg;
    bide__web_server_done(&client->server);
    bide_app_free(client->server.app);
    bide_arena_done(&client->arena);
    bide__free(client);
}

bide_async(bide_client_ptr) bide_client_open(bide_app_ptr app)
{
    bide_client *client = bide__calloc(1, sizeof *client);
    if (!client) {
        bide_app_free(app);
        raise_memory();
    }
    client->server.app = app;
    client->address = "testclient";
    client->scheme = "http";
    bide_arena_init(&client->arena, NULL, CLIENT_BYTES);
    bide_on_error(free_client, client);
    const char *problem = bide_app_check(app);
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "%s", problem));
    bide_await(bide__app_start(app));
    return bide_ready(bide_client_ptr, client);
}

bide_async(void) bide_client_close(bide_client_ptr client, bide_error *error)
{
    (void)error;
    bide_defer(free_client, client);
    bide_await(bide__app_stop(client->server.app));
    return bide_void;
}
