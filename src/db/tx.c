/*
 * Transactions: the block, savepoints, who owns one, what is called after it. Called by users
 * (db.h) and perform.c; calls turn.c, lease.c, engine.c.
 *
 *     NONE --first statement--> OPEN --end of the block, or bide_tx_rollback--> ENDED
 *      |                          +--a statement fails, or the database gives up--> LOST
 *      +--end of the block--> ENDED
 *     LOST --end of the block--> ENDED
 *
 * Invariants
 *  1. Between OPEN and ENDED the outermost one holds the lease (or a reader), and its connection is
 *     in a transaction or LOST. Leaving the block gives both back, on every way.
 *  2. A cancel that comes before the commit rolls back and is raised; one that comes later is not
 *     looked at: the block then ends as committed.
 */
#include "db/db.h"

#include "base/mem.h"
#include "core/scope.h"

#include <errno.h>

enum end { COMMITTED, ROLLED_BACK, UNKNOWN };

struct bide__tx_hook {
    struct bide__tx_hook *next;
    void (*fn)(void *arg);
    void *arg;
    enum end end; /* the one that it is for */
};

static void set_state(bide_tx *tx, enum bide__tx_state state)
{
    BIDE_DASSERT((int)state > tx->state, "a transaction goes from state %d to %d", tx->state,
                 (int)state);
    tx->state = (uint8_t)state;
}

/* Misuse names both tasks, or both blocks. */
static void check_owner(const bide_tx *tx)
{
    const struct bide_task *me = bide__task_current();
    if (me != tx->task || me->head.id != tx->task_id)
        bide__misuse("task #%llu '%s' uses the transaction of task #%llu '%s', opened at %s:%d",
                     (unsigned long long)me->head.id, bide__task_label(me),
                     (unsigned long long)tx->task_id, bide__task_label(tx->task), tx->site->file,
                     tx->site->line);
    if (tx->state == BIDE__TX_ENDED)
        bide__misuse("the transaction of %s:%d is used after its end", tx->site->file,
                     tx->site->line);
}

static void check_innermost(const bide_tx *tx)
{
    if (tx->inner)
        bide__misuse("the transaction of %s:%d is used while the one inside it, of %s:%d, is open",
                     tx->site->file, tx->site->line, tx->inner->site->file, tx->inner->site->line);
}

void bide__tx_check(const bide_tx *tx)
{
    check_owner(tx);
    check_innermost(tx);
}

bide_tx *bide__tx_enter(bide_tx *tx, struct bide__on on, bool writes, const struct bide_site *at)
{
    struct bide_task *me = bide__task_current();
    bide__db_check(on.db);
    if (on.tx) {
        check_owner(on.tx);
        check_innermost(on.tx);
        if (writes && !on.tx->writes)
            bide__misuse("with_tx at %s:%d inside the with_read_tx of %s:%d", at->file, at->line,
                         on.tx->site->file, on.tx->site->line);
    }
    if (on.tx && on.tx->queued)
        bide__queue_flush(on.tx); /* a rollback of the inner one leaves it */
    *tx = (bide_tx){.outer = on.tx,
                    .task = me,
                    .task_id = me->head.id,
                    .site = at,
                    .was = me->head.unwinding,
                    .writes = writes,
                    .db = on.db};
    if (on.tx)
        on.tx->inner = tx;
    return tx;
}

/* Whether it has a turn to write: all have, in memory. */
static bool has_lease(const bide_tx *tx)
{
    return tx->writes || tx->db->single;
}

/* Those of this thread's loop that are open, the newest first. */
static __thread bide_tx *open_here;

static void forget_open(const bide_tx *tx)
{
    bide_tx **place = &open_here;
    while (*place && *place != tx)
        place = &(*place)->also_open;
    if (*place)
        *place = tx->also_open;
}

bide_tx *bide__tx_of_task(const struct bide_task *task)
{
    bide_tx *tx = open_here;
    while (tx && tx->task != task)
        tx = tx->also_open;
    return tx;
}

static void give_back(bide_tx *tx)
{
    bide_db *db = tx->db;
    struct bide__connection *connection = tx->connection;
    tx->connection = NULL;
    if (tx->outer || !connection)
        return;
    forget_open(tx);
    if (tx->lease) {
        bide_pooled *lease = tx->lease;
        tx->lease = NULL;
        bide_pool_release(lease); /* a janitor rolls back what is open */
        bide__user_left(db);
    } else if (has_lease(tx)) {
        bide__lease_give(db);
        bide__user_left(db);
    } else {
        bide__reader_give(db, connection);
    }
}

static int begin_outermost(bide_tx *tx, struct bide__trouble *trouble)
{
    bide_db *db = tx->db;
    int code;
    if (db->server) {
        code = bide__server_lease(db, &tx->lease, trouble);
        if (code < 0)
            return code;
        db->users++;
        tx->connection = tx->lease->connection;
    } else if (has_lease(tx)) {
        struct bide__claim claim;
        code = bide__lease_take(&claim, db, false);
        if (code < 0)
            return code;
        db->users++;
        tx->connection = db->writer;
    } else {
        code = bide__reader_take(db, &tx->connection, trouble);
        if (code < 0)
            return code;
    }
    code = bide__begin(db, tx->connection, tx->writes, (enum bide_isolation)tx->isolation, trouble);
    if (code < 0) {
        give_back(tx);
        return code;
    }
    tx->also_open = open_here;
    open_here = tx;
    return 0;
}

static void begin(bide_tx *tx)
{
    struct bide__trouble trouble = {0};
    int code;
    if (tx->outer) {
        if (tx->outer->state == BIDE__TX_NONE)
            begin(tx->outer);
        tx->connection = tx->outer->connection;
        code = bide__command(tx->connection, "savepoint bide_tx", &trouble);
    } else {
        code = begin_outermost(tx, &trouble);
    }
    if (code < 0) {
        if (tx->outer)
            tx->connection = NULL;
        bide__db_raise(code, &trouble, &tx->db->object);
    }
    set_state(tx, BIDE__TX_OPEN);
}

/* Its connection may be lost between two statements: then none of them failed. */
static bool is_cut_off(const bide_tx *tx)
{
    const struct bide_pool_driver *pool = tx->db->driver->pool;
    return tx->connection && pool && pool->broken(tx->connection);
}

static __attribute__((noreturn)) void raise_lost(const bide_tx *tx, bool cut_off)
{
    if (cut_off)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_UNREACHABLE,
                                  "the connection of the transaction of %s:%d was lost: nothing of "
                                  "it was committed",
                                  tx->site->file, tx->site->line));
    bide__fail(bide__current->at,
               bide_error_new(BIDE_QUERY,
                              "the transaction of %s:%d can only be rolled back, because of an "
                              "earlier error: what may fail goes into a with_tx inside it",
                              tx->site->file, tx->site->line));
}

struct bide__connection *bide__tx_connection(bide_tx *tx)
{
    struct bide_task *me = bide__task_current();
    check_owner(tx);
    check_innermost(tx);
    int code = bide__checkpoint(me);
    if (code < 0)
        bide__raise(code, NULL);
    if (tx->state == BIDE__TX_LOST)
        raise_lost(tx, is_cut_off(tx));
    if (tx->state == BIDE__TX_NONE)
        begin(tx);
    bide__watch_idle(tx);
    bide__done_at_once(me);
    tx->connection->refused = false;
    return tx->connection;
}

void bide__tx_after(bide_tx *tx)
{
    enum bide__state state = tx->connection->driver->state(tx->connection);
    /* One goes on after an error, the other does not: a program does the same on both. */
    if (state == BIDE__STATE_OPEN && tx->connection->refused)
        state = BIDE__STATE_FAILED;
    if (state == BIDE__STATE_OPEN)
        return;
    if (state == BIDE__STATE_FAILED) { /* those around it may still go back to its savepoint */
        if (tx->state == BIDE__TX_OPEN)
            set_state(tx, BIDE__TX_LOST);
        return;
    }
    for (; tx; tx = tx->outer)
        if (tx->state == BIDE__TX_OPEN)
            set_state(tx, BIDE__TX_LOST);
}

void bide_tx_isolation(bide_tx *tx, enum bide_isolation isolation)
{
    const bide_tx *outermost = bide__tx_outermost(tx);
    bide__tx_check(tx);
    if (outermost != tx && outermost->isolation != isolation)
        bide__misuse("the transaction of %s:%d cannot have another isolation than the one around "
                     "it, of %s:%d",
                     tx->site->file, tx->site->line, outermost->site->file, outermost->site->line);
    if (outermost == tx && tx->state != BIDE__TX_NONE)
        bide__misuse("the isolation of the transaction of %s:%d is set after its first statement",
                     tx->site->file, tx->site->line);
    tx->isolation = (uint8_t)isolation;
}

static void add_hook(bide_tx *tx, void (*fn)(void *arg), void *arg, enum end end)
{
    check_owner(tx);
    struct bide__tx_hook *hook = bide__alloc(sizeof *hook);
    if (!hook)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "out of memory for a hook"));
    *hook = (struct bide__tx_hook){tx->hooks, fn, arg, end};
    tx->hooks = hook;
}

void bide_tx_on_commit(bide_tx *tx, void (*fn)(void *arg), void *arg)
{
    add_hook(tx, fn, arg, COMMITTED);
}

void bide_tx_on_rollback(bide_tx *tx, void (*fn)(void *arg), void *arg)
{
    add_hook(tx, fn, arg, ROLLED_BACK);
}

void bide_tx_on_unknown(bide_tx *tx, void (*fn)(void *arg), void *arg)
{
    add_hook(tx, fn, arg, UNKNOWN);
}

static void run_hooks(bide_tx *tx, enum end how)
{
    struct bide__tx_hook *first = NULL, *hook = tx->hooks;
    tx->hooks = NULL;
    while (hook) {
        struct bide__tx_hook *next = hook->next;
        hook->next = first;
        first = hook;
        hook = next;
    }
    while ((hook = first)) {
        first = hook->next;
        if (hook->end == how)
            hook->fn(hook->arg);
        bide__free(hook);
    }
}

/* A nested one hands its hooks, newest first, to the one around it. */
static void hand_hooks_out(bide_tx *tx)
{
    struct bide__tx_hook **end = &tx->hooks;
    while (*end)
        end = &(*end)->next;
    *end = tx->outer->hooks;
    tx->outer->hooks = tx->hooks;
    tx->hooks = NULL;
}

static void end(bide_tx *tx)
{
    set_state(tx, BIDE__TX_ENDED);
    if (tx->outer && tx->outer->inner == tx)
        tx->outer->inner = NULL;
    give_back(tx);
}

/* Whether there is something to roll back, and a way to say so. */
static bool can_roll_back(const bide_tx *tx)
{
    if (!tx->connection)
        return false;
    enum bide__state state = tx->connection->driver->state(tx->connection);
    return state == BIDE__STATE_OPEN || state == BIDE__STATE_FAILED;
}

static void roll_back(bide_tx *tx, enum end how)
{
    struct bide__trouble trouble;
    bide__queue_drop(tx);
    if (can_roll_back(tx) && !tx->outer) {
        /* Who unwinds does not wait for a server: the pool's janitor does. */
        if (!tx->lease || bide_error_current() == tx->was)
            bide__roll_back(tx->connection);
    } else if (can_roll_back(tx) && tx->state != BIDE__TX_NONE) {
        bide__command(tx->connection, "rollback to bide_tx", &trouble);
        bide__command(tx->connection, "release bide_tx", &trouble);
    }
    end(tx);
    run_hooks(tx, how);
}

static void commit_nested(bide_tx *tx)
{
    struct bide__trouble trouble = {0};
    int code =
        tx->state == BIDE__TX_OPEN ? bide__command(tx->connection, "release bide_tx", &trouble) : 0;
    if (code < 0) {
        roll_back(tx, ROLLED_BACK);
        bide__db_raise(code, &trouble, NULL);
    }
    end(tx);
    tx->outer->statements += 2;
    hand_hooks_out(tx);
}

static void commit_outermost(bide_tx *tx)
{
    struct bide__trouble trouble = {0};
    int code = bide__checkpoint(bide__task_current());
    if (code == 0 && tx->state == BIDE__TX_OPEN) {
        bide__watch_idle(tx);
        code = tx->writes ? bide__commit(tx->db, tx->connection, &trouble)
                          : bide__command(tx->connection, "commit", &trouble);
    }
    if (code < 0) {
        roll_back(tx, trouble.code == BIDE_OUTCOME_UNKNOWN ? UNKNOWN : ROLLED_BACK);
        bide__db_raise(code, &trouble, NULL);
    }
    if (tx->writes && tx->statements > 0)
        bide__effect_note();
    end(tx);
    run_hooks(tx, COMMITTED);
    if (tx->writes && tx->statements == 1)
        bide__watch_count(tx->db, tx->site, true);
}

static void flush(void *arg)
{
    bide__queue_flush(arg);
}

/* What is queued, as the last statements; what they fail with rolls back first. */
static void flush_at_end(bide_tx *tx)
{
    bide_error *error = tx->queued ? bide__attempt(tx->site, flush, tx) : NULL;
    if (error) {
        roll_back(tx, ROLLED_BACK);
        bide__fail(tx->site, error);
    }
}

static void finish(void *arg)
{
    bide_tx *tx = arg;
    bool lost = tx->state == BIDE__TX_LOST, cut_off = lost && is_cut_off(tx);
    if (lost || bide_error_current() != tx->was) {
        roll_back(tx, ROLLED_BACK);
        if (lost && bide_error_current() == tx->was)
            raise_lost(tx, cut_off);
        return;
    }
    flush_at_end(tx);
    if (tx->outer)
        commit_nested(tx);
    else
        commit_outermost(tx);
}

void bide__tx_leave(bide_tx *tx)
{
    if (!tx->db || tx->state == BIDE__TX_ENDED)
        return;
    bide__db_check_process(tx->db);
    bide__cleanup(tx->was, tx->site, finish, tx);
}

bide_async(void) bide_tx_rollback(bide_tx *tx)
{
    check_owner(tx);
    check_innermost(tx);
    int code = bide__checkpoint(bide__task_current());
    if (code < 0)
        bide__raise(code, NULL);
    roll_back(tx, ROLLED_BACK);
    return bide_void;
}
