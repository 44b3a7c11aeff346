/*
 * Lists as binds of SQLite. Called by sqlite.c; calls split.c for the pieces of a text, row.c for
 * items as values.
 *
 *     id = any($1)     ->  id in (select value from bide_list($1))
 *     id <> all($1)    ->  id not in (select value from bide_list($1))
 *
 * `bide_list` is a table-valued function that this program alone can call: its argument is a
 * pointer, which no SQL can make. The items are read where they lie, so that each is what it would
 * be as a bind of its own: no text of a list stands between.
 *
 * Source: sqlite.org: vtab, bindptr.
 */
#include "db/sqlite_list.h"

#if BIDE_SQLITE
#include "base/mem.h"
#include "db/db.h"
#include "db/split.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char pointer_type[] = "bide_list";

/* ---- the text ---- */

/* Past what separates words. */
static const char *skip(const char *at, const char *end)
{
    while (at < end) {
        bool comment =
            at + 1 < end && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'));
        if (!comment && !isspace((unsigned char)*at))
            break;
        at = bide__sql_piece(at, end);
    }
    return at;
}

static bool is_char(const char *at, const char *end, char wanted)
{
    return at < end && *at == wanted;
}

static int digits(const char **at, const char *end)
{
    int number = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && number < 64; ++*at)
        number = number * 10 + (**at - '0');
    return number;
}

static uint64_t bit_of(const char *number, const char *end)
{
    int n = digits(&number, end);
    return n < 64 ? UINT64_C(1) << n : 0;
}

/* The number of `($7)` at `at`, and what follows it; 0: there is none. */
static int list_number(const char *at, const char *end, const char **ret_behind)
{
    at = skip(at, end);
    if (!is_char(at, end, '('))
        return 0;
    at = skip(at + 1, end);
    if (!is_char(at, end, '$'))
        return 0;
    at++;
    int number = digits(&at, end);
    at = skip(at, end);
    if (!is_char(at, end, ')') || number > 63)
        return 0;
    *ret_behind = at + 1;
    return number;
}

static bool is_word(const char *at, const char *end, const char *word)
{
    return (size_t)(end - at) == strlen(word) && strncasecmp(at, word, strlen(word)) == 0;
}

/* The operator before a word, in the text. */
struct comparison {
    const char *at, *end;
};

static bool is_operator(const struct comparison *comparison, const char *text)
{
    size_t length = strlen(text);
    return comparison->at && (size_t)(comparison->end - comparison->at) == length &&
           memcmp(comparison->at, text, length) == 0;
}

/* What stands for the comparison, the word and the parameter; NULL: nothing does. */
static const char *replacement(const struct comparison *comparison, bool any)
{
    if (any && (is_operator(comparison, "=") || is_operator(comparison, "==")))
        return "";
    if (!any && (is_operator(comparison, "<>") || is_operator(comparison, "!=")))
        return "not ";
    return NULL;
}

int bide__sqlite_lists(const char *text, size_t length, bide_buf *ret_text, uint64_t *ret_lists,
                       struct bide__trouble *trouble)
{
    const char *end = text + length, *copied = text, *behind;
    struct comparison comparison = {NULL, NULL};
    uint64_t values = 0;
    *ret_lists = 0;
    bide_buf_init(ret_text, BIDE_CAP_DB_STATEMENT_BYTES);
    if (!strcasestr(text, "any") && !strcasestr(text, "some") && !strcasestr(text, "all"))
        return 0;
    for (const char *at = skip(text, end); at < end; at = skip(at, end)) {
        const char *next = bide__sql_piece(at, end);
        bool any = is_word(at, next, "any") || is_word(at, next, "some");
        int number = any || is_word(at, next, "all") ? list_number(next, end, &behind) : 0;
        if (number) {
            const char *negation = replacement(&comparison, any);
            if (!negation) {
                bide__trouble(trouble, BIDE_QUERY,
                              "on SQLite a list stands in `= any($%d)` or `<> all($%d)` only",
                              number, number);
                trouble->position = (int)(at - text) + 1;
                return -EBADMSG;
            }
            bide_buf_append(ret_text, copied, (size_t)(comparison.at - copied));
            bide_buf_printf(ret_text, " %sin (select value from bide_list($%d))", negation, number);
            *ret_lists |= UINT64_C(1) << number;
            copied = next = behind;
        } else if (*at == '$') {
            values |= bit_of(at + 1, end);
        }
        if (number || !strchr("=<>!", *at))
            comparison = (struct comparison){NULL, NULL};
        else
            comparison = (struct comparison){comparison.at ? comparison.at : at, next};
        at = next;
    }
    if (*ret_lists)
        bide_buf_append(ret_text, copied, (size_t)(end - copied));
    if (*ret_lists & values)
        return bide__trouble(trouble, BIDE_QUERY,
                             "on SQLite $%d cannot be a list here and one value there",
                             __builtin_ctzll(*ret_lists & values));
    if (bide_buf_error(ret_text))
        return bide__text_trouble(ret_text, trouble);
    return 0;
}

/* ---- the function ---- */

enum { COLUMN_VALUE, COLUMN_LIST };

struct cursor {
    sqlite3_vtab_cursor base;
    const bide_bind *list; /* NULL: none, and no items */
    size_t at;
};

static struct cursor *cursor_of(sqlite3_vtab_cursor *base)
{
    return bide__container_of(base, struct cursor, base);
}

static int vtab_connect(sqlite3 *handle, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **ret_table, char **ret_error)
{
    (void)aux, (void)argc, (void)argv, (void)ret_error;
    int result = sqlite3_declare_vtab(handle, "create table x(value, list hidden)");
    if (result == SQLITE_OK && !(*ret_table = bide__calloc(1, sizeof **ret_table)))
        result = SQLITE_NOMEM;
    return result;
}

static int vtab_disconnect(sqlite3_vtab *table)
{
    bide__free(table);
    return SQLITE_OK;
}

/* There is one way: the list is given. */
static int vtab_best(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != COLUMN_LIST || !info->aConstraint[i].usable ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->estimatedCost = 1;
        info->estimatedRows = 100;
        return SQLITE_OK;
    }
    return SQLITE_CONSTRAINT;
}

static int vtab_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret_cursor)
{
    struct cursor *cursor = bide__calloc(1, sizeof *cursor);
    (void)table;
    if (!cursor)
        return SQLITE_NOMEM;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static int vtab_close(sqlite3_vtab_cursor *base)
{
    bide__free(cursor_of(base));
    return SQLITE_OK;
}

static int vtab_filter(sqlite3_vtab_cursor *base, int number, const char *name, int argc,
                       sqlite3_value **argv)
{
    struct cursor *cursor = cursor_of(base);
    (void)number, (void)name;
    cursor->list = argc > 0 ? sqlite3_value_pointer(argv[0], pointer_type) : NULL;
    cursor->at = 0;
    return SQLITE_OK;
}

static int vtab_next(sqlite3_vtab_cursor *base)
{
    cursor_of(base)->at++;
    return SQLITE_OK;
}

static int vtab_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = cursor_of(base);
    return !cursor->list || cursor->at >= cursor->list->size;
}

static void result_text(sqlite3_context *context, const char *text, size_t length)
{
    sqlite3_result_text64(context, text, length, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* As sqlite.c binds a value of its own. */
static void result(sqlite3_context *context, const bide_bind *bind)
{
    char text[BIDE_VALUE_TEXT];
    switch (bind->kind) {
    case BIDE__BIND_BOOL:
    case BIDE__BIND_INT:
        sqlite3_result_int64(context, bind->integer);
        break;
    case BIDE__BIND_REAL:
        sqlite3_result_double(context, bind->real);
        break;
    case BIDE__BIND_TEXT:
        sqlite3_result_text64(context, bind->data, bind->size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case BIDE__BIND_BYTES:
        sqlite3_result_blob64(context, bind->size ? bind->data : "", bind->size, SQLITE_STATIC);
        break;
    case BIDE__BIND_UUID:
        result_text(context, text, bide_uuid_format(bind->uuid, text));
        break;
    case BIDE__BIND_DATE:
        result_text(context, text, bide_date_format(bind->date, text));
        break;
    case BIDE__BIND_DECIMAL:
        result_text(context, text, bide_decimal_format(bind->decimal, text));
        break;
    default:
        sqlite3_result_null(context);
    }
}

static int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = cursor_of(base);
    bide_bind item = {.kind = BIDE__BIND_NULL};
    if (column == COLUMN_VALUE)
        item = bide__bind_item(cursor->list, cursor->at);
    result(context, &item);
    return SQLITE_OK;
}

static int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_id)
{
    *ret_id = (sqlite3_int64)cursor_of(base)->at;
    return SQLITE_OK;
}

int bide__sqlite_list_register(sqlite3 *handle)
{
    static const sqlite3_module module = {
        .xConnect = vtab_connect, /* no xCreate: nobody can make a table of it */
        .xBestIndex = vtab_best,
        .xDisconnect = vtab_disconnect,
        .xOpen = vtab_open,
        .xClose = vtab_close,
        .xFilter = vtab_filter,
        .xNext = vtab_next,
        .xEof = vtab_eof,
        .xColumn = vtab_column,
        .xRowid = vtab_rowid,
    };
    return sqlite3_create_module(handle, pointer_type, &module, NULL);
}

int bide__sqlite_list_bind(sqlite3_stmt *handle, int at, const bide_bind *list)
{
    return sqlite3_bind_pointer(handle, at, (void *)(uintptr_t)list, pointer_type, NULL);
}

const char *bide__sqlite_list_refused(const bide_bind *list)
{
    for (size_t i = 0; i < list->size; i++) {
        bide_bind item = bide__bind_item(list, i);
        if (item.kind == BIDE__BIND_REAL && item.real != item.real)
            return "no number (NaN)";
        if (item.kind == BIDE__BIND_TOO_LARGE)
            return "no value of its ENUM";
    }
    return NULL;
}
#endif
