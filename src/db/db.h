/*
 * What the files of this folder share.
 *
 *     bide_exec ... -> query.c --> perform.c --> turn.c (whose turn it is to write) -> lease.c
 *     bide_insert ...  write.c -->     |    +--> engine.c (readers)
 *     with_tx -----> tx.c ------------>+    +--> connection.c (kept statements) -> driver.h
 *
 * Plain functions give 0 or a negative code and say in `trouble` what is wrong; -ECANCELED and
 * -EDEADLK come from waits. Only perform.c, tx.c and the public functions raise.
 */
#ifndef BIDE_DB_DB_H
#define BIDE_DB_DB_H

#include "base/caps.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/loop.h"
#include "db/driver.h"

struct bide__store;
struct bide__work;

/* Autocommit writes that share a commit. */
struct bide__batch {
    size_t to_run;              /* members whose statements have not run yet */
    struct bide__queue waiting; /* members whose statements have run */
    struct bide__object object;
    bool alone;                  /* one member only: it needs no savepoint */
    struct bide__trouble broken; /* code set: the database ended the transaction */
};

/* How often a line has asked, in one task and one request. */
struct bide__watched {
    uint64_t who;
    const struct bide_site *site;
    int64_t since_ns;
    uint32_t times;
};
struct bide__watch {
    struct bide__watched slots[BIDE_CAP_DB_WATCHED];
};

/* A text, ended by a NUL, with the hash by which its kept statement is found. */
struct bide__text {
    const char *data;
    size_t length;
    uint64_t hash;
};

/* What a query must say besides: an order, where one is needed. */
enum bide__shape { BIDE__SHAPE_ANY, BIDE__SHAPE_FIRST, BIDE__SHAPE_PAGE };

/* What became of the text of a call. */
struct bide__form {
    struct bide__form *next; /* in the bucket */
    const char *literal;     /* where the call has its text */
    const char *own;         /* a copy of it */
    const bide_model *model; /* NULL: the text is the statement */
    size_t binds;            /* of the call, the text counted */
    enum bide__shape shape;
    struct bide__text whole, counting; /* the statement; of a page: the one that counts */
};

enum { BIDE__FORM_BUCKETS = 64 };
struct bide__forms {
    struct bide__form *buckets[BIDE__FORM_BUCKETS];
    size_t count;
};

struct bide_db {
    const struct bide__driver *driver;
    struct bide__loop *loop;
    unsigned forks; /* base/process.h */
    struct bide__db_options options;
    bool single; /* in memory: one connection for all, and reads take turns too */
    struct bide__store *store;
    struct bide__connection *writer; /* used by who has the store's lease */
    struct bide__connection
        *reader;                /* autocommit reads, which do not suspend; NULL with `single` */
    struct bide__list idle;     /* connections for transactions that read, slow queries */
    int readers;                /* of those, open ones */
    struct bide__queue waiting; /* for one of those */
    struct bide__object object;
    size_t users;               /* of the leases and the readers */
    struct bide__queue closing; /* waits until there is none */
    struct bide__batch batch;
    struct bide__watch watch;
    struct bide__forms forms;
    struct bide__server *server; /* of a database that is one; then only `object` counts above */
};

/* ---- lease.c: who may write, among all loops ---- */

enum { BIDE__LEASE_MEMBER = 1 };

/* A place in the line. In the frame of the task. */
struct bide__claim {
    struct bide__list_node node;
    struct bide__store *store;
    struct bide_db *db;
    struct bide_task *task;
    const struct bide_site *at;
    bool shares;  /* an autocommit write: it may join the batch of another one */
    bool granted; /* under the store's lock */
    bool posted;  /* atomic: who granted it no longer needs the loop */
    int result;
    struct bide__mail mail;
    struct bide__wait wait;
    struct bide__object object;
};

/* The store of a path, shared by all engines of the process; "" is private. NULL: no memory. */
struct bide__store *bide__store_of(const char *path);
void bide__store_free(struct bide__store *store);

/* Waits for the lease. 0: the task holds it; BIDE__LEASE_MEMBER: it is in the batch of who holds
   it. Else -ECANCELED or -EDEADLK. */
int bide__lease_take(struct bide__claim *claim, struct bide_db *db, bool shares);

/* Passes it on. */
void bide__lease_give(struct bide_db *db);

/* Takes the first in the line, if it shares and is of this engine, into the batch. */
bool bide__lease_adopt(struct bide_db *db);

/* ---- connection.c ---- */

uint64_t bide__text_hash(const char *text, size_t length);
void bide__kept_init(struct bide__kept *kept, size_t limit);
void bide__kept_clear(const struct bide__driver *driver, struct bide__kept *kept);

/* The statement of this text, kept or new. */
int bide__statement_of_text(struct bide__connection *connection, const struct bide__text *text,
                            struct bide__statement **ret_statement, struct bide__trouble *trouble);
int bide__statement_of(struct bide__connection *connection, const char *text, size_t length,
                       struct bide__statement **ret_statement, struct bide__trouble *trouble);

/* Begins an execution. The run is zeroed before, and bide__finish is called in any case. */
int bide__start(struct bide__run *run, struct bide__connection *connection,
                struct bide__statement *statement, const bide_bind *binds, size_t count,
                struct bide__trouble *trouble);

/* The same with an array for each parameter: only where the driver has that. */
int bide__start_rows(struct bide__run *run, struct bide__connection *connection,
                     struct bide__statement *statement, const struct bide__bound_rows *rows,
                     struct bide__trouble *trouble);

/* The driver's step: 1: there is a row; 0: no more. */
int bide__step(struct bide__run *run, struct bide__trouble *trouble);
void bide__finish(struct bide__run *run);

/* echo.c: writes a run that ends to the log. */
void bide__echo(const struct bide__run *run);

/* Whether the environment asks for it: BIDE_DB_ECHO=1. */
bool bide__echo_wanted(void);

/* Runs a statement without parameters and rows: "begin", "commit". */
int bide__command(struct bide__connection *connection, const char *text,
                  struct bide__trouble *trouble);

/* The same for one that is not kept, to its end; the byte behind the text is 0. */
int bide__command_once(struct bide__connection *connection, const char *text, size_t length,
                       struct bide__trouble *trouble);

int bide__connect(struct bide_db *db, enum bide__connection_role role,
                  struct bide__connection **ret_connection, struct bide__trouble *trouble);
void bide__disconnect(struct bide__connection *connection);

/* ---- engine.c ---- */

/* A connection to read with, for one task alone. 0, -ECANCELED or a negative code. */
int bide__reader_take(struct bide_db *db, struct bide__connection **ret_connection,
                      struct bide__trouble *trouble);
void bide__reader_give(struct bide_db *db, struct bide__connection *connection);

/* Counts a user out: the engine may close without any. */
void bide__user_left(struct bide_db *db);

/* ---- turn.c: transactions on the writing connection ---- */

/* Begins, waiting for other processes. */
int bide__begin(struct bide_db *db, struct bide__connection *connection, bool writes,
                enum bide_isolation isolation, struct bide__trouble *trouble);

/* Commits, on a lane; rolls back if that fails. Does not see cancels. */
int bide__commit(struct bide_db *db, struct bide__connection *connection,
                 struct bide__trouble *trouble);
void bide__roll_back(struct bide__connection *connection);

/* Sleeps a little before another try, or -ETIMEDOUT, with trouble, after `since_ns` and the time
   that the engine waits for other processes; -ECANCELED. */
int bide__busy_wait(struct bide_db *db, int64_t since_ns, int *tries,
                    struct bide__trouble *trouble);

/* ---- server.c: databases that are servers ---- */

/* Prepares the engine's pool and connects once. 0, or raises. */
int bide__server_open(struct bide_db *db, struct bide__trouble *trouble);

/* Closes the pool, not looking at cancels. False: the server did not let go; the log says so, and
   the engine cannot be freed. */
bool bide__server_close(struct bide_db *db);
void bide__server_free(struct bide__server *server);

/* Does work by itself: over a connection that tasks share, or in a transaction of its own if it is
   of several statements. */
int bide__server_run(struct bide_db *db, struct bide__work *work);

/* A connection for one task alone: 0, -ECANCELED or -EBADMSG. */
int bide__server_lease(struct bide_db *db, struct bide_pooled **ret_lease,
                       struct bide__trouble *trouble);

/* A shared connection owes no reply any more. */
void bide__server_drained(struct bide_db *db, struct bide__connection *connection);

/* A connection was lost: others that were opened before may be, too. */
void bide__server_lost(struct bide_db *db);

/* Reads the URL: takes our own options out of it. */
int bide__server_options(struct bide_db *db, const char *url, struct bide__trouble *trouble);

/* How the driver waits before it connects again; the outcome of the last attempt. */
int64_t bide__server_pause_ns(const struct bide_db *db);
void bide__server_connected(struct bide_db *db, bool connected);

/* A number for a new statement. */
uint32_t bide__server_serial(struct bide_db *db);

/* The statements that its connections share. */
struct bide__kept *bide__server_kept(struct bide_db *db);

/* ---- perform.c ---- */

/* Something to do on a connection, which can be done twice. It suspends on a server and in
   bide__between only. */
struct bide__work {
    int (*run)(struct bide__work *work, struct bide__connection *connection);
    /* Sets `reads` first; NULL: it stands. */
    int (*look)(struct bide__work *work, struct bide__connection *connection);
    bool reads;        /* it changes nothing */
    bool many;         /* of several statements: they see one state, or are undone together */
    bool may_yield;    /* set while nobody else can come onto the connection */
    bool own_tx;       /* set while it runs in a transaction that was begun for it alone */
    bide_arena *arena; /* for what it reads */
    struct bide__trouble trouble;
};

/* Does it on a lane, with an arena of its own, a child of the work's: it is there afterwards. The
   connection is this task's alone. */
int bide__read_slowly(struct bide__work *work, struct bide__connection *connection);

/* Between two statements of a work of many: other tasks run, where they may. 0, -ECANCELED. */
int bide__between(const struct bide__work *work);

/* Does it, in the transaction or by itself, and raises what is wrong. */
void bide__perform(struct bide__on on, struct bide__work *work);

/* The same in a batch of autocommit writes: the code. */
int bide__turn(struct bide_db *db, struct bide__work *work);

/* Raises trouble, or the code of a wait. */
__attribute__((noreturn, cold)) void bide__db_raise(int code, const struct bide__trouble *trouble,
                                                    const struct bide__object *object);

/* Checks that this is the process which opened it, not one that was forked off later. */
void bide__db_check_process(const struct bide_db *db);

/* Checks who calls: a task of the engine's loop, and of its process. */
void bide__db_check(const struct bide_db *db);

/* ---- tx.c ---- */

/* The transaction's connection, begun; checks who calls. Raises. */
struct bide__connection *bide__tx_connection(struct bide_tx *tx);

/* After work in it: notes if the database has ended it by itself. */
void bide__tx_after(struct bide_tx *tx);

/* The outermost transaction of the task that is open; NULL: none. */
bide_tx *bide__tx_of_task(const struct bide_task *task);

static inline bide_tx *bide__tx_outermost(bide_tx *tx)
{
    while (tx->outer)
        tx = tx->outer;
    return tx;
}

/* Checks that the running task may use it. */
void bide__tx_check(const struct bide_tx *tx);

/* ---- form.c: texts of calls as statements ---- */

/* Raises what is wrong with a query for rows before it is one. */
void bide__want_check(struct bide__want want, const char *text);

/* The whole query: the text itself, or a select of the model's columns. */
void bide__put_query(bide_buf *buf, const bide_model *model, const char *text);

/* What is wrong with a query that no database need be asked for; `model` of `want` may be NULL. */
int bide__query_check(const struct bide__want *want, const char *text,
                      struct bide__trouble *trouble);

static inline enum bide__shape bide__shape_of(enum bide__how how)
{
    return how == BIDE__PAGE    ? BIDE__SHAPE_PAGE
           : how == BIDE__FIRST ? BIDE__SHAPE_FIRST
                                : BIDE__SHAPE_ANY;
}

/* A new form, kept by the engine; NULL: by the request. Raises what is wrong with the text. */
const struct bide__form *bide__form_make(struct bide_db *db, const char *text,
                                         const bide_model *model, enum bide__shape shape,
                                         size_t binds);
void bide__forms_done(struct bide__forms *forms);

static inline struct bide__form **bide__form_bucket(struct bide__forms *forms, const char *literal)
{
    uintptr_t at = (uintptr_t)literal;
    return &forms->buckets[(at ^ at >> 6 ^ at >> 12) % BIDE__FORM_BUCKETS];
}

/* The form of a literal, kept or new. */
static inline const struct bide__form *bide__form_of(struct bide_db *db, const char *text,
                                                     const bide_model *model,
                                                     enum bide__shape shape, size_t binds)
{
    for (const struct bide__form *form = *bide__form_bucket(&db->forms, text); form;
         form = form->next)
        if (form->literal == text && form->model == model && form->shape == shape &&
            form->binds == binds && __builtin_strcmp(form->own, text) == 0)
            return form;
    return bide__form_make(db, text, model, shape, binds);
}

/* ---- query.c ---- */

/* Rows of a form, which has the shape of what is wanted. */
bide_async(bide__rows) bide__form_rows(struct bide__on on, struct bide__want want,
                                       const struct bide__form *form, const bide_bind *binds,
                                       size_t count);

/* ---- write.c ---- */

/* What keeps a model from being written. */
int bide__write_check(const bide_model *model, struct bide__trouble *trouble);

/* The statement that makes the model's table. */
void bide__put_table(bide_buf *buf, const struct bide__driver *driver, const bide_model *model);

/* ---- keyset.c ---- */

/* order by "a" desc,"b" desc */
void bide__put_order(bide_buf *buf, const struct bide__keyset *set);

/* ---- watch.c ---- */

/* Counts a query, or a commit of a single statement, of this line. */
void bide__watch_count(struct bide_db *db, const struct bide_site *site, bool writes);

/* A statement of the transaction has ended; the next one, or the commit, begins: tells if the task
   has done something else for long between the two. */
void bide__watch_idle_from_now(struct bide_tx *tx);
void bide__watch_idle(struct bide_tx *tx);

/* The running task is about to wait for another server: tells if it has a transaction open. `what`
   is what it waits for. */
void bide__tx_report_wait(const char *what);

/* ---- number.c ---- */

/* 1: rows that are inserted without this field get numbers one after the other, of which the run
   knows the last; 0: not that one knows. Asked in the transaction that inserts. */
int bide__numbers(struct bide__connection *connection, const bide_model *model,
                  const bide_field *field, struct bide__trouble *trouble);

/* ---- session.c ---- */

/* Inserts what is queued; raises. Before each query, a nested transaction, and the commit. */
void bide__queue_flush(struct bide_tx *tx);

/* Forgets what is queued. */
void bide__queue_drop(struct bide_tx *tx);

/* ---- row.c ---- */

/* One cell into a value. 0 or -EBADMSG. */
int bide__cell_read(const struct bide__db_cell *cell, enum bide_kind kind, const bide_type *type,
                    bide_arena *arena, const char *name, void *ret_value,
                    struct bide__trouble *trouble);

/* Which field each column of the run's statement is: every column must be one, and every field that
   is not optional must be there. */
int bide__columns_of(const struct bide__run *run, const bide_model *model,
                     struct bide__columns *ret_columns, struct bide__trouble *trouble);

/* A run's row into a struct of the model, which is zeroed. */
int bide__row_read(struct bide__run *run, const bide_model *model,
                   const struct bide__columns *columns, bide_arena *arena, void *row,
                   struct bide__trouble *trouble);

/* A member as a bind. */
bide_bind bide__bind_field(const bide_model *model, const bide_field *field, const void *row);

/* An item of a list as a bind of its own. */
bide_bind bide__bind_item(const bide_bind *list, size_t index);

/* Whether the field has a column: no computed one, list, object, or password in plain text. */
static inline bool bide__is_column(const bide_field *field)
{
    return !(field->flags & BIDE_COMPUTED) && field->kind != BIDE_KIND_OBJ &&
           field->kind != BIDE_KIND_LIST && field->kind != BIDE_KIND_PLAIN_PW;
}

/* The model's table: a VIEW has that of its model. "" without one. */
const char *bide__table_of(const bide_model *model);

/* The one key of a model, of which a row is found by a single value; NULL, with the trouble: there
   is none, or several. */
const bide_field *bide__only_key(const bide_model *model, struct bide__trouble *trouble);

/* What a text that could not be built is: too long, or there was no memory. */
int bide__text_trouble(const bide_buf *text, struct bide__trouble *trouble);

/* "a","b" of the model's columns. */
void bide__put_columns(bide_buf *buf, const bide_model *model);

#endif
