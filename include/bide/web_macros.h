/*
 * web_macros.h: what GET, POST, PUT, PATCH, DELETE and PROVIDER of web.h expand to, and LINK of
 * url_for.h.
 *
 * A parameter is `kind(arguments)`. BIDE__PARAMETER pastes `bide_parameter_` before it, which gives
 * the class of the kind, its source and the arguments, or UNKNOWN. Each of the lists that a
 * declaration is made of (prototype, arguments of the call, members, tables ...) has a macro for
 * each class that adds something to it: `LIST_CLASS` is `~, macro`, and macro(M, source,
 * arguments...) is what is added. Value parameters are fields of a struct `NAME__input`, with the
 * flags, checks and initialisers of a model's (model_macros.h).
 *
 * layer: web
 */
#ifndef BIDE_WEB_MACROS_H
#define BIDE_WEB_MACROS_H

/* Compilers then name the line of the declaration, and not a line of this file. */
#pragma GCC system_header

#include <bide/url_for.h>
#include <bide/web.h>

#if defined(path) || defined(query) || defined(header) || defined(cookie) || defined(form) ||      \
    defined(body) || defined(form_body) || defined(file) || defined(files) || defined(bearer) ||   \
    defined(oauth2) || defined(basic) || defined(api_key) || defined(depends) ||                   \
    defined(status) || defined(blocking) || defined(tags) || defined(summary) ||                   \
    defined(hidden) || defined(max_body) || defined(deadline_ms) || defined(takes_problems)
#error "a macro has the name of a word of routes (path, query, body ...): #undef it first"
#endif
#if defined(maybe) || defined(page) || defined(text) || defined(html) || defined(raw) ||           \
    defined(redirect) || defined(nothing) || defined(stream)
#error "a macro has the name of a response (maybe, page, text ...): #undef it first"
#endif

/* Where a value parameter comes from; each has fields and presence bits of its own. */
enum bide__source {
    BIDE__SOURCE_PATH,
    BIDE__SOURCE_QUERY,
    BIDE__SOURCE_HEADER,
    BIDE__SOURCE_COOKIE,
    BIDE__SOURCE_FORM,
    BIDE__SOURCES
};

/* What a response is, beside the kinds of fields. */
enum {
    bide__kind_nothing = BIDE_KIND_LIST + 1,
    bide__kind_maybe_,
    bide__kind_page_,
    bide__kind_text,
    bide__kind_html,
    bide__kind_raw,
    bide__kind_redirect,
    bide__kind_template,
    bide__kind_stream_,
    bide__kind_file,
};
typedef void bide_type_nothing;
typedef const char *bide_type_text;
typedef const char *bide_type_html;
typedef bide_raw bide_type_raw;
typedef bide_redirect bide_type_redirect;
typedef bide_sent_file bide_type_file;
#define bide__info_nothing NULL
#define bide__info_text NULL
#define bide__info_raw NULL
#define bide__info_redirect NULL
#define bide__info_file NULL
#define bide_type_maybe(T) const bide_type_##T *
#define bide__kind_maybe(T) bide__kind_maybe_
#define bide__info_maybe(T) bide__info_##T
#define bide_type_stream(content_type) bide_streamed
#define bide__kind_stream(content_type) bide__kind_stream_
#define bide__info_stream(content_type) NULL
#define BIDE__CONTENT_stream(content_type) , "" content_type
#define bide_type_page(T) struct bide_page_##T
#define bide__kind_page(T) bide__kind_page_
#define bide__info_page(T) bide__info_##T
#define BIDE__NOTHING_nothing , 1
/* `html` alone is a text; html("page", NAME) is a NAME, written by a template. */
BIDE__MODEL_HELPER const bide_type *bide__info_html(void)
{
    return NULL;
}
#define bide_type_html(template, T) bide_type_##T
#define bide__kind_html(template, T) bide__kind_template
#define bide__info_html(template, T) bide__info_##T
#define BIDE__TEMPLATE_html(template, T) , "" template

struct bide__callable;

/* A call that is being made, in the frame of who makes it. */
struct bide__visit {
    bide_request *request;
    const void *row;  /* the value parameters: NAME__input */
    const void *body; /* of the route, or NULL */
    void *value;      /* NAME__provided of a provider; a handler's result */
    const char *block;
    const uint32_t *depends_at; /* where in the block the values are that it depends on */
    const struct bide__callable *callable;
    unsigned step;
    unsigned provided; /* calls of provide() */
};

struct bide__dependency {
    const char *name; /* of the parameter */
    struct bide__callable *provider;
};

/* What proves who asks. */
enum bide__scheme {
    BIDE__SCHEME_BEARER,
    BIDE__SCHEME_OAUTH2,
    BIDE__SCHEME_BASIC,
    BIDE__SCHEME_HEADER_KEY,
    BIDE__SCHEME_QUERY_KEY,
    BIDE__SCHEME_COOKIE_KEY,
};

struct bide__security {
    enum bide__scheme scheme;
    const char *detail; /* where to get a token; the key's name; or "" */
    size_t offset;      /* of the parameter, in the row */
    bool optional;
};

struct bide__upload {
    const char *name;
    size_t offset; /* of the parameter, in the row */
    bool many;     /* a bide_uploads */
    bool optional;
};

/* A handler or a provider. */
struct bide__callable {
    const char *name;
    struct bide_site at; /* where it is declared */
    bool prepared;       /* the fields are in order of source, and the models complete */
    void (*enter)(struct bide__visit *call);
    bide_field *fields;
    uint8_t *sources; /* enum bide__source of each field */
    uint32_t field_count;
    uint32_t dependency_count;
    const struct bide__dependency *dependencies;
    uint32_t security_count, upload_count;
    const struct bide__security *security;
    const struct bide__upload *uploads;
    size_t row_size, set_offset, value_size;
    const bide_model *(*body)(void);
    bool body_is_form;
    bide_model models[BIDE__SOURCES]; /* of the fields of each source */
};

struct bide_route {
    struct bide__callable callable; /* first: a route is entered as one */
    const char *method, *pattern;
    int response; /* enum bide_kind, or one of the above */
    const bide_type *(*type)(void);
    const char *template;     /* of bide__kind_template */
    const char *content_type; /* of bide__kind_stream_ */
    /* The options: */
    int status; /* 0: none was said */
    bool blocking, hidden, takes_problems;
    uint64_t max_body;    /* bytes; 0: the server's */
    uint32_t deadline_ms; /* 0: the server's */
    const char *tags, *summary;
    bide_route *next; /* of all that the program declares */
};

static inline const void *bide__depend(const struct bide__visit *call, size_t index)
{
    return call->block + call->depends_at[index];
}

bide_app *bide__app_new(const struct bide_app_options *options);
void bide__app_add(bide_app *app, const char *prefix, bide_route *const *routes, size_t count);
void bide__app_override(bide_app *app, struct bide__callable *provider,
                        struct bide__callable *other);
void bide__app_site(bide_app *app, const bide_model *model, struct bide__callable *provider);
void bide__app_error_page(bide_app *app, const bide_type *(*type)(void),
                          struct bide__callable *provider,
                          const struct bide_error_page_options *options);
void bide__route_register(bide_route *route);
bool bide__given(const bide_request *req, const char *name);
bide_async(void) bide__provide(struct bide__visit *call);

/* clang-format off */
#define GET(...) BIDE__ROUTE(GET, __VA_ARGS__, )
#define POST(...) BIDE__ROUTE(POST, __VA_ARGS__, )
#define PUT(...) BIDE__ROUTE(PUT, __VA_ARGS__, )
#define PATCH(...) BIDE__ROUTE(PATCH, __VA_ARGS__, )
#define DELETE(...) BIDE__ROUTE(DELETE, __VA_ARGS__, )
#define PROVIDER(...) BIDE__PROVIDER(__VA_ARGS__, )

/* provide(value): in a provider. Gives the value and runs the rest of the request. May suspend;
   raises what the rest fails with. */
#define bide_provide(...) \
    ((void)(bide__provided->value = (__VA_ARGS__)), \
     (void)BIDE__AWAIT(__COUNTER__, "provide", bide__provide(bide__visit_)))

/* ---- parameters ---- */

#define bide_parameter_path(...) , VALUE, PATH, (__VA_ARGS__, )
#define bide_parameter_query(...) , VALUE, QUERY, (__VA_ARGS__, )
#define bide_parameter_header(...) , VALUE, HEADER, (__VA_ARGS__, )
#define bide_parameter_cookie(...) , VALUE, COOKIE, (__VA_ARGS__, )
#define bide_parameter_form(...) , VALUE, FORM, (__VA_ARGS__, )
#define bide_parameter_body(model, name) , BODY, BODY, (model, name)
#define bide_parameter_form_body(model, name) , BODY, FORM_BODY, (model, name)
#define bide_parameter_file(...) , FILE, file, (__VA_ARGS__, , )
#define bide_parameter_files(...) , FILE, files, (__VA_ARGS__, , )
#define bide_parameter_bearer(...) , SECURITY, bearer, (__VA_ARGS__, , )
#define bide_parameter_oauth2(...) , SECURITY, oauth2, (__VA_ARGS__, , , )
#define bide_parameter_basic(...) , SECURITY, basic, (__VA_ARGS__, , )
#define bide_parameter_api_key(...) , SECURITY, api_key, (__VA_ARGS__, , , , )
#define bide_parameter_depends(T, name, provider) , DEPENDS, DEPENDS, (T, name, provider)
#define bide_parameter_status(number) , OPTION, status, (number)
#define bide_parameter_blocking , BLOCKING, blocking, (true)
#define bide_parameter_max_body(bytes) , OPTION, max_body, (bytes)
#define bide_parameter_deadline_ms(ms) , OPTION, deadline_ms, (ms)
#define bide_parameter_tags(names) , OPTION, tags, ("" names)
#define bide_parameter_summary(words) , OPTION, summary, ("" words)
#define bide_parameter_hidden , OPTION, hidden, (true)
#define bide_parameter_takes_problems , OPTION, takes_problems, (true)
#define bide_parameter_ , NONE, NONE, ()

#define BIDE__PARAMETER(list, M, x) \
    BIDE__PARAMETER2(list, M, bide_parameter_##x, UNKNOWN, UNKNOWN, (#x), )
#define BIDE__PARAMETER2(...) BIDE__PARAMETER3(__VA_ARGS__)
#define BIDE__PARAMETER3(list, M, unknown, class, source, arguments, ...) \
    BIDE__PARAMETER4(BIDE__SECOND(list##_##class, BIDE__ADD_NOTHING, ), M, source, \
                     BIDE__UNWRAP arguments)
#define BIDE__PARAMETER4(...) BIDE__PARAMETER5(__VA_ARGS__)
#define BIDE__PARAMETER5(m, ...) m(__VA_ARGS__)
#define BIDE__ADD_NOTHING(...)

/* In a prototype. */
#define BIDE__PROTO(M, b, x) BIDE__PARAMETER(BIDE__PROTO, M, x)
#define BIDE__PROTO_VALUE ~, BIDE__PROTO_OF_VALUE
#define BIDE__PROTO_OF_VALUE(M, source, T, name, ...) , bide_type_##T name
#define BIDE__PROTO_BODY ~, BIDE__PROTO_OF_BODY
#define BIDE__PROTO_OF_BODY(M, source, model, name) , const model *name
#define BIDE__PROTO_DEPENDS ~, BIDE__PROTO_OF_DEPENDS
#define BIDE__PROTO_OF_DEPENDS(M, source, T, name, provider) , T name __attribute__((__unused__))
#define BIDE__PROTO_FILE ~, BIDE__PROTO_OF_FILE
#define BIDE__PROTO_OF_FILE(M, source, name, ...) , bide__type_of_##source name
#define BIDE__PROTO_SECURITY ~, BIDE__PROTO_OF_SECURITY
#define BIDE__PROTO_OF_SECURITY(M, scheme, name, ...) \
    , bide__type_of_##scheme name __attribute__((__unused__))

typedef const bide_upload *bide__type_of_file;
typedef bide_uploads bide__type_of_files;
typedef const char *bide__type_of_bearer;
typedef const char *bide__type_of_oauth2;
typedef const bide_basic *bide__type_of_basic;
typedef const char *bide__type_of_api_key;

/* In a call. */
#define BIDE__GIVE(M, b, x) BIDE__PARAMETER(BIDE__GIVE, M, x)
#define BIDE__GIVE_VALUE ~, BIDE__GIVE_OF_VALUE
#define BIDE__GIVE_OF_VALUE(M, source, T, name, ...) , ((const M *)call->row)->name
#define BIDE__GIVE_BODY ~, BIDE__GIVE_OF_BODY
#define BIDE__GIVE_OF_BODY(M, source, model, name) , (const model *)call->body
#define BIDE__GIVE_DEPENDS ~, BIDE__GIVE_OF_DEPENDS
#define BIDE__GIVE_OF_DEPENDS(M, source, T, name, provider) \
    , *(const __typeof__(((struct provider##__provided *)0)->value) *)bide__depend( \
          call, offsetof(struct M##__depends, name))
#define BIDE__GIVE_FILE ~, BIDE__GIVE_MEMBER
#define BIDE__GIVE_SECURITY ~, BIDE__GIVE_MEMBER
#define BIDE__GIVE_MEMBER(M, source, name, ...) , ((const M *)call->row)->name

/* Everything that a parameter must be. */
#define BIDE__MUST(M, b, x) BIDE__PARAMETER(BIDE__MUST, M, x)
#define BIDE__MUST_VALUE ~, BIDE__MUST_OF_VALUE
#define BIDE__MUST_OF_VALUE(M, source, T, name, ...) \
    BIDE__CHECK_0(M, T, name, __VA_ARGS__) \
    _Static_assert((bide__flags_##M##__##name & (BIDE_GENERATED | BIDE_READONLY | BIDE_WRITEONLY \
                    | BIDE_KEY | BIDE_UNIQUE | BIDE_SQL_DFLT)) == 0 \
                   && bide__kind_##T != BIDE_KIND_OBJ && bide__kind_##T != BIDE_KIND_HASH \
                   && !__builtin_types_compatible_p(bide_type_##T, bide_html_safe), \
                   "parameter `" #name "`: its type or an attribute is for models only");
#define BIDE__MUST_BODY ~, BIDE__MUST_OF_BODY
#define BIDE__MUST_OF_BODY(M, source, model, name) \
    _Static_assert(bide__kind_##model == BIDE_KIND_OBJ, "body `" #name "`: not a model");
#define BIDE__MUST_DEPENDS ~, BIDE__MUST_OF_DEPENDS
#define BIDE__MUST_OF_DEPENDS(M, source, T, name, provider) \
    _Static_assert(__builtin_types_compatible_p( \
                       T, __typeof__(((struct provider##__provided *)0)->value)), \
                   "parameter `" #name "`: provider `" #provider "` provides another type");
#define BIDE__MUST_OPTION ~, BIDE__MUST_OF_OPTION
#define BIDE__MUST_OF_OPTION(M, option, value) BIDE__MUST_BE_##option(value)
#define BIDE__MUST_BE_status(number) \
    _Static_assert((number) >= 200 && (number) <= 299, "status(" #number ") is no success");
#define BIDE__MUST_BE_max_body(bytes) \
    _Static_assert((bytes) > 0, "max_body(" #bytes ") lets no body in");
#define BIDE__MUST_BE_deadline_ms(ms) \
    _Static_assert((ms) > 0 && (ms) <= 86400000, "deadline_ms(" #ms ") is not up to a day");
#define BIDE__MUST_BE_tags(names)
#define BIDE__MUST_BE_summary(words)
#define BIDE__MUST_BE_hidden(yes)
#define BIDE__MUST_BE_takes_problems(yes)
#define BIDE__MUST_UNKNOWN ~, BIDE__MUST_OF_UNKNOWN
#define BIDE__MUST_OF_UNKNOWN(M, source, words) \
    _Static_assert(0, "a route has no parameters like `" words "`: there are path, query, " \
                      "header, cookie, form, body, form_body, file, files, bearer, oauth2, " \
                      "basic, api_key, depends, status, blocking, max_body, deadline_ms, tags, " \
                      "summary, hidden and takes_problems");

/* Members of NAME__input. */
#define BIDE__SLOT(M, b, x) BIDE__PARAMETER(BIDE__SLOT, M, x)
#define BIDE__SLOT_VALUE ~, BIDE__SLOT_OF_VALUE
#define BIDE__SLOT_OF_VALUE(M, source, T, name, ...) bide_type_##T name;
#define BIDE__SLOT_FILE ~, BIDE__SLOT_MEMBER
#define BIDE__SLOT_SECURITY ~, BIDE__SLOT_MEMBER
#define BIDE__SLOT_MEMBER(M, source, name, ...) bide__type_of_##source name;

/* Flags, descriptors and sources of the value parameters. */
#define BIDE__FLAG(M, b, x) BIDE__PARAMETER(BIDE__FLAG, M, x)
#define BIDE__FLAG_VALUE ~, BIDE__FLAG_OF_VALUE
#define BIDE__FLAG_OF_VALUE(M, source, ...) BIDE__FLAGS_0(M, __VA_ARGS__)
#define BIDE__FIELD(M, b, x) BIDE__PARAMETER(BIDE__FIELD, M, x)
#define BIDE__FIELD_VALUE ~, BIDE__FIELD_OF_VALUE
#define BIDE__FIELD_OF_VALUE(M, source, ...) BIDE__INIT_0(M, __VA_ARGS__)
#define BIDE__FROM(M, b, x) BIDE__PARAMETER(BIDE__FROM, M, x)
#define BIDE__FROM_VALUE ~, BIDE__FROM_OF_VALUE
#define BIDE__FROM_OF_VALUE(M, source, ...) BIDE__SOURCE_##source,

/* Files and proofs. */
enum { bide__is_ = false, bide__is_optional = true };
#define BIDE__UPLOAD(M, b, x) BIDE__PARAMETER(BIDE__UPLOAD, M, x)
#define BIDE__UPLOAD_FILE ~, BIDE__UPLOAD_OF_FILE
#define BIDE__UPLOAD_OF_FILE(M, source, name, attribute, ...) \
    {#name, offsetof(M, name), BIDE__MANY_##source, bide__is_##attribute},
enum { BIDE__MANY_file = false, BIDE__MANY_files = true };

#define BIDE__PROOF(M, b, x) BIDE__PARAMETER(BIDE__PROOF, M, x)
#define BIDE__PROOF_SECURITY ~, BIDE__PROOF_OF_SECURITY
#define BIDE__PROOF_OF_SECURITY(M, scheme, name, ...) \
    BIDE__PROOF_BY_##scheme(offsetof(M, name), __VA_ARGS__)
#define BIDE__PROOF_BY_bearer(at, attribute, ...) \
    {BIDE__SCHEME_BEARER, "", at, bide__is_##attribute},
#define BIDE__PROOF_BY_basic(at, attribute, ...) \
    {BIDE__SCHEME_BASIC, "", at, bide__is_##attribute},
#define BIDE__PROOF_BY_oauth2(at, url, attribute, ...) \
    {BIDE__SCHEME_OAUTH2, "" url, at, bide__is_##attribute},
#define BIDE__PROOF_BY_api_key(at, place, key, attribute, ...) \
    {(enum bide__scheme)bide__key_in_##place, "" key, at, bide__is_##attribute},
enum {
    bide__key_in_header = BIDE__SCHEME_HEADER_KEY,
    bide__key_in_query = BIDE__SCHEME_QUERY_KEY,
    bide__key_in_cookie = BIDE__SCHEME_COOKIE_KEY,
};

/* Providers: a member for each, whose offset is its index; and the table. */
#define BIDE__ORDER(M, b, x) BIDE__PARAMETER(BIDE__ORDER, M, x)
#define BIDE__ORDER_DEPENDS ~, BIDE__ORDER_OF_DEPENDS
#define BIDE__ORDER_OF_DEPENDS(M, source, T, name, provider) char name;
#define BIDE__NEED(M, b, x) BIDE__PARAMETER(BIDE__NEED, M, x)
#define BIDE__NEED_DEPENDS ~, BIDE__NEED_OF_DEPENDS
#define BIDE__NEED_OF_DEPENDS(M, source, T, name, provider) {#name, &provider##_provider},

/* The body's model, whether it is a form, the number of bodies. */
#define BIDE__BODY(M, b, x) BIDE__PARAMETER(BIDE__BODY, M, x)
#define BIDE__BODY_BODY ~, BIDE__BODY_OF_BODY
#define BIDE__BODY_OF_BODY(M, source, model, name) model##_model,
#define BIDE__IS_FORM(M, b, x) BIDE__PARAMETER(BIDE__IS_FORM, M, x)
#define BIDE__IS_FORM_BODY ~, BIDE__IS_FORM_OF_BODY
#define BIDE__IS_FORM_OF_BODY(M, source, model, name) || BIDE__FORM_IS_##source
enum { BIDE__FORM_IS_BODY = false, BIDE__FORM_IS_FORM_BODY = true };
#define BIDE__BODIES(M, b, x) BIDE__PARAMETER(BIDE__BODIES, M, x)
#define BIDE__BODIES_BODY ~, BIDE__BODIES_OF_BODY
#define BIDE__BODIES_OF_BODY(M, source, model, name) + 1

/* What a route says of itself. A blocking handler runs on a thread, where clang refuses awaits. */
#define BIDE__OPTION(M, b, x) BIDE__PARAMETER(BIDE__OPTION, M, x)
#define BIDE__OPTION_OPTION ~, BIDE__OPTION_OF_OPTION
#define BIDE__OPTION_BLOCKING ~, BIDE__OPTION_OF_OPTION
#define BIDE__OPTION_OF_OPTION(M, option, value) , .option = value
#define BIDE__LANE(M, b, x) BIDE__PARAMETER(BIDE__LANE, M, x)
#define BIDE__LANE_BLOCKING ~, BIDE__LANE_OF_BLOCKING
#define BIDE__LANE_OF_BLOCKING(M, option, value) , ,
#define BIDE__WAITS(...) BIDE__WAITS2(~ BIDE__FE(BIDE__LANE, M, , __VA_ARGS__), BIDE__AWAITS, )
#define BIDE__WAITS2(...) BIDE__SECOND(__VA_ARGS__)
/* Providers are neither described nor moved to a lane: words for routes only. */
#define BIDE__ROUTE_ONLY(M, b, x) BIDE__PARAMETER(BIDE__ROUTE_ONLY, M, x)
#define BIDE__ROUTE_ONLY_OPTION ~, BIDE__ROUTE_ONLY_OF_OPTION
#define BIDE__ROUTE_ONLY_BLOCKING ~, BIDE__ROUTE_ONLY_OF_OPTION
#define BIDE__ROUTE_ONLY_OF_OPTION(M, option, value) \
    _Static_assert(0, "`" #option "` is said of routes, not of providers");

/* An option is said once: of a second one the compilers tell that the member is there already. */
#define BIDE__SAID(M, b, x) BIDE__PARAMETER(BIDE__SAID, M, x)
#define BIDE__SAID_OPTION ~, BIDE__SAID_OF_OPTION
#define BIDE__SAID_BLOCKING ~, BIDE__SAID_OF_OPTION
#define BIDE__SAID_OF_OPTION(M, option, value) char option;

/* ---- links: what url_for is given ---- */

/* Values of the path and then of the query: members, a table, how many the path has. */
#define BIDE__TO(M, b, x) BIDE__PARAMETER(BIDE__TO, M, x)
#define BIDE__TO_VALUE ~, BIDE__TO_OF_VALUE
#define BIDE__TO_OF_VALUE(M, source, T, name, ...) BIDE__TO_##source(T, name)
#define BIDE__TO_PATH(T, name) bide_type_##T name;
#define BIDE__TO_QUERY(T, name)
#define BIDE__TO_HEADER(T, name)
#define BIDE__TO_COOKIE(T, name)
#define BIDE__TO_FORM(T, name)
#define BIDE__ASK(M, b, x) BIDE__PARAMETER(BIDE__ASK, M, x)
#define BIDE__ASK_VALUE ~, BIDE__ASK_OF_VALUE
#define BIDE__ASK_OF_VALUE(M, source, T, name, ...) BIDE__ASK_##source(T, name)
#define BIDE__ASK_PATH(T, name)
#define BIDE__ASK_QUERY(T, name) bide_type_##T name;
#define BIDE__ASK_HEADER(T, name)
#define BIDE__ASK_COOKIE(T, name)
#define BIDE__ASK_FORM(T, name)
#define BIDE__PART(L, b, x) BIDE__PARAMETER(BIDE__PART, L, x)
#define BIDE__PART_VALUE ~, BIDE__PART_OF_VALUE
#define BIDE__PART_OF_VALUE(L, source, T, name, ...) BIDE__PART_##source(L, T, name)
#define BIDE__PART_PATH(L, T, name) \
    {#name, offsetof(struct L, name), (enum bide_kind)bide__kind_##T, bide__info_##T, true},
#define BIDE__PART_QUERY(L, T, name) \
    {#name, offsetof(struct L, name), (enum bide_kind)bide__kind_##T, bide__info_##T, false},
#define BIDE__PART_HEADER(L, T, name)
#define BIDE__PART_COOKIE(L, T, name)
#define BIDE__PART_FORM(L, T, name)
#define BIDE__STEP(M, b, x) BIDE__PARAMETER(BIDE__STEP, M, x)
#define BIDE__STEP_VALUE ~, BIDE__STEP_OF_VALUE
#define BIDE__STEP_OF_VALUE(M, source, ...) + (BIDE__SOURCE_##source == BIDE__SOURCE_PATH)

#define BIDE__LINKED(name_, to, ...) \
    struct name_##__link { \
        BIDE__FE(BIDE__TO, , , __VA_ARGS__) BIDE__FE(BIDE__ASK, , , __VA_ARGS__) char bide__end; \
    }; \
    enum { name_##__path_values = 0 BIDE__FE(BIDE__STEP, , , __VA_ARGS__) }; \
    __attribute__((__unused__)) static const struct bide__link_member name_##__members[] = { \
        BIDE__FE(BIDE__PART, name_##__link, , __VA_ARGS__) {.name = NULL}}; \
    __attribute__((__unused__)) static struct bide__linked name_##__linked = { \
        .route = &to##_route, .name = #name_, \
        .at = {__FILE__, #name_, "its declaration", __LINE__}, \
        .members = name_##__members, .count = BIDE__COUNT_OF(name_##__members)};

/* LINK(name, route, path(...)..., query(...)...): what other files make URLs of (url_for.h). */
#define LINK(...) BIDE__LINK(__VA_ARGS__, )
#define BIDE__LINK(name, to, ...) \
    extern struct bide_route to##_route; \
    BIDE__FE(BIDE__ONLY, , , __VA_ARGS__) \
    BIDE__LINKED(name, to, __VA_ARGS__) \
    __attribute__((__constructor__)) static void name##__link_register(void) \
    { \
        bide__link_register(&name##__linked); \
    } \
    struct name##__link
#define BIDE__ONLY(M, b, x) BIDE__PARAMETER(BIDE__ONLY, M, x)
#define BIDE__ONLY_BODY ~, BIDE__ONLY_NO
#define BIDE__ONLY_DEPENDS ~, BIDE__ONLY_NO
#define BIDE__ONLY_FILE ~, BIDE__ONLY_NO
#define BIDE__ONLY_SECURITY ~, BIDE__ONLY_NO
#define BIDE__ONLY_OPTION ~, BIDE__ONLY_NO
#define BIDE__ONLY_BLOCKING ~, BIDE__ONLY_NO
#define BIDE__ONLY_UNKNOWN ~, BIDE__ONLY_NO
#define BIDE__ONLY_NO(...) _Static_assert(0, "a LINK is made of path(...) and query(...)");
#define BIDE__ONLY_VALUE ~, BIDE__ONLY_OF_VALUE
#define BIDE__ONLY_OF_VALUE(M, source, ...) \
    _Static_assert(BIDE__SOURCE_##source <= BIDE__SOURCE_QUERY, \
                   "a LINK is made of path(...) and query(...)");

/* ---- what routes and providers share ---- */

#define BIDE__DECLARE(name_, M, ...) \
    typedef struct M M; \
    struct M { BIDE__FE(BIDE__SLOT, M, , __VA_ARGS__) uint64_t bide_set[BIDE__SOURCES]; }; \
    struct M##__depends { BIDE__FE(BIDE__ORDER, M, , __VA_ARGS__) char bide__end; }; \
    enum { BIDE__FE(BIDE__FLAG, M, , __VA_ARGS__) M##__flags_end }; \
    BIDE__FE(BIDE__MUST, M, , __VA_ARGS__) \
    _Static_assert(0 BIDE__FE(BIDE__BODIES, M, , __VA_ARGS__) <= 1, \
                   "`" #name_ "` has two bodies"); \
    __attribute__((__unused__)) static bide_field M##__fields[] = { \
        BIDE__FE(BIDE__FIELD, M, , __VA_ARGS__) {.name = NULL}}; \
    __attribute__((__unused__)) static uint8_t M##__sources[] = { \
        BIDE__FE(BIDE__FROM, M, , __VA_ARGS__) BIDE__SOURCES}; \
    __attribute__((__unused__)) static const struct bide__dependency M##__dependencies[] = { \
        BIDE__FE(BIDE__NEED, M, , __VA_ARGS__) {NULL, NULL}}; \
    __attribute__((__unused__)) static const struct bide__upload M##__uploads[] = { \
        BIDE__FE(BIDE__UPLOAD, M, , __VA_ARGS__) {.name = NULL}}; \
    __attribute__((__unused__)) static const struct bide__security M##__security[] = { \
        BIDE__FE(BIDE__PROOF, M, , __VA_ARGS__) {.detail = NULL}};

#define BIDE__COUNT_OF(array) (sizeof(array) / sizeof *(array) - 1)
#define BIDE__CALLABLE(name_, M, value, ...) \
    {.name = #name_, .at = {__FILE__, #name_, "its declaration", __LINE__}, \
     .enter = name_##__enter, \
     .fields = M##__fields, .sources = M##__sources, .field_count = BIDE__COUNT_OF(M##__fields), \
     .dependencies = M##__dependencies, .dependency_count = BIDE__COUNT_OF(M##__dependencies), \
     .uploads = M##__uploads, .upload_count = BIDE__COUNT_OF(M##__uploads), \
     .security = M##__security, .security_count = BIDE__COUNT_OF(M##__security), \
     .body_is_form = false BIDE__FE(BIDE__IS_FORM, M, , __VA_ARGS__), \
     .row_size = sizeof(M), .set_offset = offsetof(M, bide_set), .value_size = (value), \
     .body = BIDE__FIRST(BIDE__FE(BIDE__BODY, M, , __VA_ARGS__) NULL, )}
#define BIDE__FIRST(...) BIDE__FIRST2(__VA_ARGS__)
#define BIDE__FIRST2(first, ...) first

/* ---- routes ---- */

#define BIDE__ROUTE(verb, name, pattern, response, ...) \
    BIDE__ROUTE2(BIDE__SECOND(BIDE__NOTHING_##response, 0, ), verb, name, name##__input, pattern, \
                 response, __VA_ARGS__)
#define BIDE__ROUTE2(is_nothing, ...) BIDE__ROUTE3(is_nothing, __VA_ARGS__)
#define BIDE__ROUTE3(is_nothing, verb, name, M, pattern_, response_, ...) \
    BIDE__DECLARE(name, M, __VA_ARGS__) \
    _Static_assert(bide__kind_##response_ >= BIDE_KIND_OBJ, \
                   "route `" #name "`: its response is not a model"); \
    static bide_type_##response_ name(bide_request *req \
                                      BIDE__FE(BIDE__PROTO, M, , __VA_ARGS__)) \
        BIDE__WAITS(__VA_ARGS__); \
    static void name##__enter(struct bide__visit *call) BIDE__UNCHECKED; \
    static void name##__enter(struct bide__visit *call) \
    { \
        BIDE__RESULT_##is_nothing(bide_type_##response_) \
            name(call->request BIDE__FE(BIDE__GIVE, M, , __VA_ARGS__)); \
    } \
    struct M##__said { BIDE__FE(BIDE__SAID, M, , __VA_ARGS__) char bide__end; }; \
    extern bide_route name##_route; \
    BIDE__LINKED(name, name, __VA_ARGS__) \
    bide_route name##_route = { \
        .callable = BIDE__CALLABLE(name, M, BIDE__SIZE_##is_nothing(bide_type_##response_), \
                                   __VA_ARGS__), \
        .method = #verb, .pattern = "" pattern_, .response = bide__kind_##response_, \
        .type = bide__info_##response_, \
        .template = BIDE__SECOND(BIDE__TEMPLATE_##response_, NULL, ), \
        .content_type = BIDE__SECOND(BIDE__CONTENT_##response_, NULL, ) \
            BIDE__FE(BIDE__OPTION, M, , __VA_ARGS__)}; \
    __attribute__((__constructor__)) static void name##__register(void) \
    { \
        bide__route_register(&name##_route); \
    } \
    static bide_type_##response_ name(bide_request *req __attribute__((__unused__)) \
                                      BIDE__FE(BIDE__PROTO, M, , __VA_ARGS__))
#define BIDE__RESULT_0(T) *(T *)call->value =
#define BIDE__RESULT_1(T)
#define BIDE__SIZE_0(T) sizeof(T)
#define BIDE__SIZE_1(T) 0

/* ---- providers ---- */

#define BIDE__PROVIDER(T, name, ...) BIDE__PROVIDER2(T, name, name##__input, __VA_ARGS__)
#define BIDE__PROVIDER2(T, name_, M, ...) \
    struct name_##__provided { T value; }; \
    BIDE__FE(BIDE__ROUTE_ONLY, M, , __VA_ARGS__) \
    BIDE__DECLARE(name_, M, __VA_ARGS__) \
    __attribute__((__unused__)) static void name_( \
        bide_request *req, struct bide__visit *bide__visit_, \
        struct name_##__provided *bide__provided \
        BIDE__FE(BIDE__PROTO, M, , __VA_ARGS__)) BIDE__AWAITS; \
    __attribute__((__unused__)) static void name_##__enter(struct bide__visit *call) \
        BIDE__UNCHECKED; \
    static void name_##__enter(struct bide__visit *call) \
    { \
        name_(call->request, call, (struct name_##__provided *)call->value \
              BIDE__FE(BIDE__GIVE, M, , __VA_ARGS__)); \
    } \
    __attribute__((__unused__)) static struct bide__callable name_##_provider = \
        BIDE__CALLABLE(name_, M, sizeof(struct name_##__provided), __VA_ARGS__); \
    static void name_(bide_request *req __attribute__((__unused__)), \
                      struct bide__visit *bide__visit_ __attribute__((__unused__)), \
                      struct name_##__provided *bide__provided __attribute__((__unused__)) \
                      BIDE__FE(BIDE__PROTO, M, , __VA_ARGS__))
/* clang-format on */

#endif
