/*
 * web.h: applications: typed routes, dependencies, replies.
 *
 *     MODEL(user, "users", (i64, id, key, generated), (str, name, len(1, 40)), (hash, password));
 *     VIEW(user_out, user, id, name);
 *     MODEL(user_in, "", (str, name, len(1, 40)));
 *
 *     PROVIDER(user_store *, store)
 *     {
 *         provide(bide_app_state(req));
 *     }
 *
 *     GET(get_user, "/users/{id}", user_out, path(i64, id, range(1, 1000000)),
 *         depends(user_store *, users, store))
 *     {
 *         user *found = await(find_user(users, id));
 *         if (!found)
 *             fail(http_error(404, "no user %lld", (long long)id));
 *         return user_out_of(found);
 *     }
 *
 *     POST(add_user, "/users", user_out, status(201), body(user_in, form),
 *          depends(user_store *, users, store)) { ... }
 *
 *     bide_app *app = bide_app_new(.title = "Users", .state = &all_users);
 *     bide_app_add_all(app, "");
 *     with(bide_tcp_listener, listener, "127.0.0.1", 8000, NULL)
 *         await(bide_app_serve(app, listener, NULL));
 *
 * A route is GET, POST, PUT, PATCH or DELETE(name, "pattern", response, parameters...) and the body
 * of a typed function, which may await and fail. Each parameter is one of
 *
 *   path(T, v, attributes...)     the segment {v} of the pattern
 *   query(T, v, attributes...)    of the query; list(T) takes all that have the name
 *   header(T, v, attributes...)   x_token is the field `x-token`
 *   cookie(T, v, attributes...)
 *   form(T, v, attributes...)     a field of a form, urlencoded or multipart
 *   file(v), files(v)             uploads of a multipart form: `const bide_upload *v`, or all of
 *                                 that name as `bide_uploads v`
 *   body(NAME, v)                 a JSON object: `const NAME *v`; at most one
 *   form_body(NAME, v)            the same from a form
 *   bearer(v)                     the token of `Authorization: Bearer`: `const char *v`
 *   oauth2(v, "/auth")            the same; that route gives it for a password, says the document
 *   basic(v)                      user and password: `const bide_basic *v`
 *   api_key(v, header, "X-Key")   or `query`, `cookie`: `const char *v`
 *   depends(T, v, provider)       what a PROVIDER provides; T is its type
 *
 * or says something of the route:
 *
 *   status(201)                   of the reply; otherwise 200, or 204 for `nothing`
 *   blocking                      a plain function: it runs on the blocking lane (offload.h), may
 *                                 fail, and may not await (clang refuses it)
 *   tags("users, admin")          groups of the documentation
 *   summary("Adds a user")        its line there
 *   hidden                        not in the documentation
 *   max_body(16 << 20)            bytes of a body, in place of the server's (http.h): more is 413
 *   deadline_ms(120000)           of the handler and its providers, in place of the server's: 503
 *   takes_problems                the handler runs although the body has problems: below
 *
 * Types, attributes and errors are those of models (model.h): `optional` gives zero (NULL for
 * texts) when it is absent, bide_given(req, v) tells; dflt(value) its default; alias("name") is the
 * name outside. Files and proofs of who asks (bearer, basic ...) take `optional` too: of several
 * optional proofs any one will do, or none, says the documentation. The response is one of
 *
 *   NAME            of MODEL or VIEW: returned by value, as an object
 *   list(NAME)      returned as NAME_list, as an array
 *   page(NAME)      returned as NAME_page: {"items":[...],"total","page","size","pages"}
 *   maybe(NAME)     returned as `const NAME *`; NULL is answered with 404
 *   html("post", NAME)   returned by value; the page that the template "post.html" makes of it
 *                   (template.h), of the application's folder `templates`
 *   text, html      a `const char *`, as text/plain or text/html (NULL: an empty one); see
 *                   bide_html_escape
 *   raw             a bide_raw: bytes of any type
 *   redirect        a bide_redirect: `return (bide_redirect){303, "/items"};`
 *   stream("text/csv")   a bide_streamed: a body of this type that is made while it is sent
 *   file            a bide_sent_file: a file of this machine, or ranges of it
 *   nothing         the function is void: 204
 *
 * PROVIDER(T, name, parameters...) { ... provide(value); ... } gives a value to all routes and
 * providers that depend on it: provide() runs the rest of the request on the same stack. What
 * follows it is the teardown; a with-block around it sees how the request ended.
 *
 * Invariants
 *  1. All problems of all parameters, providers' too, come back at once, as 422 and
 *     {"detail":[{"type","loc","msg"}...]}; neither a provider nor the handler has run then.
 *  2. A provider runs once per request, before all that depend on it, and calls provide() exactly
 *     once or fails: what else it does is an error that names its line.
 *  3. Commit before reply: the reply is written into a buffer by the innermost call, and sent after
 *     the teardown of every provider. A teardown that fails turns it into an error.
 *  4. A failure with a code from 400 to 599 is that status, its message the detail. Any other is
 *     500; its text stays in the log, under the id that the reply carries. 404, 405, 415 and 422
 *     of the library itself unwind nothing. Without a proof that it asks for (bearer ...) a route
 *     answers 401 and says how to give one, before it looks at anything else of the request.
 *  5. What cannot work (a pattern that hides another, a secret field in a response, a path
 *     parameter that the pattern has not) is an error when the application starts.
 *
 * Source: RFC 9110; OpenAPI 3.1.0.
 *
 * layer: web
 */
#ifndef BIDE_WEB_H
#define BIDE_WEB_H

#include <bide/gen.h>
#include <bide/group.h>
#include <bide/http.h>
#include <bide/json.h>

typedef struct bide_app bide_app;
typedef bide_app *bide_app_ptr;
AWAITABLE(bide_app_ptr);

/* One request inside the application; handlers and providers have it as `req`. */
typedef struct bide_request bide_request;

/* A declared route: `name_route`, usable in other files after `extern bide_route name_route;`. */
typedef struct bide_route bide_route;

/* ---- the application ---- */

typedef struct forgotten_await_void bide_app_hook(bide_app *app);

/* An uploaded file. Valid until the request ends. */
typedef struct bide_upload {
    const char *name;         /* as the peer calls it, UTF-8: never a path to write to */
    const char *content_type; /* as the peer says: not what it is. "" if it says nothing */
    const char *data;         /* no NUL behind it */
    size_t size;
} bide_upload;
typedef struct bide_uploads {
    const bide_upload *items;
    size_t count;
} bide_uploads;

/* `Authorization: Basic` (RFC 7617). */
typedef struct bide_basic {
    const char *user, *password;
} bide_basic;

/* A response of any type; `data` is read before the request's memory goes. */
typedef struct bide_raw {
    const char *content_type;
    const void *data;
    size_t size;
} bide_raw;

/* `status` from 300 to 399; the location is a URL or a path, percent-encoded. */
typedef struct bide_redirect {
    int status;
    const char *location;
} bide_redirect;

/*
 * A file as the response: `return (bide_sent_file){.path = path, .name = "Report.pdf"};`. The reply
 * has an ETag, Last-Modified and Accept-Ranges; conditions and ranges are answered as those of
 * folders are (files.h), and a large file is sent as it says there. What the handler has set in its
 * header stays, and an ETag or a Last-Modified of its own is what conditions are about. A file that
 * is not there, is not a regular one, or may not be read, is a 404.
 */
typedef struct bide_sent_file {
    const char *path;         /* NULL: 404. As open(2) takes it, also of a peer's choice if ... */
    const char *below;        /* ... this folder is said: then it is below it, and nowhere else,
                                 whatever the path or symbolic links say, and a path with a step
                                 `..` is a 404. NULL: anywhere */
    const char *content_type; /* NULL: by the end of `name`, or of the path */
    const char *name;         /* UTF-8: saved under this name (Content-Disposition: attachment, RFC
                                 6266, 8187); NULL: shown */
    bool shown;               /* in spite of its name */
} bide_sent_file;

/* What bide_stream_with and bide_stream_from give, for handlers to return. */
typedef struct bide_streamed {
    struct bide__web_source *source;
} bide_streamed;
GENERATOR(bide_text);

struct bide_app_options {
    const char *title;     /* of the documentation; NULL: "bide" */
    const char *version;   /* NULL: "0.1.0" */
    void *state;           /* bide_app_state gives it */
    struct bide_db *db;    /* bide_app_db gives it: the engine (db.h), where there is one for all */
    const char *templates; /* the folder of templates for html("name", NAME); NULL: there is none */
    bool reload_templates; /* a template that has changed is read again at the next request; for
                              development only: it looks at the files each time */
    const char *public_url; /* where browsers find it: "https://example.org/blog"; for absolute URLs
                               (url_for.h). NULL: where a request says */
    const char *root_path;  /* what a proxy takes off the path: "/blog"; what URLs begin with. NULL:
                               the path of public_url, or nothing */
    bide_app_hook *start;  /* an async(void) function: before the first request; its error keeps the
                              application from starting */
    bide_app_hook *stop;   /* after the last one, on every way out once `start` has succeeded */
    bool no_docs;          /* neither /openapi.json nor /docs */
    bool redirect_slashes; /* a path that only lacks its last slash, or has one too many, is
                              redirected (308). false: it is not found */
    bool problem_details;  /* errors as application/problem+json (RFC 9457): type, title, status,
                              detail; problems of inputs as `errors`. false: {"detail": ...} */
};

/*
 * bide_app_new(.title = "...", ...): an application without routes; NULL without memory. The texts
 * of the options are not copied.
 */
#define bide_app_new(...) bide__app_new(&(struct bide_app_options){__VA_ARGS__})

/* NULL is allowed. Not while it serves. */
void bide_app_free(bide_app *app);

/* Memory that lives as long as the application, for its state and settings; NULL without one. What
   bide_arena_on_reset registers runs in bide_app_free. Used by one thread at a time, as it is where
   each worker has an application of its own (main.h). */
bide_arena *bide_app_arena(bide_app *app);

/* Sets what bide_app_state gives, in place of the option. Before the application serves; nothing
   happens without one. */
void bide_app_set_state(bide_app *app, void *state);

/* The same for public_url, where settings say it (copied). Before the application is checked. */
void bide_app_set_public_url(bide_app *app, const char *url);

/* The same for what bide_app_db gives: an engine that the `start` hook has opened. */
void bide_app_set_db(bide_app *app, struct bide_db *db);

/*
 * Adds routes under a prefix ("" for none, "/api"): one, those named, or all that the program's
 * files declare. A linker leaves out an object file of a static library that nothing refers to,
 * and its routes with it: name them. What is wrong with a route is said by bide_app_check.
 */
#define bide_app_add(app, prefix, ...)                                                             \
    bide__app_add(app, prefix, (bide_route *const[]){__VA_ARGS__},                                 \
                  sizeof((bide_route *const[]){__VA_ARGS__}) / sizeof(bide_route *))
void bide_app_add_all(bide_app *app, const char *prefix);

/* Makes `other` stand in for `provider` wherever it is depended on; for tests. Both provide the
   same type. Before the application starts. */
#define bide_app_override(app, provider, other)                                                    \
    do {                                                                                           \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__(((struct provider##__provided *)0)->value),    \
                                         __typeof__(((struct other##__provided *)0)->value)),      \
            "provider `" #other "` provides another type than `" #provider "`");                   \
        bide__app_override(app, &provider##_provider, &other##_provider);                          \
    } while (0)

/*
 * bide_app_site(app, NAME, provider): what every page needs: the user, the menu, a nonce.
 * `provider` provides a NAME, a model by value; the fields of it can be named in the templates of
 * all routes that are html("...", ...), behind those of the route's own model. For a route whose
 * template names one, it runs as the first of the route's providers. Once, before the application
 * starts.
 */
#define bide_app_site(app, NAME, provider)                                                         \
    do {                                                                                           \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__(((struct provider##__provided *)0)->value),    \
                                         bide_type_##NAME),                                        \
            "provider `" #provider "` provides another type than `" #NAME "`");                    \
        bide__app_site(app, NAME##_model(), &provider##_provider);                                 \
    } while (0)

/* The templates of the application: for bide_render (template.h), which makes the texts of mails,
   and for bide_templates_add, before it starts, of templates that are in the program. They live as
   long as the application. NULL without memory. */
struct bide_templates *bide_app_templates(bide_app *app);

/*
 * bide_app_mount(app, prefix, fn, arg): what no route takes at a prefix ("/legacy"; "" for the
 * root) and below it is given to one function, whatever its method: an application that is not made
 * of routes. `fn` is `async(void) fn(bide_request *req, bide_text rest, const void *arg)`; `rest`
 * is the path behind the prefix, without its slash and still encoded. It answers with bide_answer,
 * or fails. It is not in the documentation. The prefix is copied. Before the application starts.
 */
typedef struct forgotten_await_void bide_mounted(bide_request *req, bide_text rest,
                                                 const void *arg);
#define bide_app_mount(app, prefix, fn, arg)                                                       \
    bide__app_mount((app), (prefix), (fn), (arg), __FILE__, __LINE__)
void bide__app_mount(bide_app *app, const char *prefix, bide_mounted *fn, const void *arg,
                     const char *file, int line);

/*
 * What becomes of failures with this code, also those of the library (error.h): `answer` gives the
 * status, and may write a JSON body; without one it is {"detail": the error's message}. It neither
 * awaits nor fails. Before the application starts.
 */
typedef int bide_error_answer(bide_request *req, const bide_error *error, bide_buf *body);
void bide_app_on_error(bide_app *app, int code, bide_error_answer *answer);

/*
 * What the library answers to a failure: one that was raised, inputs that are wrong, a path that no
 * route has. For the page of errors, and for middleware after bide_proceed. Until the request ends.
 */
typedef struct bide_failure {
    int status;                    /* 400 to 599 */
    const char *title;             /* its phrase: "Not Found" */
    const char *detail;            /* what the peer is told; of problems: that there are some */
    const char *id;                /* of what is told to nobody: the number in the log; or NULL */
    const bide_problems *problems; /* of the inputs, with a status of 422; or NULL */
} bide_failure;

/* NULL: the reply is none to a failure, or bide_app_on_error has written its body. */
const bide_failure *bide_failure_of(const bide_request *req);

/*
 * bide_app_error_page(app, "errors/page", NAME, provider, .login = "/login", .api = "/api"): who
 * would rather have a page than JSON (Accept, RFC 9110 section 12.5.1: so browsers ask, programs do
 * not) gets failures as a page: the status of the failure, and what the template makes of a NAME,
 * which `provider` provides by value, and of the site (bide_app_site).
 *
 *     MODEL(error_page, "", (i32, status), (str, title), (str, detail));
 *
 *     PROVIDER(error_page, page_of_error)
 *     {
 *         const bide_failure *failure = bide_failure_of(req);
 *         provide((error_page){failure->status, failure->title, failure->detail});
 *     }
 *
 * The provider may depend on others, and take inputs, but no body. The template is given a site
 * whose fields are all zero, and the provider of the site is not asked, for 429 and 503 (who is
 * busy is not asked for more), and when it fails as well (a database is gone); when the page cannot
 * be made even so, a plain one says the title and the detail. What the failure says in its header
 * (Allow, Retry-After) stays; so does a body that bide_app_on_error has written. All such replies
 * say `Vary: Accept`. What the server answers by itself (http.h: a head that is malformed, a
 * request that took too long, stopping) is no page. Once, before the application starts.
 */
struct bide_error_page_options {
    const char *template; /* the argument of bide_app_error_page */
    const char *login; /* where a browser logs in, a path: it is sent there (303), behind the root
                          path, in place of 401, with `next=`, the path and query that it wanted,
                          if they were asked for by GET, are no more than 2000 bytes and
                          bide_local_path takes them. Not from that path itself, nor where the
                          route asks for `basic`, which browsers ask their users for. NULL: 401 is
                          a page as well */
    const char *api;   /* this path and all below it: failures are JSON, whoever asks. NULL: none */
};
#define bide_app_error_page(app, page, NAME, ...) BIDE__ERROR_PAGE(app, page, NAME, __VA_ARGS__, )
#define BIDE__ERROR_PAGE(app, page, NAME, provider, ...)                                           \
    do {                                                                                           \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__(((struct provider##__provided *)0)->value),    \
                                         bide_type_##NAME),                                        \
            "provider `" #provider "` provides another type than `" #NAME "`");                    \
        bide__app_error_page(app, bide__info_##NAME, &provider##_provider,                         \
                             &(struct bide_error_page_options){.template = "" page, __VA_ARGS__}); \
    } while (0)

/* The text, if it is a path of this site, with or without a query: never another host, nor what a
   browser would take for one ("//host", "/\\host"), nor what no URL may have in it. NULL for any
   other, and for NULL. For what a link says where to go next: `bide_local_path(form->next)`. */
const char *bide_local_path(const char *text);

/*
 * Middleware: a plain call around everything below, in the order of adding, the first outermost.
 * `fn` is `async(void) fn(bide_request *req, bide_next *next, const void *arg)`; it awaits
 * bide_proceed(next) once, and then finds the finished reply (bide_reply_status), whatever was
 * raised below; or it answers itself. `arg` lives as long as the application.
 */
typedef struct bide_next bide_next;
typedef struct forgotten_await_void bide_middleware(bide_request *req, bide_next *next,
                                                    const void *arg);
void bide_app_use(bide_app *app, bide_middleware *fn, const void *arg);
bide_async(void) bide_proceed(bide_next *next); /* what the library brings: middleware.h */

/*
 * Prepares the application for serving: NULL, or the first thing that is wrong with it. The text
 * lives as long as the application. From then on nothing can be added. Serving calls it.
 */
const char *bide_app_check(bide_app *app);

/*
 * Starts, serves, stops: as bide_http_serve. What bide_app_check finds is raised as BIDE_INVALID.
 * On each loop with a listener of its own; `start` and `stop` run once on each.
 */
bide_async(void) bide_app_serve(bide_app_ptr app, bide_listener_ptr listener,
                                const struct bide_http_options *options);

/* ---- inside of handlers, providers, middleware ---- */

bide_app *bide_app_of(const bide_request *req);
/* The state of the application: bide_app_state(req), and in hooks bide_app_state(app). */
#define bide_app_state(of)                                                                         \
    _Generic((of), bide_app *                                                                      \
             : bide__app_state, const bide_app *                                                   \
             : bide__app_state, default                                                            \
             : bide__request_state)(of)
void *bide__app_state(const bide_app *app);
void *bide__request_state(const bide_request *req);

/* The database of the application, a bide_db *: bide_app_db(req), and in hooks bide_app_db(app).
   Misuse, if it was given none: an application with several has them in its state. */
#define bide_app_db(of)                                                                            \
    _Generic((of), bide_app *                                                                      \
             : bide__app_db, const bide_app *                                                      \
             : bide__app_db, default                                                               \
             : bide__request_db)(of)
struct bide_db *bide__app_db(const bide_app *app);
struct bide_db *bide__request_db(const bide_request *req);

/* As sent: the path without the query, percent-encoded. Valid until the request ends. */
bide_text bide_method_of(const bide_request *req);
bide_text bide_path_of(const bide_request *req);
bide_text bide_query_of(const bide_request *req);
bide_text bide_header_of(const bide_request *req, const char *name);

/* Who sent it ("192.0.2.1"), over what ("http", "https"), and for which host ("example.org:8000"):
   behind proxies as bide_request_client (http.h) says, so trusted_proxies must name them. Valid
   until the request ends. */
bide_text bide_client_of(bide_request *req);
bide_text bide_scheme_of(bide_request *req);
bide_text bide_host_of(const bide_request *req);

/*
 * The body as it was sent, all of it, with a NUL behind it, in the arena: for signatures, and for
 * what is neither JSON nor a form. The same text each time, also where the route takes a body. May
 * suspend. Raises 408, 413 and 400 for what is wrong with it, BIDE_CLOSED, BIDE_NO_MEMORY.
 */
bide_async(bide_text) bide_body_of(bide_request *req);

/* The request that the running task, or a task above it, works for: for a computed field (model.h)
   that needs the application's state. NULL outside of requests. Never suspends. */
bide_request *bide_request_here(void);

/* Memory until the request ends. */
bide_arena *bide_arena_of(bide_request *req);

/* Whether a parameter of the route or its providers was in the request: bide_given(req, age). */
#define bide_given(req, name) bide__given(req, #name)

/*
 * What is wrong with the body, for handlers that have something to say about it themselves: a rule
 * over two fields, a form that is shown again.
 *
 *     POST(join, "/join", page_of_join, form_body(join_form, form), takes_problems)
 *     {
 *         if (form->password.text && strcmp(form->password.text, form->again.text) != 0)
 *             bide_add_problem(req, "again", "value_error", "Not the same password");
 *         if (bide_problems_of(req)->first)
 *             return join_page(req, 422);     // bide_problem_of, bide_form_value
 *         ...
 *
 * With `takes_problems` providers and handler run although the body has problems; a field that has
 * one is zero in the row. Problems of anything else (path, query ...) are answered as ever.
 *
 * bide_problems_of: all of them, in their order; never NULL. bide_add_problem: one more, about a
 * field of the body, "email", or one inside, "users.3.email"; `type` is a literal, `format` as
 * printf(3). bide_problem_of: what the first one about this field says, or NULL.
 * bide_refuse_problems: raises 422 if there are any; a failure with 422 is answered with the whole
 * list. bide_form_value: the text of a form's field as it was typed, if it is UTF-8; NULL without
 * it, and where the route does not take problems.
 * They live in the arena. Never suspend. Raise BIDE_NO_MEMORY.
 */
const bide_problems *bide_problems_of(bide_request *req);
void bide_add_problem(bide_request *req, const char *field, const char *type, const char *format,
                      ...) __attribute__((__format__(__printf__, 4, 5)));
const char *bide_problem_of(bide_request *req, const char *field);
void bide_refuse_problems(bide_request *req);
const char *bide_form_value(bide_request *req, const char *field);

/* An error whose code is the status, 400 to 599, and whose message the peer is told. */
bide_error *bide_http_error(int status, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3), __returns_nonnull__));

/* Adds a header field to the reply. A failure later drops it, but not what middleware adds after
   bide_proceed. "Content-Type" is that of the response, in place of the usual one. Raises
   BIDE_INVALID for what no field may be and for what a reply says by itself (Connection,
   Content-Length, Date, Transfer-Encoding), BIDE_LIMIT for more than 10 KiB in all,
   BIDE_NO_MEMORY. */
void bide_set_header(bide_request *req, const char *name, const char *value);

/* The same for a field that stays when the request fails afterwards: Retry-After, WWW-Authenticate.
   Not Content-Type. */
void bide_keep_header(bide_request *req, const char *name, const char *value);

/*
 * What a handler's return cannot say. bide_set_status: the status of this reply, 200 to 599, in
 * place of the route's: 422 for a form that is shown again. bide_see_other: the reply is 303 to
 * this URL or path, percent-encoded (copied), whatever the handler returns: after a form that was
 * right, so that loading the page again sends nothing twice (RFC 9110 section 15.4.4). A failure
 * later drops both. Raise BIDE_INVALID, BIDE_NO_MEMORY.
 */
void bide_set_status(bide_request *req, int status);
void bide_see_other(bide_request *req, const char *location);

/* Attributes of a cookie. All zero is the careful choice: Secure, HttpOnly, SameSite=Lax, for this
   host only, gone with the browser. */
typedef struct bide_cookie {
    const char *path;   /* NULL: "/" */
    const char *domain; /* and its subdomains; NULL: this host only */
    int64_t max_age_s;  /* 0: until the browser ends; below 0: the cookie is deleted */
    enum { BIDE_SAME_SITE_LAX, BIDE_SAME_SITE_STRICT, BIDE_SAME_SITE_NONE } same_site;
    bool over_plain_http; /* without Secure */
    bool for_scripts;     /* without HttpOnly */
} bide_cookie;

/*
 * bide_set_cookie(req, "sid", value, .max_age_s = 3600, ...): adds a Set-Cookie to the reply (RFC
 * 6265). Raises BIDE_INVALID for a name or value that no cookie may have (white space, quotes,
 * commas, semicolons), BIDE_NO_MEMORY.
 */
#define bide_set_cookie(req, name, ...) BIDE__SET_COOKIE(req, name, __VA_ARGS__, )
#define BIDE__SET_COOKIE(req, name, value, ...)                                                    \
    bide__set_cookie(req, name, value, &(bide_cookie){__VA_ARGS__})
void bide__set_cookie(bide_request *req, const char *name, const char *value,
                      const bide_cookie *attributes);

/* The reply's status: of a finished reply, or 0 before. */
int bide_reply_status(const bide_request *req);

/*
 * bide_after_reply(req, fn, args...): spawns a SPAWNABLE function as a background task
 * (bide_background) once the reply has been handed to the peer; arguments are copied. It does not
 * start if the request fails: its commit has not happened. Its error goes to the runtime's hook. An
 * orderly stop waits for it, within the drain. It must not touch what belongs to the request.
 * Raises BIDE_NO_MEMORY, and BIDE_MISUSE in a `blocking` handler, which is outside of tasks.
 */
#define bide_after_reply(req, ...)                                                                 \
    BIDE__INVOKE(__spawn_void, (BIDE__OWN_TASK(bide__after_reply(req), __VA_ARGS__, )), __VA_ARGS__)
bide_group *bide__after_reply(bide_request *req);

/*
 * Bodies that are made while they are sent: long lists, exports, events.
 *
 *     static async(void) send_rows(bide_request *req, int64_t since);
 *     SPAWNABLE(void, send_rows, bide_request *, int64_t)
 *     static async(void) send_rows(bide_request *req, int64_t since)
 *     {
 *         ...
 *             await(bide_send_format(req, "%lld,%s\n", (long long)row.id, row.name));
 *         return bide_void;
 *     }
 *
 *     GET(export, "/export.csv", stream("text/csv; charset=utf-8"), query(i64, since))
 *     {
 *         return bide_stream_with(req, send_rows, since);
 *     }
 *
 * bide_stream_with(req, fn, args...): `fn(req, args...)` makes the body. Arguments are copied; it
 * runs in the task of the request when every provider is through with its teardown (so no
 * transaction is open: give it keys, not handles) and middleware has seen the reply.
 * bide_stream_from (req, fn, args...): the body is the texts that a generator gives, which
 * GENERATES(bide_text, fn, types...) declares (gen.h). Never suspend. Raise BIDE_NO_MEMORY.
 *
 * In the function: bide_send_bytes, bide_send_text, bide_send_format (as printf(3)) send the next
 * piece, as bide_reply_write (http.h) says: they suspend while the peer does not read, and each
 * gives the route its whole deadline anew. A peer that is gone cancels the function; what it fails
 * with is logged, and its peer has a body that is seen to be incomplete: the status was sent. On
 * HEAD it does not run. The request's memory lasts until the end: use with_arena (task.h) in loops.
 * Such replies are neither compressed nor tagged by middleware. bide_after_reply is after the end.
 * Raise BIDE_CLOSED when the peer is gone, BIDE_MISUSE outside of such a function.
 */
#define bide_stream_with(req, ...)                                                                 \
    bide__stream_with((req), BIDE__CAT(BIDE__STREAM_, BIDE__COUNT(__VA_ARGS__))(req, __VA_ARGS__))
#define bide_stream_from(req, ...)                                                                 \
    bide__stream_from((req), BIDE__CAT(BIDE__STREAM_, BIDE__COUNT(__VA_ARGS__))(                   \
                                 (struct bide_gen_of_bide_text *)NULL, __VA_ARGS__))
#define BIDE__STREAM_1(first, fn) bide_into(NULL, fn, first)
#define BIDE__STREAM_N(first, fn, ...) bide_into(NULL, fn, first, __VA_ARGS__)
#define BIDE__STREAM_2 BIDE__STREAM_N
#define BIDE__STREAM_3 BIDE__STREAM_N
#define BIDE__STREAM_4 BIDE__STREAM_N
#define BIDE__STREAM_5 BIDE__STREAM_N
#define BIDE__STREAM_6 BIDE__STREAM_N
#define BIDE__STREAM_7 BIDE__STREAM_N
bide_streamed bide__stream_with(bide_request *req, struct bide__call call);
bide_streamed bide__stream_from(bide_request *req, struct bide__call call);
bide_async(void) bide_send_bytes(bide_request *req, const void *data, size_t size);
bide_async(void) bide_send_text(bide_request *req, const char *text);
bide_async(void) bide_send_format(bide_request *req, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/*
 * Server-sent events (WHATWG HTML 9.2), in a route with stream("text/event-stream"):
 * await(bide_send_event(req, .name = "tick", .data = text, .id = "7")). A browser's EventSource
 * that loses the connection comes again after retry_ms, with the id that it has seen last: take it
 * by header(str, last_event_id, optional). When there is nothing to say for long, a comment keeps
 * the deadline and proxies quiet, and finds out whether the peer is still there. When the server
 * stops, the function is cancelled after lame_duck (http.h), so that the peer comes again to
 * whoever serves then; one that looks at bide_stopping (runtime.h) ends before. Raises as
 * bide_send_text, and BIDE_INVALID for a name or an id of several lines.
 */
typedef struct bide_server_event {
    const char *name;    /* the type; NULL: "message" */
    const char *data;    /* of any number of lines; NULL: nothing is told to the page */
    const char *id;      /* NULL: that of the one before */
    int retry_ms;        /* from now on; 0: as before */
    const char *comment; /* that nobody sees; or NULL */
} bide_server_event;
#define bide_send_event(req, ...) bide__send_event((req), &(const bide_server_event){__VA_ARGS__})
bide_async(void) bide__send_event(bide_request *req, const bide_server_event *event);

/* The text with & < > " ' as entities, for HTML and its quoted attributes; in the arena. NULL for
   NULL and without memory. */
const char *bide_html_escape(bide_arena *arena, const char *text);

/* The text as one part of a path, or one name or value of a query: percent-encoded, but for
   letters, digits and -._~ (RFC 3986 section 2.3); in the arena. NULL for NULL and without memory.
 */
const char *bide_url_escape(bide_arena *arena, const char *text);

/* Replies in place of a route: for middleware. Copies the body. Raises BIDE_NO_MEMORY. */
void bide_answer(bide_request *req, int status, const char *content_type, const void *body,
                 size_t size);

#ifndef BIDE_NO_KEYWORDS
#define http_error bide_http_error
#define provide(...) bide_provide(__VA_ARGS__)
#endif

#include <bide/web_macros.h>

#endif
