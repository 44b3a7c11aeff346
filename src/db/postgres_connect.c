/*
 * What the pool wants of PostgreSQL: connecting, ending a connection, making one idle again, for
 * which the server is asked to end a statement. Called by the pool's tasks; calls libpq,
 * connection.c, postgres_hosts.c.
 *
 * Names are looked up by bide_resolve (postgres_hosts.c). libpq's first step reads files, and looks
 * up what a service file names: it runs on the blocking lane. The others wait
 * on the loop. Between two of them the descriptor may be another one.
 *
 * A statement is cancelled as libpq does it, over a connection of its own, but without blocking:
 * what the server wants to see (its process, a secret) is taken from libpq's trace of the login,
 * the only place where libpq shows it.
 *
 * Source: PostgreSQL: libpq PQconnectStartParams, PQtrace; protocol-flow "Canceling Requests".
 */
#include "db/postgres.h"

#if BIDE_POSTGRES
#include "base/mem.h"

#include <bide/log.h>
#include <bide/net.h>
#include <bide/offload.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct bide__kind kind_connection = {.noun = "postgresql", .verb = "waits for"};

void bide__pg_unuse(struct bide__pg *pg)
{
    if (--pg->users > 0)
        return;
    bide__pg_values_free(&pg->values);
    bide__free(pg->slots);
    bide__free(pg->prepared);
    bide__free(pg);
}

void bide__pg_detach(struct bide__pg *pg)
{
    if (!pg->attached)
        return;
    /* libpq closes its socket at once when it finds the connection lost: by now the number may be
       another thread's. */
    pg->fd.closed = PQsocket(pg->handle) != pg->fd.fd;
    bide__wake_all(&pg->fd.readers, -ESHUTDOWN);
    bide__wake_all(&pg->fd.writers, -ESHUTDOWN);
    pg->fd.io->ops->detach(pg->fd.io, &pg->fd);
    pg->attached = false;
}

/* The descriptor that libpq has now. */
static int attach(struct bide__pg *pg)
{
    struct bide__io *io = bide__loop_here->io;
    pg->fd = (struct bide__fd){.fd = PQsocket(pg->handle)};
    bide__object_init(&pg->fd.object, &kind_connection, "", bide__current->at);
    if (pg->fd.fd < 0)
        return -EBADF;
    int code = io->ops->attach(io, &pg->fd);
    pg->attached = code == 0;
    return code;
}

static void shut(void *arg)
{
    struct bide__pg *pg = arg;
    pg->closed = true;
    if (!pg->up)
        bide__server_connected(pg->db, false);
    bide__pg_lose(pg, "it was closed");
    if (pg->handle)
        PQfinish(pg->handle);
    pg->handle = NULL;
    bide__pg_unuse(pg);
}

/* ---- connecting ---- */

static void drop_notice(void *arg, const char *message)
{
    (void)arg;
    bide_log(BIDE_LOG_DEBUG, "postgresql: %.*s", (int)strcspn(message, "\n"), message);
}

static void put_settings(char *text, size_t size, const struct bide__db_options *options)
{
    snprintf(text, size,
             "-c statement_timeout=%d -c idle_in_transaction_session_timeout=%d -c timezone=UTC "
             "-c datestyle=ISO",
             options->statement_timeout_ms, BIDE_CAP_DB_IDLE_TX_MS);
}

/* What a lane is given. */
struct start {
    struct bide__pg *pg;
    struct bide__pg_hosts hosts;
};

static PGconn *connect_start(const struct start *start)
{
    const struct bide__db_options *options = &start->pg->db->options;
    const struct bide__pg_hosts *hosts = &start->hosts;
    char settings[200];
    size_t count = 6;
    /* The URL wins over what stands before it. A pooler refuses settings of a session. */
    const char *names[16] = {"gssencmode", "tcp_user_timeout", "keepalives_idle",
                             "dbname",     "client_encoding",  "fallback_application_name"};
    const char *values[16] = {"disable", "10000", "30", options->path, "UTF8", "bide"};
    if (options->statement_cache != 0 && !strstr(options->path, "options=")) {
        put_settings(settings, sizeof settings, options);
        names[count] = "options";
        values[count++] = settings;
    }
    if (hosts->count > 0) { /* behind the URL: they win over what it says */
        names[count] = "host", values[count++] = bide_buf_str(&hosts->hosts);
        names[count] = "hostaddr", values[count++] = bide_buf_str(&hosts->addresses);
        names[count] = "port", values[count++] = bide_buf_str(&hosts->ports);
    }
    return PQconnectStartParams(names, values, 1);
}

static void start_now(void *arg)
{
    const struct start *start = arg;
    start->pg->handle = connect_start(start);
}

static void start_on_lane(void *start) BIDE__UNCHECKED
{
    bide__offload(BIDE_BLOCKING, bide__current->at, "postgresql", start_now, start);
}

static __attribute__((noreturn)) void raise_refused(const struct bide__pg *pg)
{
    struct bide__trouble trouble = {0};
    bide__pg_refused(pg->handle, &trouble);
    bide__db_raise(-EBADMSG, &trouble, NULL);
}

/* Waits as PQconnectPoll wants it. */
static void wait_for(struct bide__pg *pg, PostgresPollingStatusType what)
{
    struct bide__op op = {.kind =
                              what == PGRES_POLLING_READING ? BIDE__OP_READABLE : BIDE__OP_WRITABLE,
                          .fd = &pg->fd};
    int code = bide__checkpoint(bide__task_current());
    if (code == 0)
        code = attach(pg);
    if (code == 0)
        code = pg->fd.io->ops->perform(pg->fd.io, &op);
    bide__pg_detach(pg);
    if (code < 0)
        bide__raise(code, &pg->object);
}

/* "...\tBackendKeyData\t 4711 -123456" */
static void learn_key(struct bide__pg *pg, const char *trace)
{
    static const char word[] = "BackendKeyData";
    const char *at = trace ? strstr(trace, word) : NULL;
    if (at && sscanf(at + sizeof word - 1, " %d %d", &pg->cancel_pid, &pg->cancel_key) != 2)
        pg->cancel_pid = 0;
}

struct trace {
    FILE *file;
    char *text;
    size_t size;
};

static void trace_end(void *arg)
{
    struct trace *trace = arg;
    if (trace->file)
        fclose(trace->file);
    if (trace->text)
        explicit_bzero(trace->text, trace->size); /* it has the login in it */
    free(trace->text);
}

static void log_in(struct bide__pg *pg)
{
    struct trace trace = {.file = NULL};
    bide_defer(trace_end, &trace);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    trace.file = open_memstream(&trace.text, &trace.size);
    if (trace.file) {
        PQtrace(pg->handle, trace.file);
        /* localtime(3) has one buffer for all loops */
        PQsetTraceFlags(pg->handle, PQTRACE_SUPPRESS_TIMESTAMPS);
    }
    while (next != PGRES_POLLING_OK) {
        wait_for(pg, next);
        next = PQconnectPoll(pg->handle);
        if (next == PGRES_POLLING_FAILED)
            raise_refused(pg);
    }
    PQuntrace(pg->handle);
    if (trace.file)
        fflush(trace.file);
    learn_key(pg, trace.text);
}

static bool make(struct bide_db *db, struct bide__pg **ret_pg)
{
    struct bide__pg *pg = bide__calloc(1, sizeof *pg);
    uint32_t *prepared = bide__calloc(4 * BIDE_CAP_DB_STATEMENTS, sizeof *prepared);
    if (!pg || !prepared) {
        bide__free(pg);
        bide__free(prepared);
        return false;
    }
    pg->base.driver = &bide__driver_postgres;
    pg->base.kept = bide__server_kept(db);
    pg->base.echo = db->options.echo;
    pg->db = db;
    pg->users = 1;
    pg->prepared = prepared;
    bide__object_init(&pg->object, &kind_connection, "", bide__current->at);
    bide_buf_init(&pg->values.bytes, BIDE_CAP_DB_VALUE_BYTES);
    *ret_pg = pg;
    return true;
}

/* Gives it a handle. */
static void begin(struct bide__pg *pg) BIDE__TASK;
static void begin(struct bide__pg *pg)
{
    struct start start = {.pg = pg};
    bide_defer(bide__pg_hosts_done, &start.hosts);
    bide__pg_hosts_find(&start.hosts, pg->db->options.path);
    bide_error *error = bide__boundary(start_on_lane, &start);
    if (error && bide__error_is_cancel(error))
        bide__raise(-ECANCELED, &pg->object);
    if (error) /* there is no lane */
        start_now(&start);
}

static bide_async(bide_connection) open_one(void *db)
{
    struct bide__pg *pg;
    int64_t pause_ns = bide__server_pause_ns(db);
    if (pause_ns > 0)
        (void)bide_await(bide_sleep((bide_duration){pause_ns}));
    if (!make(db, &pg))
        bide__raise(-ENOMEM, NULL);
    bide_on_error(shut, pg);
    begin(pg);
    if (!pg->handle)
        bide__raise(-ENOMEM, NULL);
    PQsetErrorVerbosity(pg->handle, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(pg->handle, drop_notice, NULL);
    if (PQstatus(pg->handle) == CONNECTION_BAD)
        raise_refused(pg);
    log_in(pg);
    PQsetErrorVerbosity(pg->handle, PQERRORS_DEFAULT);
    int code = attach(pg);
    if (code == 0 && (PQsetnonblocking(pg->handle, 1) < 0 || !PQenterPipelineMode(pg->handle)))
        code = -ENOMEM;
    if (code == 0)
        code = bide__pg_serve(pg);
    if (code < 0)
        bide__raise(code, NULL);
    pg->up = true;
    bide__server_connected(db, true);
    return bide_ready(bide_connection, &pg->base);
}

static bide_async(void) close_one(void *connection)
{
    shut(bide__pg_of(connection));
    return bide_void;
}

/* ---- cancelling ---- */

/* Asks the server, by a connection of its own, to end what runs. Raises. */
static bide_async(void) cancel(struct bide__pg *pg)
{
    const char *host = PQhostaddr(pg->handle), *name = PQhost(pg->handle);
    const char *port = PQport(pg->handle);
    uint32_t request[4] = {htonl(16), htonl(80877102), htonl((uint32_t)pg->cancel_pid),
                           htonl((uint32_t)pg->cancel_key)};
    char path[128], byte;
    if (pg->cancel_pid == 0)
        return bide_void;
    if (name[0] == '/')
        snprintf(path, sizeof path, "%s/.s.PGSQL.%s", name, port);
    bide_stream *stream =
        name[0] == '/' ? bide_await(bide_connect_unix(path))
                       : bide_await(bide_connect_tcp(host, (uint16_t)strtoul(port, NULL, 10)));
    bide_defer(bide_close_stream, stream);
    (void)bide_await(bide_write(stream, request, sizeof request));
    /* The server has done it when it ends the connection. */
    (void)bide_await(bide_read(stream, &byte, 1));
    return bide_void;
}

/* ---- what the pool asks ---- */

static bool is_idle(void *connection)
{
    const struct bide__pg *pg = bide__pg_of(connection);
    return !pg->lost && pg->first == pg->end && !pg->begins && !pg->writing &&
           PQtransactionStatus(pg->handle) == PQTRANS_IDLE;
}

static bool broken(void *connection)
{
    return bide__pg_of(connection)->lost;
}

/* Ends what runs, reads what is owed, rolls back. */
static bide_async(void) reset(void *connection)
{
    struct bide__pg *pg = bide__pg_of(connection);
    struct bide__trouble trouble = {0};
    pg->begins = false;
    if (!pg->lost && pg->first != pg->end)
        (void)bide_await(cancel(pg));
    int code = bide__command(&pg->base, "rollback", &trouble);
    if (code < 0)
        bide__db_raise(code, &trouble, &pg->object);
    return bide_void;
}

static bide_async(void) ping(void *connection)
{
    struct bide__pg *pg = bide__pg_of(connection);
    struct bide__trouble trouble = {0};
    int code = bide__command(&pg->base, "select 1", &trouble);
    if (code < 0)
        bide__db_raise(code, &trouble, &pg->object);
    return bide_void;
}

const struct bide_pool_driver bide__pg_pool_driver = {
    .open = open_one,
    .close = close_one,
    .is_idle = is_idle,
    .reset = reset,
    .ping = ping,
    .broken = broken,
};

#endif
