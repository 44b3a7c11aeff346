/*
 * db.h: SQL: sessions, transactions, rows as structs.
 *
 *     MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique), (i32, age));
 *
 *     with(bide_database, db, "sqlite:///var/lib/app/app.db") {
 *         user u = {.email = "frodo@shire.example", .age = 50};
 *         await(bide_insert(db, user, &u));                    // u.id is set; a taken e-mail fails
 *         user *found = await(bide_maybe(db, user, "email = $1", "frodo@shire.example"));
 *         with_tx(tx, db) {                                    // commits at its end
 *             await(bide_do(tx, "update users set age = age + $1 where id > $2", 1, 10));
 *             found->age++;
 *             await(bide_update(tx, user, found, age));        // only these fields
 *         }
 *     }
 *
 * `bide_db *` is the engine: any task of its loop uses it, and each call commits by itself.
 * `bide_tx *` is one transaction, owned by one task. Query calls take either.
 *
 * Texts of queries are literals, values are bound to $1, $2 ...: there is no way to paste a text
 * into SQL. A bind is a bool, an integer (an instant too), a double, a text, NULL, or a bide_bytes,
 * bide_uuid, bide_date, bide_decimal, bide_json, bide_secret or bide_hash. A value of an ENUM is
 * bound by its name: role_name(r). A list is one bind too, of any length: a member of list(T), or
 * bide_list_of(T, items, count); `= any($1)` means one of them, `<> all($1)` none of them:
 *
 *     await(bide_exec(tx, "update tags set uses = uses + 1 where id = any($1)", form->tags))
 *
 * A text that begins with `select` or `with` is a whole query, whose columns have the names of the
 * model's fields; any other is what follows `where` in a select of all fields from the model's
 * table, and "" selects every row.
 *
 * Invariants
 *  1. Rows belong to the request, elsewhere to the outermost task (bide_task_arena, task.h): they
 *     outlive the transaction, and nobody frees them.
 *  2. SQLite: a write transaction is the only one: of all tasks of all loops of the process they
 * take turns in the order of their first statements. Autocommit writes of many tasks that wait for
 * their turn share one commit, each behind a savepoint of its own: one that fails leaves the
 * others. PostgreSQL: a transaction has a connection for itself; autocommit statements share some,
 * each stands alone. One whose task was cancelled, or ran out of time, after it was sent takes
 * place all the same, a moment later: what must not happen after a cancel belongs into a `with_tx`.
 * retry (retry.h) does not make it again.
 *  3. What is committed survives a crash of the machine, unless the URL says otherwise.
 *  4. No task sees what another transaction has not committed.
 *
 * URLs (parts are percent-encoded):
 *
 *     sqlite:///absolute/path
 *     sqlite://relative/path
 *     sqlite://:memory:            private to this engine
 *
 * with these after `?`, `&` between them:
 *
 *     synchronous=full|normal|off  full: a commit is on the disk before it returns; normal: a power
 *                                  cut may lose the last commits; off: it may destroy the file
 *     busy_timeout_ms=5000         how long to wait for other processes that write
 *     readers=4                    transactions that read at a time, and slow queries
 *     echo=1                       each statement is logged with its binds, rows and time; secrets
 *                                  (hash, secret, a field marked so) as ***. The environment's
 *                                  BIDE_DB_ECHO=1 asks for it as well
 *
 * Connections use the write-ahead log and check foreign keys. Needs SQLite (sqlite3) at build.
 *
 *     postgresql://user:password@host:port/name?sslmode=verify-full, postgres://...
 *
 * is a URL of libpq with all that it knows, and with options of its own: pool_size=16 (connections
 * of this engine; with more than two loops their part of 32, at least 2), max_overflow (half of
 * that), pool_timeout, pool_recycle, pool_pre_ping, idle_timeout, connect_timeout (seconds),
 * max_waiting, statement_timeout_ms=30000, statement_cache=128 (0 behind poolers), echo:
 * docs/database.md. A task's deadline becomes the server's statement_timeout, sent along with the
 * statement. Needs libpq at build.
 *
 * Errors, as codes:
 *
 *     BIDE_CONFLICT        a unique field is taken; `field` of the error names it (web: 409)
 *     BIDE_CONSTRAINT      a foreign key, check or not-null rule says no; `field` names it if it is
 *                          known (web: 422)
 *     BIDE_QUERY           the query itself is wrong: a name, a column, a count
 *     BIDE_NOT_FOUND       no such row (web: 404)
 *     BIDE_TX_RETRY        a serialization failure or a deadlock (SQLSTATE 40001, 40P01), or
 *                          another process that held the database too long: nothing was done,
 *                          and the same transaction, made again, may succeed (web: 503)
 *     BIDE_OUTCOME_UNKNOWN the connection was lost after COMMIT, or a statement that commits by
 *                          itself, was sent: it may have been done or not. Never retried
 *                          (web: 503)
 *     BIDE_UNREACHABLE     no connection, or it was lost before anything was committed (web: 503)
 *     BIDE_SYSTEM          the disk, with its errno
 *
 * Of those that have a status, a handler's peer is told the field and a fixed text; the message may
 * name a rule of a table, and is for the log.
 *
 * Source: sqlite.org: lang_transaction, wal, pragma; PostgreSQL's numbering of parameters.
 *
 * layer: db
 */
#ifndef BIDE_DB_H
#define BIDE_DB_H

#include <bide/model.h>
#include <bide/resource.h>
#include <bide/task.h>

typedef struct bide_db bide_db;
typedef bide_db *bide_db_ptr;
AWAITABLE(bide_db_ptr);

enum bide__tx_state {
    BIDE__TX_NONE, /* not begun: no statement has run */
    BIDE__TX_OPEN,
    BIDE__TX_LOST,  /* after an error it can only be rolled back, or the database did */
    BIDE__TX_ENDED, /* committed or rolled back */
};

/* The fields are private. Lives in the frame of its block. */
typedef struct bide_tx {
    struct bide_db *db;
    struct bide_tx *outer, *inner; /* a nested one is a savepoint */
    struct bide__connection *connection;
    struct bide_pooled *lease; /* of a server: the connection's; NULL in a nested one */
    struct bide_tx *also_open; /* another outermost one of this loop that has its connection */
    struct bide_task *task;    /* whose it is ... */
    uint64_t task_id;
    const struct bide_site *site; /* ... and where it was opened */
    bide_error *was;
    struct bide__tx_hook *hooks; /* newest first */
    struct bide__queued *queued; /* oldest first; NULL: the next two say nothing */
    struct bide__queued *queued_last;
    size_t queued_rows;
    int64_t idle_since_ns; /* the end of its last statement, in the outermost one */
    uint32_t statements;   /* that ran, several rows of one model as two */
    uint32_t streams;      /* with a cursor, in the outermost one */
    bool writes;
    uint8_t state;     /* enum bide__tx_state */
    uint8_t isolation; /* enum bide_isolation */
} bide_tx;

/* Opens a database; the driver is said by the URL. BIDE_INVALID for a URL that makes no sense,
   BIDE_SYSTEM when it cannot be opened. It belongs to the loop that opened it: on several loops
   each opens its own. */
bide_async(bide_db_ptr) bide_db_open(const char *url);

/* Raises BIDE_LIMIT, with all the numbers, when the loops of this program together may open more
   connections than the server has: bide_db_open only logs it, since it shows under load, as refused
   connections. For the start of a program; known to the engine of the first loop. Plain: does not
   suspend. */
void bide_check_room(bide_db *db);

/* Waits for what still uses it, and closes. */
bide_async(void) bide_db_close(bide_db_ptr db, bide_error *error);

/* with(bide_database, db, url) { ... } */
SPAWNABLE(bide_db_ptr, bide_db_open, const char *)

RESOURCE(bide_database, bide_db_ptr, bide_db_open, bide_db_close)

/* ---- transactions ---- */

/*
 * with_tx(tx, db) { ... }: a transaction that writes; with_read_tx one that only reads, and sees
 * one state of the data all along. It begins at its first statement, which may wait for its turn.
 * Left without an error it commits, also by `return`; a commit that fails is an error of the block.
 * Left by an error or a cancel it rolls back. with_tx(inner, tx) { ... } nests: a savepoint. After
 * a statement that the database has refused, whoever has caught its error, a transaction can only
 * be left: the next statement, or its end, is BIDE_QUERY. What may fail and shall not take the rest
 * with it goes into a nested one:
 *
 *     async(void) add_tag(bide_tx *tx, const char *name)
 *     {
 *         with_tx(inner, tx) { await(bide_insert(inner, tag, &(tag){.name = name})); }
 *         return bide_void;
 *     }
 *     SPAWNABLE(void, add_tag, bide_tx *, const char *)
 *     attempt(&err, add_tag, tx, "new");                       // `tx` goes on
 */
#define bide_with_tx(tx, on) BIDE__WITH_TX(__COUNTER__, tx, on, true, "with_tx")
#define bide_with_read_tx(tx, on) BIDE__WITH_TX(__COUNTER__, tx, on, false, "with_read_tx")
#ifndef BIDE_NO_KEYWORDS
#define with_tx(tx, on) BIDE__WITH_TX(__COUNTER__, tx, on, true, "with_tx")
#define with_read_tx(tx, on) BIDE__WITH_TX(__COUNTER__, tx, on, false, "with_read_tx")
#endif

/*
 * bide_tx_isolation(tx, BIDE_SERIALIZABLE): how far the transaction is kept from those beside it;
 * before its first statement, in a nested one only what the outermost has. A transaction may then
 * end in BIDE_TX_RETRY: see retry_tx, whose function may begin with it. SQLite's transactions are
 * all serializable. Else PostgreSQL's default holds for one that writes, and repeatable read for
 * one that reads. Plain calls. Source: PostgreSQL's manual, "Transaction Isolation".
 */
enum bide_isolation {
    BIDE_ISOLATION_DEFAULT,
    BIDE_READ_COMMITTED,
    BIDE_REPEATABLE_READ,
    BIDE_SERIALIZABLE,
};
void bide_tx_isolation(bide_tx *tx, enum bide_isolation isolation);

/* Rolls back now; the rest of the block may not use it any more. */
bide_async(void) bide_tx_rollback(bide_tx *tx);

/*
 * Calls `fn(arg)` after the commit of the outermost transaction, or after a rollback of this one or
 * one around it; in the order of the calls. When nobody knows which of them it was
 * (BIDE_OUTCOME_UNKNOWN) neither is called, but what is there for that. `fn` must not suspend, nor
 * fail. Raises BIDE_NO_MEMORY.
 */
void bide_tx_on_commit(bide_tx *tx, void (*fn)(void *arg), void *arg);
void bide_tx_on_rollback(bide_tx *tx, void (*fn)(void *arg), void *arg);
void bide_tx_on_unknown(bide_tx *tx, void (*fn)(void *arg), void *arg);

/*
 * retry_tx(&err, db, fn, args...): calls a SPAWNABLE function, whose first parameter is a bide_tx *
 * and is not among `args`, in a write transaction of its own, and gives its value as `attempt` does
 * (error.h):
 *
 *     SPAWNABLE(int64_t, transfer, bide_tx *, int64_t, int64_t)
 *     int64_t left = retry_tx(&err, db, transfer, from, to);
 *
 * On BIDE_TX_RETRY, also of the commit, all of it is made again: up to 8 times, after a random
 * pause that doubles from 4 ms, and not if a deadline would pass meanwhile. Any other error ends
 * it, BIDE_OUTCOME_UNKNOWN too. `fn` may run several times: what it does besides the transaction
 * belongs into bide_tx_on_commit. Only an engine can: a nested transaction cannot begin again.
 */
#define bide_retry_tx(ret_error, db, ...) BIDE__RETRY_TX(__COUNTER__, ret_error, db, __VA_ARGS__)
#ifndef BIDE_NO_KEYWORDS
#define retry_tx(ret_error, db, ...) BIDE__RETRY_TX(__COUNTER__, ret_error, db, __VA_ARGS__)
#endif

/* ---- queries: `on` is a bide_db * or a bide_tx * ---- */

/*
 * bide_list_of(T, items, count): items of the type that T (i64, str, uuid, an ENUM ...) has as a
 * field, as one bind. They stay the caller's, and must stay as long as the call. On PostgreSQL it
 * is an array, on SQLite it can stand in `= any($n)` and `<> all($n)` only. A list in the place of
 * another value, and the reverse, are BIDE_QUERY; what a server gets for all lists of a statement
 * may have 1 GiB, more is BIDE_LIMIT.
 */
#define bide_list_of(T, items, count)                                                              \
    bide__bind_list(bide__info_##T(), (0 ? (const bide_type_##T *)0 : (items)), (count))

/*
 * bide_exec(on, "sql", binds...): async(int64_t), the number of rows it changed, which must be
 * read: an update that met no row is no success. bide_do(on, "sql", binds...): async(void), for a
 * statement whose count says nothing: a definition, a clean-up.
 */
#define bide_exec(on, ...)                                                                         \
    BIDE__MUST_READ(bide__db_exec(bide__on(on), BIDE__SQL(BIDE__NOTE_OF_EXEC, __VA_ARGS__)))
#define bide_do(on, ...) bide__db_do(bide__on(on), BIDE__SQL(BIDE__NOTE_OF_EXEC, __VA_ARGS__))

/*
 * bide_one(on, M, "where or query", binds...): async(M_ptr), the one row: none is BIDE_NOT_FOUND,
 * more are BIDE_QUERY. bide_maybe: the same, NULL for none. bide_first: the first one or NULL; the
 * text must say an order. bide_all: async(M_list). M is a MODEL or a VIEW.
 */
#define bide_one(on, M, ...) M##__row_of(BIDE__ROWS(on, M, BIDE__ONE, 0, 0, __VA_ARGS__).await)
#define bide_maybe(on, M, ...) M##__row_of(BIDE__ROWS(on, M, BIDE__MAYBE, 0, 0, __VA_ARGS__).await)
#define bide_first(on, M, ...) M##__row_of(BIDE__ROWS(on, M, BIDE__FIRST, 0, 0, __VA_ARGS__).await)
#define bide_all(on, M, ...) M##__list_of(BIDE__ROWS(on, M, BIDE__ALL, 0, 0, __VA_ARGS__).await)

/*
 * bide_page(on, M, page, size, "where or query", binds...): async(M_page), rows of the page (1 is
 * the first) of at most 1,000 each, with the total of the same query. The text must say an order.
 */
#define bide_page(on, M, page, size, ...)                                                          \
    M##__page_of(BIDE__ROWS(on, M, BIDE__PAGE, page, size, __VA_ARGS__).await)

/*
 * bide_page_after(on, M, after, size, (asc, fields...), "where or query", binds...): async(M_list),
 * the rows that follow `after` in the order of these fields, all asc or all desc; at most `size`,
 * up to 1,000. `after` is a row of which these fields count, or NULL for the first page; fewer rows
 * than `size` are the last. Unlike an offset it costs the same for every page, and skips or repeats
 * nothing when rows come and go. The last field is a key or unique, none is optional. BIDE_QUERY
 * for other orders, and for a text with one of its own.
 *
 *     post_list next = await(bide_page_after(db, post, last, 20, (desc, created_at, id), ""));
 */
#define bide_page_after(on, M, after, size, order, ...)                                            \
    M##__list_of(BIDE__AFTER(on, M, after, size, order, __VA_ARGS__).await)

/*
 * bide_load_many(on, M, field, parents, count, member, (asc, fields...), "where or query", binds
 * ...): async(M_lists), for each parent the rows whose `field` is the parent's `member`, in this
 * order; one query for all of them in place of one for each. The two are of one type: an integer, a
 * str or a uuid. NULL for no parents.
 *
 *     comment_lists of = await(bide_load_many(db, comment, post_id, posts.items, posts.count, id,
 *                                             (asc, id), ""));
 *     of[3].items are the comments of posts.items[3]
 *
 * A line that makes the same query 50 times in one task, or request, within a second is reported on
 * stderr, once; so is one that commits 50 times a single statement.
 */
#define bide_load_many(on, M, field, parents, count, member, order, ...)                           \
    M##__lists_of(BIDE__LOAD(on, M, field, parents, count, member, order, __VA_ARGS__).await)

/*
 * bide_stream(row, on, M, "where or query", binds...) { ... }: runs the block once for each row, an
 * `M *` that is good until the next one, with 64 of them in memory at a time. It may be left by
 * `break`, `return`, an error or a cancel. All rows are of one state of the data: on an engine it
 * holds a connection to read with meanwhile, in a transaction it is one of its queries, and others
 * may run inside. Getting a row may suspend, and raises as bide_all does. What is bound must stay
 * as long as the block. For a long one with_arena (task.h) inside ends what its body asks for.
 */
#define bide_stream(row, on, M, ...) BIDE__STREAM(__COUNTER__, row, on, M, __VA_ARGS__)

/* bide_scalar(on, T, "query", binds...): async of the type that T (i64, str, an ENUM ...) has as a
   field: the one column of the one row. BIDE_NOT_FOUND for no row, BIDE_QUERY for NULL. */
#define bide_scalar(on, T, ...)                                                                    \
    ((bide__async_##T){                                                                            \
        *(bide_type_##T *)bide__db_scalar(bide__on(on), bide__info_##T(),                          \
                                          BIDE__SQL(BIDE__NOTE_OF_SCALAR(T), __VA_ARGS__))         \
             .await})

/*
 * bide_insert(on, M, row): inserts the row; what the database makes (generated keys, sql_dflt) is
 * read back into the struct, what the program makes (a generated instant, a generated uuid) is set
 * in it. bide_insert_many(on, M, rows, count): all or none, in one transaction, in the order of the
 * rows. On PostgreSQL it stands on RETURNING giving rows in the order in which they were inserted;
 * where a trigger leaves some out, nothing is read back.
 * bide_upsert(on, M, row, fields...): where a row has the same values in these unique fields, all
 * others but the key are overwritten; the row as it is now is read back.
 * bide_insert_new(on, M, row, fields...): async(bool), inserts the row unless there is one with the
 * same values in these unique fields; whether it did must be read. If not, the struct is as it was.
 * bide_update(on, M, row, fields...): writes these fields, and no other, of the row with its key.
 * bide_delete(on, M, key): that row. Both: BIDE_NOT_FOUND if there is none.
 */
#define bide_insert(on, M, row) BIDE__WRITE(on, M, BIDE__INSERT, row, 1, 0)
#define bide_insert_many(on, M, rows, count) BIDE__WRITE(on, M, BIDE__INSERT, rows, count, 0)
#define bide_upsert(on, M, row, ...)                                                               \
    BIDE__WRITE(on, M, BIDE__UPSERT, row, 1, BIDE__FIELDS(M, __VA_ARGS__))
#define bide_insert_new(on, M, row, ...)                                                           \
    BIDE__MUST_READ(bide__db_insert_new(                                                           \
        bide__on(on), BIDE__WRITE_OF(M, BIDE__INSERT_NEW, row, 1, BIDE__FIELDS(M, __VA_ARGS__))))
#define bide_update(on, M, row, ...)                                                               \
    BIDE__WRITE(on, M, BIDE__UPDATE, row, 1, BIDE__FIELDS(M, __VA_ARGS__))
#define bide_delete(on, M, key)                                                                    \
    M##__done(bide__db_delete(bide__on(on), BIDE__DELETED(M), BIDE__BIND(key)))

/*
 * bide_patch(on, M, key, P, changes): async(M_ptr). P is a PARTIAL of M: writes what its `changes`
 * hold of the row with this key, null as NULL, and gives the row as it is then. What is absent is
 * left alone; if all is, the row is only read. BIDE_NOT_FOUND if there is none. The body of a
 * PATCH:
 *
 *     user *now = await(bide_patch(tx, user, id, user_changes, changes));
 */
#define bide_patch(on, M, key, P, changes)                                                         \
    M##__row_of(bide__db_patch(bide__on(on), BIDE__PATCH(M, key, P, changes)).await)

/*
 * bide_add(tx, M, row), bide_add_all(tx, M, rows, count): plain calls that copy rows, texts and
 * all, and queue them for an insert of `tx`. They give the copies, which belong to the request as
 * every row does (invariant 1); the originals may go. They are inserted before the next query of
 * `tx`, before a transaction inside it begins, at its commit, and by await(bide_flush(tx)): those
 * of one model together, the models in the order in which they were first added. What the copies
 * say then is inserted, and what the database makes is read back into them. What a rollback finds
 * is forgotten. An error of the flush says which row of the model, and leaves the query, or the
 * block, that caused it; all that was queued is then forgotten. Raise BIDE_NO_MEMORY, or BIDE_LIMIT
 * beyond 100,000 rows. bide_refresh(on, M, row): reads the row with its key anew: BIDE_NOT_FOUND if
 * it is gone.
 */
#define bide_add(tx, M, row) bide_add_all(tx, M, row, 1)
#define bide_add_all(tx, M, rows, count) ((M *)bide__db_add((tx), BIDE__ADDED(M, rows, count)))
bide_async(void) bide_flush(bide_tx *tx);
#define bide_refresh(on, M, row)                                                                   \
    M##__done(bide__db_refresh(bide__on(on), M##_model(), (0 ? (M *)0 : (row))))

/* Makes the model's table if there is none of that name: for tests and first steps. */
#define bide_create_table(on, M) bide__db_create(bide__on(on), BIDE__CREATED(M))

#include <bide/db_macros.h>

#endif
