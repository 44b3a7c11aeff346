/*
 * What a database must offer; sqlite.c implements it. Called by connection.c, perform.c, tx.c and
 * those who read rows; it knows nothing of transactions, models and tasks, but a driver's functions
 * run in a task and may suspend it.
 *
 * A statement is kept by its connection; a run is one execution of it, from start to finish. A
 * statement has as many runs at a time as the driver allows.
 *
 * Functions that can fail return 0 or a negative code and say in `trouble` what is wrong:
 * -EAGAIN (others hold the database: try again), -EINTR (the budget of a read is spent), -EBADMSG
 * (all else).
 */
#ifndef BIDE_DB_DRIVER_H
#define BIDE_DB_DRIVER_H

#include "base/list.h"

#include <bide/buf.h>
#include <bide/db.h>

/* What is wrong, as it will be raised. */
struct bide__trouble {
    int code;         /* enum bide_code; 0: nothing */
    int system_errno; /* with BIDE_SYSTEM */
    int position;     /* in the statement, in bytes from 1, of what is wrong; 0: not known */
    char field[BIDE__NAME_BYTES];
    char message[200];
};

enum bide__cell_kind {
    BIDE__CELL_NULL,
    BIDE__CELL_INT,
    BIDE__CELL_REAL,
    BIDE__CELL_TEXT,
    BIDE__CELL_BYTES
};

/* A value from the database; `data` is valid until the next step, or the end of the run. No NUL
   need stand behind it. */
struct bide__cell {
    enum bide__cell_kind kind;
    int64_t integer;
    double real;
    const char *data;
    size_t size;
};

enum bide__connection_role { BIDE__READER, BIDE__WRITER };

/* The parts that every driver's records begin with. */
struct bide__connection {
    const struct bide__driver *driver;
    bool echo;                    /* its statements are logged */
    struct bide__list_node node;  /* in the engine's idle readers */
    struct bide__list statements; /* kept ones, the last used first */
    size_t statement_count;
};

/* Which field of a model each column is. */
struct bide__columns {
    size_t count;
    unsigned char field[64];
};

/* A statement that is kept prepared. */
struct bide__statement {
    struct bide__list_node node; /* in connection->statements */
    uint64_t hash;
    char *text;
    size_t length;
    int runs;                /* executions between start and finish: it stays as long */
    bool reads;              /* it changes nothing */
    int parameters;          /* how many $n it has */
    int columns;             /* of its rows */
    const bide_model *model; /* the last one whose rows it gave; NULL: none, or the columns
                                have changed since */
    struct bide__columns of_model;
};

/* What the log says of an execution. */
struct bide__echoed {
    const bide_bind *binds;
    size_t count;
    int64_t since_ns, rows;
    bool failed;
};

/* One execution of it, in the frame of its task. Zeroed; the first three are set by start. */
struct bide__run {
    struct bide__connection *connection;
    struct bide__statement *statement; /* NULL: not started */
    int64_t affected;                  /* rows that it changed, when step has given 0 */
    struct bide__echoed echo;
};

struct bide__db_options {
    char *path; /* "" for one in memory */
    const char *synchronous;
    int busy_timeout_ms, readers;
    bool echo;
};

/* What a column of a statement's rows is; texts live as long as the statement. */
struct bide__column {
    const char *type; /* as the table declares it, "" if that is not known */
    bool differs;     /* values of this type are none of the kind */
    bool nullable;    /* it is a column of a table that allows NULL */
};

struct bide__driver {
    const char *name;
    int (*connect)(const struct bide__db_options *options, enum bide__connection_role role,
                   struct bide__connection **ret_connection, struct bide__trouble *trouble);
    void (*disconnect)(struct bide__connection *connection);
    /* Sets the part of the statement from `reads` to `columns`. */
    int (*prepare)(struct bide__connection *connection, const char *text, size_t length,
                   struct bide__statement **ret_statement, struct bide__trouble *trouble);
    void (*discard)(struct bide__statement *statement);
    const char *(*column_name)(struct bide__statement *statement, int column);
    /* Begins an execution with a value for each parameter; what is bound must stay until `finish`,
       which is called in any case. */
    int (*start)(struct bide__run *run, const bide_bind *binds, struct bide__trouble *trouble);
    /* 1: there is a row; 0: no more. */
    int (*step)(struct bide__run *run, struct bide__trouble *trouble);
    void (*cell)(struct bide__run *run, int column, struct bide__cell *ret_cell);
    void (*finish)(struct bide__run *run);
    /* Whether a transaction is open: the database may have ended it by itself. */
    bool (*in_transaction)(struct bide__connection *connection);
    /* How long a step may take, in ns from now, until -EINTR; 0: as long as it takes, but when
       bide_offload_cancelled() says so. */
    void (*set_budget)(struct bide__connection *connection, int64_t ns);
    /* A statement that makes all processes that change the schema wait for each other, until the
       transaction ends; NULL: one that writes does that by itself. */
    const char *schema_lock;
    /* A query for the names of a table's columns that each insert must give; $1 is the table. */
    const char *needed_columns;
    /* For the check of queries: what the column is, beside a field of the kind. */
    void (*describe)(struct bide__connection *connection, struct bide__statement *statement,
                     int column, enum bide_kind kind, struct bide__column *ret_column);
    bool cursors; /* the rows of a run come all at once, in the task: a stream needs a cursor */
};

extern const struct bide__driver bide__driver_sqlite;

/* Fills in what is wrong; gives -EBADMSG. */
int bide__trouble(struct bide__trouble *trouble, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
