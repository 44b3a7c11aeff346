/*
 * What a database must offer; sqlite.c and postgres.c implement it. Called by connection.c,
 * perform.c, tx.c and those who read rows; it knows nothing of transactions, models and tasks, but
 * a driver's functions run in a task and may suspend it.
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

#include "base/caps.h"
#include "base/list.h"

#include <bide/buf.h>
#include <bide/db.h>
#include <bide/pool.h>

/* What is wrong, as it will be raised. */
struct bide__trouble {
    int code;         /* enum bide_code; 0: nothing */
    int system_errno; /* with BIDE_SYSTEM */
    int position;     /* in the statement, in bytes from 1, of what is wrong; 0: not known */
    char field[BIDE__NAME_BYTES];
    const char *told; /* for peers, where the message names what is the database's own */
    bool may_stay;    /* what it met, perhaps a cancel, may be committed */
    char message[200];
};

enum bide__cell_kind {
    BIDE__CELL_NULL,
    BIDE__CELL_INT,
    BIDE__CELL_REAL,
    BIDE__CELL_TEXT,
    BIDE__CELL_BYTES,
    BIDE__CELL_DATE,    /* `integer` days since 1970 */
    BIDE__CELL_DECIMAL, /* `data` is its text */
    BIDE__CELL_HEX,     /* bytes as the text \x00ff */
};

/* A value from the database; `data` is valid until the next step, or the end of the run. No NUL
   need stand behind it. */
struct bide__db_cell {
    enum bide__cell_kind kind;
    int64_t integer;
    double real;
    const char *data;
    size_t size;
};

enum bide__connection_role { BIDE__READER, BIDE__WRITER };

/* What a connection's transaction is like. */
enum bide__state {
    BIDE__STATE_NONE, /* there is none */
    BIDE__STATE_OPEN,
    BIDE__STATE_FAILED, /* only good to be rolled back, to a savepoint at least */
    BIDE__STATE_GONE,   /* nothing can be said or done here any more */
};

/* Kept statements, the last used first: of a connection, or of an engine whose connections share
   them. */
struct bide__kept {
    struct bide__list statements;
    size_t count, limit;
};

/* What is known of a key at a version of the schema; the names are a model's. */
struct bide__numbered {
    const char *table, *column;
    int64_t version;
    bool known;
};

/* The parts that every driver's records begin with; zeroed. */
struct bide__connection {
    const struct bide__driver *driver;
    struct bide__numbered numbered[BIDE_CAP_DB_NUMBERED];
    size_t numbered_next;
    bool echo;    /* its statements are logged */
    bool refused; /* the database has refused a statement in a transaction, and would go on in it */
    struct bide__list_node node; /* in the engine's idle readers */
    struct bide__kept *kept;
    struct bide__kept own;
    struct bide__shared *shared; /* while tasks share it; server.c's */
};

/* Which field of a model each column is. */
struct bide__columns {
    size_t count;
    unsigned char field[64];
};

/* A statement that is kept prepared. */
struct bide__statement {
    struct bide__list_node node; /* in kept->statements */
    uint64_t hash;
    char *text;
    size_t length;
    int runs;                /* executions between start and finish: it stays as long */
    bool stale;              /* the schema has changed under it: it is prepared anew */
    bool reads;              /* it changes nothing */
    int parameters;          /* how many $n it has */
    int columns;             /* of its rows */
    const bide_model *model; /* the last one whose rows it gave; NULL: none, or the columns
                                have changed since */
    struct bide__columns of_model;
};

/* Values of many rows. */
struct bide__bound_rows {
    size_t count;
    bide_bind (*at)(const void *arg, size_t row, int parameter); /* both from 0 on */
    const void *arg;
};

/* What the log says of an execution. */
struct bide__echoed {
    const bide_bind *binds; /* NULL: of so many rows */
    size_t count;
    int64_t since_ns, rows;
    bool failed;
};

/* One execution of it, in the frame of its task. Zeroed; the first three are set by start. */
struct bide__run {
    struct bide__connection *connection;
    struct bide__statement *statement; /* NULL: not started */
    int64_t affected;                  /* rows that it changed, when step has given 0 */
    int64_t last_number;               /* of the row inserted last, if `numbers` */
    struct bide__echoed echo;
    /* a server's driver's */
    void *result;
    int row, rows; /* which one it is at, and of how many: they have all come */
    bool answered, lost;
    bool final; /* it commits: if it is lost, its outcome is unknown */
    uint64_t slot;
    struct bide__wait *wait; /* of its task, while it waits for the reply */
};

struct bide__db_options {
    char *path; /* "" for one in memory; of a server: its URL, without our own options */
    const char *synchronous;
    int busy_timeout_ms, readers;
    bool echo;
    struct bide_pool_options pool; /* of a server, and these */
    int statement_cache;           /* 0: statements have no names, for poolers */
    int statement_timeout_ms;      /* 0: none */
};

/* What a column of a statement's rows is; texts live as long as the statement. */
struct bide__column {
    const char *type; /* as the table declares it, "" if that is not known */
    bool differs;     /* values of this type are none of the kind */
    bool nullable;    /* it is a column of a table that allows NULL */
};

struct bide__driver {
    const char *name;
    const struct bide_pool_driver *pool; /* of a server; NULL: the engine has the connections */
    bool many_runs;                      /* of one statement at a time on a connection */
    /* Of bide_create_table; what is added for a key that the database counts. */
    const char *(*column_type)(enum bide_kind kind);
    const char *counted;
    int (*check_url)(const char *url, struct bide__trouble *trouble);
    /* How many replies a connection owes; of the oldest one, since when. */
    size_t (*owed)(struct bide__connection *connection, int64_t *ret_since_ns);
    /* The first two are of an engine's own connections, those above of a server. */
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
    /* The same with an array of values for each parameter. NULL: no statement takes that. */
    int (*start_rows)(struct bide__run *run, const struct bide__bound_rows *rows,
                      struct bide__trouble *trouble);
    /* Puts what stands for parameter i, from 0 on, as an array: "$1::int8[]". False: its type
       has none that is known. */
    bool (*put_array)(bide_buf *buf, const struct bide__statement *statement, int i);
    /* 1: there is a row; 0: no more. */
    int (*step)(struct bide__run *run, struct bide__trouble *trouble);
    void (*cell)(struct bide__run *run, int column, struct bide__db_cell *ret_cell);
    void (*finish)(struct bide__run *run);
    /* Begins a transaction. */
    int (*begin)(struct bide__connection *connection, bool writes, enum bide_isolation isolation,
                 struct bide__trouble *trouble);
    /* The one that was just begun is not needed: the only statement commits by itself. */
    void (*unbegin)(struct bide__connection *connection);
    /* What became of it: the database may have ended it by itself. */
    enum bide__state (*state)(struct bide__connection *connection);
    /* How long a step may take, in ns from now, until -EINTR; 0: as long as it takes, but when
       bide_offload_cancelled() says so. */
    void (*set_budget)(struct bide__connection *connection, int64_t ns);
    /* A statement that makes all processes that change the schema wait for each other, until the
       transaction ends; NULL: one that writes does that by itself. */
    const char *schema_lock;
    /* A query for the names of a table's columns that each insert must give; $1 is the table. */
    const char *needed_columns;
    /* A query whose answer is 1 if the column $2 of the table $1 gets the next number for each row
       that is inserted without it, and nothing but the statement inserts; NULL: none does. */
    const char *numbers;
    /* A query for how many connections the server allows, and how many of those are not for us. */
    const char *limits;
    /* For the check of queries: what the column is, beside a field of the kind. */
    void (*describe)(struct bide__connection *connection, struct bide__statement *statement,
                     int column, enum bide_kind kind, struct bide__column *ret_column);
    /* For the same check: what the statement wants for the parameter $index in place of a bind of
       this kind; NULL: it takes that, as far as one knows. */
    const char *(*wanted)(const struct bide__statement *statement, int index,
                          enum bide__bind_kind kind);
    bool cursors; /* the rows of a run come all at once, in the task: a stream needs a cursor */
};

extern const struct bide__driver bide__driver_sqlite, bide__driver_postgres;

/* What a peer is told of a rule that the database holds, whose name is not for it. */
extern const char bide__told_rule[];

/* Fills in what is wrong; gives -EBADMSG. */
int bide__trouble(struct bide__trouble *trouble, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
