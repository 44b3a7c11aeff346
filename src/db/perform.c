/*
 * Where a statement runs: in its transaction, in a turn to write, or at once on the loop. Reads run
 * on the loop for at most BIDE_CAP_DB_INLINE_MS; one that takes longer is made once more, on a
 * lane. Called by query.c, write.c, stream.c; calls turn.c, tx.c, engine.c, server.c.
 */
#include "db/db.h"

#include "base/process.h"
#include "core/scope.h"

#include <bide/offload.h>
#include <errno.h>
#include <unistd.h>

void bide__db_check_process(const bide_db *db)
{
    const struct bide_task *me = bide__task_current();
    if (bide__unlikely(db->forks != bide__process_forks)) /* a rollback would be the parent's */
        bide__misuse_fatal("task #%llu '%s' uses a database in process %d, which was forked off "
                           "after it was opened: the connections are the parent's, a child opens "
                           "its own",
                           (unsigned long long)me->head.id, bide__task_label(me), (int)getpid());
}

void bide__db_check(const bide_db *db)
{
    const struct bide_task *me = bide__task_current();
    bide__db_check_process(db);
    if (me->head.attention & BIDE__ATTENTION_OUTSIDE)
        bide__attention(bide__task_current());
    if (me->loop != db->loop)
        bide__misuse("task #%llu '%s' uses a database that another loop has opened: each loop "
                     "opens its own",
                     (unsigned long long)me->head.id, bide__task_label(me));
}

void bide__db_raise(int code, const struct bide__trouble *trouble,
                    const struct bide__object *object)
{
    bide_error *error;
    if (trouble->may_stay)
        bide__effect_note();
    if (code == -ECANCELED) {
        error = bide__cancel_error(bide__task_current());
        error->never_again = trouble->may_stay;
        bide__fail(bide__current->at, error);
    }
    if (code == -EDEADLK || trouble->code == 0)
        bide__raise(code, object);
    error = trouble->code == BIDE_SYSTEM
                ? bide_error_of_errno(trouble->system_errno, "%s", trouble->message)
                : bide_error_new(trouble->code, "%s", trouble->message);
    for (size_t i = 0; i < sizeof error->field; i++)
        error->field[i] = trouble->field[i];
    error->told = trouble->told;
    error->undone = trouble->code == BIDE_TIMEOUT; /* the database has stopped the statement */
    bide__fail(bide__current->at, error);
}

/* What reads in several statements sees one state of the data. */
static int run_reads(struct bide__work *work, struct bide__connection *connection)
{
    bool own = work->many && connection->driver->state(connection) == BIDE__STATE_NONE;
    int code = own ? bide__command(connection, "begin", &work->trouble) : 0;
    if (code == 0)
        code = work->run(work, connection);
    if (own)
        bide__roll_back(connection);
    return code;
}

struct slow {
    struct bide__work *work;
    struct bide__connection *connection;
    int code;
    bool done;
};

static void run_slow(void *arg)
{
    struct slow *slow = arg;
    slow->code = run_reads(slow->work, slow->connection);
    slow->done = true;
}

static void run_on_lane(void *arg) BIDE__UNCHECKED
{
    bide__offload(BIDE_BLOCKING, bide__current->at, "query", run_slow, arg);
}

int bide__read_slowly(struct bide__work *work, struct bide__connection *connection)
{
    struct slow slow = {work, connection, 0, false};
    connection->driver->set_budget(connection, 0);
    /* The lane may not touch an arena that other tasks use meanwhile. */
    work->arena = bide_arena_new(work->arena, BIDE_CAP_TASK_ARENA_BYTES);
    if (!work->arena)
        return bide__trouble(&work->trouble, BIDE_NO_MEMORY, "out of memory for rows");
    bide_error *error = bide__boundary(run_on_lane, &slow);
    if (error && bide__error_is_cancel(error))
        return -ECANCELED;
    if (!slow.done) /* there is no lane */
        run_slow(&slow);
    return slow.code;
}

static int try_reading(struct bide_db *db, struct bide__work *work,
                       struct bide__connection *connection)
{
    int64_t since_ns = 0;
    int tries = 0;
    for (;;) {
        connection->driver->set_budget(connection, BIDE_CAP_DB_INLINE_MS * INT64_C(1000000));
        int code = run_reads(work, connection);
        if (code != -EAGAIN)
            return code;
        if (tries == 0)
            since_ns = bide_clock_ns();
        code = bide__busy_wait(db, since_ns, &tries, &work->trouble);
        if (code < 0)
            return code;
    }
}

static int read_by_itself(struct bide_db *db, struct bide__work *work)
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (code < 0)
        return code;
    code = try_reading(db, work, db->reader);
    if (code == -EINTR) {
        struct bide__connection *connection;
        code = bide__reader_take(db, &connection, &work->trouble);
        if (code < 0)
            return code;
        code = bide__read_slowly(work, connection);
        bide__reader_give(db, connection);
    } else {
        bide__done_at_once(me);
    }
    return code;
}

/* With the reader; a look that fails may be at a schema that the writer has changed since: it is
   read anew. */
static int look(bide_db *db, struct bide__work *work)
{
    struct bide__trouble ignored;
    int code = work->look(work, db->reader);
    if (code == -EBADMSG && bide__command(db->reader, "select 1 from sqlite_master", &ignored) == 0)
        code = work->look(work, db->reader);
    return code;
}

static int run_by_itself(struct bide_db *db, struct bide__work *work)
{
    if (db->server)
        return bide__server_run(db, work);
    int code = work->look && !db->single ? look(db, work) : 0;
    if (code == -EAGAIN) /* the schema cannot be read just now: the read waits until it can */
        work->reads = true;
    else if (code < 0)
        return code;
    return work->reads && !db->single ? read_by_itself(db, work) : bide__turn(db, work);
}

int bide__between(const struct bide__work *work)
{
    struct bide_task *me = bide__task_current();
    int code = work->may_yield ? bide__checkpoint(me) : 0;
    if (!work->may_yield || code < 0)
        return code;
    bide__note_waker(me);
    bide__ready(me);
    bide__suspend(me);
    return 0;
}

static int run_in_tx(struct bide_tx *tx, struct bide__work *work)
{
    struct bide__connection *connection = bide__tx_connection(tx);
    struct bide__trouble undo;
    /* A server's transaction is failed after an error anyway. */
    bool many = work->many && !tx->db->server;
    int code = work->look ? work->look(work, connection) : 0;
    if (code < 0) {
        bide__tx_after(tx);
        return code;
    }
    if (work->reads) {
        code = try_reading(tx->db, work, connection);
        if (code == -EINTR)
            code = bide__read_slowly(work, connection);
        bide__tx_after(tx);
        return code;
    }
    if (!tx->writes)
        return bide__trouble(&work->trouble, BIDE_MISUSE, "a with_read_tx only reads");
    connection->driver->set_budget(connection, 0);
    work->may_yield = many;
    code = many ? bide__command(connection, "savepoint bide_many", &work->trouble) : 0;
    if (code == 0)
        code = work->run(work, connection);
    if (many && connection->driver->state(connection) == BIDE__STATE_OPEN) {
        if (code < 0)
            bide__command(connection, "rollback to bide_many", &undo);
        bide__command(connection, "release bide_many", &undo);
    }
    bide__tx_after(tx);
    return code;
}

void bide__perform(struct bide__on on, struct bide__work *work)
{
    struct bide_db *db = on.db;
    int code;
    bide__db_check(db);
    if (on.tx && on.tx->queued)
        bide__queue_flush(on.tx);
    work->arena = bide_task_arena();
    if (!work->arena)
        code = bide__trouble(&work->trouble, BIDE_NO_MEMORY, "out of memory for rows");
    else if (on.tx)
        code = run_in_tx(on.tx, work);
    else
        code = run_by_itself(db, work);
    if (code < 0)
        bide__db_raise(code, &work->trouble, &db->object);
    if (!on.tx && !work->reads)
        bide__effect_note();
    if (on.tx) {
        bide__watch_idle_from_now(on.tx);
        on.tx->statements += work->many ? 2 : 1;
    }
    if (work->reads || !on.tx)
        bide__watch_count(db, bide__task_current()->head.at, !work->reads);
}
