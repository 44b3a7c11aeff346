/*
 * What the files of the PostgreSQL driver share: a connection with its replies in order.
 *
 *     start: Parse? Bind Describe Execute, Sync --> slot at `end` --> the reply up to the Sync
 *            belongs to the slot `first`, whose run it wakes; a cancelled run is not there any more
 *
 * Called only within src/db/postgres*.c.
 */
#ifndef BIDE_DB_POSTGRES_H
#define BIDE_DB_POSTGRES_H

#include "db/db.h"

#if BIDE_POSTGRES
#include <libpq-fe.h>

/* A statement that was sent, in the order of the replies. */
struct bide__pg_slot {
    struct bide__run *run; /* NULL: cancelled, nobody gets the reply */
    int64_t since_ns;
    uint32_t prepares; /* the serial of the statement that the group prepares; 0: none ... */
    int prepared_by;   /* ... and how many of its commands have succeeded then */
};

/* The values of one execution, as libpq wants them. */
struct bide__pg_values {
    const char **values;
    int *lengths, *formats;
    char *scratch; /* short ones */
    size_t room;
    bide_buf bytes; /* long ones that are not sent as they stand */
};

struct bide__pg {
    struct bide__connection base;
    PGconn *handle;
    struct bide_db *db;
    struct bide__fd fd; /* libpq's */
    struct bide__object object;
    uint32_t users; /* its owner, the tasks that read and write: the last frees it */
    bool attached;
    bool closed;
    bool up;      /* it was logged in */
    bool lost;    /* broken: `why` says how */
    bool writing; /* a task waits until the rest can be written */
    char why[160];
    struct bide__pg_slot *slots; /* slot n is at n % capacity */
    size_t capacity;             /* a power of two, or 0 */
    uint64_t first, end;
    PGresult *result, *error;  /* of the slot `first`, so far */
    int successes;             /* and how many of its commands have succeeded */
    struct bide__pg_slot next; /* of the group that is being sent */
    int commands;              /* how many it has so far */
    bool reader_idle;          /* the reader waits, and nothing is owed */
    struct bide__pg_values values;
    uint32_t *prepared; /* serials of the statements that the server has from us, hashed */
    bool begins;        /* "begin" goes out with the next statement */
    bool begun;         /* it was sent: in a transaction, as long as something is owed */
    bool reads_only;    /* in a transaction that only reads */
    enum bide_isolation isolation; /* of the transaction */
    bool knows_timeout;            /* the statement that sets statement_timeout is prepared */
    int timeout_ms;                /* as it is set in the transaction; 0: none */
    int cancel_pid, cancel_key;    /* 0: not known */
};

static inline struct bide__pg *bide__pg_of(struct bide__connection *base)
{
    return bide__container_of(base, struct bide__pg, base);
}

struct bide__pg_statement {
    struct bide__statement base;
    uint32_t serial;
    char name[16];       /* on the server; "": it has none, for poolers */
    bool binary;         /* its columns are asked for in binary */
    bool commits;        /* "commit": its outcome may stay unknown */
    bool control;        /* begin, commit, savepoints: no timeout is set for it */
    PGresult *described; /* parameters and columns */
};

static inline struct bide__pg_statement *bide__pg_statement_of(struct bide__statement *base)
{
    return bide__container_of(base, struct bide__pg_statement, base);
}

/* ---- postgres_connect.c ---- */

extern const struct bide_pool_driver bide__pg_pool_driver;

/* One user less. */
void bide__pg_unuse(struct bide__pg *pg);

/* The loop forgets the descriptor; who waits for it is woken. */
void bide__pg_detach(struct bide__pg *pg);

/* postgres_hosts.c: hosts, their addresses and ports, in step, for PQconnectStartParams; none
   (count 0) where libpq has nothing to look up, or something to say. */
struct bide__pg_hosts {
    bide_buf hosts, addresses, ports;
    size_t count;
};

/* Of a connection URL. Suspends. Raises what bide_resolve does if no host has an address. `done` is
   called in every case, with what was zeroed or found. */
void bide__pg_hosts_find(struct bide__pg_hosts *to, const char *url) BIDE__TASK;
void bide__pg_hosts_done(void *hosts);

/* ---- postgres.c ---- */

/* Starts the task that reads the replies. 0 or -ENOMEM. */
int bide__pg_serve(struct bide__pg *pg);

/* What is sent gets no reply any more. */
void bide__pg_lose(struct bide__pg *pg, const char *why);

/* ---- postgres_error.c ---- */

/* A failed reply as trouble: -EBADMSG; -ESTALE: the statement's preparation is out of date. A lost
   connection; `final`: it may have been committed. */
int bide__pg_failed(const PGresult *result, struct bide__trouble *trouble);
int bide__pg_lost(const struct bide__pg *pg, bool final, struct bide__trouble *trouble);

/* Why a connection was not made. */
int bide__pg_refused(PGconn *handle, struct bide__trouble *trouble);

/* ---- postgres_value.c ---- */

int bide__pg_encode(struct bide__pg_values *to, const PGresult *described, const bide_bind *binds,
                    int count, struct bide__trouble *trouble);
void bide__pg_values_free(struct bide__pg_values *values);

/* The same of many rows, an array for each parameter, which is what `bide__pg_put_array` puts: see
   put_array of the driver. */
int bide__pg_encode_rows(struct bide__pg_values *to, const PGresult *described,
                         const struct bide__bound_rows *rows, struct bide__trouble *trouble);
bool bide__pg_put_array(bide_buf *buf, const struct bide__statement *statement, int i);

/* What a column of this type is beside a field of the kind. */
void bide__pg_describe(Oid type, enum bide_kind kind, struct bide__column *ret_column);

/* The type of the column that a field of this kind gets. */
const char *bide__pg_column_type(enum bide_kind kind);

/* The name of a parameter's type that takes no bind of this kind; NULL: it does, or is unknown. */
const char *bide__pg_wanted(Oid type, enum bide__bind_kind kind);

/* Whether values of this type are read in binary. */
bool bide__pg_is_binary(Oid type);
void bide__pg_decode(const PGresult *result, int row, int column, struct bide__db_cell *ret_cell);

#endif

#endif
