/*
 * What the files of this folder share: the application, the plans of its routes, a request on its
 * way through.
 *
 *     serve.c (http)  \
 *                      > dispatch.c -> router.c -> bind.c -> the plan's steps -> render
 *     client.c (tests)/       \-> failure.c, when something was raised -> error_page.c
 *     app.c: the check -> links.c, plan.c, openapi.c;  url_for.c: what links.c has made
 *
 * Invariants
 *  1. After bide_app_check nothing of an application changes but its counter of ids and what its
 *     observer keeps under a lock: any number of loops may serve it.
 *  2. A plan's steps are in the order in which they run: a provider stands before all that depend
 *     on it, the handler is the last.
 *  3. What a request refers to lives until its transport is done with it: the arena, the block of
 *     the plan while its steps run, the buffer until bide__web_release.
 */
#ifndef BIDE_WEB_WEB_H
#define BIDE_WEB_WEB_H

#include "base/caps.h"
#include "core/loop.h"
#include "template/template.h"
#include "web/router.h"

#include <bide/web.h>

enum {
    BIDE__WEB_BLOCK_BYTES = 512, /* of a plan, in the frame of who runs it; more is in the arena */
    BIDE__WEB_PAIRS = 16,        /* of a query, in a frame; more are in the arena */
    BIDE__WEB_ID_BYTES = 65,
};

/* ---- plans ---- */

struct bide__step {
    struct bide__callable *callable;
    uint32_t row_at, value_at; /* in the block */
    const uint32_t *depends_at;
};

/* A page of the library's own: the plan of a route without steps. */
struct bide__builtin {
    const char *pattern;
    void (*fn)(bide_request *req); /* in a task, may suspend and fail; req->match is there */
    const void *arg;               /* for `fn`: req->plan->builtin->arg */
    const char *file;              /* where it was added; NULL: in the library */
    int line;
};

struct bide__plan {
    struct bide__plan *next; /* of the application, in the order of adding */
    const bide_route *route; /* NULL: one of the library's own */
    const struct bide__builtin *builtin;
    bool mounted;             /* with all methods and all below */
    uint32_t index;           /* in the order of adding, from 0 */
    const char *pattern;      /* whole, with the prefix */
    struct bide__step *steps; /* `step_count` of them, then nothing */
    uint32_t step_count;
    uint32_t rows_bytes;  /* the first part of the block: zeroed for each request */
    uint32_t block_bytes; /* rows, body, values, result */
    uint32_t body_at;
    bool binds;      /* there is anything of the request in the block */
    bool is_secured; /* a step asks for a proof */
    bool takes_form; /* fields, files or a model of a form */
    bool takes_files;
    const bide_model *body;        /* or NULL */
    int shape;                     /* of the response: bide_route.response */
    const bide_model *output;      /* of the response, or NULL */
    const bide_template *template; /* that writes it, or NULL */
    uint32_t site_at;              /* in the block: the row of its second model */
    bool has_site;
    int status;
};

struct bide__override {
    struct bide__override *next;
    struct bide__callable *provider, *other;
};

struct bide__error_rule {
    struct bide__error_rule *next;
    int code;
    bide_error_answer *answer;
};

struct bide__middleware {
    struct bide__middleware *next;
    bide_middleware *fn;
    const void *arg;
};

struct bide__added {
    struct bide__added *next;
    bide_route *route;
    const char *prefix;
};

/* A function that has all below a prefix. */
struct bide__mount {
    struct bide__mount *next;
    bide_mounted *fn;
    const void *arg;
    struct bide__builtin page; /* its `arg` is this */
};

/* A path that a template names. */
struct bide__named_path {
    struct bide__named_path *next;
    const char *path, *where;
    unsigned line;
};

struct bide__files; /* files.h */

/* Failures as pages. */
struct bide__error_page {
    struct bide_error_page_options options;
    struct bide__dependency dependency; /* of `route`: the provider of its row */
    bide_route route;                   /* in no router */
    struct bide__plan *plan;            /* NULL before the check */
    struct bide__plan *bare;            /* the same with a site of zeros */
};

struct bide_app {
    struct bide_app_options options;
    bide_arena arena; /* everything below */
    struct bide__router router;
    struct bide__links links;       /* since the check; of no route twice */
    bide_route *const *linked;      /* the routes of `links`, in its order */
    struct bide__named_path *paths; /* of templates, before the router has all routes */
    struct bide__added *added, **added_end;
    struct bide__override *overrides;
    bide_templates *templates; /* or NULL */
    const bide_model *site;    /* of all templates, or NULL */
    struct bide__callable *site_provider;
    struct bide__error_rule *error_rules;
    struct bide__error_page *error_page; /* or NULL */
    struct bide__middleware *middleware, **middleware_end;
    struct bide__mount *mounts;            /* the last added first */
    struct bide__files *files;             /* the same */
    struct bide__observer *observer;       /* NULL: nobody watches */
    struct bide__plan *plans, **plans_end; /* `plan_count` of them */
    uint32_t plan_count;
    const char *problem; /* the first, or NULL */
    bool checked;
    const char *openapi; /* the document */
    size_t openapi_length;
    uint64_t id_seed;
    uint64_t ids; /* given so far; atomic */
};

/* Makes the plan of a route and adds it to the router. 0, or -EINVAL after bide__app_problem. */
int bide__plan_add(bide_app *app, bide_route *route, const char *prefix);

/* The plan of a page that no path leads to; `bare`: its site is a row of zeros. NULL after
   bide__app_problem. */
struct bide__plan *bide__plan_alone(bide_app *app, bide_route *route, bool bare);

/* A zeroed piece of the application before its check, or NULL, which the check will report. */
void *bide__app_piece(bide_app *app, size_t size);

/* Adds one of the library's own pages, which is not copied; or one for all methods and all below
   its pattern. */
int bide__plan_builtin(bide_app *app, const struct bide__builtin *builtin);
int bide__plan_mount(bide_app *app, const struct bide__builtin *builtin);

/* Says what is wrong, if it is the first thing. Gives -EINVAL. */
int bide__app_problem(bide_app *app, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* plan.c: the fields of a callable in the order of their sources, their models complete. 0,
 * -ENOMEM.
 */
int bide__callable_prepare(struct bide__callable *callable);

/* links.c: what the URLs of all routes are made of, before their plans are made; all LINKs fit. 0,
   or -EINVAL after bide__app_problem. */
int bide__links_prepare(bide_app *app);

/* links.c: whether something answers GET at the paths that templates name. 0, -EINVAL. */
int bide__links_check_paths(bide_app *app);

/* The OpenAPI document of all plans, in the application's arena; and its page. */
int bide__openapi_make(bide_app *app);
void bide__openapi_page(bide_request *req);

/* serve.c: the application's hooks, if it has them. `app` is a bide_app *, for bide_defer. */
bide_async(void) bide__app_start(bide_app *app);
bide_async(void) bide__app_stop(void *app);

/* serve.c: as bide_app_serve; calls `started` (may be NULL) when the application has. */
bide_async(void) bide__app_serve(bide_app *app, bide_listener *listener,
                                 const struct bide_http_options *options,
                                 void (*started)(void *arg), void *arg);

/* ---- requests ---- */

/* Where a request comes from. */
struct bide__transport {
    bide_text (*header)(const bide_request *req, const char *name);
    bide_arena *(*arena)(bide_request *req);
    bide_text (*body)(
        bide_request *req); /* all of it, in the arena; in a task: may suspend, fail */
    bide_text (*client)(bide_request *req);
    bide_text (*scheme)(bide_request *req);
    bide_text (*host)(const bide_request *req);
    void (*allow)(bide_request *req, uint64_t body_bytes, bide_duration deadline); /* http.h */
    /* The head of a reply that is made while it is sent, of so many bytes (-1: nobody knows);
       false: nobody gets its body. Then its parts. In a task; may suspend, fail. */
    bool (*begin)(bide_request *req, int64_t size);
    void (*write)(bide_request *req, const void *data, size_t size);
    void (*write_file)(bide_request *req, int fd, uint64_t offset, uint64_t size);
};

/* A body that is made while it is sent. */
struct bide__web_source {
    int64_t size;   /* bytes; -1: nobody knows */
    bool is_events; /* it has no end of its own */
    void (*run)(bide_request *req,
                struct bide__web_source *source);  /* in a task; bide__web_write */
    void (*drop)(struct bide__web_source *source); /* nobody needs it any more; or NULL */
};

/* A buffer for a response, kept for the next request of the same loop. */
struct bide__web_buffer {
    struct bide__web_buffer *next;
    bide_buf buf;
};

/* What is away, of which one request in a while leaves the whole report. */
struct bide__outage {
    int code; /* 0: none */
    const struct bide_site *at;
    int64_t until_ns; /* of the loop's clock: the next whole one */
    uint64_t left_out;
};

/* What one loop serves with. */
struct bide__web_server {
    bide_app *app;
    struct bide__web_buffer *buffers; /* `buffer_count` of them */
    uint32_t buffer_count;
    struct bide__outage outages[BIDE_CAP_WEB_OUTAGES];
    struct bide__file_cache *files; /* these are made when they are needed */
    struct bide__stats *stats;
};

/* A header field of the reply. */
struct bide__web_field {
    struct bide__web_field *next;
    const char *name, *value;
    uint32_t bytes; /* in a head */
    bool kept;      /* by a failure too */
};

struct bide_request {
    const struct bide__transport *transport;
    struct bide__web_server *server;
    enum bide__http_method method;
    struct bide__slice method_text, path, query; /* as sent */

    const struct bide__plan *plan; /* NULL: no route was found */
    const struct bide__route_match *match;
    char *block;

    bide_problems *problems;         /* of the body, for a handler that takes them; or NULL */
    const struct bide__pairs *typed; /* the form of such a handler; or NULL */

    bool has_body; /* it was read: `sent` */
    bide_text sent;

    int status; /* of the reply; 0: there is none yet */
    const char *content_type;
    const char *own_type;  /* of a body, whatever made it; or NULL */
    int own_status;        /* of a success, in place of the route's; or 0 */
    const char *see_other; /* where to, in place of what the handler returns; or NULL */
    bide_failure failure;  /* that the reply answers; its status is 0: none */
    bool failure_is_new;   /* nobody has asked yet whether it is to be a page */
    const char *body;
    size_t body_size;                /* of what a source makes: so far */
    struct bide__web_source *source; /* of the body, in place of `body`; or NULL */
    bool sending;                    /* it runs */
    bool writing;                    /* a piece that lies in `buffer` is on its way */
    struct bide__web_field *fields, **fields_end;
    size_t fields_bytes; /* in a head */
    struct bide__web_buffer *buffer;
    bide_group *later;                 /* holds what bide_after_reply has spawned; or NULL */
    struct bide__memory *memory;       /* while it is served; knows whether it has effects */
    struct bide__memory *outer_memory; /* of the task that serves it, meanwhile hidden */
    bool observed;                     /* somebody watches: it began at started_ns */
    int64_t started_ns;                /* on the loop's clock */
    char id[BIDE__WEB_ID_BYTES];       /* "": none yet */
};

static inline struct bide__slice bide__web_slice(bide_text text)
{
    return bide__slice(text.at, text.length);
}

/* A field of a request; without bytes: not there. */
static inline struct bide__slice bide__web_header(const bide_request *req, const char *name)
{
    return bide__web_slice(req->transport->header(req, name));
}

/* Gets a request ready: all but transport, method, method_text, path, query. */
void bide__web_prepare(bide_request *req, struct bide__web_server *server);

/* Makes the reply: status, type, body and fields stand in the request. In a task; may suspend, and
   raises nothing but a cancel. */
void bide__web_answer(bide_request *req) BIDE__TASK;

/* The reply has been handed to the peer: what was to come after it starts. */
void bide__web_replied(bide_request *req);

/* Gives the buffer back, and drops what was to come after a reply that did not come; with `defer`.
 */
void bide__web_release(void *req);
void bide__web_server_done(void *server);

/* dispatch.c: the reply so far is forgotten, its fields too. */
void bide__web_clear(bide_request *req);

/* dispatch.c: from here on the running task's memory is the request's; the second with `defer`. */
void bide__web_enter_memory(bide_request *req, struct bide__memory *memory);
void bide__web_leave_memory(void *req);

/* dispatch.c: raises a cancel again, out of the request. */
void bide__web_pass_cancel(bide_request *req, bide_error *error);

/* dispatch.c: runs the plan of the request, a bide_request *, behind a boundary. */
void bide__web_run(void *req) BIDE__UNCHECKED;

/* streaming.c: sends a reply that has a source. Raises what the source fails with. */
void bide__web_send(bide_request *req) BIDE__TASK;
void bide__web_write(bide_request *req, const void *data, size_t size) BIDE__TASK;
void bide__web_write_file(bide_request *req, int fd, uint64_t offset, uint64_t size) BIDE__TASK;
void bide__web_drop_source(bide_request *req);

/* file_reply.c: the file that a handler returned becomes the reply. */
void bide__web_reply_file(bide_request *req, const bide_sent_file *file) BIDE__TASK;

/* The buffer for the body; NULL without memory. */
bide_buf *bide__web_buf(bide_request *req);

/* A reply whose body is constant. */
void bide__web_reply(bide_request *req, int status, const char *content_type, const char *body,
                     size_t size);

/* What the buffer holds becomes the body. */
void bide__web_reply_buf(bide_request *req, int status, const char *content_type);

/* Names and values of one source; the first ones need no arena. */
struct bide__pairs {
    bide_pair few[BIDE__WEB_PAIRS];
    bide_pair *all;
    size_t count, room;
    bool parsed;
};

/* A file of a form, and the field that it was sent in. */
struct bide__web_upload {
    struct bide__web_upload *next;
    struct bide__slice field;
    bide_upload file;
};

/* What a body says that is a form. */
struct bide__web_form {
    struct bide__pairs pairs;
    struct bide__web_upload *uploads; /* in the order of the body */
};

/* bind.c: adds a pair; too many are a problem and -EBADMSG. 0, -ENOMEM. */
void bide__pairs_init(struct bide__pairs *pairs);
int bide__pairs_add(bide_request *req, bide_problems *problems, struct bide__pairs *pairs,
                    struct bide__slice name, struct bide__slice value);

/* bind.c: the pairs of a query or an urlencoded form, decoded, behind those that are there. A pair
   that is not well-formed is a problem at `loc`, and left out. 0, -ENOMEM. */
int bide__pairs_decode(bide_request *req, bide_problems *problems, struct bide__pairs *pairs,
                       struct bide__slice text, const char *loc);

/* bind.c: reads all parameters of the plan into its block. Problems are added. 0, -ENOMEM. */
int bide__web_bind(bide_request *req, const struct bide__web_form *form, bide_problems *problems);

/* security.c: reads the proofs that the plan asks for into its block. False: the reply is made. */
bool bide__web_prove(bide_request *req);

/* The value of WWW-Authenticate for a plan that asks for proofs, in the arena; or NULL. */
const char *bide__web_challenge(bide_request *req);

/* body.c: reads the body: JSON into its row, a form into *ret_form. False: the reply is made.
   Problems are added; *ret_error is 0 or -ENOMEM. */
bool bide__web_read_body(bide_request *req, bide_problems *problems,
                         struct bide__web_form *ret_form, int *ret_error) BIDE__TASK;

/* request.c: the whole body as it was sent. */
bide_text bide__web_body(bide_request *req) BIDE__TASK;

/* problems.c: keeps what is wrong with the body, and the form, for a handler that takes problems.
   False: something else is wrong, or there is no memory. */
bool bide__web_keep_problems(bide_request *req, const bide_problems *problems,
                             const struct bide__web_form *form);

/* render.c: the handler's result becomes the reply. */
void bide__web_render(bide_request *req, const void *value) BIDE__TASK;

/* failure.c: the library's own errors, and what was raised, become the reply. */
void bide__web_refuse(bide_request *req, int status, const char *detail);
void bide__web_refuse_problems(bide_request *req, const bide_problems *problems);
void bide__web_failed(bide_request *req, const bide_error *error);
const char *bide__web_id(bide_request *req);
void bide__web_log_failure(bide_request *req, const bide_error *error);

/* error_page.c: the plans, before the first request; a failure, whose reply is JSON so far, as a
   page for those who want one. The second is called once for each; raises nothing but a cancel. */
int bide__error_page_prepare(bide_app *app);
void bide__error_page_show(bide_request *req) BIDE__TASK;

/* request.c: adds a field as bide_set_header does, but Content-Type. 0; -EINVAL: it is none of a
   response; -EMSGSIZE: there are too many bytes of them; -ENOMEM. */
int bide__web_add_field(bide_request *req, const char *name, const char *value);

/* The number of a method's name; BIDE__HTTP_OTHER_METHOD. */
enum bide__http_method bide__web_method(struct bide__slice text);

#endif
