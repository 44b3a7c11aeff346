/*
 * Between binds and PostgreSQL's parameters, between its values and cells. Called by postgres.c.
 *
 * The types of parameters and columns are known from the statement's description. A parameter goes
 * in binary if the bind fits its type, else as text, which the server reads. A result is asked for
 * in binary if every column has a type of `bide__pg_is_binary`, else as text: libpq has one format
 * for all columns. A list goes as the text of an array, which the server reads as the type that the
 * statement wants: {1,2}. So does a column of many rows, unless its values go in binary: which form
 * they have depends on their type and the kind of bind alone.
 *
 * Source: PostgreSQL: src/backend/utils/adt/ *recv, *send; catalog/pg_type.dat for the numbers.
 */
#include "db/postgres.h"

#if BIDE_POSTGRES
#include "base/mem.h"
#include "model/number.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BOOL = 16,
    BYTEA = 17,
    CHAR = 18,
    NAME = 19,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    OID_ = 26,
    JSON = 114,
    FLOAT4 = 700,
    FLOAT8 = 701,
    UNKNOWN = 705,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    UUID = 2950,
    JSONB = 3802,
};

/* 2000-01-01, PostgreSQL's first day, in days and us since 1970 */
#define FIRST_DAY INT64_C(10957)
#define FIRST_US (FIRST_DAY * INT64_C(86400000000))

enum { SCRATCH = BIDE_VALUE_TEXT };

/* The types that are known here, their arrays, and how SQL calls those that rows are sent in. */
/* clang-format off */
#define EACH_ARRAY(X) \
    X(BOOL, 1000, "bool") X(BYTEA, 1001, "bytea") X(CHAR, 1002, "") X(NAME, 1003, "name") \
    X(INT2, 1005, "int2") X(INT4, 1007, "int4") X(INT8, 1016, "int8") X(OID_, 1028, "") \
    X(TEXT, 1009, "text") X(BPCHAR, 1014, "bpchar") X(VARCHAR, 1015, "varchar") \
    X(FLOAT4, 1021, "float4") X(FLOAT8, 1022, "float8") X(NUMERIC, 1231, "numeric") \
    X(DATE, 1182, "date") X(TIMESTAMP, 1115, "timestamp") X(TIMESTAMPTZ, 1185, "timestamptz") \
    X(UUID, 2951, "uuid") X(JSON, 199, "json") X(JSONB, 3807, "jsonb")
/* clang-format on */

/* The type of an array's items; 0: it is no array of these. */
static Oid item_of(Oid type)
{
    switch (type) {
#define ITEM_OF(item, array, name)                                                                 \
    case array:                                                                                    \
        return item;
        EACH_ARRAY(ITEM_OF)
    default:
        return 0;
    }
}

/* "": it is known, and no rows are sent in it; NULL: it is not known. */
static const char *item_name(Oid type)
{
    switch (type) {
#define NAME_OF(item, array, name)                                                                 \
    case item:                                                                                     \
        return name;
        EACH_ARRAY(NAME_OF)
    default:
        return NULL;
    }
}

static bool is_text(Oid type)
{
    return type == TEXT || type == VARCHAR || type == BPCHAR || type == NAME || type == JSON ||
           type == UNKNOWN;
}

/* ---- parameters ---- */

struct parameter {
    const char *value;
    int length, format;
};

static void put_big(struct parameter *to, char *scratch, uint64_t value, int size)
{
    uint64_t big = htobe64(value);
    memcpy(scratch, (const char *)&big + 8 - size, (size_t)size);
    *to = (struct parameter){scratch, size, 1};
}

static void put_real(struct parameter *to, char *scratch, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    put_big(to, scratch, bits, 8);
}

static bool integer_parameter(struct parameter *to, char *scratch, Oid type, int64_t value)
{
    int64_t us;
    switch (type) {
    case INT8:
        put_big(to, scratch, (uint64_t)value, 8);
        return true;
    case INT4:
        if (value < INT32_MIN || value > INT32_MAX)
            return false;
        put_big(to, scratch, (uint64_t)value, 4);
        return true;
    case INT2:
        if (value < INT16_MIN || value > INT16_MAX)
            return false;
        put_big(to, scratch, (uint64_t)value, 2);
        return true;
    case FLOAT8:
        put_real(to, scratch, (double)value);
        return true;
    case BOOL:
        if (value != 0 && value != 1)
            return false;
        put_big(to, scratch, (uint64_t)value, 1);
        return true;
    case TIMESTAMP:
    case TIMESTAMPTZ:
        if (__builtin_sub_overflow(value, FIRST_US, &us))
            return false;
        put_big(to, scratch, (uint64_t)us, 8);
        return true;
    default:
        to->length = snprintf(scratch, SCRATCH, "%lld", (long long)value);
        return true;
    }
}

/* What the server reads as text. */
static void text_parameter(struct parameter *to, char *scratch, Oid type, const bide_bind *bind)
{
    size_t length = 0;
    switch (bind->kind) {
    case BIDE__BIND_BOOL:
        scratch[0] = bind->integer ? 't' : 'f';
        length = 1;
        break;
    case BIDE__BIND_REAL:
        if (bind->real - bind->real != 0) /* JSON has none, SQL has */
            length = (size_t)snprintf(scratch, SCRATCH, "%sInfinity", bind->real < 0 ? "-" : "");
        else
            length = bide__format_f64(scratch, bind->real);
        break;
    case BIDE__BIND_UUID:
        length = bide_uuid_format(bind->uuid, scratch);
        break;
    case BIDE__BIND_DATE:
        length = bide_date_format(bind->date, scratch);
        break;
    case BIDE__BIND_DECIMAL:
        length = bide_decimal_format(bind->decimal, scratch);
        break;
    default:
        break;
    }
    scratch[length] = 0;
    to->length = (int)length;
    to->format = is_text(type);
}

/* ---- lists ---- */

/* Bytes that the text of an item takes at most, with what separates it from the next one. */
static size_t item_room(const bide_bind *item)
{
    size_t most =
        item->kind == BIDE__BIND_TEXT || item->kind == BIDE__BIND_BYTES ? 2 * item->size : SCRATCH;
    return most + sizeof "\"\\\\x\",";
}

static size_t list_room(const bide_bind *list)
{
    size_t room = sizeof "{}";
    for (size_t i = 0; i < list->size; i++) {
        bide_bind item = bide__bind_item(list, i);
        room += item_room(&item);
    }
    return room;
}

static void put_quoted(bide_buf *buf, const bide_bind *item)
{
    const char *text = item->data;
    bide_buf_append(buf, "\"", 1);
    for (size_t i = 0; i < item->size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            bide_buf_append(buf, "\\", 1);
        bide_buf_append(buf, &text[i], 1);
    }
    bide_buf_append(buf, "\"", 1);
}

static void put_hex(bide_buf *buf, const bide_bind *item)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *data = item->data;
    bide_buf_append_str(buf, "\"\\\\x");
    for (size_t i = 0; i < item->size; i++) {
        bide_buf_append(buf, &hex[data[i] >> 4], 1);
        bide_buf_append(buf, &hex[data[i] & 15], 1);
    }
    bide_buf_append(buf, "\"", 1);
}

/* A number, or what is written as one: an instant where the items are instants. */
static void put_short(bide_buf *buf, Oid type, const bide_bind *item)
{
    char text[SCRATCH];
    struct parameter one = {text, 0, 0};
    if (item->kind == BIDE__BIND_INT && (type == TIMESTAMP || type == TIMESTAMPTZ))
        bide_time_format(item->integer, text);
    else if (item->kind == BIDE__BIND_INT || (item->kind == BIDE__BIND_BOOL && type != BOOL))
        snprintf(text, sizeof text, "%lld", (long long)item->integer);
    else
        text_parameter(&one, text, type, item);
    bide_buf_append_str(buf, text);
}

static int put_item(bide_buf *buf, Oid type, const bide_bind *item, int index,
                    struct bide__trouble *trouble)
{
    switch (item->kind) {
    case BIDE__BIND_NULL:
        bide_buf_append_str(buf, "null");
        return 0;
    case BIDE__BIND_TEXT:
        put_quoted(buf, item);
        return 0;
    case BIDE__BIND_BYTES:
        put_hex(buf, item);
        return 0;
    case BIDE__BIND_TOO_LARGE:
        return bide__trouble(trouble, BIDE_QUERY, "an item of $%d is no value of its ENUM", index);
    case BIDE__BIND_REAL:
        if (item->real != item->real)
            return bide__trouble(trouble, BIDE_QUERY, "an item of $%d is no number (NaN)", index);
        break;
    default:
        break;
    }
    put_short(buf, type, item);
    return 0;
}

static int list_parameter(struct parameter *to, struct bide__pg_values *values, Oid type,
                          const bide_bind *list, int index, struct bide__trouble *trouble)
{
    size_t at = bide_buf_length(&values->bytes);
    Oid item_type = item_of(type);
    int code = 0;
    if (item_name(type))
        return bide__trouble(trouble, BIDE_QUERY, "$%d is a list, and the query wants one value",
                             index);
    bide_buf_append_str(&values->bytes, "{");
    for (size_t i = 0; code == 0 && i < list->size; i++) {
        bide_bind item = bide__bind_item(list, i);
        bide_buf_append(&values->bytes, ",", i > 0);
        code = put_item(&values->bytes, item_type, &item, index, trouble);
    }
    bide_buf_append(&values->bytes, "}", sizeof "}");
    *to = (struct parameter){bide_buf_str(&values->bytes) + at, 0, 0}; /* nothing moves */
    return code;
}

/* One value. A text that is the bind's own has no NUL behind it. */
static int parameter(struct parameter *to, char *scratch, Oid type, const bide_bind *bind,
                     int index, struct bide__trouble *trouble)
{
    *to = (struct parameter){scratch, 0, 0};
    switch (bind->kind) {
    case BIDE__BIND_NULL:
        to->value = NULL;
        return 0;
    case BIDE__BIND_BOOL:
    case BIDE__BIND_INT:
        if (bind->kind == BIDE__BIND_BOOL && is_text(type))
            break;
        if (integer_parameter(to, scratch, type, bind->integer))
            return 0;
        return bide__trouble(trouble, BIDE_QUERY, "$%d is out of the range of its column's type",
                             index);
    case BIDE__BIND_REAL:
        if (bind->real != bind->real)
            return bide__trouble(trouble, BIDE_QUERY, "$%d is no number (NaN)", index);
        if (type == FLOAT8)
            put_real(to, scratch, bind->real);
        else
            break;
        return 0;
    case BIDE__BIND_TEXT:
    case BIDE__BIND_BYTES:
        /* As it stands, where the type's binary form is just that. */
        *to = (struct parameter){bind->size ? bind->data : "", (int)bind->size,
                                 is_text(type) || type == BYTEA || bind->kind == BIDE__BIND_BYTES};
        return 0;
    case BIDE__BIND_UUID:
        if (type != UUID)
            break;
        memcpy(scratch, bind->uuid.bytes, 16);
        *to = (struct parameter){scratch, 16, 1};
        return 0;
    case BIDE__BIND_DATE:
        if (type != DATE)
            break;
        put_big(to, scratch, (uint64_t)(bind->date.days - FIRST_DAY), 4);
        return 0;
    case BIDE__BIND_DECIMAL:
        break;
    case BIDE__BIND_TOO_LARGE:
        return bide__trouble(trouble, BIDE_QUERY, "$%d is larger than any integer of SQL", index);
    case BIDE__BIND_LIST: /* list_parameter */
        break;
    }
    text_parameter(to, scratch, type, bind);
    return 0;
}

/* The same, of a statement that may want a list. */
static int lone_parameter(struct parameter *to, char *scratch, Oid type, const bide_bind *bind,
                          int index, struct bide__trouble *trouble)
{
    if (item_of(type) && bind->kind != BIDE__BIND_TEXT &&
        bind->kind != BIDE__BIND_NULL) /* who writes '{1,2}' knows what it is */
        return bide__trouble(trouble, BIDE_QUERY, "$%d is one value, and the query wants a list",
                             index);
    return parameter(to, scratch, type, bind, index, trouble);
}

static bool more_room(struct bide__pg_values *values, size_t count)
{
    if (count <= values->room)
        return true;
    size_t room = count < 16 ? 16 : count;
    bide__pg_values_free(values);
    values->values = bide__alloc(room * sizeof *values->values);
    values->lengths = bide__alloc(room * sizeof *values->lengths);
    values->formats = bide__alloc(room * sizeof *values->formats);
    values->scratch = bide__alloc(room * SCRATCH);
    if (!values->values || !values->lengths || !values->formats || !values->scratch) {
        bide__pg_values_free(values);
        return false;
    }
    values->room = room;
    return true;
}

static int no_room(const bide_buf *bytes, struct bide__trouble *trouble)
{
    if (bide_buf_error(bytes) == -EMSGSIZE)
        return bide__trouble(trouble, BIDE_LIMIT,
                             "the lists, texts and rows of a statement are larger than %d bytes "
                             "(BIDE_CAP_DB_VALUE_BYTES)",
                             BIDE_CAP_DB_VALUE_BYTES);
    return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement's values");
}

void bide__pg_values_free(struct bide__pg_values *values)
{
    bide__free(values->values);
    bide__free(values->lengths);
    bide__free(values->formats);
    bide__free(values->scratch);
    bide_buf_done(&values->bytes);
    *values = (struct bide__pg_values){.values = NULL};
    bide_buf_init(&values->bytes, BIDE_CAP_DB_VALUE_BYTES);
}

int bide__pg_encode(struct bide__pg_values *to, const PGresult *described, const bide_bind *binds,
                    int count, struct bide__trouble *trouble)
{
    size_t texts = 1;
    for (int i = 0; i < count; i++) {
        if (binds[i].size > INT32_MAX / 2)
            return bide__trouble(trouble, BIDE_LIMIT, "$%d is too large for the database", i + 1);
        if (binds[i].kind == BIDE__BIND_TEXT && !is_text(PQparamtype(described, i)))
            texts += binds[i].size + 1;
        if (binds[i].kind == BIDE__BIND_LIST)
            texts += list_room(&binds[i]);
    }
    if (!more_room(to, (size_t)count))
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement's values");
    bide_buf_reset(&to->bytes);
    if (texts > 1 && !bide_buf_reserve(&to->bytes, texts))
        return no_room(&to->bytes, trouble);
    for (int i = 0; i < count; i++) {
        struct parameter one;
        Oid type = PQparamtype(described, i);
        int code = binds[i].kind == BIDE__BIND_LIST
                       ? list_parameter(&one, to, type, &binds[i], i + 1, trouble)
                       : lone_parameter(&one, to->scratch + (size_t)i * SCRATCH, type, &binds[i],
                                        i + 1, trouble);
        if (code < 0)
            return code;
        if (binds[i].kind == BIDE__BIND_TEXT && !one.format) { /* the server wants a NUL */
            size_t at = bide_buf_length(&to->bytes);
            bide_buf_append(&to->bytes, one.value, (size_t)one.length);
            bide_buf_append(&to->bytes, "", 1);
            one.value = bide_buf_str(&to->bytes) + at; /* there is room for all: nothing moves */
        }
        to->values[i] = one.value;
        to->lengths[i] = one.length;
        to->formats[i] = one.format;
    }
    return 0;
}

/* ---- parameters of many rows ---- */

bool bide__pg_put_array(bide_buf *buf, const struct bide__statement *base, int i)
{
    const struct bide__pg_statement *statement =
        bide__container_of(base, const struct bide__pg_statement, base);
    Oid type = PQparamtype(statement->described, i);
    const char *name = item_name(type);
    if (!name || !*name)
        return false;
    bide_buf_printf(buf, "$%d::%s[]", i + 1, name);
    return true;
}

/* The format of the values of a column: that of the first that is not NULL. */
static int format_of(const struct bide__bound_rows *rows, int i, Oid type)
{
    char scratch[SCRATCH];
    struct bide__trouble ignored;
    struct parameter value = {.format = 1};
    for (size_t row = 0; row < rows->count; row++) {
        bide_bind bind = rows->at(rows->arg, row, i);
        if (bind.kind != BIDE__BIND_NULL) {
            parameter(&value, scratch, type, &bind, i + 1, &ignored);
            break;
        }
    }
    return value.format;
}

static int put_text_rows(bide_buf *buf, Oid type, const struct bide__bound_rows *rows, int i,
                         struct bide__trouble *trouble)
{
    int code = 0;
    bide_buf_append(buf, "{", 1);
    for (size_t row = 0; code == 0 && row < rows->count; row++) {
        bide_bind bind = rows->at(rows->arg, row, i);
        bide_buf_append(buf, ",", row > 0);
        code = put_item(buf, type, &bind, i + 1, trouble);
    }
    bide_buf_append(buf, "}", sizeof "}");
    return code;
}

/* Where values are written, with so much room before the buffer is asked for more. */
struct cursor {
    bide_buf *buf;
    char *begin, *at, *end;
};

/* False: there is no memory, which the buffer knows. */
static bool more_cursor(struct cursor *cursor, size_t size)
{
    size_t room = size < 4096 ? 4096 : size;
    bide_buf_commit(cursor->buf, (size_t)(cursor->at - cursor->begin));
    cursor->begin = cursor->at = bide_buf_reserve(cursor->buf, room);
    cursor->end = cursor->begin ? cursor->begin + room : NULL;
    return cursor->begin;
}

/* Behind its length; NULL is -1. */
static bool put_value(struct cursor *cursor, const char *value, size_t length)
{
    uint32_t big = htobe32(value ? (uint32_t)length : UINT32_MAX);
    size_t size = value ? length : 0;
    if ((size_t)(cursor->end - cursor->at) < sizeof big + size &&
        !more_cursor(cursor, sizeof big + size))
        return false;
    memcpy(cursor->at, &big, sizeof big);
    memcpy(cursor->at + sizeof big, value ? value : "", size);
    cursor->at += sizeof big + size;
    return true;
}

/* One dimension, from 1 on. */
static int put_binary_rows(bide_buf *buf, Oid type, const struct bide__bound_rows *rows, int i,
                           struct bide__trouble *trouble)
{
    char scratch[SCRATCH];
    const uint32_t head[] = {htobe32(1), htobe32(1) /* there may be NULLs */, htobe32(type),
                             htobe32((uint32_t)rows->count), htobe32(1)};
    bide_buf_append(buf, head, sizeof head);
    struct cursor cursor = {.buf = buf};
    for (size_t row = 0; row < rows->count; row++) {
        bide_bind bind = rows->at(rows->arg, row, i);
        struct parameter value;
        int code = parameter(&value, scratch, type, &bind, i + 1, trouble);
        if (code < 0)
            return code;
        BIDE_DASSERT(!value.value || value.format, "$%d is binary and text", i + 1);
        if (!put_value(&cursor, value.value, (size_t)value.length))
            return 0; /* as with a buffer: it is looked at in the end */
    }
    bide_buf_commit(buf, (size_t)(cursor.at - cursor.begin));
    return 0;
}

int bide__pg_encode_rows(struct bide__pg_values *to, const PGresult *described,
                         const struct bide__bound_rows *rows, struct bide__trouble *trouble)
{
    int count = PQnparams(described);
    if (!more_room(to, (size_t)count))
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement's values");
    bide_buf_reset(&to->bytes);
    for (int i = 0; i < count; i++) {
        Oid type = item_of(PQparamtype(described, i));
        size_t before = bide_buf_length(&to->bytes);
        to->formats[i] = format_of(rows, i, type);
        int code = to->formats[i] ? put_binary_rows(&to->bytes, type, rows, i, trouble)
                                  : put_text_rows(&to->bytes, type, rows, i, trouble);
        if (code < 0)
            return code;
        to->lengths[i] = (int)(bide_buf_length(&to->bytes) - before);
    }
    if (bide_buf_error(&to->bytes))
        return no_room(&to->bytes, trouble);
    const char *at = bide_buf_str(&to->bytes);
    for (int i = 0; i < count; at += to->lengths[i++])
        to->values[i] = at;
    return 0;
}

/* ---- columns ---- */

/* What the types hold: kinds of fields that read them, and of binds that they take; a text where a
   value is written as one. */
enum { IS_BOOL = 1 << BIDE_KIND_BOOL, I32 = 1 << BIDE_KIND_I32, I64 = 1 << BIDE_KIND_I64 };
enum { F64 = 1 << BIDE_KIND_F64, BYTES = 1 << BIDE_KIND_BYTES, DAY = 1 << BIDE_KIND_DATE };
enum { INSTANT = 1 << BIDE_KIND_TIME, EXACT = 1 << BIDE_KIND_DECIMAL };
enum { IDS = 1 << BIDE_KIND_UUID, DOCUMENT = 1 << BIDE_KIND_JSON | 1 << BIDE_KIND_STR };
enum { NUMBER = I32 | I64 | F64 | EXACT };
enum { NO_TEXT = IS_BOOL | NUMBER | BYTES | DAY | INSTANT | IDS };
enum { B_BOOL = 1 << BIDE__BIND_BOOL, B_INT = 1 << BIDE__BIND_INT, B_REAL = 1 << BIDE__BIND_REAL };
enum { B_TEXT = 1 << BIDE__BIND_TEXT, B_BYTES = 1 << BIDE__BIND_BYTES };
enum { B_UUID = 1 << BIDE__BIND_UUID, B_DATE = 1 << BIDE__BIND_DATE };
enum { B_EXACT = 1 << BIDE__BIND_DECIMAL, B_WORDS = B_TEXT | B_UUID | B_DATE | B_EXACT };
static const struct described {
    Oid type;
    unsigned fields, binds;
    const char *name;
} known[] = {
    {BOOL, IS_BOOL, B_BOOL | B_INT, "boolean"},
    {BYTEA, BYTES, B_BYTES | B_TEXT, "bytea"},
    {INT2, NUMBER, B_INT | B_BOOL, "smallint"},
    {INT4, NUMBER, B_INT | B_BOOL, "integer"},
    {INT8, NUMBER, B_INT | B_BOOL, "bigint"},
    {NUMERIC, NUMBER, B_INT | B_REAL | B_EXACT | B_TEXT, "numeric"},
    {FLOAT4, F64, B_INT | B_REAL | B_EXACT, "real"},
    {FLOAT8, F64, B_INT | B_REAL | B_EXACT, "double precision"},
    {DATE, DAY, B_DATE | B_TEXT, "date"},
    {TIMESTAMP, INSTANT, B_INT | B_TEXT | B_DATE, "timestamp"},
    {TIMESTAMPTZ, INSTANT, B_INT | B_TEXT | B_DATE, "timestamptz"},
    {UUID, IDS, B_UUID | B_TEXT, "uuid"},
    {JSON, DOCUMENT, B_TEXT, "json"},
    {JSONB, DOCUMENT, B_TEXT, "jsonb"},
    {TEXT, ~(unsigned)NO_TEXT, B_WORDS, "text"},
    {VARCHAR, ~(unsigned)NO_TEXT, B_WORDS, "varchar"},
    {BPCHAR, ~(unsigned)NO_TEXT, B_WORDS, "char"},
};

static const struct described *described_as(Oid type)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type)
            return &known[i];
    return NULL;
}

void bide__pg_describe(Oid type, enum bide_kind kind, struct bide__column *ret_column)
{
    const struct described *as = described_as(type);
    *ret_column = (struct bide__column){.type = as ? as->name : "",
                                        .differs = as && !(as->fields >> kind & 1)};
}

const char *bide__pg_wanted(Oid type, enum bide__bind_kind kind)
{
    const struct described *as = described_as(type);
    if (item_of(type))
        return kind == BIDE__BIND_LIST || kind == BIDE__BIND_TEXT || kind == BIDE__BIND_NULL
                   ? NULL
                   : "a list";
    return as && kind != BIDE__BIND_NULL && !(as->binds >> kind & 1) ? as->name : NULL;
}

bool bide__pg_is_binary(Oid type)
{
    switch (type) {
    case BOOL:
    case BYTEA:
    case INT2:
    case INT4:
    case INT8:
    case FLOAT4:
    case FLOAT8:
    case DATE:
    case TIMESTAMP:
    case TIMESTAMPTZ:
    case UUID:
    case JSONB:
        return true;
    default:
        return is_text(type);
    }
}

static int64_t read_big(const char *data, int size)
{
    uint64_t whole;
    if (size == 8) {
        memcpy(&whole, data, 8);
        return (int64_t)be64toh(whole);
    }
    uint64_t value = (unsigned char)data[0] & 0x80 ? UINT64_MAX : 0; /* the sign */
    for (int i = 0; i < size; i++)
        value = value << 8 | (unsigned char)data[i];
    return (int64_t)value;
}

static double read_real(const char *data, int size)
{
    double real;
    float single;
    uint64_t bits = (uint64_t)read_big(data, size);
    uint32_t low = (uint32_t)bits;
    if (size == 8) {
        memcpy(&real, &bits, sizeof real);
        return real;
    }
    memcpy(&single, &low, sizeof single);
    return single;
}

static void put_integer(struct bide__db_cell *cell, enum bide__cell_kind kind, int64_t value)
{
    cell->kind = kind;
    cell->integer = value;
}

/* Before or after all times: "infinity" is a text, which no time is. */
static void put_instant(struct bide__db_cell *cell, int64_t us)
{
    int64_t since_1970;
    if (!__builtin_add_overflow(us, FIRST_US, &since_1970) && us != INT64_MIN && us != INT64_MAX)
        put_integer(cell, BIDE__CELL_INT, since_1970);
}

static void decode_binary(Oid type, const char *data, int size, struct bide__db_cell *cell)
{
    switch (type) {
    case BOOL:
    case INT2:
    case INT4:
    case INT8:
        put_integer(cell, BIDE__CELL_INT, read_big(data, size));
        break;
    case FLOAT4:
    case FLOAT8:
        cell->kind = BIDE__CELL_REAL;
        cell->real = read_real(data, size);
        break;
    case DATE:
        put_integer(cell, BIDE__CELL_DATE, read_big(data, size) + FIRST_DAY);
        break;
    case TIMESTAMP:
    case TIMESTAMPTZ:
        put_instant(cell, read_big(data, size));
        break;
    case UUID:
    case BYTEA:
        cell->kind = BIDE__CELL_BYTES;
        break;
    case JSONB: /* a version, then the text */
        cell->data++;
        cell->size--;
        break;
    default:
        break;
    }
}

/* "2026-11-21 12:00:00.5+00": the zone may lack its minutes, or be left out, which is UTC. */
static void decode_instant(const char *data, size_t size, struct bide__db_cell *cell)
{
    char text[BIDE_VALUE_TEXT + 8];
    bide_time time;
    if (size >= BIDE_VALUE_TEXT)
        return;
    memcpy(text, data, size + 1);
    if (size > 19) {
        size_t zone = 19 + strcspn(text + 19, "+-");
        if (!text[zone])
            snprintf(text + size, sizeof text - size, "Z");
        else if (size - zone == 3)
            snprintf(text + size, sizeof text - size, ":00");
    } else {
        snprintf(text + size, sizeof text - size, "Z");
    }
    if (bide_time_parse(text, strlen(text), &time) == 0)
        put_integer(cell, BIDE__CELL_INT, time);
}

static void decode_text(Oid type, const char *data, int size, struct bide__db_cell *cell)
{
    switch (type) {
    case BOOL:
        put_integer(cell, BIDE__CELL_INT, data[0] == 't');
        break;
    case INT2:
    case INT4:
    case INT8:
    case OID_:
        put_integer(cell, BIDE__CELL_INT, strtoll(data, NULL, 10));
        break;
    case FLOAT4:
    case FLOAT8:
        if (bide__parse_f64(data, (size_t)size, &cell->real) == 0)
            cell->kind = BIDE__CELL_REAL;
        break;
    case NUMERIC:
        cell->kind = BIDE__CELL_DECIMAL;
        break;
    case TIMESTAMP:
    case TIMESTAMPTZ:
        decode_instant(data, (size_t)size, cell);
        break;
    case BYTEA:
        cell->kind = BIDE__CELL_HEX;
        break;
    default:
        break;
    }
}

void bide__pg_decode(const PGresult *result, int row, int column, struct bide__db_cell *ret_cell)
{
    int size = PQgetlength(result, row, column);
    ret_cell->kind = BIDE__CELL_NULL;
    if (size == 0 && PQgetisnull(result, row, column))
        return;
    Oid type = PQftype(result, column);
    ret_cell->kind = BIDE__CELL_TEXT;
    ret_cell->data = PQgetvalue(result, row, column);
    ret_cell->size = (size_t)size;
    if (PQfformat(result, column))
        decode_binary(type, ret_cell->data, size, ret_cell);
    else
        decode_text(type, ret_cell->data, size, ret_cell);
}

const char *bide__pg_column_type(enum bide_kind kind)
{
    static const char *const types[] = {
        [BIDE_KIND_BOOL] = "boolean",     [BIDE_KIND_I32] = "integer",
        [BIDE_KIND_I64] = "bigint",       [BIDE_KIND_F64] = "double precision",
        [BIDE_KIND_BYTES] = "bytea",      [BIDE_KIND_UUID] = "uuid",
        [BIDE_KIND_TIME] = "timestamptz", [BIDE_KIND_DATE] = "date",
        [BIDE_KIND_DECIMAL] = "numeric",  [BIDE_KIND_JSON] = "json",
    };
    size_t at = (size_t)kind;
    return at < sizeof types / sizeof *types && types[at] ? types[at] : "text";
}

#endif
