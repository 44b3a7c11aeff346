/*
 * model_macros.h: what MODEL, VIEW, PARTIAL and ENUM of model.h expand to.
 *
 * A list of fields is walked by BIDE__FE, the attributes of a field by BIDE__FA: two families,
 * because a macro does not expand inside itself. `bide_type_T` is the member's type, `bide__kind_T`
 * its kind and `bide__info_T` a function that gives its bide_type: identifiers for plain types,
 * which ENUM and MODEL declare for new ones, and macros for list(T), obj(T) and computed(T).
 * `bide_type_T` is what the compilers print for a misspelt type.
 *
 * An attribute list ends with an empty one, so that no `...` is ever empty: clang warns of that.
 *
 * layer: model
 */
#ifndef BIDE_MODEL_MACROS_H
#define BIDE_MODEL_MACROS_H

/* Compilers then name the line of the declaration, and not a line of this file. */
#pragma GCC system_header

#include <bide/model.h>

#if defined(len) || defined(range) || defined(match) || defined(email) || defined(url) ||          \
    defined(optional) || defined(dflt) || defined(generated) || defined(readonly) ||               \
    defined(writeonly) || defined(secret) || defined(alias) || defined(key) || defined(unique) ||  \
    defined(sql_dflt)
#error "a macro has the name of an attribute of models (len, range, match ...): #undef it first"
#endif

/* clang-format off */
#define MODEL(name, ...) BIDE__MODEL(name, __VA_ARGS__)
#define VIEW(name, model, ...) BIDE__VIEW(name, model, __VA_ARGS__)
#define PARTIAL(name, model, ...) BIDE__PARTIAL(name, model, __VA_ARGS__)
#define ENUM(name, ...) BIDE__ENUM(name, __VA_ARGS__)

/* ---- plain types ---- */

#define BIDE__PLAIN_TYPE(T, c_type, kind, async_type) \
    typedef c_type bide_type_##T; \
    typedef struct forgotten_await_##async_type bide__async_##T; \
    enum { bide__kind_##T = BIDE_KIND_##kind }; \
    struct bide_list_##T { c_type *items; size_t count; }; \
    const bide_type *bide__info_##T(void)
BIDE__PLAIN_TYPE(_Bool, bool, BOOL, bool);
BIDE__PLAIN_TYPE(i32, int32_t, I32, int32_t);
BIDE__PLAIN_TYPE(i64, int64_t, I64, int64_t);
BIDE__PLAIN_TYPE(f64, double, F64, double);
BIDE__PLAIN_TYPE(str, const char *, STR, str);
BIDE__PLAIN_TYPE(bytes, bide_bytes, BYTES, bide_bytes);
BIDE__PLAIN_TYPE(uuid, bide_uuid, UUID, bide_uuid);
BIDE__PLAIN_TYPE(time, bide_time, TIME, int64_t);
BIDE__PLAIN_TYPE(date, bide_date, DATE, bide_date);
BIDE__PLAIN_TYPE(decimal, bide_decimal, DECIMAL, bide_decimal);
BIDE__PLAIN_TYPE(json, bide_json, JSON, bide_json);
BIDE__PLAIN_TYPE(html_safe, bide_html_safe, STR, bide_html_safe); /* a str in memory */
#define bide_type_bool bide_type__Bool
#define bide__kind_bool bide__kind__Bool
#define bide__async_bool bide__async__Bool
#define bide__info_bool bide__info__Bool
#define bide_list_bool bide_list__Bool

/* No list and no computed field of these. */
#define BIDE__SECRET_TYPE(T, kind) \
    typedef bide_##T bide_type_##T; \
    enum { bide__kind_##T = BIDE_KIND_##kind }; \
    const bide_type *bide__info_##T(void)
BIDE__SECRET_TYPE(secret, SECRET);
BIDE__SECRET_TYPE(hash, HASH);
BIDE__SECRET_TYPE(plain_pw, PLAIN_PW);
#define BIDE__SECRET_BY_KIND(kind) \
    ((kind) == BIDE_KIND_SECRET || (kind) == BIDE_KIND_HASH || (kind) == BIDE_KIND_PLAIN_PW \
         ? BIDE_SECRET : 0)

#define bide_type_obj(T) bide_type_##T
#define bide__kind_obj(T) bide__kind_##T
#define bide__info_obj(T) bide__info_##T
#define bide_type_list(T) struct bide_list_##T
#define bide__kind_list(T) BIDE_KIND_LIST
#define bide__info_list(T) bide__info_##T
/* bide_list(user): the type of a member of list(user). */
#define bide_list(T) struct bide_list_##T

/* ---- attributes ---- */

/* The kinds that each fits, as bits. */
#define BIDE__KINDS(a) (1 << BIDE_KIND_##a)
enum {
    bide__kinds_text = BIDE__KINDS(STR) | BIDE__KINDS(SECRET) | BIDE__KINDS(PLAIN_PW),
    bide__kinds_str = BIDE__KINDS(STR),
    bide__kinds_long = bide__kinds_text | BIDE__KINDS(BYTES) | BIDE__KINDS(LIST),
    bide__kinds_number = BIDE__KINDS(I32) | BIDE__KINDS(I64) | BIDE__KINDS(F64)
                         | BIDE__KINDS(DECIMAL),
    bide__kinds_all = (1 << (BIDE_KIND_LIST + 1)) - 1,
    bide__kinds_column = bide__kinds_all & ~(BIDE__KINDS(OBJ) | BIDE__KINDS(LIST)
                                             | BIDE__KINDS(PLAIN_PW)),
    bide__kinds_read = bide__kinds_all & ~BIDE__KINDS(HASH),
    bide__kinds_literal = bide__kinds_all & ~(BIDE__KINDS(OBJ) | BIDE__KINDS(LIST)
                                              | BIDE__KINDS(HASH) | BIDE__KINDS(PLAIN_PW)
                                              | BIDE__KINDS(SECRET) | BIDE__KINDS(BYTES)),
};
/* Per attribute: the kinds it fits, its flag, what it puts into the descriptor. */
#define bide__attribute_ , bide__kinds_all, 0, ()
#define bide__attribute_len(least, most) \
    , bide__kinds_long, BIDE_LEN, (.min_length = (least), .max_length = (most),)
#define bide__attribute_range(least, most) \
    , bide__kinds_number, BIDE_RANGE, (.min = (long double)(least), .max = (long double)(most),)
#define bide__attribute_match(text) , bide__kinds_text, BIDE_MATCH, (.pattern = (text),)
#define bide__attribute_email , bide__kinds_str, BIDE_EMAIL, ()
#define bide__attribute_url , bide__kinds_str, BIDE_URL, ()
#define bide__attribute_optional , bide__kinds_all, BIDE_OPTIONAL, ()
#define bide__attribute_dflt(value) \
    , bide__kinds_literal, BIDE_DFLT, ( \
    .dflt_text = _Generic((value), char *: (value), const char *: (value), default: NULL), \
    .dflt_int = _Generic((value), char *: 0, const char *: 0, double: 0, float: 0, \
                         default: (value)), \
    .dflt_real = (double)_Generic((value), char *: 0, const char *: 0, default: (value)),)
#define bide__attribute_generated , bide__kinds_column, BIDE_GENERATED, ()
#define bide__attribute_readonly , bide__kinds_all, BIDE_READONLY, ()
#define bide__attribute_writeonly , bide__kinds_read, BIDE_WRITEONLY, ()
#define bide__attribute_secret , bide__kinds_all, BIDE_SECRET, ()
#define bide__attribute_alias(text) \
    , bide__kinds_all, BIDE_ALIAS, (.alias = (text), .alias_key = "\"" text "\":",)
#define bide__attribute_key , bide__kinds_column, BIDE_KEY, ()
#define bide__attribute_unique , bide__kinds_column, BIDE_UNIQUE, ()
#define bide__attribute_sql_dflt(text) \
    , bide__kinds_column, BIDE_SQL_DFLT, (.sql_dflt = (text),)

/* What is no attribute gives 0, 0, (): one readable error, and no others that follow from it. */
#define BIDE__KINDS_OF(attribute) BIDE__PICK(BIDE__KINDS_OF2, bide__attribute_##attribute)
#define BIDE__KINDS_OF2(text, kinds, ...) kinds
#define BIDE__FLAG_OF(attribute) BIDE__PICK(BIDE__FLAG_OF2, bide__attribute_##attribute)
#define BIDE__FLAG_OF2(text, kinds, flag, ...) flag
#define BIDE__INIT_OF(attribute) BIDE__PICK(BIDE__INIT_OF2, bide__attribute_##attribute)
#define BIDE__INIT_OF2(text, kinds, flag, init, ...) BIDE__UNWRAP init
#define BIDE__PICK(m, ...) BIDE__PICK2(m, __VA_ARGS__, 0, 0, (), )
#define BIDE__PICK2(m, ...) m(__VA_ARGS__)

/* Each attribute is checked by itself, so that the message can name it. */
#define BIDE__CHECK_ATTRIBUTE(type, name, attribute) \
    _Static_assert(BIDE__KINDS_OF(attribute) >> bide__kind_##type & 1, \
                   "field `" #name "`: there is no attribute `" #attribute \
                   "` for the type `" #type "`");
#define BIDE__OR_FLAG(a, b, attribute) | BIDE__FLAG_OF(attribute)
#define BIDE__INIT_ATTRIBUTE(a, b, attribute) BIDE__INIT_OF(attribute)

/* ---- a field: (type, name, attributes...) ---- */

/* BIDE__TUPLE(prefix, M, tuple) calls prefix##0(M, type, name, attributes..., ), or prefix##1(M, T,
   name, fn, attributes..., ) for computed(T). */
#define BIDE__TUPLE(prefix, M, ...) BIDE__TUPLE2(prefix, M, __VA_ARGS__, )
#define BIDE__TUPLE2(prefix, M, type, ...) \
    BIDE__TUPLE3(prefix, BIDE__IS_COMPUTED(type), M, type, __VA_ARGS__)
#define BIDE__TUPLE3(prefix, is, ...) BIDE__TUPLE4(prefix, is, __VA_ARGS__)
#define BIDE__TUPLE4(prefix, is, M, type, ...) BIDE__TUPLE5_##is(prefix, M, type, __VA_ARGS__)
#define BIDE__TUPLE5_0(prefix, M, type, ...) prefix##0(M, type, __VA_ARGS__)
#define BIDE__TUPLE5_1(prefix, M, type, ...) \
    BIDE__TUPLE6(prefix, M, BIDE__UNWRAP_##type, __VA_ARGS__)
#define BIDE__TUPLE6(prefix, M, ...) prefix##1(M, __VA_ARGS__)
#define BIDE__UNWRAP_computed(T) T
#define BIDE__PROBE_computed(T) , 1
#define BIDE__IS_COMPUTED(type) BIDE__SECOND(BIDE__PROBE_##type, 0, )

/* A computed field has a member without size: reading it does not compile, and says so. */
struct computed_field_has_no_value {
    char unused[0];
};
#define BIDE__MEMBER(M, b, tuple) BIDE__TUPLE(BIDE__MEMBER_, M, BIDE__UNWRAP tuple)
#define BIDE__MEMBER_0(M, type, name, ...) bide_type_##type name;
#define BIDE__MEMBER_1(M, T, name, ...) struct computed_field_has_no_value name;

#define BIDE__INDEX(M, b, tuple) BIDE__TUPLE(BIDE__INDEX_, M, BIDE__UNWRAP tuple)
#define BIDE__INDEX_0(M, type, name, ...) char name;
#define BIDE__INDEX_1 BIDE__INDEX_0

#define BIDE__CHECK(M, b, tuple) BIDE__TUPLE(BIDE__CHECK_, M, BIDE__UNWRAP tuple)
#define BIDE__CHECK_0(M, type, name, ...) BIDE__FA(BIDE__CHECK_ATTRIBUTE, type, name, __VA_ARGS__)
#define BIDE__CHECK_1(M, T, name, fn, ...) BIDE__FA(BIDE__CHECK_COMPUTED, T, name, __VA_ARGS__)
#define BIDE__CHECK_COMPUTED(T, name, attribute) \
    _Static_assert(sizeof #attribute == 1 || BIDE__FLAG_OF(attribute) == BIDE_ALIAS, \
                   "field `" #name "`: there is no attribute `" #attribute \
                   "` for a computed field");

#define BIDE__FLAGS(M, b, tuple) BIDE__TUPLE(BIDE__FLAGS_, M, BIDE__UNWRAP tuple)
#define BIDE__FLAGS_0(M, type, name, ...) \
    bide__flags_##M##__##name = BIDE__SECRET_BY_KIND(bide__kind_##type) \
        BIDE__FA(BIDE__OR_FLAG, , , __VA_ARGS__),
#define BIDE__FLAGS_1(M, T, name, fn, ...) \
    bide__flags_##M##__##name = BIDE_COMPUTED | BIDE__IS_ASYNC(M, T, fn) \
        BIDE__FA(BIDE__OR_FLAG, , , __VA_ARGS__),

/* The six forms of a function that computes. The casts make each branch valid; one is taken. */
#define BIDE__FORM_1(M, R) R (*)(const M *)
#define BIDE__FORM_2(M, R) R (*)(const M *, bide_arena *)
#define BIDE__FORM_3(M, R) R (*)(const bide_row *)
#define BIDE__IS_ASYNC(M, T, fn) \
    _Generic(&(fn), BIDE__FORM_1(M, bide_type_##T): 0, BIDE__FORM_2(M, bide_type_##T): 0, \
             BIDE__FORM_3(M, bide_type_##T): 0, BIDE__FORM_1(M, bide__async_##T): BIDE_ASYNC, \
             BIDE__FORM_2(M, bide__async_##T): BIDE_ASYNC, \
             BIDE__FORM_3(M, bide__async_##T): BIDE_ASYNC)
#define BIDE__CALL(form, fn) ((form)(void (*)(void))(fn))
#define BIDE__THUNK(M, b, tuple) BIDE__TUPLE(BIDE__THUNK_, M, BIDE__UNWRAP tuple)
#define BIDE__THUNK_0(M, type, name, ...)
#define BIDE__THUNK_1(M, T, name, fn, ...) \
    BIDE__MODEL_HELPER void M##__compute_##name(const bide_row *row, void *ret_value) \
        BIDE__UNCHECKED \
    { \
        bide_type_##T *ret = ret_value; \
        *ret = _Generic(&(fn), \
            BIDE__FORM_1(M, bide_type_##T): \
                BIDE__CALL(BIDE__FORM_1(M, bide_type_##T), fn)(row->data), \
            BIDE__FORM_2(M, bide_type_##T): \
                BIDE__CALL(BIDE__FORM_2(M, bide_type_##T), fn)(row->data, row->arena), \
            BIDE__FORM_3(M, bide_type_##T): \
                BIDE__CALL(BIDE__FORM_3(M, bide_type_##T), fn)(row), \
            BIDE__FORM_1(M, bide__async_##T): \
                BIDE__CALL(BIDE__FORM_1(M, bide__async_##T), fn)(row->data).await, \
            BIDE__FORM_2(M, bide__async_##T): \
                BIDE__CALL(BIDE__FORM_2(M, bide__async_##T), fn)(row->data, row->arena).await, \
            BIDE__FORM_3(M, bide__async_##T): \
                BIDE__CALL(BIDE__FORM_3(M, bide__async_##T), fn)(row).await); \
    }

#define BIDE__INIT(M, b, tuple) BIDE__TUPLE(BIDE__INIT_, M, BIDE__UNWRAP tuple)
#define BIDE__INIT_0(M, type, field, ...) \
    {.name = #field, .json_key = "\"" #field "\":", .kind = (enum bide_kind)bide__kind_##type, \
     .flags = bide__flags_##M##__##field, .offset = offsetof(M, field), \
     .size = sizeof(((M *)0)->field), .type_of = bide__info_##type, \
     BIDE__FA(BIDE__INIT_ATTRIBUTE, , , __VA_ARGS__)},
#define BIDE__INIT_1(M, T, field, fn, ...) \
    {.name = #field, .json_key = "\"" #field "\":", .kind = (enum bide_kind)bide__kind_##T, \
     .flags = bide__flags_##M##__##field, .type_of = bide__info_##T, \
     .compute = M##__compute_##field, \
     BIDE__FA(BIDE__INIT_ATTRIBUTE, , , __VA_ARGS__)},

/* ---- MODEL ---- */

#define BIDE__MODEL_HELPER __attribute__((__unused__)) static inline

/* Rows of some model, as queries give them (db.h); a model's helpers give them their type. */
typedef struct bide__rows {
    void *items;
    size_t count;
    int64_t total; /* of a page: of the whole query */
    int32_t page, size;
} bide__rows;

/* What a new struct needs before and after its body, to be a type like the plain ones. */
#define BIDE__STRUCT_HEAD(M) \
    typedef struct M M; \
    typedef M *M##_ptr; \
    typedef struct bide_list_##M { M *items; size_t count; } M##_list; \
    typedef M##_list *M##_lists; \
    typedef struct bide_page_##M { \
        M *items; size_t count; int64_t total; int32_t page, size; \
    } M##_page; \
    __attribute__((__unused__)) static inline const bide_model *M##_model(void);
#define BIDE__STRUCT_TAIL(M) \
    AWAITABLE(M); \
    AWAITABLE(M##_ptr); \
    AWAITABLE(M##_list); \
    AWAITABLE(M##_lists); \
    AWAITABLE(M##_page); \
    BIDE__MUST_USE BIDE__MODEL_HELPER struct forgotten_await_##M##_ptr M##__row_of(bide__rows r) \
    { \
        return (struct forgotten_await_##M##_ptr){(M *)r.items}; \
    } \
    BIDE__MUST_USE BIDE__MODEL_HELPER struct forgotten_await_##M##_list M##__list_of(bide__rows r) \
    { \
        return (struct forgotten_await_##M##_list){{(M *)r.items, r.count}}; \
    } \
    BIDE__MUST_USE BIDE__MODEL_HELPER struct forgotten_await_##M##_lists M##__lists_of( \
        void *lists) \
    { \
        return (struct forgotten_await_##M##_lists){lists}; \
    } \
    BIDE__MUST_USE BIDE__MODEL_HELPER struct forgotten_await_##M##_page M##__page_of(bide__rows r) \
    { \
        return (struct forgotten_await_##M##_page){ \
            {(M *)r.items, r.count, r.total, r.page, r.size}}; \
    } \
    BIDE__MUST_USE BIDE__MODEL_HELPER struct forgotten_await_void M##__done( \
        struct forgotten_await_void done) \
    { \
        return done; \
    } \
    typedef M bide_type_##M; \
    enum { bide__kind_##M = BIDE_KIND_OBJ }; \
    BIDE__MODEL_HELPER const bide_type *bide__info_##M(void) \
    { \
        static const bide_type type = {BIDE_KIND_OBJ, #M, sizeof(M), M##_model, NULL, 0}; \
        return &type; \
    }
#define BIDE__DESCRIPTOR(M, list, ...) \
    BIDE__MODEL_HELPER const bide_model *M##_model(void) \
    { \
        static bide_field fields[] = {BIDE__UNWRAP list}; \
        static bide_model model = {.name = #M, .size = sizeof(M), .type_of = bide__info_##M, \
                                   .set_offset = offsetof(M, bide_set), .fields = fields, \
                                   .field_count = sizeof fields / sizeof *fields, __VA_ARGS__}; \
        return bide__model(&model); \
    } \
    _Static_assert(1, "")

#define BIDE__MODEL(M, table_name, ...) \
    BIDE__STRUCT_HEAD(M) \
    struct bide__index_##M { BIDE__FE(BIDE__INDEX, M, , __VA_ARGS__) }; \
    __extension__ struct M { \
        BIDE__FE(BIDE__MEMBER, M, , __VA_ARGS__) \
        uint64_t bide_set; \
        struct bide__index_##M bide__index[0]; \
    }; \
    BIDE__STRUCT_TAIL(M) \
    BIDE__FE(BIDE__CHECK, M, , __VA_ARGS__) \
    enum { BIDE__FE(BIDE__FLAGS, M, , __VA_ARGS__) }; \
    BIDE__FE(BIDE__THUNK, M, , __VA_ARGS__) \
    BIDE__DESCRIPTOR(M, (BIDE__FE(BIDE__INIT, M, , __VA_ARGS__)), .table = "" table_name)

/* ---- VIEW and PARTIAL ---- */

#define BIDE__FROM_INDEX(V, M, field) char field;
#define BIDE__FROM_MEMBER(V, M, field) __typeof__(((M *)0)->field) field;
#define BIDE__FROM_INIT(V, M, field) \
    {.name = #field, .offset = offsetof(V, field), \
     .base_index = offsetof(struct bide__index_##M, field)},
#define BIDE__BIT(M, field) (UINT64_C(1) << offsetof(struct bide__index_##M, field))

#define BIDE__VIEW_CHECK(V, M, field) \
    _Static_assert((bide__flags_##M##__##field & (BIDE_SECRET | BIDE_WRITEONLY)) == 0, \
                   "view `" #V "`: the field `" #field "` of `" #M "` never leaves the server");
#define BIDE__VIEW_COMPUTED(V, M, field) | bide__flags_##M##__##field
#define BIDE__VIEW_COPY(V, M, field) .field = row->field,
#define BIDE__VIEW_SET(V, M, field) \
    | (row->bide_set & BIDE__BIT(M, field) ? BIDE__BIT(V, field) : 0)

/* A view with computed fields keeps the row that they are computed from. */
#define BIDE__VIEW(V, M, ...) \
    BIDE__STRUCT_HEAD(V) \
    struct bide__index_##V { BIDE__FE(BIDE__FROM_INDEX, V, M, __VA_ARGS__) }; \
    __extension__ struct V { \
        BIDE__FE(BIDE__FROM_MEMBER, V, M, __VA_ARGS__) \
        uint64_t bide_set; \
        struct bide__index_##V bide__index[0]; \
        M bide__row[((0 BIDE__FE(BIDE__VIEW_COMPUTED, V, M, __VA_ARGS__)) & BIDE_COMPUTED) != 0]; \
    }; \
    BIDE__STRUCT_TAIL(V) \
    BIDE__FE(BIDE__VIEW_CHECK, V, M, __VA_ARGS__) \
    BIDE__MODEL_HELPER V V##_of(const M *row) \
    { \
        V view = {BIDE__FE(BIDE__VIEW_COPY, V, M, __VA_ARGS__) \
                  .bide_set = 0 BIDE__FE(BIDE__VIEW_SET, V, M, __VA_ARGS__)}; \
        if (sizeof view.bide__row) \
            bide__view_keep(view.bide__row, row, sizeof view.bide__row); \
        return view; \
    } \
    BIDE__DESCRIPTOR(V, (BIDE__FE(BIDE__FROM_INIT, V, M, __VA_ARGS__)), .table = "", \
                     .base_of = M##_model, .base_offset = offsetof(V, bide__row))

static inline void bide__view_keep(void *copy, const void *row, size_t size)
{
    __builtin_memcpy(copy, row, size);
}

#define BIDE__PARTIAL_CHECK(P, M, field) \
    _Static_assert((bide__flags_##M##__##field \
                    & (BIDE_COMPUTED | BIDE_GENERATED | BIDE_READONLY | BIDE_KEY)) == 0, \
                   "partial `" #P "`: the field `" #field "` of `" #M "` cannot be changed");
#define BIDE__PARTIAL_APPLY(P, M, field) \
    if (changes->bide_set & BIDE__BIT(P, field)) { \
        row->field = changes->field; \
        row->bide_set |= BIDE__BIT(M, field); \
        count++; \
    } else if (changes->bide_null & BIDE__BIT(P, field)) { \
        __builtin_memset(&row->field, 0, sizeof row->field); \
        row->bide_set &= ~BIDE__BIT(M, field); \
        count++; \
    }

/* NAME_apply copies what is there, clears what is null, leaves the rest; gives how many fields it
   touched. */
#define BIDE__PARTIAL(P, M, ...) \
    BIDE__STRUCT_HEAD(P) \
    struct bide__index_##P { BIDE__FE(BIDE__FROM_INDEX, P, M, __VA_ARGS__) }; \
    __extension__ struct P { \
        BIDE__FE(BIDE__FROM_MEMBER, P, M, __VA_ARGS__) \
        uint64_t bide_set; \
        uint64_t bide_null; \
        struct bide__index_##P bide__index[0]; \
    }; \
    BIDE__STRUCT_TAIL(P) \
    BIDE__FE(BIDE__PARTIAL_CHECK, P, M, __VA_ARGS__) \
    BIDE__MODEL_HELPER size_t P##_apply(const P *changes, M *row) \
    { \
        size_t count = 0; \
        BIDE__FE(BIDE__PARTIAL_APPLY, P, M, __VA_ARGS__) \
        return count; \
    } \
    BIDE__DESCRIPTOR(P, (BIDE__FE(BIDE__FROM_INIT, P, M, __VA_ARGS__)), .table = "", \
                     .base_of = M##_model, .partial = true, \
                     .null_offset = offsetof(P, bide_null))

/* ---- ENUM ---- */

#define BIDE__ENUM_VALUE(E, b, value) E##_##value,
#define BIDE__ENUM_NAME(E, b, value) #value,
#define BIDE__ENUM(E, ...) \
    typedef enum E { BIDE__FE(BIDE__ENUM_VALUE, E, , __VA_ARGS__) } E; \
    AWAITABLE(E); \
    typedef E bide_type_##E; \
    typedef struct forgotten_await_##E bide__async_##E; \
    typedef struct bide_list_##E { E *items; size_t count; } E##_list; \
    enum { bide__kind_##E = BIDE_KIND_ENUM }; \
    BIDE__MODEL_HELPER const bide_type *bide__info_##E(void) \
    { \
        static const char *const names[] = {BIDE__FE(BIDE__ENUM_NAME, E, , __VA_ARGS__)}; \
        static const bide_type type = {BIDE_KIND_ENUM, #E, sizeof(E), NULL, names, \
                                       sizeof names / sizeof *names}; \
        return &type; \
    } \
    BIDE__MODEL_HELPER const char *E##_name(E value) \
    { \
        const bide_type *type = bide__info_##E(); \
        return (size_t)value < type->enum_count ? type->enum_names[value] : "?"; \
    } \
    _Static_assert(sizeof(E) == sizeof(int32_t), "")

/* ---- walking ---- */

/* BIDE__FE(m, a, b, x...) is m(a, b, x) for each x, up to 64; BIDE__FA the same, up to 12. */
#define BIDE__FE_COUNT(...) \
    BIDE__FE_COUNT2(__VA_ARGS__, \
        more_than_64_fields, more_than_64_fields, more_than_64_fields, more_than_64_fields, \
        more_than_64_fields, more_than_64_fields, more_than_64_fields, more_than_64_fields, 64, \
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, \
        41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, \
        19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BIDE__FE_COUNT2( \
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, \
        a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38, \
        a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, \
        a57, a58, a59, a60, a61, a62, a63, a64, a65, a66, a67, a68, a69, a70, a71, a72, n, ...) n
#define BIDE__FE(m, a, b, ...) \
    BIDE__FE_CALL(BIDE__FE_COUNT(__VA_ARGS__), m, a, b, __VA_ARGS__)
#define BIDE__FE_CALL(n, ...) BIDE__FE_CALL2(n, __VA_ARGS__)
#define BIDE__FE_CALL2(n, ...) BIDE__FE_##n(__VA_ARGS__)
#define BIDE__FE_1(m, a, b, x) m(a, b, x)
#define BIDE__FE_2(m, a, b, x, ...) m(a, b, x) BIDE__FE_1(m, a, b, __VA_ARGS__)
#define BIDE__FE_3(m, a, b, x, ...) m(a, b, x) BIDE__FE_2(m, a, b, __VA_ARGS__)
#define BIDE__FE_4(m, a, b, x, ...) m(a, b, x) BIDE__FE_3(m, a, b, __VA_ARGS__)
#define BIDE__FE_5(m, a, b, x, ...) m(a, b, x) BIDE__FE_4(m, a, b, __VA_ARGS__)
#define BIDE__FE_6(m, a, b, x, ...) m(a, b, x) BIDE__FE_5(m, a, b, __VA_ARGS__)
#define BIDE__FE_7(m, a, b, x, ...) m(a, b, x) BIDE__FE_6(m, a, b, __VA_ARGS__)
#define BIDE__FE_8(m, a, b, x, ...) m(a, b, x) BIDE__FE_7(m, a, b, __VA_ARGS__)
#define BIDE__FE_9(m, a, b, x, ...) m(a, b, x) BIDE__FE_8(m, a, b, __VA_ARGS__)
#define BIDE__FE_10(m, a, b, x, ...) m(a, b, x) BIDE__FE_9(m, a, b, __VA_ARGS__)
#define BIDE__FE_11(m, a, b, x, ...) m(a, b, x) BIDE__FE_10(m, a, b, __VA_ARGS__)
#define BIDE__FE_12(m, a, b, x, ...) m(a, b, x) BIDE__FE_11(m, a, b, __VA_ARGS__)
#define BIDE__FE_13(m, a, b, x, ...) m(a, b, x) BIDE__FE_12(m, a, b, __VA_ARGS__)
#define BIDE__FE_14(m, a, b, x, ...) m(a, b, x) BIDE__FE_13(m, a, b, __VA_ARGS__)
#define BIDE__FE_15(m, a, b, x, ...) m(a, b, x) BIDE__FE_14(m, a, b, __VA_ARGS__)
#define BIDE__FE_16(m, a, b, x, ...) m(a, b, x) BIDE__FE_15(m, a, b, __VA_ARGS__)
#define BIDE__FE_17(m, a, b, x, ...) m(a, b, x) BIDE__FE_16(m, a, b, __VA_ARGS__)
#define BIDE__FE_18(m, a, b, x, ...) m(a, b, x) BIDE__FE_17(m, a, b, __VA_ARGS__)
#define BIDE__FE_19(m, a, b, x, ...) m(a, b, x) BIDE__FE_18(m, a, b, __VA_ARGS__)
#define BIDE__FE_20(m, a, b, x, ...) m(a, b, x) BIDE__FE_19(m, a, b, __VA_ARGS__)
#define BIDE__FE_21(m, a, b, x, ...) m(a, b, x) BIDE__FE_20(m, a, b, __VA_ARGS__)
#define BIDE__FE_22(m, a, b, x, ...) m(a, b, x) BIDE__FE_21(m, a, b, __VA_ARGS__)
#define BIDE__FE_23(m, a, b, x, ...) m(a, b, x) BIDE__FE_22(m, a, b, __VA_ARGS__)
#define BIDE__FE_24(m, a, b, x, ...) m(a, b, x) BIDE__FE_23(m, a, b, __VA_ARGS__)
#define BIDE__FE_25(m, a, b, x, ...) m(a, b, x) BIDE__FE_24(m, a, b, __VA_ARGS__)
#define BIDE__FE_26(m, a, b, x, ...) m(a, b, x) BIDE__FE_25(m, a, b, __VA_ARGS__)
#define BIDE__FE_27(m, a, b, x, ...) m(a, b, x) BIDE__FE_26(m, a, b, __VA_ARGS__)
#define BIDE__FE_28(m, a, b, x, ...) m(a, b, x) BIDE__FE_27(m, a, b, __VA_ARGS__)
#define BIDE__FE_29(m, a, b, x, ...) m(a, b, x) BIDE__FE_28(m, a, b, __VA_ARGS__)
#define BIDE__FE_30(m, a, b, x, ...) m(a, b, x) BIDE__FE_29(m, a, b, __VA_ARGS__)
#define BIDE__FE_31(m, a, b, x, ...) m(a, b, x) BIDE__FE_30(m, a, b, __VA_ARGS__)
#define BIDE__FE_32(m, a, b, x, ...) m(a, b, x) BIDE__FE_31(m, a, b, __VA_ARGS__)
#define BIDE__FE_33(m, a, b, x, ...) m(a, b, x) BIDE__FE_32(m, a, b, __VA_ARGS__)
#define BIDE__FE_34(m, a, b, x, ...) m(a, b, x) BIDE__FE_33(m, a, b, __VA_ARGS__)
#define BIDE__FE_35(m, a, b, x, ...) m(a, b, x) BIDE__FE_34(m, a, b, __VA_ARGS__)
#define BIDE__FE_36(m, a, b, x, ...) m(a, b, x) BIDE__FE_35(m, a, b, __VA_ARGS__)
#define BIDE__FE_37(m, a, b, x, ...) m(a, b, x) BIDE__FE_36(m, a, b, __VA_ARGS__)
#define BIDE__FE_38(m, a, b, x, ...) m(a, b, x) BIDE__FE_37(m, a, b, __VA_ARGS__)
#define BIDE__FE_39(m, a, b, x, ...) m(a, b, x) BIDE__FE_38(m, a, b, __VA_ARGS__)
#define BIDE__FE_40(m, a, b, x, ...) m(a, b, x) BIDE__FE_39(m, a, b, __VA_ARGS__)
#define BIDE__FE_41(m, a, b, x, ...) m(a, b, x) BIDE__FE_40(m, a, b, __VA_ARGS__)
#define BIDE__FE_42(m, a, b, x, ...) m(a, b, x) BIDE__FE_41(m, a, b, __VA_ARGS__)
#define BIDE__FE_43(m, a, b, x, ...) m(a, b, x) BIDE__FE_42(m, a, b, __VA_ARGS__)
#define BIDE__FE_44(m, a, b, x, ...) m(a, b, x) BIDE__FE_43(m, a, b, __VA_ARGS__)
#define BIDE__FE_45(m, a, b, x, ...) m(a, b, x) BIDE__FE_44(m, a, b, __VA_ARGS__)
#define BIDE__FE_46(m, a, b, x, ...) m(a, b, x) BIDE__FE_45(m, a, b, __VA_ARGS__)
#define BIDE__FE_47(m, a, b, x, ...) m(a, b, x) BIDE__FE_46(m, a, b, __VA_ARGS__)
#define BIDE__FE_48(m, a, b, x, ...) m(a, b, x) BIDE__FE_47(m, a, b, __VA_ARGS__)
#define BIDE__FE_49(m, a, b, x, ...) m(a, b, x) BIDE__FE_48(m, a, b, __VA_ARGS__)
#define BIDE__FE_50(m, a, b, x, ...) m(a, b, x) BIDE__FE_49(m, a, b, __VA_ARGS__)
#define BIDE__FE_51(m, a, b, x, ...) m(a, b, x) BIDE__FE_50(m, a, b, __VA_ARGS__)
#define BIDE__FE_52(m, a, b, x, ...) m(a, b, x) BIDE__FE_51(m, a, b, __VA_ARGS__)
#define BIDE__FE_53(m, a, b, x, ...) m(a, b, x) BIDE__FE_52(m, a, b, __VA_ARGS__)
#define BIDE__FE_54(m, a, b, x, ...) m(a, b, x) BIDE__FE_53(m, a, b, __VA_ARGS__)
#define BIDE__FE_55(m, a, b, x, ...) m(a, b, x) BIDE__FE_54(m, a, b, __VA_ARGS__)
#define BIDE__FE_56(m, a, b, x, ...) m(a, b, x) BIDE__FE_55(m, a, b, __VA_ARGS__)
#define BIDE__FE_57(m, a, b, x, ...) m(a, b, x) BIDE__FE_56(m, a, b, __VA_ARGS__)
#define BIDE__FE_58(m, a, b, x, ...) m(a, b, x) BIDE__FE_57(m, a, b, __VA_ARGS__)
#define BIDE__FE_59(m, a, b, x, ...) m(a, b, x) BIDE__FE_58(m, a, b, __VA_ARGS__)
#define BIDE__FE_60(m, a, b, x, ...) m(a, b, x) BIDE__FE_59(m, a, b, __VA_ARGS__)
#define BIDE__FE_61(m, a, b, x, ...) m(a, b, x) BIDE__FE_60(m, a, b, __VA_ARGS__)
#define BIDE__FE_62(m, a, b, x, ...) m(a, b, x) BIDE__FE_61(m, a, b, __VA_ARGS__)
#define BIDE__FE_63(m, a, b, x, ...) m(a, b, x) BIDE__FE_62(m, a, b, __VA_ARGS__)
#define BIDE__FE_64(m, a, b, x, ...) m(a, b, x) BIDE__FE_63(m, a, b, __VA_ARGS__)

#define BIDE__FA_COUNT(...) \
    BIDE__FA_COUNT2(__VA_ARGS__, \
        more_than_12_attributes, more_than_12_attributes, more_than_12_attributes, \
        more_than_12_attributes, more_than_12_attributes, more_than_12_attributes, \
        more_than_12_attributes, more_than_12_attributes, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BIDE__FA_COUNT2( \
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, \
        n, ...) n
#define BIDE__FA(m, a, b, ...) \
    BIDE__FA_CALL(BIDE__FA_COUNT(__VA_ARGS__), m, a, b, __VA_ARGS__)
#define BIDE__FA_CALL(n, ...) BIDE__FA_CALL2(n, __VA_ARGS__)
#define BIDE__FA_CALL2(n, ...) BIDE__FA_##n(__VA_ARGS__)
#define BIDE__FA_1(m, a, b, x) m(a, b, x)
#define BIDE__FA_2(m, a, b, x, ...) m(a, b, x) BIDE__FA_1(m, a, b, __VA_ARGS__)
#define BIDE__FA_3(m, a, b, x, ...) m(a, b, x) BIDE__FA_2(m, a, b, __VA_ARGS__)
#define BIDE__FA_4(m, a, b, x, ...) m(a, b, x) BIDE__FA_3(m, a, b, __VA_ARGS__)
#define BIDE__FA_5(m, a, b, x, ...) m(a, b, x) BIDE__FA_4(m, a, b, __VA_ARGS__)
#define BIDE__FA_6(m, a, b, x, ...) m(a, b, x) BIDE__FA_5(m, a, b, __VA_ARGS__)
#define BIDE__FA_7(m, a, b, x, ...) m(a, b, x) BIDE__FA_6(m, a, b, __VA_ARGS__)
#define BIDE__FA_8(m, a, b, x, ...) m(a, b, x) BIDE__FA_7(m, a, b, __VA_ARGS__)
#define BIDE__FA_9(m, a, b, x, ...) m(a, b, x) BIDE__FA_8(m, a, b, __VA_ARGS__)
#define BIDE__FA_10(m, a, b, x, ...) m(a, b, x) BIDE__FA_9(m, a, b, __VA_ARGS__)
#define BIDE__FA_11(m, a, b, x, ...) m(a, b, x) BIDE__FA_10(m, a, b, __VA_ARGS__)
#define BIDE__FA_12(m, a, b, x, ...) m(a, b, x) BIDE__FA_11(m, a, b, __VA_ARGS__)
/* clang-format on */

#endif
