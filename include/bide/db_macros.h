/*
 * db_macros.h: what the macros of db.h expand to: typed binds, one call per kind of query, the
 * block of a transaction, and the twins for `attempt`.
 *
 * layer: db
 */
#ifndef BIDE_DB_MACROS_H
#define BIDE_DB_MACROS_H

/* Compilers then name the line of the use, and not a line of this file. */
#pragma GCC system_header

#include <bide/db.h>

enum bide__bind_kind {
    BIDE__BIND_NULL,
    BIDE__BIND_BOOL,
    BIDE__BIND_INT,
    BIDE__BIND_REAL,
    BIDE__BIND_TEXT,
    BIDE__BIND_BYTES,
    BIDE__BIND_UUID,
    BIDE__BIND_DATE,
    BIDE__BIND_DECIMAL,
    BIDE__BIND_TOO_LARGE, /* an unsigned number beyond INT64_MAX */
    BIDE__BIND_LIST,
};

/* A value on its way to the database; texts, bytes and items are the caller's. */
typedef struct bide_bind {
    enum bide__bind_kind kind;
    size_t size; /* of `data`; how many items */
    union {
        struct {
            const void *items;
            const bide_type *type; /* of each */
        } list;
        int64_t integer;
        double real;
        const void *data;
        bide_uuid uuid;
        bide_date date;
        bide_decimal decimal;
    };
    bool secret; /* not for the log */
} bide_bind;

static inline bide_bind bide__bind_none(const void *none)
{
    /* A pointer that is not NULL is no value: the driver refuses it. */
    return (bide_bind){none ? BIDE__BIND_TOO_LARGE : BIDE__BIND_NULL, 0, {.integer = 0}};
}
static inline bide_bind bide__bind_bool(bool value)
{
    return (bide_bind){BIDE__BIND_BOOL, 0, {.integer = value}};
}
static inline bide_bind bide__bind_int(int64_t value)
{
    return (bide_bind){BIDE__BIND_INT, 0, {.integer = value}};
}
static inline bide_bind bide__bind_unsigned(uint64_t value)
{
    return (bide_bind){value > INT64_MAX ? BIDE__BIND_TOO_LARGE : BIDE__BIND_INT,
                       0,
                       {.integer = (int64_t)(value & INT64_MAX)}};
}
static inline bide_bind bide__bind_real(double value)
{
    return (bide_bind){BIDE__BIND_REAL, 0, {.real = value}};
}
static inline bide_bind bide__bind_text(const char *text)
{
    return (bide_bind){text ? BIDE__BIND_TEXT : BIDE__BIND_NULL,
                       text ? __builtin_strlen(text) : 0,
                       {.data = text}};
}
static inline bide_bind bide__bind_bytes(bide_bytes bytes)
{
    return (bide_bind){BIDE__BIND_BYTES, bytes.size, {.data = bytes.data}};
}
static inline bide_bind bide__bind_uuid(bide_uuid uuid)
{
    return (bide_bind){BIDE__BIND_UUID, 0, {.uuid = uuid}};
}
static inline bide_bind bide__bind_date(bide_date date)
{
    return (bide_bind){BIDE__BIND_DATE, 0, {.date = date}};
}
static inline bide_bind bide__bind_decimal(bide_decimal decimal)
{
    return (bide_bind){BIDE__BIND_DECIMAL, 0, {.decimal = decimal}};
}
static inline bide_bind bide__bind_json(bide_json json)
{
    return (bide_bind){
        json.text ? BIDE__BIND_TEXT : BIDE__BIND_NULL, json.length, {.data = json.text}};
}
static inline bide_bind bide__bind_hidden(const char *text)
{
    bide_bind bind = bide__bind_text(text);
    bind.secret = true;
    return bind;
}
static inline bide_bind bide__bind_secret(bide_secret secret)
{
    return bide__bind_hidden(secret.text);
}
static inline bide_bind bide__bind_hash(bide_hash hash)
{
    return bide__bind_hidden(hash.text);
}

static inline bide_bind bide__bind_list(const bide_type *type, const void *items, size_t count)
{
    return (bide_bind){BIDE__BIND_LIST, count, {.list = {items, type}}};
}
static inline bide_bind bide__bind_bind(bide_bind bind)
{
    return bind;
}

/* clang-format off */
/* Members of list(T), for the types that are the library's. */
#define BIDE__BIND_LIST_OF(T) \
    static inline bide_bind bide__bind_list_##T(struct bide_list_##T list) \
    { \
        return bide__bind_list(bide__info_##T(), list.items, list.count); \
    }
BIDE__BIND_LIST_OF(_Bool)
BIDE__BIND_LIST_OF(i32)
BIDE__BIND_LIST_OF(i64)
BIDE__BIND_LIST_OF(f64)
BIDE__BIND_LIST_OF(str)
BIDE__BIND_LIST_OF(bytes)
BIDE__BIND_LIST_OF(uuid)
BIDE__BIND_LIST_OF(time)
BIDE__BIND_LIST_OF(date)
BIDE__BIND_LIST_OF(decimal)
BIDE__BIND_LIST_OF(json)

#define BIDE__BIND(value) \
    _Generic((value), bool: bide__bind_bool, char: bide__bind_int, signed char: bide__bind_int, \
             short: bide__bind_int, int: bide__bind_int, long: bide__bind_int, \
             long long: bide__bind_int, unsigned char: bide__bind_unsigned, \
             unsigned short: bide__bind_unsigned, unsigned: bide__bind_unsigned, \
             unsigned long: bide__bind_unsigned, unsigned long long: bide__bind_unsigned, \
             float: bide__bind_real, double: bide__bind_real, char *: bide__bind_text, \
             const char *: bide__bind_text, void *: bide__bind_none, \
             const void *: bide__bind_none, bide_bytes: bide__bind_bytes, \
             bide_uuid: bide__bind_uuid, bide_date: bide__bind_date, \
             bide_decimal: bide__bind_decimal, bide_json: bide__bind_json, \
             bide_secret: bide__bind_secret, bide_hash: bide__bind_hash, \
             struct bide_list__Bool: bide__bind_list__Bool, \
             struct bide_list_i32: bide__bind_list_i32, struct bide_list_i64: bide__bind_list_i64, \
             struct bide_list_f64: bide__bind_list_f64, struct bide_list_str: bide__bind_list_str, \
             struct bide_list_bytes: bide__bind_list_bytes, \
             struct bide_list_uuid: bide__bind_list_uuid, \
             struct bide_list_time: bide__bind_list_time, \
             struct bide_list_date: bide__bind_list_date, \
             struct bide_list_decimal: bide__bind_list_decimal, \
             struct bide_list_json: bide__bind_list_json, bide_bind: bide__bind_bind)(value)
#define BIDE__BIND_ITEM(a, b, value) BIDE__BIND(value),

/* ---- notes: what a use needs of the database ---- */

/* Each use leaves one in a section of its own, where `bide check` finds it whether or not the code
   ever runs (check.c). Nothing points at them, and nothing reads them elsewhere. */
enum bide__note_kind {
    BIDE__NOTE_EXEC,
    BIDE__NOTE_ROWS,
    BIDE__NOTE_SCALAR,
    BIDE__NOTE_WRITE, /* `how`: enum bide__write_kind */
    BIDE__NOTE_DELETE,
    BIDE__NOTE_CREATE,
};
struct bide__note {
    const char *file, *text;           /* "" without one */
    const bide_model *(*model)(void);  /* of rows and writes */
    const bide_type *(*type)(void);    /* of a scalar */
    const unsigned char *binds;        /* enum bide__bind_kind; 0 is the text */
    uint64_t fields;                   /* of a write: as in bide__write */
    uint32_t line, bind_count;
    uint32_t kind, how;                /* enum bide__note_kind; enum bide__how of rows */
};
#ifdef __has_attribute
#if __has_attribute(__retain__) /* a linker with --gc-sections keeps it */
#define BIDE__RETAIN __retain__,
#endif
#endif
#ifndef BIDE__RETAIN
#define BIDE__RETAIN
#endif
#ifdef BIDE__UNNOTED /* the library's own: their tables are the library's care */
#define BIDE__NOTE_PLACE __unused__
#else
#define BIDE__NOTE_PLACE __used__, BIDE__RETAIN __section__("bide_notes")
#endif
/* An alignment that is said keeps compilers from choosing a larger one: there are no gaps. */
#define BIDE__NOTE(...) \
    static struct bide__note bide__noted __attribute__((BIDE__NOTE_PLACE, __aligned__(8))) = { \
        .file = __FILE__, .line = __LINE__, __VA_ARGS__}

#define BIDE__KIND_OF_BIND(value) \
    _Generic((value), bool: BIDE__BIND_BOOL, float: BIDE__BIND_REAL, double: BIDE__BIND_REAL, \
             char *: BIDE__BIND_TEXT, const char *: BIDE__BIND_TEXT, void *: BIDE__BIND_NULL, \
             const void *: BIDE__BIND_NULL, bide_bytes: BIDE__BIND_BYTES, \
             bide_uuid: BIDE__BIND_UUID, bide_date: BIDE__BIND_DATE, \
             bide_decimal: BIDE__BIND_DECIMAL, bide_json: BIDE__BIND_TEXT, \
             bide_secret: BIDE__BIND_TEXT, bide_hash: BIDE__BIND_TEXT, \
             struct bide_list__Bool: BIDE__BIND_LIST, struct bide_list_i32: BIDE__BIND_LIST, \
             struct bide_list_i64: BIDE__BIND_LIST, struct bide_list_f64: BIDE__BIND_LIST, \
             struct bide_list_str: BIDE__BIND_LIST, struct bide_list_bytes: BIDE__BIND_LIST, \
             struct bide_list_uuid: BIDE__BIND_LIST, struct bide_list_time: BIDE__BIND_LIST, \
             struct bide_list_date: BIDE__BIND_LIST, struct bide_list_decimal: BIDE__BIND_LIST, \
             struct bide_list_json: BIDE__BIND_LIST, bide_bind: BIDE__BIND_LIST, \
             default: BIDE__BIND_INT)
#define BIDE__KIND_ITEM(a, b, value) BIDE__KIND_OF_BIND(value),

/* A model that is written, with its note. */
#define BIDE__NOTED_MODEL(M, ...) \
    __extension__({ \
        BIDE__NOTE(.text = "", .model = M##_model, __VA_ARGS__); \
        M##_model(); \
    })

/* BIDE__SQL((note), "text", binds...) is the arguments text, binds, count. The text must be a
   literal; it is the first bind too, so that no list is empty. */
#define BIDE__SQL(note, ...) \
    __extension__({ \
        static const unsigned char bide__kinds[] = {BIDE__FE(BIDE__KIND_ITEM, , , __VA_ARGS__)}; \
        BIDE__NOTE(.text = "" BIDE__SQL_TEXT(__VA_ARGS__, ) "", .binds = bide__kinds, \
                   .bind_count = sizeof bide__kinds, BIDE__UNWRAP note); \
        "" BIDE__SQL_TEXT(__VA_ARGS__, ) ""; \
    }), \
    ((const bide_bind[]){BIDE__FE(BIDE__BIND_ITEM, , , __VA_ARGS__)}), \
    sizeof((const bide_bind[]){BIDE__FE(BIDE__BIND_ITEM, , , __VA_ARGS__)}) / sizeof(bide_bind)
#define BIDE__SQL_TEXT(text, ...) text

/* What a query runs on. */
typedef struct bide__on {
    struct bide_db *db;
    struct bide_tx *tx; /* NULL: autocommit */
} bide__on_handle;
static inline struct bide__on bide__on_db(struct bide_db *db)
{
    return (struct bide__on){db, NULL};
}
static inline struct bide__on bide__on_tx(struct bide_tx *tx)
{
    return (struct bide__on){tx->db, tx};
}
#define bide__on(on) _Generic((on), bide_db *: bide__on_db, bide_tx *: bide__on_tx)(on)

enum bide__how { BIDE__ONE, BIDE__MAYBE, BIDE__FIRST, BIDE__ALL, BIDE__PAGE };
struct bide__want {
    const bide_model *model;
    enum bide__how how;
    int64_t page, size;
};
typedef const void *bide__cell_ptr;
AWAITABLE(bide__rows);
AWAITABLE(bide__cell_ptr);
SPAWNABLE(int64_t, bide__db_exec, struct bide__on, const char *, const bide_bind *, size_t)
SPAWNABLE(void, bide__db_do, struct bide__on, const char *, const bide_bind *, size_t)
#define BIDE__MUST_READ(...) bide__must_read(), __VA_ARGS__
SPAWNABLE(bide__rows, bide__db_rows, struct bide__on, struct bide__want, const char *,
          const bide_bind *, size_t)
SPAWNABLE(bide__cell_ptr, bide__db_scalar, struct bide__on, const bide_type *, const char *,
          const bide_bind *, size_t)

#define BIDE__WANT(M, how, page, size) ((struct bide__want){M##_model(), how, page, size})
#define BIDE__ROWS(on, M, how, page, size, ...) \
    bide__db_rows(bide__on(on), BIDE__WANT(M, how, page, size), \
                  BIDE__SQL(BIDE__NOTE_OF_ROWS(M, how), __VA_ARGS__))
#define BIDE__NOTE_OF_ROWS(M, how_) (.kind = BIDE__NOTE_ROWS, .how = how_, .model = M##_model)
#define BIDE__NOTE_OF_EXEC (.kind = BIDE__NOTE_EXEC)
#define BIDE__NOTE_OF_SCALAR(T) (.kind = BIDE__NOTE_SCALAR, .type = bide__info_##T)

/* What a page after a row is like. */
struct bide__keyset {
    const bide_model *model;
    const void *after; /* a row, or NULL */
    int64_t size;
    bool descending;
    const unsigned char *fields;
    size_t count;
};
SPAWNABLE(bide__rows, bide__db_after, struct bide__on, struct bide__keyset, const char *,
          const bide_bind *, size_t)
#define BIDE__DESCENDING_asc false
#define BIDE__DESCENDING_desc true
#define BIDE__FIELD_AT(M, b, field) offsetof(struct bide__index_##M, field),
#define BIDE__KEYSET(M, after, size, ...) BIDE__KEYSET2(M, after, size, __VA_ARGS__)
#define BIDE__KEYSET2(M, after, size, direction, ...) \
    ((struct bide__keyset){ \
        M##_model(), (0 ? (const M *)0 : (after)), size, BIDE__DESCENDING_##direction, \
        (const unsigned char[]){BIDE__FE(BIDE__FIELD_AT, M, , __VA_ARGS__)}, \
        sizeof((const unsigned char[]){BIDE__FE(BIDE__FIELD_AT, M, , __VA_ARGS__)})})
#define BIDE__AFTER(on, M, after, size, order, ...) \
    bide__db_after(bide__on(on), BIDE__KEYSET(M, after, size, BIDE__UNWRAP order), \
                   BIDE__SQL(BIDE__NOTE_OF_ROWS(M, BIDE__ALL), __VA_ARGS__))

/* Whose rows are loaded: the members of structs that follow each other. */
struct bide__load {
    struct bide__keyset set; /* the order */
    size_t field;            /* of the model */
    const void *parents;
    size_t count, stride, offset;
};
typedef void *bide__lists;
AWAITABLE(bide__lists);
SPAWNABLE(bide__lists, bide__db_load, struct bide__on, struct bide__load, const char *,
          const bide_bind *, size_t)
#define BIDE__LOAD(on, M, field, parents, count, member, order, ...) \
    bide__db_load(bide__on(on), BIDE__LOAD_OF(M, field, parents, count, member, order), \
                  BIDE__SQL(BIDE__NOTE_OF_ROWS(M, BIDE__ALL), __VA_ARGS__))
/* No statement expression: the array of the order would end with it. */
#define BIDE__LOAD_OF(M, field_, parents_, count_, member, order) \
    ((struct bide__load){.set = BIDE__KEYSET(M, NULL, 0, BIDE__UNWRAP order), \
                         .field = offsetof(struct bide__index_##M, field_) + \
                                  0 * BIDE__SAME_TYPES(M, field_, parents_, member), \
                         .parents = (parents_), \
                         .count = (count_), \
                         .stride = sizeof *(parents_), \
                         .offset = offsetof(__typeof__(*(parents_)), member)})
#define BIDE__SAME_TYPES(M, field, parents, member) \
    sizeof(struct { \
        _Static_assert(__builtin_types_compatible_p(__typeof__(((M *)0)->field), \
                                                    __typeof__((parents)->member)), \
                       "bide_load_many: `" #field "` of " #M " and `" #member \
                       "` of the parents are of different types"); \
        char unused; \
    })

enum bide__write_kind { BIDE__INSERT, BIDE__INSERT_NEW, BIDE__UPSERT, BIDE__UPDATE };
struct bide__write {
    const bide_model *model;
    enum bide__write_kind kind;
    void *rows;
    size_t count;
    uint64_t fields; /* of an update: those written; of others: those that may clash */
    void **each;     /* instead of `rows`: pointers to them */
};
SPAWNABLE(void, bide__db_write, struct bide__on, struct bide__write)
SPAWNABLE(bool, bide__db_insert_new, struct bide__on, struct bide__write)
SPAWNABLE(bide__rows, bide__db_patch, struct bide__on, const bide_model *, bide_bind,
          const bide_model *, const void *)
void *bide__db_add(bide_tx *tx, struct bide__write what);
SPAWNABLE(void, bide_flush, bide_tx *)
SPAWNABLE(void, bide__db_refresh, struct bide__on, const bide_model *, void *)
SPAWNABLE(void, bide__db_delete, struct bide__on, const bide_model *, bide_bind)
SPAWNABLE(void, bide__db_create, struct bide__on, const bide_model *)

#define BIDE__FIELDS(M, ...) (UINT64_C(0) BIDE__FE(BIDE__FIELD_BIT, M, , __VA_ARGS__))
#define BIDE__FIELD_BIT(M, b, field) | BIDE__BIT(M, field)
#define BIDE__WRITE_OF(M, write_kind, rows, count, set) \
    ((struct bide__write){BIDE__NOTED_MODEL(M, .kind = BIDE__NOTE_WRITE, .how = write_kind, \
                                            .fields = set), \
                          write_kind, (0 ? (M *)0 : (rows)), count, set, NULL})
/* Rows that are copied, and so may be const. */
#define BIDE__ADDED(M, rows, count) \
    ((struct bide__write){BIDE__NOTED_MODEL(M, .kind = BIDE__NOTE_WRITE, .how = BIDE__INSERT), \
                          BIDE__INSERT, (void *)(0 ? (const M *)0 : (rows)), count, 0, NULL})
/* The model, the key, the PARTIAL and its values. */
#define BIDE__PATCH(M, key, P, changes) \
    BIDE__NOTED_MODEL(M, .kind = BIDE__NOTE_WRITE, .how = BIDE__UPDATE), BIDE__BIND(key), \
        P##_model(), ((void)BIDE__PARTIAL_OF(M, P), (0 ? (const P *)0 : (changes)))
#define BIDE__PARTIAL_OF(M, P) \
    sizeof(struct { \
        _Static_assert(__builtin_types_compatible_p(__typeof__(&P##_apply), \
                                                    size_t (*)(const P *, M *)), \
                       "bide_patch: `" #P "` is no PARTIAL of `" #M "`"); \
        char unused; \
    })
/* The user's word, M, begins the name of the outer call: gcc then reports that nobody awaits it,
   though the macro is a system header's. */
#define BIDE__WRITE(on, M, kind, rows, count, fields) \
    M##__done(bide__db_write(bide__on(on), BIDE__WRITE_OF(M, kind, rows, count, fields)))

/* ---- attempt(&err, bide_insert, tx, user, &u) ---- */
#define bide_exec__attempt(e, at, on, ...) \
    bide__db_exec__attempt(e, at, bide__on(on), BIDE__SQL(BIDE__NOTE_OF_EXEC, __VA_ARGS__))
#define BIDE__TRY_ROWS(e, at, on, M, how, page, size, ...) \
    bide__db_rows__attempt(e, at, bide__on(on), BIDE__WANT(M, how, page, size), \
                           BIDE__SQL(BIDE__NOTE_OF_ROWS(M, how), __VA_ARGS__))
#define bide_do__attempt(e, at, on, ...) \
    bide__db_do__attempt(e, at, bide__on(on), BIDE__SQL(BIDE__NOTE_OF_EXEC, __VA_ARGS__))
#define bide_one__attempt(e, at, on, M, ...) \
    M##__row_of(BIDE__TRY_ROWS(e, at, on, M, BIDE__ONE, 0, 0, __VA_ARGS__)).await
#define bide_maybe__attempt(e, at, on, M, ...) \
    M##__row_of(BIDE__TRY_ROWS(e, at, on, M, BIDE__MAYBE, 0, 0, __VA_ARGS__)).await
#define bide_first__attempt(e, at, on, M, ...) \
    M##__row_of(BIDE__TRY_ROWS(e, at, on, M, BIDE__FIRST, 0, 0, __VA_ARGS__)).await
#define bide_all__attempt(e, at, on, M, ...) \
    M##__list_of(BIDE__TRY_ROWS(e, at, on, M, BIDE__ALL, 0, 0, __VA_ARGS__)).await
#define bide_page__attempt(e, at, on, M, page, size, ...) \
    M##__page_of(BIDE__TRY_ROWS(e, at, on, M, BIDE__PAGE, page, size, __VA_ARGS__)).await
#define bide_page_after__attempt(e, at, on, M, after, size, order, ...) \
    M##__list_of(bide__db_after__attempt(e, at, bide__on(on), \
                                         BIDE__KEYSET(M, after, size, BIDE__UNWRAP order), \
                                         BIDE__SQL(BIDE__NOTE_OF_ROWS(M, BIDE__ALL), \
                                                   __VA_ARGS__))).await
#define bide_load_many__attempt(e, at, on, M, field, parents, count, member, order, ...) \
    M##__lists_of(bide__db_load__attempt( \
        e, at, bide__on(on), BIDE__LOAD_OF(M, field, parents, count, member, order), \
        BIDE__SQL(BIDE__NOTE_OF_ROWS(M, BIDE__ALL), __VA_ARGS__))).await
#define bide_scalar__attempt(e, at, on, T, ...) \
    BIDE__SCALAR_OR_ZERO(T, bide__db_scalar__attempt(e, at, bide__on(on), bide__info_##T(), \
                                                     BIDE__SQL(BIDE__NOTE_OF_SCALAR(T), \
                                                               __VA_ARGS__)))
#define BIDE__SCALAR_OR_ZERO(T, call) \
    __extension__({ \
        const bide_type_##T *bide__value = (call); \
        bide__value ? *bide__value : (bide_type_##T){0}; \
    })
#define bide_insert__attempt(e, at, on, M, row) \
    bide__db_write__attempt(e, at, bide__on(on), BIDE__WRITE_OF(M, BIDE__INSERT, row, 1, 0))
#define bide_insert_many__attempt(e, at, on, M, rows, count) \
    bide__db_write__attempt(e, at, bide__on(on), BIDE__WRITE_OF(M, BIDE__INSERT, rows, count, 0))
#define bide_upsert__attempt(e, at, on, M, row, ...) \
    bide__db_write__attempt(e, at, bide__on(on), \
        BIDE__WRITE_OF(M, BIDE__UPSERT, row, 1, BIDE__FIELDS(M, __VA_ARGS__)))
#define bide_insert_new__attempt(e, at, on, M, row, ...) \
    bide__db_insert_new__attempt(e, at, bide__on(on), \
        BIDE__WRITE_OF(M, BIDE__INSERT_NEW, row, 1, BIDE__FIELDS(M, __VA_ARGS__)))
#define bide_patch__attempt(e, at, on, M, key, P, changes) \
    M##__row_of(bide__db_patch__attempt(e, at, bide__on(on), BIDE__PATCH(M, key, P, changes))).await
#define bide_update__attempt(e, at, on, M, row, ...) \
    bide__db_write__attempt(e, at, bide__on(on), \
        BIDE__WRITE_OF(M, BIDE__UPDATE, row, 1, BIDE__FIELDS(M, __VA_ARGS__)))
#define bide_refresh__attempt(e, at, on, M, row) \
    bide__db_refresh__attempt(e, at, bide__on(on), M##_model(), (0 ? (M *)0 : (row)))
#define bide_delete__attempt(e, at, on, M, key) \
    bide__db_delete__attempt(e, at, bide__on(on), BIDE__DELETED(M), BIDE__BIND(key))
#define BIDE__DELETED(M) BIDE__NOTED_MODEL(M, .kind = BIDE__NOTE_DELETE)
#define BIDE__CREATED(M) BIDE__NOTED_MODEL(M, .kind = BIDE__NOTE_CREATE)

/* ---- the block of a stream ---- */

/* The fields are private. Lives in the frame of its block. */
struct bide__stream {
    struct bide__on on;
    const bide_model *model;
    const char *text;
    const bide_bind *binds; /* from 1 on */
    size_t bind_count;
    const struct bide_site *site;
    bide_error *was;
    bool left;
    bide_tx own; /* of one on an engine */
    struct bide__streaming *streaming;
};
static inline struct bide__stream bide__stream_of(struct bide__on on, const bide_model *model,
                                                  const struct bide_site *site, const char *text,
                                                  const bide_bind *binds, size_t count)
{
    return (struct bide__stream){.on = on,
                                 .model = model,
                                 .text = text,
                                 .binds = binds,
                                 .bind_count = count,
                                 .site = site,
                                 .was = bide__current->unwinding};
}
bide_async(bide__cell_ptr) bide__stream_next(struct bide__stream *stream);
void bide__stream_leave(struct bide__stream *stream);

/* The outer loop runs once, and closes the stream when the inner one is left. */
#define BIDE__STREAM(n, row, on, M, ...) BIDE__STREAM2(n, row, on, M, __VA_ARGS__)
#define BIDE__STREAM2(n, row, on, M, ...) \
    for (struct bide__stream bide__stream_##n __attribute__((__cleanup__(bide__stream_leave))) = \
             bide__stream_of(bide__on(on), M##_model(), BIDE__SITE("bide_stream"), \
                             BIDE__SQL(BIDE__NOTE_OF_ROWS(M, BIDE__ALL), __VA_ARGS__)); \
         !bide__stream_##n.left; bide__stream_##n.left = true) \
        for (M *row; (row = (M *)BIDE__AWAIT(__COUNTER__, "bide_stream", \
                                             bide__stream_next(&bide__stream_##n))) != NULL;)

/* ---- the block of a transaction ---- */
bide_tx *bide__tx_enter(bide_tx *tx, struct bide__on on, bool writes, const struct bide_site *at);
void bide__tx_leave(bide_tx *tx);

bide_error *bide__retry_tx(const struct bide_site *at, struct bide_db *db, bide_tx **slot,
                           void (*thunk)(void *args), void *args, size_t result_size) BIDE__AWAITS;

/* The arguments are made as for gather, without the transaction, which each try puts there. */
#define BIDE__RETRY_TX(n, e, db, ...) \
    BIDE__CAT(BIDE__RETRY_TX_, BIDE__COUNT(__VA_ARGS__))(n, e, db, __VA_ARGS__)
#define BIDE__RETRY_TX_1(n, e, db, fn) \
    BIDE__RETRY_TX2(n, e, db, fn, \
                    fn##__call(&bide__tried_##n, &bide__tried_##n.result, NULL, BIDE__SITE(#fn), \
                               NULL))
#define BIDE__RETRY_TX_N(n, e, db, fn, ...) \
    BIDE__RETRY_TX2(n, e, db, fn, \
                    fn##__call(&bide__tried_##n, &bide__tried_##n.result, NULL, BIDE__SITE(#fn), \
                               NULL, __VA_ARGS__))
#define BIDE__RETRY_TX_2 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX_3 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX_4 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX_5 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX_6 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX_7 BIDE__RETRY_TX_N
#define BIDE__RETRY_TX2(n, e, db, fn, call) \
    __extension__({ \
        struct fn##__args bide__tried_##n; \
        _Static_assert(__builtin_types_compatible_p(__typeof__(bide__tried_##n.a0), bide_tx *), \
                       "retry_tx: the first parameter of `" #fn "` is no bide_tx *"); \
        (void)call; \
        *(e) = bide__retry_tx(BIDE__SITE("retry_tx(" #fn ")"), (db), \
                              (bide_tx **)(void *)&bide__tried_##n.a0, fn##__thunk, \
                              &bide__tried_##n, sizeof bide__tried_##n.result); \
        bide__tried_##n.result; \
    })

#define BIDE__WITH_TX(n, tx, on, writes, text) BIDE__WITH_TX2(n, tx, on, writes, text)
#define BIDE__WITH_TX2(n, tx, on, writes, text) \
    if (0) { \
        bide__left_##n:; \
    } else \
        for (bide_tx bide__tx_##n __attribute__((__cleanup__(bide__tx_leave))) = {.db = NULL}; ; \
             bide_break_in_with()) \
            for (bide_tx *tx __attribute__((__unused__)) = bide__tx_enter( \
                     &bide__tx_##n, bide__on(on), writes, BIDE__SITE(text));; \
                 bide_break_in_with()) \
                for (int bide__once_##n = 0;; bide__once_##n = 1) \
                    if (bide__once_##n) { \
                        goto bide__left_##n; \
                    } else
/* clang-format on */

#endif
