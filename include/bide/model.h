/*
 * model.h: a model is declared once.
 *
 *     ENUM(role, reader, writer, admin);
 *
 *     #define BASE_FIELDS (i64, id, key, generated), (time, created_at, generated)
 *
 *     MODEL(user, "users", BASE_FIELDS,
 *           (str, email, email, unique),
 *           (str, username, len(3, 32), match("^[a-z][a-z0-9_]*$"), unique),
 *           (role, role, dflt(role_reader)),
 *           (i32, age, range(0, 150), optional),
 *           (list(str), tags, len(0, 10)),
 *           (hash, password));
 *
 *     VIEW(user_out, user, id, email, username);     // only these fields leave the server
 *     PARTIAL(user_changes, user, email, age);       // knows "absent" from "null"
 *
 *     user u = {.email = "frodo@shire.example", .username = "frodo"};
 *     user_out out = user_out_of(&u);
 *
 * From the one list come the struct, the validation, JSON in and out (json.h), forms, JSON Schema
 * and the table. Each field is `(type, name, attributes...)`; lists of fields are shared by plain
 * macros. Use at file scope; 1 to 64 fields, up to 12 attributes each.
 *
 * What `MODEL(user, ...)` declares: `user`, `user_ptr` and `user_list` (items and count), all three
 * usable with async(T), and `user_model()`, the descriptor. `VIEW(user_out, user, ...)` does the
 * same and `user_out_of(const user *)`; `PARTIAL(changes, user, ...)` the same and
 * `changes_apply(const changes *, user *)`. `ENUM(role, reader, ...)` declares `role`, the values
 * `role_reader` ..., and `role_name(value)`.
 *
 * Types            member             JSON
 *   bool           bool               true, false
 *   i32, i64       int32_t, int64_t   a number without fraction or exponent
 *   f64            double             a number
 *   str            const char *       a string
 *   bytes          bide_bytes         a string, base64
 *   uuid           bide_uuid          a string
 *   time           bide_time          a string, RFC 3339 with an offset
 *   date           bide_date          a string
 *   decimal        bide_decimal       written as a string; read from a string or a number
 *   json           bide_json          anything
 *   html_safe          bide_html_safe     a string; not read from input
 *   secret         bide_secret        a string; never written
 *   plain_pw       bide_plain_pw      a string; never written
 *   hash           bide_hash          nothing: neither read nor written
 *   NAME of ENUM   NAME               its name, a string
 *   obj(NAME)      NAME               an object; NAME is of MODEL, VIEW or PARTIAL
 *   list(T)        struct of T *items and size_t count; T is one of the above but for the secret
 *                  ones, and may be the name of a model, also the one being declared
 *   computed(T)    none: the writer calls a function, see below
 *
 * Attributes
 *   len(min, max)     characters of a str, secret or plain_pw; bytes of bytes; items of a list
 *   range(min, max)   of i32, i64, f64 and decimal; both ends are allowed values
 *   match("pattern")  a PCRE2 pattern that the text contains: write ^ and $ for the whole of it
 *   email, url        the form of an e-mail address; of an http or https URL
 *   optional          may be absent or null
 *   dflt(value)       the value of an absent field: a number, an enum's value, or a string in the
 *                     form that the type has in JSON
 *   generated         made by the database or the program: not read from input
 *   readonly          written, not read from input
 *   writeonly         read, never written
 *   secret            never written, as the types secret, plain_pw and hash
 *   alias("name")     the name in JSON and forms
 *   key, unique, sql_dflt("expression")   for the table
 *
 * An attribute that does not fit its type, an unknown type or attribute, a field named twice and a
 * secret field in a VIEW do not compile.
 *
 * Computed fields, `(computed(T), url, model_url)`: the function stands before the MODEL and is
 * one of these, where T is the member's C type; `async(T)` instead of T makes it an async one:
 *
 *     T fn(const user *row);
 *     T fn(const user *row, bide_arena *arena);    // what it allocates lives as long as the write
 *     T fn(const bide_row *row);                   // for lists of fields that models share
 *
 * The writer calls the plain ones; the async ones are resolved concurrently first (json.h).
 *
 * Invariants
 *  1. All members zero is a valid struct: numbers 0, the first value of an enum, empty lists, and
 *     NULL texts, which are written as null.
 *  2. `bide_set` has a bit per field: the field was in the input, or was set by bide_set_field. An
 *     optional field is null when its bit is 0 and all its bytes are 0: `.age = 5` needs no bit,
 *     an age of 0 does.
 *  3. Fields whose names start with `_` are never written.
 *  4. Texts, bytes and lists that were read live in the arena they were read into.
 *
 * A declaration belongs to one file or to a header: each file that includes it has a descriptor of
 * its own. Compare models by their names, not by their addresses.
 *
 * layer: model
 */
#ifndef BIDE_MODEL_H
#define BIDE_MODEL_H

#include <bide/arena.h>
#include <bide/value.h>

enum bide_kind {
    BIDE_KIND_BOOL,
    BIDE_KIND_I32,
    BIDE_KIND_I64,
    BIDE_KIND_F64,
    BIDE_KIND_STR,
    BIDE_KIND_BYTES,
    BIDE_KIND_UUID,
    BIDE_KIND_TIME,
    BIDE_KIND_DATE,
    BIDE_KIND_DECIMAL,
    BIDE_KIND_JSON,
    BIDE_KIND_SECRET,
    BIDE_KIND_PLAIN_PW,
    BIDE_KIND_HASH,
    BIDE_KIND_ENUM,
    BIDE_KIND_OBJ,
    BIDE_KIND_LIST, /* of fields only: what the items are is said by their type */
};

enum bide_field_flag {
    BIDE_LEN = 1 << 0,
    BIDE_RANGE = 1 << 1,
    BIDE_MATCH = 1 << 2,
    BIDE_EMAIL = 1 << 3,
    BIDE_URL = 1 << 4,
    BIDE_OPTIONAL = 1 << 5,
    BIDE_DFLT = 1 << 6,
    BIDE_GENERATED = 1 << 7,
    BIDE_READONLY = 1 << 8,
    BIDE_WRITEONLY = 1 << 9,
    BIDE_SECRET = 1 << 10, /* by attribute or by type */
    BIDE_ALIAS = 1 << 11,
    BIDE_KEY = 1 << 12,
    BIDE_UNIQUE = 1 << 13,
    BIDE_SQL_DFLT = 1 << 14,
    BIDE_COMPUTED = 1 << 15,
    BIDE_ASYNC = 1 << 16, /* computed by an async function */
};

typedef struct bide_model bide_model;

/* What a field or an item of a list is. */
typedef struct bide_type {
    enum bide_kind kind;
    const char *name;                 /* as in a declaration */
    size_t size;                      /* bytes of one value */
    const bide_model *(*model)(void); /* of BIDE_KIND_OBJ */
    const char *const *enum_names;    /* of BIDE_KIND_ENUM, by value from 0 */
    size_t enum_count;
} bide_type;

/* What a computed field's function is given. */
typedef struct bide_row {
    const bide_model *model;
    const void *data;  /* the struct of the model */
    bide_arena *arena; /* for the result; it lives as long as the write */
} bide_row;

typedef struct bide_field {
    const char *name;      /* of the member */
    const char *json_name; /* the alias, or the name */
    const char *json_key;  /* `"name":` */
    size_t json_key_length;
    enum bide_kind kind;
    uint32_t flags;                /* enum bide_field_flag */
    size_t offset, size;           /* of the member; a computed field has size 0 */
    const bide_type *type;         /* of the field; of the items with BIDE_KIND_LIST */
    size_t min_length, max_length; /* with BIDE_LEN */
    long double min, max;          /* with BIDE_RANGE */
    int64_t min_int, max_int;      /* the same for i32 and i64, also without BIDE_RANGE */
    const char *pattern;           /* with BIDE_MATCH */
    void *compiled;                /* of `pattern` */
    bool machine_code;             /* `compiled` holds some */
    const char *dflt_text;         /* with BIDE_DFLT: the string, or NULL and the number */
    int64_t dflt_int;
    double dflt_real;
    const char *sql_dflt;
    void (*compute)(const bide_row *row, void *ret_value); /* with BIDE_COMPUTED */
    /* From the macros, for the completion. */
    const bide_type *(*type_of)(void);
    const char *alias, *alias_key;
    size_t base_index; /* of the model that a VIEW or PARTIAL is made of */
} bide_field;

struct bide_model {
    const char *name;
    const char *table; /* "" without one */
    size_t size;       /* bytes of the struct */
    size_t set_offset; /* of bide_set */
    bide_field *fields;
    size_t field_count;
    bool partial;
    size_t null_offset;          /* of bide_null, in a PARTIAL */
    const bide_model *base;      /* what a VIEW or PARTIAL is made of, or NULL */
    size_t base_offset;          /* of the row that a VIEW keeps for its computed fields */
    uint64_t required, readable; /* bits of fields: must be in the input; may be */
    uint64_t writable;           /* may be in the output */
    uint64_t defaulted;          /* have a default that an absent field gets */
    bool resolves;               /* it, or a model in it, has async computed fields */
    const char *error;           /* why it cannot be used, or NULL */
    uint8_t slots[256];          /* hash of a JSON name to index + 1 */
    const bide_model *(*base_of)(void);
    const bide_type *(*type_of)(void); /* of this model as a field */
    struct bide_model *next;           /* in the list of those being completed */
    int state;
};

/*
 * Why the model, or one inside it, cannot be used: a pattern that does not compile, a default of
 * another type, two fields with one JSON name. NULL: it can. Call it once at start: what reads or
 * writes with such a model gives -EINVAL. Needs PCRE2 for `match`; without it that is the reason.
 */
const char *bide_model_check(const bide_model *model);

/* The first field that is never written because it is secret or writeonly, or NULL. */
const bide_field *bide_model_unwritten(const bide_model *model);

/* The field of that name in JSON, or NULL. The name need not end with a NUL. */
const bide_field *bide_model_field(const bide_model *model, const char *json_name, size_t length);

/* Whether the member has a value: not null, by invariant 2. */
bool bide_field_has_value(const bide_model *model, const bide_field *field, const void *row);

/* Whether the field was read or set: `bide_has(&u, age)`. */
#define bide_has(row, field) (((row)->bide_set & BIDE__BIT_OF(row, field)) != 0)

/* Assigns a member and says that it is set; takes the value back. */
#define bide_set_field(row, field, ...)                                                            \
    ((row)->field = (__VA_ARGS__), (void)((row)->bide_set |= BIDE__BIT_OF(row, field)))
#define bide_unset_field(row, field)                                                               \
    ((row)->field = (__typeof__((row)->field)){0},                                                 \
     (void)((row)->bide_set &= ~BIDE__BIT_OF(row, field)))

/* Of a PARTIAL: whether the field was there as null. bide_has is false then. */
#define bide_is_null(row, field) (((row)->bide_null & BIDE__BIT_OF(row, field)) != 0)

#define BIDE__INDEX_OF(row, field) offsetof(__typeof__((row)->bide__index[0]), field)
#define BIDE__BIT_OF(row, field) (UINT64_C(1) << BIDE__INDEX_OF(row, field))

enum { BIDE__MODEL_NEW, BIDE__MODEL_BUILDING, BIDE__MODEL_READY };
const bide_model *bide__model_complete(bide_model *model);

static inline const bide_model *bide__model(bide_model *model)
{
    if (__atomic_load_n(&model->state, __ATOMIC_ACQUIRE) == BIDE__MODEL_READY)
        return model;
    return bide__model_complete(model);
}

#include <bide/model_macros.h>

#endif
