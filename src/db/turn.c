/*
 * Turns to write: one task at a time has the writing connection. Autocommit writes that wait for
 * their turn share the commit of the first:
 *
 *   first: takes the lease, begins, takes those behind it in the line into the batch
 *   each:  runs its statement behind a savepoint; one that fails takes back its own only
 *   last of them to run: commits, wakes the others with the outcome, passes the lease on
 *
 * While the commit is on its lane further writes line up: they are the next batch. Called by
 * perform.c and tx.c; calls lease.c, connection.c and the lanes.
 *
 * Invariants
 *  1. From `begin` to the outcome of the commit no cancel is looked at: a member whose statement
 *     has run learns what became of it.
 *  2. When the database ends the transaction by itself, every member of the batch fails.
 */
#include "db/db.h"

#include "base/clock.h"
#include "core/scope.h"

#include <bide/offload.h>
#include <errno.h>
#include <string.h>

static const struct bide__kind kind_commit = {.noun = "commit of a", .verb = "waits for the"};

static const struct bide__kind kind_busy = {.verb = "waits for another process"};

struct nap {
    struct bide__wait wait;
    struct bide__timer timer;
};

static void nap_over(struct bide__timer *timer)
{
    struct bide__wait *wait = &bide__container_of(timer, struct nap, timer)->wait;
    if (wait->task->wait == wait)
        bide__wake(wait, 0);
}

int bide__busy_wait(bide_db *db, int64_t since_ns, int *tries, struct bide__trouble *trouble)
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (code < 0)
        return code;
    int64_t now_ns = bide__loop_clock_ns(me->loop);
    if (now_ns - since_ns >= db->options.busy_timeout_ms * BIDE__NS_PER_MS) {
        bide__trouble(trouble, BIDE_TX_RETRY, "another process has held the database for %d ms",
                      db->options.busy_timeout_ms);
        return -ETIMEDOUT;
    }
    int64_t ms = INT64_C(1) << (*tries < 5 ? *tries : 5); /* up to 32 */
    ++*tries;
    struct bide__object object = {&kind_busy, NULL, NULL};
    struct nap nap = {.timer = {.fire = nap_over}};
    bide__timer_arm(&me->loop->timers, &nap.timer, now_ns + ms * BIDE__NS_PER_MS);
    code = bide__wait(me, NULL, &nap.wait, &object);
    bide__timer_disarm(&me->loop->timers, &nap.timer);
    return code;
}

int bide__begin(bide_db *db, struct bide__connection *connection, bool writes,
                enum bide_isolation isolation, struct bide__trouble *trouble)
{
    int64_t since_ns = bide_clock_ns();
    int tries = 0;
    for (;;) {
        connection->driver->set_budget(connection, 0);
        int code = connection->driver->begin(connection, writes, isolation, trouble);
        if (code == -EAGAIN)
            code = bide__busy_wait(db, since_ns, &tries, trouble);
        else
            return code;
        if (code < 0)
            return code;
    }
}

void bide__roll_back(struct bide__connection *connection)
{
    struct bide__trouble trouble;
    static const char text[] = "rollback";
    enum bide__state state = connection->driver->state(connection);
    /* Without memory to keep the statement it is made for this once: the next one must not find the
       transaction. */
    if ((state == BIDE__STATE_OPEN || state == BIDE__STATE_FAILED) &&
        bide__command(connection, text, &trouble) < 0)
        bide__command_once(connection, text, sizeof text - 1, &trouble);
}

struct commit {
    struct bide__connection *connection;
    struct bide__trouble *trouble;
    int code;
    bool done;
};

static void commit_now(void *arg)
{
    struct commit *commit = arg;
    commit->code = bide__command(commit->connection, "commit", commit->trouble);
    commit->done = true;
}

static void commit_on_lane(void *arg) BIDE__UNCHECKED
{
    bide__offload(BIDE_BLOCKING, bide__current->at, "commit", commit_now, arg);
}

int bide__commit(bide_db *db, struct bide__connection *connection, struct bide__trouble *trouble)
{
    struct commit commit = {connection, trouble, 0, false};
    struct bide__scope shield = {0};
    bide__shield_enter(&shield, bide__current->at,
                       db->server ? bide_ms(BIDE_CAP_DB_COMMIT_MS) : BIDE_FOREVER);
    connection->driver->set_budget(connection, 0);
    /* A busy writer cannot be met: the transaction has the lock already. */
    if (!db->single && !db->server)
        bide__boundary(commit_on_lane, &commit);
    if (!commit.done) /* no lane, or nothing to wait for */
        commit_now(&commit);
    bide__scope_pop(&shield);
    if (commit.code == -ECANCELED) /* by the shield: nothing else gets through it */
        commit.code = bide__trouble(trouble, BIDE_OUTCOME_UNKNOWN,
                                    "the server has not answered COMMIT within %d ms: it may have "
                                    "committed or not",
                                    BIDE_CAP_DB_COMMIT_MS);
    if (commit.code < 0)
        bide__roll_back(connection);
    return commit.code;
}

static void lost(struct bide__batch *batch, const struct bide__trouble *why)
{
    batch->broken = *why;
    if (!batch->broken.code)
        bide__trouble(&batch->broken, BIDE_QUERY, "the database has rolled back");
}

/* One member's statement. */
static int run_member(bide_db *db, struct bide__work *work)
{
    struct bide__batch *batch = &db->batch;
    struct bide__connection *writer = db->writer;
    struct bide__trouble undo;
    if (batch->broken.code) {
        work->trouble = batch->broken;
        return -EBADMSG;
    }
    writer->driver->set_budget(writer, 0);
    work->may_yield = batch->alone; /* others of a batch would come into the savepoint */
    int code = batch->alone ? 0 : bide__command(writer, "savepoint bide_one", &work->trouble);
    bool guarded = !batch->alone && code == 0;
    if (code == 0)
        code = work->run(work, writer);
    if (writer->driver->state(writer) == BIDE__STATE_NONE) {
        lost(batch, &work->trouble);
        return code < 0 ? code : -EBADMSG;
    }
    if (batch->alone) {
        if (code < 0)
            bide__roll_back(writer);
        return code;
    }
    if (!guarded) /* nothing has run: the others go on */
        return code;
    if (code < 0 && bide__command(writer, "rollback to bide_one", &undo) < 0)
        lost(batch, &undo);
    else if (bide__command(writer, "release bide_one", &undo) < 0)
        lost(batch, &undo);
    return code;
}

/* The last member to run. */
static int finish(bide_db *db, struct bide__trouble *trouble)
{
    struct bide__batch *batch = &db->batch;
    struct bide__trouble outcome = batch->broken;
    int code = batch->broken.code ? -EBADMSG : 0;
    if (code < 0)
        bide__roll_back(db->writer);
    else if (db->writer->driver->state(db->writer) == BIDE__STATE_OPEN)
        code = bide__commit(db, db->writer, &outcome);
    while (batch->waiting.first) {
        struct bide__wait *wait = batch->waiting.first;
        if (code < 0)
            *(struct bide__trouble *)wait->payload = outcome;
        bide__wake(wait, code);
    }
    bide__lease_give(db);
    if (code < 0)
        *trouble = outcome;
    return code;
}

/* The first: makes a batch. */
static int lead(bide_db *db, struct bide__trouble *trouble)
{
    struct bide__batch *batch = &db->batch;
    int code = bide__begin(db, db->writer, true, BIDE_ISOLATION_DEFAULT, trouble);
    if (code < 0) {
        bide__lease_give(db);
        return code;
    }
    memset(batch, 0, sizeof *batch);
    bide__object_init(&batch->object, &kind_commit, "batch of writes", NULL);
    batch->to_run = 1;
    while (batch->to_run < BIDE_CAP_DB_GROUP && bide__lease_adopt(db))
        batch->to_run++;
    batch->alone = batch->to_run == 1;
    return 0;
}

static int take_turn(bide_db *db, struct bide__work *work)
{
    struct bide_task *me = bide__task_current();
    struct bide__batch *batch = &db->batch;
    struct bide__claim claim;
    int code = bide__lease_take(&claim, db, true);
    if (code == 0)
        code = lead(db, &work->trouble);
    if (code < 0)
        return code;
    int result = run_member(db, work);
    struct bide__trouble outcome = {0};
    if (--batch->to_run == 0) {
        code = finish(db, &outcome);
    } else {
        struct bide__wait wait = {.shielded = true, .payload = &outcome};
        code = bide__wait(me, &batch->waiting, &wait, &batch->object);
    }
    if (result < 0)
        return result;
    if (code < 0)
        work->trouble = outcome;
    return code;
}

int bide__turn(bide_db *db, struct bide__work *work)
{
    db->users++;
    int code = take_turn(db, work);
    bide__user_left(db);
    return code;
}
