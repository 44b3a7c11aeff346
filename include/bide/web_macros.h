/*
 * web_macros.h: what GET, POST, PUT, PATCH, DELETE and PROVIDER of web.h expand to.
 *
 * A parameter is `kind(arguments)`. BIDE__PARAMETER pastes `bide_parameter_` before it, which gives
 * the class of the kind, its source and the arguments, or UNKNOWN; and calls prefix##CLASS(M,
 * source, arguments...). Value parameters are fields of a struct `NAME__input`, with the flags,
 * checks and initialisers of a model's (model_macros.h).
 *
 * layer: web
 */
#ifndef BIDE_WEB_MACROS_H
#define BIDE_WEB_MACROS_H

/* Compilers then name the line of the declaration, and not a line of this file. */
#pragma GCC system_header

#include <bide/web.h>

#if defined(path) || defined(query) || defined(header) || defined(cookie) || defined(body) ||      \
    defined(depends) || defined(status) || defined(maybe) || defined(text) || defined(nothing)
#error "a macro has the name of a word of routes (path, query, body ...): #undef it first"
#endif

/* Where a value parameter comes from; each has fields and presence bits of its own. */
enum bide__source {
    BIDE__SOURCE_PATH,
    BIDE__SOURCE_QUERY,
    BIDE__SOURCE_HEADER,
    BIDE__SOURCE_COOKIE,
    BIDE__SOURCES
};

/* What a response is, beside the kinds of fields. */
enum {
    bide__kind_nothing = BIDE_KIND_LIST + 1,
    bide__kind_maybe_,
    bide__kind_text,
};
typedef void bide_type_nothing;
typedef const char *bide_type_text;
#define bide__info_nothing NULL
#define bide__info_text NULL
#define bide_type_maybe(T) const bide_type_##T *
#define bide__kind_maybe(T) bide__kind_maybe_
#define bide__info_maybe(T) bide__info_##T
#define BIDE__NOTHING_nothing , 1

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
    size_t row_size, set_offset, value_size;
    const bide_model *(*body)(void);
    bide_model models[BIDE__SOURCES]; /* of the fields of each source */
};

struct bide_route {
    struct bide__callable callable; /* first: a route is entered as one */
    const char *method, *pattern;
    int response; /* enum bide_kind, or one of the above */
    int status;   /* 0: none was said */
    const bide_type *(*type)(void);
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
#define bide_parameter_body(model, name) , BODY, BODY, (model, name)
#define bide_parameter_depends(T, name, provider) , DEPENDS, DEPENDS, (T, name, provider)
#define bide_parameter_status(number) , STATUS, STATUS, (number)
#define bide_parameter_ , NONE, NONE, ()

#define BIDE__PARAMETER(prefix, M, x) \
    BIDE__PARAMETER2(prefix, M, bide_parameter_##x, UNKNOWN, UNKNOWN, (#x), )
#define BIDE__PARAMETER2(...) BIDE__PARAMETER3(__VA_ARGS__)
#define BIDE__PARAMETER3(prefix, M, unknown, class, source, arguments, ...) \
    BIDE__PARAMETER4(prefix##class, M, source, BIDE__UNWRAP arguments)
#define BIDE__PARAMETER4(m, ...) m(__VA_ARGS__)

/* In a prototype. */
#define BIDE__PROTO(M, b, x) BIDE__PARAMETER(BIDE__PROTO_, M, x)
#define BIDE__PROTO_VALUE(M, source, T, name, ...) , bide_type_##T name
#define BIDE__PROTO_BODY(M, source, model, name) , const model *name
#define BIDE__PROTO_DEPENDS(M, source, T, name, provider) , T name __attribute__((__unused__))
#define BIDE__PROTO_STATUS(...)
#define BIDE__PROTO_NONE(...)
#define BIDE__PROTO_UNKNOWN(...)

/* In a call. */
#define BIDE__GIVE(M, b, x) BIDE__PARAMETER(BIDE__GIVE_, M, x)
#define BIDE__GIVE_VALUE(M, source, T, name, ...) , ((const M *)call->row)->name
#define BIDE__GIVE_BODY(M, source, model, name) , (const model *)call->body
#define BIDE__GIVE_DEPENDS(M, source, T, name, provider) \
    , *(const __typeof__(((struct provider##__provided *)0)->value) *)bide__depend( \
          call, offsetof(struct M##__depends, name))
#define BIDE__GIVE_STATUS(...)
#define BIDE__GIVE_NONE(...)
#define BIDE__GIVE_UNKNOWN(...)

/* Everything that a parameter must be. */
#define BIDE__MUST(M, b, x) BIDE__PARAMETER(BIDE__MUST_, M, x)
#define BIDE__MUST_VALUE(M, source, T, name, ...) \
    BIDE__CHECK_0(M, T, name, __VA_ARGS__) \
    _Static_assert((bide__flags_##M##__##name & (BIDE_GENERATED | BIDE_READONLY | BIDE_WRITEONLY \
                    | BIDE_KEY | BIDE_UNIQUE | BIDE_SQL_DFLT)) == 0 \
                   && bide__kind_##T != BIDE_KIND_OBJ && bide__kind_##T != BIDE_KIND_HASH, \
                   "parameter `" #name "`: its type or an attribute is for models only");
#define BIDE__MUST_BODY(M, source, model, name) \
    _Static_assert(bide__kind_##model == BIDE_KIND_OBJ, "body `" #name "`: not a model");
#define BIDE__MUST_DEPENDS(M, source, T, name, provider) \
    _Static_assert(__builtin_types_compatible_p( \
                       T, __typeof__(((struct provider##__provided *)0)->value)), \
                   "parameter `" #name "`: provider `" #provider "` provides another type");
#define BIDE__MUST_STATUS(M, source, number) \
    _Static_assert((number) >= 200 && (number) <= 299, "status(" #number ") is no success");
#define BIDE__MUST_NONE(...)
#define BIDE__MUST_UNKNOWN(M, source, words) \
    _Static_assert(0, "a route has no parameters like `" words "`: there are path, query, " \
                      "header, cookie, body, depends and status");

#define BIDE__SLOT(M, b, x) BIDE__PARAMETER(BIDE__SLOT_, M, x)
#define BIDE__SLOT_VALUE(M, source, T, name, ...) bide_type_##T name;
#define BIDE__SLOT_BODY(...)
#define BIDE__SLOT_DEPENDS(...)
#define BIDE__SLOT_STATUS(...)
#define BIDE__SLOT_NONE(...)
#define BIDE__SLOT_UNKNOWN(...)

#define BIDE__FLAG(M, b, x) BIDE__PARAMETER(BIDE__FLAG_, M, x)
#define BIDE__FLAG_VALUE(M, source, ...) BIDE__FLAGS_0(M, __VA_ARGS__)
#define BIDE__FLAG_BODY(...)
#define BIDE__FLAG_DEPENDS(...)
#define BIDE__FLAG_STATUS(...)
#define BIDE__FLAG_NONE(...)
#define BIDE__FLAG_UNKNOWN(...)

#define BIDE__FIELD(M, b, x) BIDE__PARAMETER(BIDE__FIELD_, M, x)
#define BIDE__FIELD_VALUE(M, source, ...) BIDE__INIT_0(M, __VA_ARGS__)
#define BIDE__FIELD_BODY(...)
#define BIDE__FIELD_DEPENDS(...)
#define BIDE__FIELD_STATUS(...)
#define BIDE__FIELD_NONE(...)
#define BIDE__FIELD_UNKNOWN(...)

#define BIDE__FROM(M, b, x) BIDE__PARAMETER(BIDE__FROM_, M, x)
#define BIDE__FROM_VALUE(M, source, ...) BIDE__SOURCE_##source,
#define BIDE__FROM_BODY(...)
#define BIDE__FROM_DEPENDS(...)
#define BIDE__FROM_STATUS(...)
#define BIDE__FROM_NONE(...)
#define BIDE__FROM_UNKNOWN(...)

#define BIDE__ORDER(M, b, x) BIDE__PARAMETER(BIDE__ORDER_, M, x)
#define BIDE__ORDER_VALUE(...)
#define BIDE__ORDER_BODY(...)
#define BIDE__ORDER_DEPENDS(M, source, T, name, provider) char name;
#define BIDE__ORDER_STATUS(...)
#define BIDE__ORDER_NONE(...)
#define BIDE__ORDER_UNKNOWN(...)

#define BIDE__NEED(M, b, x) BIDE__PARAMETER(BIDE__NEED_, M, x)
#define BIDE__NEED_VALUE(...)
#define BIDE__NEED_BODY(...)
#define BIDE__NEED_DEPENDS(M, source, T, name, provider) {#name, &provider##_provider},
#define BIDE__NEED_STATUS(...)
#define BIDE__NEED_NONE(...)
#define BIDE__NEED_UNKNOWN(...)

/* The body's model, the number of bodies, the status. */
#define BIDE__BODY(M, b, x) BIDE__PARAMETER(BIDE__BODY_, M, x)
#define BIDE__BODY_VALUE(...)
#define BIDE__BODY_BODY(M, source, model, name) model##_model,
#define BIDE__BODY_DEPENDS(...)
#define BIDE__BODY_STATUS(...)
#define BIDE__BODY_NONE(...)
#define BIDE__BODY_UNKNOWN(...)
#define BIDE__BODIES(M, b, x) BIDE__PARAMETER(BIDE__BODIES_, M, x)
#define BIDE__BODIES_VALUE(...)
#define BIDE__BODIES_BODY(...) + 1
#define BIDE__BODIES_DEPENDS(...)
#define BIDE__BODIES_STATUS(...)
#define BIDE__BODIES_NONE(...)
#define BIDE__BODIES_UNKNOWN(...)
#define BIDE__STATUS(M, b, x) BIDE__PARAMETER(BIDE__STATUS_, M, x)
#define BIDE__STATUS_VALUE(...)
#define BIDE__STATUS_BODY(...)
#define BIDE__STATUS_DEPENDS(...)
#define BIDE__STATUS_STATUS(M, source, number) + (number)
#define BIDE__STATUS_NONE(...)
#define BIDE__STATUS_UNKNOWN(...)

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
        BIDE__FE(BIDE__NEED, M, , __VA_ARGS__) {NULL, NULL}};

#define BIDE__COUNT_OF(array) (sizeof(array) / sizeof *(array) - 1)
#define BIDE__CALLABLE(name_, M, value, ...) \
    {.name = #name_, .at = {__FILE__, #name_, "its declaration", __LINE__}, \
     .enter = name_##__enter, \
     .fields = M##__fields, .sources = M##__sources, .field_count = BIDE__COUNT_OF(M##__fields), \
     .dependencies = M##__dependencies, .dependency_count = BIDE__COUNT_OF(M##__dependencies), \
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
                                      BIDE__FE(BIDE__PROTO, M, , __VA_ARGS__)) BIDE__AWAITS; \
    static void name##__enter(struct bide__visit *call) BIDE__UNCHECKED; \
    static void name##__enter(struct bide__visit *call) \
    { \
        BIDE__RESULT_##is_nothing(bide_type_##response_) \
            name(call->request BIDE__FE(BIDE__GIVE, M, , __VA_ARGS__)); \
    } \
    extern bide_route name##_route; \
    bide_route name##_route = { \
        .callable = BIDE__CALLABLE(name, M, BIDE__SIZE_##is_nothing(bide_type_##response_), \
                                   __VA_ARGS__), \
        .method = #verb, .pattern = "" pattern_, .response = bide__kind_##response_, \
        .type = bide__info_##response_, .status = 0 BIDE__FE(BIDE__STATUS, M, , __VA_ARGS__)}; \
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
