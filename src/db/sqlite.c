/*
 * SQLite behind driver.h. Nothing here suspends; each connection is used by one thread at a time,
 * by the loop or by the lane that a task of it waits for, so SQLite's own locks are off.
 *
 * How values are stored: bool and integers, enums by name, instants as integers (microseconds),
 * uuid, date, decimal and json as text, bytes as a blob. A model's table is made so (write.c).
 *
 * Source: sqlite.org: c3ref, rescode.
 */
#include "base/caps.h"
#include "base/clock.h"
#include "base/mem.h"
#include "db/db.h"

#include <bide/offload.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char bide__told_rule[] = "a rule of the table says no";

int bide__trouble(struct bide__trouble *trouble, int code, const char *format, ...)
{
    va_list args;
    memset(trouble, 0, sizeof *trouble);
    trouble->code = code;
    va_start(args, format);
    vsnprintf(trouble->message, sizeof trouble->message, format, args);
    va_end(args);
    return -EBADMSG;
}

#if BIDE_SQLITE
#include "db/sqlite_list.h"

/* instructions of its machine between two looks at the clock: about 20 us */
enum { STEPS = 1000 };

struct connection {
    struct bide__connection base;
    sqlite3 *handle;
    int64_t budget_ns; /* 0: there is none */
    int64_t until_ns;  /* 0: the budget has not begun */
};

struct statement {
    struct bide__statement base;
    struct connection *connection;
    sqlite3_stmt *handle;
    uint64_t lists; /* the numbers of the parameters that are lists, as bits */
    bool in_order;  /* its first parameter is $1, its second one $2 ... */
    int before;     /* rows that the connection has changed when it began */
    int prepared;   /* how often it was prepared again, for the schema had changed */
};

static struct connection *connection_of(struct bide__connection *base)
{
    return bide__container_of(base, struct connection, base);
}

static struct statement *statement_of(struct bide__statement *base)
{
    return bide__container_of(base, struct statement, base);
}

/* "users.email, users.name" -> "email": the first column that the message names. */
static void name_field(struct bide__trouble *trouble, const char *what)
{
    const char *colon = strstr(what, "failed: ");
    if (!colon)
        return;
    const char *name = colon + strlen("failed: ");
    if (strncmp(name, "index '", 7) == 0) /* of an expression */
        return;
    size_t length = strcspn(name, ", ");
    const char *dot = memchr(name, '.', length);
    if (dot) {
        length -= (size_t)(dot + 1 - name);
        name = dot + 1;
    }
    snprintf(trouble->field, sizeof trouble->field, "%.*s", (int)length, name);
}

static int constraint_failed(struct bide__trouble *trouble, int extended, const char *what)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        bide__trouble(trouble, BIDE_CONFLICT, "this value is taken");
        name_field(trouble, what);
        if (trouble->field[0])
            snprintf(trouble->message, sizeof trouble->message, "this %s is taken", trouble->field);
        break;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        bide__trouble(trouble, BIDE_CONSTRAINT,
                      "it refers to a row that does not exist, or a row "
                      "refers to it");
        break;
    case SQLITE_CONSTRAINT_NOTNULL:
        bide__trouble(trouble, BIDE_CONSTRAINT, "a value is missing");
        name_field(trouble, what);
        if (trouble->field[0])
            snprintf(trouble->message, sizeof trouble->message, "%s is missing", trouble->field);
        break;
    default:
        bide__trouble(trouble, BIDE_CONSTRAINT, "%s", bide__told_rule);
        trouble->told = bide__told_rule;
        name_field(trouble, what);
        if (trouble->field[0])
            snprintf(trouble->message, sizeof trouble->message, "the rule %s says no",
                     trouble->field);
    }
    return -EBADMSG;
}

static int file_failed(struct bide__trouble *trouble, const char *what, int system_errno)
{
    bide__trouble(trouble, BIDE_SYSTEM, "the file of the database: %s", what);
    trouble->system_errno = system_errno;
    return -EBADMSG;
}

/* SQLite forgets the errno of a write to its log. */
static int journal_errno(sqlite3 *handle)
{
    sqlite3_file *journal = NULL;
    int last = 0;
    if (handle &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) == SQLITE_OK &&
        journal && journal->pMethods)
        journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &last);
    return last ? last : EIO;
}

static int trouble_of(struct connection *connection, int result, struct bide__trouble *trouble)
{
    sqlite3 *handle = connection->handle;
    int extended = handle ? sqlite3_extended_errcode(handle) : result;
    const char *what = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
    int system_errno = handle ? sqlite3_system_errno(handle) : 0;
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        bide__trouble(trouble, BIDE_TX_RETRY, "another process holds the database");
        return -EAGAIN;
    case SQLITE_INTERRUPT:
        bide__trouble(trouble, BIDE_TIMEOUT, "the query was interrupted");
        return -EINTR;
    case SQLITE_CONSTRAINT:
        return constraint_failed(trouble, extended, what);
    case SQLITE_NOMEM:
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory in a query");
    case SQLITE_TOOBIG:
        return bide__trouble(trouble, BIDE_LIMIT, "a value is too large for the database");
    case SQLITE_FULL:
        return file_failed(trouble, "it cannot grow, the disk is full", ENOSPC);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return file_failed(trouble, what, EROFS);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return file_failed(trouble, what, EIO);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return file_failed(trouble, what, system_errno ? system_errno : journal_errno(handle));
    default:
        return bide__trouble(trouble, BIDE_QUERY, "%s", what);
    }
}

/* The same for a text or an execution that SQLite refuses: see bide__tx_after. */
static int failed(struct connection *connection, int result, struct bide__trouble *trouble)
{
    int code = trouble_of(connection, result, trouble);
    connection->base.refused |=
        code == -EBADMSG && connection->handle && !sqlite3_get_autocommit(connection->handle);
    return code;
}

/* Called by SQLite within a step: 1 ends it. The budget begins with the first call: shorter reads
   do not look at the clock. */
static int progress(void *arg)
{
    struct connection *connection = arg;
    if (!connection->budget_ns)
        return bide_offload_cancelled();
    int64_t now_ns = bide__clock_monotonic_ns();
    if (!connection->until_ns)
        connection->until_ns = now_ns + connection->budget_ns;
    return now_ns > connection->until_ns;
}

static int pragma(struct connection *connection, struct bide__trouble *trouble, const char *name,
                  const char *value)
{
    char text[80];
    snprintf(text, sizeof text, "pragma %s = %s", name, value);
    int result = sqlite3_exec(connection->handle, text, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : failed(connection, result, trouble);
}

static void disconnect(struct bide__connection *base)
{
    struct connection *connection = connection_of(base);
    sqlite3_close(connection->handle);
    bide__free(connection);
}

static int set_up(struct connection *connection, const struct bide__db_options *options,
                  enum bide__connection_role role, struct bide__trouble *trouble)
{
    int code = 0;
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Else a quoted name that is no column is a text: a model's field without one reads its name.
     */
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_progress_handler(connection->handle, STEPS, progress, connection);
    /* Others may be changing the mode of the file, or recovering it. */
    sqlite3_busy_timeout(connection->handle, BIDE_CAP_DB_OPEN_BUSY_MS);
    if (role == BIDE__WRITER && options->path[0])
        code = pragma(connection, trouble, "journal_mode", "wal");
    if (code == 0)
        code = pragma(connection, trouble, "synchronous", options->synchronous);
    if (code == 0)
        code = pragma(connection, trouble, "foreign_keys", "on");
    if (code == 0)
        code = pragma(connection, trouble, "trusted_schema", "off");
    if (code == 0 && role == BIDE__READER)
        code = pragma(connection, trouble, "query_only", "on");
    int result = code == 0 ? bide__sqlite_list_register(connection->handle) : SQLITE_OK;
    if (result != SQLITE_OK)
        code = failed(connection, result, trouble);
    sqlite3_busy_timeout(connection->handle, 0);
    return code;
}

/* SQLite tries once more to read what it may not make, and then says that it is not there. */
static void explain(const char *path, struct bide__trouble *trouble)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    if (trouble->system_errno == ENOENT && faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) < 0 &&
        faccessat(AT_FDCWD, folder, F_OK, AT_EACCESS) == 0 &&
        faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) < 0)
        trouble->system_errno = errno;
}

static int connect_to(const struct bide__db_options *options, enum bide__connection_role role,
                      struct bide__connection **ret_connection, struct bide__trouble *trouble)
{
    struct connection *connection = bide__calloc(1, sizeof *connection);
    if (!connection)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a connection");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (role == BIDE__WRITER)
        flags |= SQLITE_OPEN_CREATE;
    int result = sqlite3_open_v2(options->path[0] ? options->path : ":memory:", &connection->handle,
                                 flags, NULL);
    int code = result == SQLITE_OK ? set_up(connection, options, role, trouble)
                                   : failed(connection, result, trouble);
    if (code < 0) {
        explain(options->path, trouble);
        disconnect(&connection->base);
        return code;
    }
    *ret_connection = &connection->base;
    return 0;
}

/* Where in its text the last statement is wrong, from 1; 0: SQLite does not know, or is older. */
static int error_position(const struct connection *connection)
{
#if SQLITE_VERSION_NUMBER >= 3038000
    return sqlite3_error_offset(connection->handle) + 1;
#else
    (void)connection;
    return 0;
#endif
}

/* `?1` and `$1` differ: the latter is a name, numbered as it comes; mostly in order. */
static bool has_order(sqlite3_stmt *handle, int parameters)
{
    char name[16];
    for (int i = 1; i <= parameters; i++) {
        const char *own = sqlite3_bind_parameter_name(handle, i);
        snprintf(name, sizeof name, "$%d", i);
        if (!own || strcmp(own, name) != 0)
            return false;
    }
    return true;
}

static int number_of(const struct statement *statement, int index)
{
    char name[16];
    if (statement->in_order)
        return index;
    snprintf(name, sizeof name, "$%d", index);
    return sqlite3_bind_parameter_index(statement->handle, name);
}

static bool only_space(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == 0;
}

/* What SQLite makes of a text of its own. */
static int compile(struct statement *statement, const char *text, size_t length,
                   struct bide__trouble *trouble)
{
    struct connection *connection = statement->connection;
    const char *rest = "";
    int code = 0;
    int result = sqlite3_prepare_v3(connection->handle, text, (int)length + 1,
                                    SQLITE_PREPARE_PERSISTENT, &statement->handle, &rest);
    if (result != SQLITE_OK) {
        code = failed(connection, result, trouble);
        trouble->position = error_position(connection);
    } else if (!statement->handle)
        code = bide__trouble(trouble, BIDE_QUERY, "the query is empty");
    else if (!only_space(rest))
        code = bide__trouble(trouble, BIDE_QUERY, "more than one statement in a query");
    return code;
}

/* The same for a text with lists; where it is wrong is then not known. */
static int compile_lists(struct statement *statement, const char *text, size_t length,
                         struct bide__trouble *trouble)
{
    bide_buf own;
    int code = bide__sqlite_lists(text, length, &own, &statement->lists, trouble);
    if (code == 0 && !statement->lists)
        code = compile(statement, text, length, trouble);
    else if (code == 0) {
        code = compile(statement, bide_buf_str(&own), bide_buf_length(&own), trouble);
        if (code < 0)
            trouble->position = 0;
    }
    bide_buf_done(&own);
    return code;
}

static int prepare(struct bide__connection *base, const char *text, size_t length,
                   struct bide__statement **ret_statement, struct bide__trouble *trouble)
{
    struct connection *connection = connection_of(base);
    struct statement *statement = bide__calloc(1, sizeof *statement);
    if (!statement)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a statement");
    statement->connection = connection;
    connection->budget_ns = 0;
    int code = compile_lists(statement, text, length, trouble);
    if (code < 0) {
        sqlite3_finalize(statement->handle);
        bide__free(statement);
        return code;
    }
    statement->base.reads = sqlite3_stmt_readonly(statement->handle);
    statement->base.parameters = sqlite3_bind_parameter_count(statement->handle);
    statement->base.columns = sqlite3_column_count(statement->handle);
    statement->in_order = has_order(statement->handle, statement->base.parameters);
    *ret_statement = &statement->base;
    return 0;
}

static void discard(struct bide__statement *base)
{
    struct statement *statement = statement_of(base);
    sqlite3_finalize(statement->handle);
    bide__free(statement);
}

static int bind_short_text(struct statement *statement, int index, const char *text, size_t length)
{
    return sqlite3_bind_text64(statement->handle, index, text, length, SQLITE_TRANSIENT,
                               SQLITE_UTF8);
}

static bool wants_list(const struct statement *statement, int index)
{
    return index < 64 && statement->lists >> index & 1;
}

static int bind_to(struct statement *statement, int index, const bide_bind *bind,
                   struct bide__trouble *trouble)
{
    sqlite3_stmt *handle = statement->handle;
    char text[BIDE_VALUE_TEXT];
    int at = number_of(statement, index);
    int result = SQLITE_OK;
    const char *refused;
    if (at == 0)
        return bide__trouble(trouble, BIDE_QUERY, "the query has no $%d", index);
    if ((bind->kind == BIDE__BIND_LIST) != wants_list(statement, index))
        return bide__trouble(trouble, BIDE_QUERY,
                             bind->kind == BIDE__BIND_LIST
                                 ? "$%d is a list, and the query wants one value"
                                 : "$%d is one value, and the query wants a list",
                             index);
    switch (bind->kind) {
    case BIDE__BIND_NULL:
        result = sqlite3_bind_null(handle, at);
        break;
    case BIDE__BIND_BOOL:
    case BIDE__BIND_INT:
        result = sqlite3_bind_int64(handle, at, bind->integer);
        break;
    case BIDE__BIND_REAL:
        if (bind->real != bind->real)
            return bide__trouble(trouble, BIDE_QUERY, "$%d is no number (NaN)", index);
        result = sqlite3_bind_double(handle, at, bind->real);
        break;
    case BIDE__BIND_TEXT:
        result =
            sqlite3_bind_text64(handle, at, bind->data, bind->size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case BIDE__BIND_BYTES:
        result = sqlite3_bind_blob64(handle, at, bind->size ? bind->data : "", bind->size,
                                     SQLITE_STATIC);
        break;
    case BIDE__BIND_UUID:
        result = bind_short_text(statement, at, text, bide_uuid_format(bind->uuid, text));
        break;
    case BIDE__BIND_DATE:
        result = bind_short_text(statement, at, text, bide_date_format(bind->date, text));
        break;
    case BIDE__BIND_DECIMAL:
        result = bind_short_text(statement, at, text, bide_decimal_format(bind->decimal, text));
        break;
    case BIDE__BIND_TOO_LARGE:
        return bide__trouble(trouble, BIDE_QUERY, "$%d is larger than any integer of SQL", index);
    case BIDE__BIND_LIST:
        refused = bide__sqlite_list_refused(bind);
        if (refused)
            return bide__trouble(trouble, BIDE_QUERY, "an item of $%d is %s", index, refused);
        result = bide__sqlite_list_bind(handle, at, bind);
        break;
    }
    return result == SQLITE_OK ? 0 : trouble_of(statement->connection, result, trouble);
}

/* A file that was removed, or another one in its place, would take what nobody can ever read: asked
   before each transaction that writes. */
static int refuse_moved(const struct connection *connection, struct bide__trouble *trouble)
{
    int moved = 0;
    if (!sqlite3_get_autocommit(connection->handle) ||
        sqlite3_file_control(connection->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
            SQLITE_OK ||
        !moved)
        return 0;
    return file_failed(trouble, "it was moved or removed", ENOENT);
}

static int start(struct bide__run *run, const bide_bind *binds, struct bide__trouble *trouble)
{
    struct statement *statement = statement_of(run->statement);
    int code = statement->base.reads ? 0 : refuse_moved(statement->connection, trouble);
    statement->before = sqlite3_total_changes(statement->connection->handle);
    for (int i = 1; code == 0 && i <= statement->base.parameters; i++)
        code = bind_to(statement, i, &binds[i - 1], trouble);
    return code;
}

static int step(struct bide__run *run, struct bide__trouble *trouble)
{
    struct statement *statement = statement_of(run->statement);
    int result = sqlite3_step(statement->handle);
    int prepared = sqlite3_stmt_status(statement->handle, SQLITE_STMTSTATUS_REPREPARE, 0);
    if (prepared != statement->prepared) {
        statement->prepared = prepared;
        statement->base.columns = sqlite3_column_count(statement->handle);
        statement->base.model = NULL;
    }
    if (result == SQLITE_ROW)
        return 1;
    if (result != SQLITE_DONE)
        return failed(statement->connection, result, trouble);
    sqlite3 *handle = statement->connection->handle;
    /* A definition leaves the count of the statement before it. */
    bool changed = !statement->base.reads && sqlite3_total_changes(handle) != statement->before;
    run->affected = changed ? sqlite3_changes(handle) : 0;
    run->last_number = sqlite3_last_insert_rowid(handle);
    return 0;
}

/* What is bound stays there, to be replaced by the next start before anybody reads it. */
static void finish(struct bide__run *run)
{
    sqlite3_reset(statement_of(run->statement)->handle);
}

static const char *column_name(struct bide__statement *base, int column)
{
    const char *name = sqlite3_column_name(statement_of(base)->handle, column);
    return name ? name : "";
}

/* sqlite3_value_text would copy what is UTF-8 already, for a NUL behind it. */
static const void *text_of(sqlite3_value *value)
{
    const void *text = NULL;
#if SQLITE_VERSION_NUMBER >= 3040000
    if (sqlite3_value_encoding(value) == SQLITE_UTF8)
        text = sqlite3_value_blob(value);
    else
#endif
        text = sqlite3_value_text(value);
    return text ? text : ""; /* NULL: it is empty */
}

/* Values of columns may be read as any others, for connections have no locks. */
static void cell(struct bide__run *run, int column, struct bide__db_cell *ret_cell)
{
    sqlite3_value *value = sqlite3_column_value(statement_of(run->statement)->handle, column);
    *ret_cell = (struct bide__db_cell){.kind = BIDE__CELL_NULL};
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        ret_cell->kind = BIDE__CELL_INT;
        ret_cell->integer = sqlite3_value_int64(value);
        break;
    case SQLITE_FLOAT:
        ret_cell->kind = BIDE__CELL_REAL;
        ret_cell->real = sqlite3_value_double(value);
        break;
    case SQLITE_TEXT:
        ret_cell->kind = BIDE__CELL_TEXT;
        ret_cell->data = text_of(value);
        ret_cell->size = (size_t)sqlite3_value_bytes(value);
        break;
    case SQLITE_BLOB:
        ret_cell->kind = BIDE__CELL_BYTES;
        ret_cell->data = sqlite3_value_blob(value);
        ret_cell->size = (size_t)sqlite3_value_bytes(value);
        break;
    default:
        break;
    }
}

/* Whatever is asked for, SQLite's transactions are serializable. */
static int begin(struct bide__connection *base, bool writes, enum bide_isolation isolation,
                 struct bide__trouble *trouble)
{
    (void)isolation;
    return bide__command(base, writes ? "begin immediate" : "begin", trouble);
}

static enum bide__state state(struct bide__connection *base)
{
    return sqlite3_get_autocommit(connection_of(base)->handle) ? BIDE__STATE_NONE
                                                               : BIDE__STATE_OPEN;
}

static void set_budget(struct bide__connection *base, int64_t ns)
{
    connection_of(base)->budget_ns = ns;
    connection_of(base)->until_ns = 0;
}

/* Values have types, parameters have none: but a list is not one value. */
static const char *wanted(const struct bide__statement *base, int index, enum bide__bind_kind kind)
{
    const struct statement *statement = bide__container_of(base, const struct statement, base);
    if (wants_list(statement, index) == (kind == BIDE__BIND_LIST))
        return NULL;
    return kind == BIDE__BIND_LIST ? "one value" : "a list";
}

/* ---- what a column is declared as ---- */

enum affinity { AS_INTEGER, AS_TEXT, AS_BLOB, AS_REAL, AS_NUMERIC };

/* sqlite.org/datatype3.html, section 3.1: in this order. */
static enum affinity affinity_of(const char *type)
{
    static const struct {
        const char *part;
        enum affinity affinity;
    } rules[] = {{"int", AS_INTEGER}, {"char", AS_TEXT}, {"clob", AS_TEXT}, {"text", AS_TEXT},
                 {"blob", AS_BLOB},   {"real", AS_REAL}, {"floa", AS_REAL}, {"doub", AS_REAL}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcasestr(type, rules[i].part))
            return rules[i].affinity;
    return *type ? AS_NUMERIC : AS_BLOB;
}

/* Whether what such a column holds can be read as the kind: see the head of this file. What looks
   like a number becomes one in a numeric column, and a decimal loses digits there. */
static bool holds(const char *type, enum bide_kind kind)
{
    enum affinity affinity = affinity_of(type);
    if (!*type)
        return true;
    switch (kind) {
    case BIDE_KIND_BOOL:
    case BIDE_KIND_I32:
    case BIDE_KIND_I64:
        return affinity == AS_INTEGER || affinity == AS_NUMERIC;
    case BIDE_KIND_F64:
        return affinity != AS_TEXT && affinity != AS_BLOB;
    case BIDE_KIND_TIME:
        return affinity != AS_REAL && affinity != AS_BLOB;
    case BIDE_KIND_BYTES:
        return affinity == AS_BLOB;
    case BIDE_KIND_UUID:
        return affinity != AS_INTEGER && affinity != AS_REAL;
    case BIDE_KIND_DATE:
        return affinity == AS_TEXT || affinity == AS_NUMERIC;
    case BIDE_KIND_DECIMAL:
        return affinity == AS_TEXT || affinity == AS_INTEGER;
    default:
        return affinity == AS_TEXT;
    }
}

static void describe(struct bide__connection *base, struct bide__statement *statement, int column,
                     enum bide_kind kind, struct bide__column *ret_column)
{
    sqlite3_stmt *handle = statement_of(statement)->handle;
    const char *type = sqlite3_column_decltype(handle, column);
    *ret_column = (struct bide__column){type ? type : "", type && !holds(type, kind), false};
#if BIDE_SQLITE_METADATA
    const char *table = sqlite3_column_table_name(handle, column);
    const char *name = sqlite3_column_origin_name(handle, column);
    int not_null = 0, key = 0;
    if (table && name &&
        sqlite3_table_column_metadata(connection_of(base)->handle,
                                      sqlite3_column_database_name(handle, column), table, name,
                                      NULL, NULL, &not_null, &key, NULL) == SQLITE_OK)
        ret_column->nullable = !not_null && !key;
#else
    (void)base;
#endif
}

static const char *column_type(enum bide_kind kind)
{
    switch (kind) {
    case BIDE_KIND_BOOL:
    case BIDE_KIND_I32:
    case BIDE_KIND_I64:
    case BIDE_KIND_TIME:
        return "integer";
    case BIDE_KIND_F64:
        return "real";
    case BIDE_KIND_BYTES:
        return "blob";
    default:
        return "text";
    }
}

const struct bide__driver bide__driver_sqlite = {
    .name = "sqlite",
    .column_type = column_type,
    .counted = "", /* every integer key is */
    .connect = connect_to,
    .disconnect = disconnect,
    .prepare = prepare,
    .discard = discard,
    .column_name = column_name,
    .start = start,
    .step = step,
    .cell = cell,
    .finish = finish,
    .begin = begin,
    .state = state,
    .set_budget = set_budget,
    .needed_columns = "select name from pragma_table_info($1) where \"notnull\" and dflt_value is "
                      "null and not pk",
    .numbers = "select count(*) from pragma_table_info($1) where name = $2 and pk = 1 and "
               "upper(type) = 'INTEGER' and not exists (select 1 from pragma_index_list($1) where "
               "origin = 'pk') and not exists (select 1 from (select type, tbl_name from "
               "sqlite_master union all select type, tbl_name from sqlite_temp_master) where type "
               "= 'trigger' and lower(tbl_name) = lower($1))",
    .describe = describe,
    .wanted = wanted,
};

#else

static int connect_to(const struct bide__db_options *options, enum bide__connection_role role,
                      struct bide__connection **ret_connection, struct bide__trouble *trouble)
{
    (void)options, (void)role, (void)ret_connection;
    return bide__trouble(trouble, BIDE_INVALID,
                         "sqlite: bide was built without SQLite (install "
                         "libsqlite3-dev, build again)");
}

const struct bide__driver bide__driver_sqlite = {.name = "sqlite", .connect = connect_to};

#endif
