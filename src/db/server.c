/*
 * Engines of databases that are servers: the pool, the connections that autocommit statements
 * share, work that needs a transaction of its own. Called by engine.c, perform.c, tx.c and the
 * driver; calls src/pool and the driver.
 *
 *   a statement: take the shared connection that owes least -> send -> wait -> give back
 *   none that is quick: lease one from the pool, and share it
 *
 * Invariants
 *  1. A shared connection is a lease of the pool's that no single task holds. It goes back as soon
 *     as no task uses it and every reply has come.
 *  2. One on which a statement takes longer than BIDE_CAP_DB_SLOW_MS stands apart: those that are
 *     on it stay, no other comes. When they have left it goes back, whatever it owes: nobody waits
 *     for that, and it may never come. A janitor ends what runs there.
 *  3. One task at a time leases the first shared connection; the others wait for what it gets.
 */
#include "db/db.h"

#include "base/mem.h"
#include "core/scope.h"

#include <bide/log.h>
#include <bide/runtime.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bide__shared {
    struct bide__list_node node; /* in server->shared or server->apart */
    bide_pooled *lease;
    struct bide__connection *connection;
    size_t users; /* tasks */
    bool apart;
};

/* How many connections the loops together may open, and how many the server has; `wanted` 0: not
   known. */
struct room {
    int64_t wanted, most, reserved;
    size_t limit; /* of one loop */
};

struct bide__server {
    bide_pool *pool;
    struct bide__kept kept;
    uint32_t serial;
    struct bide__list shared, apart;
    size_t shared_count, shared_most;
    bool opening;               /* a task leases the first one */
    struct bide__queue waiting; /* for it */
    int64_t widen_at_ns;        /* not before is a further one leased */
    unsigned failures;          /* attempts to connect since one succeeded */
    int64_t failed_ns;
    struct room room; /* of the first loop's engine */
};

/* ---- for the driver ---- */

struct bide__kept *bide__server_kept(bide_db *db)
{
    return &db->server->kept;
}

uint32_t bide__server_serial(bide_db *db)
{
    return ++db->server->serial ? db->server->serial : ++db->server->serial;
}

int64_t bide__server_pause_ns(const bide_db *db)
{
    const struct bide__server *server = db->server;
    int64_t ms = BIDE_CAP_DB_RECONNECT_FIRST_MS;
    if (server->failures == 0)
        return 0;
    for (unsigned i = 1; i < server->failures && ms < BIDE_CAP_DB_RECONNECT_LAST_MS; i++)
        ms *= 2;
    if (ms > BIDE_CAP_DB_RECONNECT_LAST_MS)
        ms = BIDE_CAP_DB_RECONNECT_LAST_MS;
    int64_t pause_ns = ms * 1000000;
    pause_ns -= (int64_t)bide__rng_below(&db->loop->jitter, (uint64_t)pause_ns / 2);
    return server->failed_ns + pause_ns - db->loop->now_ns;
}

void bide__server_connected(bide_db *db, bool connected)
{
    db->server->failures = connected ? 0 : db->server->failures + 1;
    db->server->failed_ns = db->loop->now_ns;
}

void bide__server_lost(bide_db *db)
{
    bide_pool_expire(db->server->pool);
}

/* ---- shared connections ---- */

struct leasing {
    bide_pool *pool;
    bide_pooled *lease;
};

static void lease_now(void *arg) BIDE__UNCHECKED
{
    struct leasing *leasing = arg;
    leasing->lease = bide_await(bide_pool_acquire(leasing->pool));
}

int bide__server_lease(bide_db *db, bide_pooled **ret_lease, struct bide__trouble *trouble)
{
    struct leasing leasing = {db->server->pool, NULL};
    bide_error *error = bide__boundary(lease_now, &leasing);
    *ret_lease = leasing.lease;
    if (!error)
        return 0;
    if (bide__error_is_cancel(error))
        return -ECANCELED;
    bide__trouble(trouble, error->code, "%s", error->message);
    trouble->system_errno = error->system_errno;
    return -EBADMSG;
}

static struct bide__shared *shared_in(struct bide__list_node *node)
{
    return bide__container_of(node, struct bide__shared, node);
}

static void set_apart(struct bide__server *server, struct bide__shared *shared)
{
    if (shared->apart)
        return;
    shared->apart = true;
    bide__list_remove(&shared->node);
    bide__list_push_back(&server->apart, &shared->node);
    server->shared_count--;
}

static void retire(struct bide__server *server, struct bide__shared *shared)
{
    bide_pooled *lease = shared->lease;
    set_apart(server, shared);
    bide__list_remove(&shared->node);
    shared->connection->shared = NULL;
    bide__free(shared);
    bide_pool_release(lease);
}

/* Shares a lease, which is given back without memory for that. */
static struct bide__shared *share(bide_db *db, bide_pooled *lease)
{
    struct bide__server *server = db->server;
    struct bide__shared *shared = bide__calloc(1, sizeof *shared);
    if (!shared) {
        bide_pool_release(lease);
        return NULL;
    }
    bide_pool_disown(lease);
    shared->lease = lease;
    shared->connection = lease->connection;
    shared->connection->shared = shared;
    bide__list_push_back(&server->shared, &shared->node);
    server->shared_count++;
    return shared;
}

static void retire_if_unused(bide_db *db, struct bide__shared *shared)
{
    int64_t since_ns;
    if (shared->users == 0 &&
        (shared->apart || db->driver->owed(shared->connection, &since_ns) == 0))
        retire(db->server, shared);
}

void bide__server_drained(bide_db *db, struct bide__connection *connection)
{
    if (connection->shared)
        retire_if_unused(db, connection->shared);
}

static void give(bide_db *db, struct bide__shared *shared)
{
    shared->users--;
    retire_if_unused(db, shared);
}

static void linger(void *arg) BIDE__UNCHECKED
{
    (void)arg;
    (void)bide_await(bide_sleep(bide_ms(1)));
}

static void widen(void *arg)
{
    bide_db *db = *(bide_db **)arg;
    struct bide__trouble trouble;
    bide_pooled *further;
    struct bide__shared *shared = NULL;
    if (bide__server_lease(db, &further, &trouble) == 0)
        shared = share(db, further);
    if (shared) { /* it stays until others have found it */
        shared->users++;
        bide__boundary(linger, NULL);
        give(db, shared);
    }
    bide__user_left(db);
}

/* Shares a further connection if the pool has one to spare. */
static void widen_soon(bide_db *db)
{
    static const struct bide_site site = {__FILE__, "bide_db", "leases a connection", __LINE__};
    struct bide__server *server = db->server;
    struct bide_pool_stats stats;
    if (server->shared_count >= server->shared_most || db->loop->now_ns < server->widen_at_ns)
        return;
    server->widen_at_ns = db->loop->now_ns + BIDE_CAP_DB_WIDEN_MS * INT64_C(1000000);
    bide_pool_stats(server->pool, &stats);
    if (stats.open - stats.idle >= stats.limit || stats.waiting > 0)
        return;
    struct bide_task *task = bide__task_new(db->loop, &site, "db widen", widen, &db, sizeof db);
    if (!task)
        return;
    db->users++;
    bide__group_add(db->loop->background, task);
}

/* The one that owes least, of those that are quick. */
static struct bide__shared *best_of(bide_db *db, size_t *ret_owed)
{
    struct bide__server *server = db->server;
    struct bide__shared *best = NULL;
    struct bide__list_node *node = bide__list_first(&server->shared);
    for (size_t left = server->shared_count; left > 0; left--) {
        struct bide__shared *shared = shared_in(node);
        int64_t since_ns;
        size_t owed = db->driver->owed(shared->connection, &since_ns);
        node = node->next;
        bool slow = owed && db->loop->now_ns - since_ns >= BIDE_CAP_DB_SLOW_MS * INT64_C(1000000);
        if (slow || db->driver->pool->broken(shared->connection)) {
            set_apart(server, shared);
            retire_if_unused(db, shared);
        } else if (!best || owed < *ret_owed) {
            best = shared;
            *ret_owed = owed;
        }
    }
    return best;
}

/* The first task that finds none: what it gets, the others get. */
static int open_first(bide_db *db, struct bide__trouble *trouble)
{
    struct bide__server *server = db->server;
    bide_pooled *first;
    server->opening = true;
    int code = bide__server_lease(db, &first, trouble);
    server->opening = false;
    if (code == 0 && !share(db, first))
        code = bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a connection");
    if (code == -ECANCELED && server->waiting.first) {
        bide__wake(server->waiting.first, 0); /* it tries in its turn */
        return code;
    }
    while (server->waiting.first) {
        struct bide__wait *wait = server->waiting.first;
        if (code < 0)
            *(struct bide__trouble *)wait->payload = *trouble;
        bide__wake(wait, code);
    }
    return code;
}

static int take(bide_db *db, struct bide__shared **ret_shared, struct bide__trouble *trouble)
{
    struct bide__server *server = db->server;
    struct bide_task *me = bide__task_current();
    size_t owed = 0;
    int code = bide__checkpoint(me);
    while (code == 0 && !(*ret_shared = best_of(db, &owed))) {
        if (server->opening) {
            struct bide__wait wait = {.payload = trouble};
            code = bide__wait(me, &server->waiting, &wait, &db->object);
        } else {
            code = open_first(db, trouble);
        }
    }
    if (code < 0)
        return code;
    (*ret_shared)->users++;
    if (owed >= BIDE_CAP_DB_DEPTH)
        widen_soon(db);
    return 0;
}

/* ---- work ---- */

static int run_shared(bide_db *db, struct bide__work *work)
{
    struct bide__shared *shared = NULL;
    int code = take(db, &shared, &work->trouble);
    if (code < 0)
        return code;
    code = work->run(work, shared->connection);
    if (code == -ESTALE) /* it did nothing, and is prepared anew */
        code = work->run(work, shared->connection);
    give(db, shared);
    return code;
}

static int run_in_own_tx(bide_db *db, struct bide__work *work)
{
    bide_pooled *own;
    int code = bide__server_lease(db, &own, &work->trouble);
    if (code < 0)
        return code;
    struct bide__connection *connection = own->connection;
    code = db->driver->begin(connection, !work->reads, BIDE_ISOLATION_DEFAULT, &work->trouble);
    work->own_tx = true;
    if (code == 0)
        code = work->run(work, connection);
    if (code == 0 && db->driver->state(connection) != BIDE__STATE_NONE)
        code = bide__commit(db, connection, &work->trouble);
    bide_pool_release(own); /* a janitor rolls back what is open */
    return code;
}

int bide__server_run(bide_db *db, struct bide__work *work)
{
    db->users++;
    int code = work->many ? run_in_own_tx(db, work) : run_shared(db, work);
    bide__user_left(db);
    return code;
}

/* ---- opening and closing ---- */

void bide__server_free(struct bide__server *server)
{
    if (!server)
        return;
    bide_pool_free(server->pool);
    bide__free(server);
}

static bool is_short(const struct room *room)
{
    return room->wanted > 0 && room->wanted > room->most - room->reserved;
}

static void say_room(const bide_db *db, char *text, size_t size)
{
    const struct room *room = &db->server->room;
    snprintf(text, size,
             "%s: this program may open %lld connections (pool_size and max_overflow make %zu, on "
             "each of %d loops), and the server has room for %lld: its max_connections is %lld, of "
             "which %lld are reserved",
             db->options.pool.name, (long long)room->wanted, room->limit, bide_loop_count(),
             (long long)(room->most - room->reserved), (long long)room->most,
             (long long)room->reserved);
}

/* Asks at the start, since it shows later, under load, as refused connections. A pooler (then no
   statements are kept) has its own numbers. */
static void compare_limits(const bide_db *db, struct bide__connection *connection, size_t limit)
{
    const struct bide__driver *driver = db->driver;
    struct room *room = &db->server->room;
    struct bide__db_cell most, reserved;
    struct bide__statement *statement;
    struct bide__run run = {.statement = NULL};
    struct bide__trouble ignored;
    char text[BIDE__MESSAGE_BYTES];
    if (db->loop->index > 0 || db->options.statement_cache == 0 ||
        bide__statement_of(connection, driver->limits, strlen(driver->limits), &statement,
                           &ignored) < 0)
        return;
    if (bide__start(&run, connection, statement, NULL, 0, &ignored) == 0 &&
        bide__step(&run, &ignored) > 0) {
        driver->cell(&run, 0, &most);
        driver->cell(&run, 1, &reserved);
        *room = (struct room){(int64_t)limit * bide_loop_count(), most.integer, reserved.integer,
                              limit};
    }
    bide__finish(&run);
    if (!is_short(room))
        return;
    say_room(db, text, sizeof text);
    bide_log(BIDE_LOG_WARN, "%s", text);
}

void bide_check_room(bide_db *db)
{
    char text[BIDE__MESSAGE_BYTES];
    bide__db_check(db);
    if (!db->server || !is_short(&db->server->room))
        return;
    say_room(db, text, sizeof text);
    bide__fail(bide__current->at, bide_error_new(BIDE_LIMIT, "%s", text));
}

int bide__server_open(bide_db *db, struct bide__trouble *trouble)
{
    struct bide__server *server = bide__calloc(1, sizeof *server);
    struct bide_pool_stats stats;
    bide_pooled *first;
    if (!server)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a database");
    db->server = server;
    bide__list_init(&server->shared);
    bide__list_init(&server->apart);
    bide__kept_init(&server->kept, db->options.statement_cache ? (size_t)db->options.statement_cache
                                                               : BIDE_CAP_DB_STATEMENTS);
    server->pool = bide_pool_new(db->driver->pool, db, &db->options.pool);
    if (!server->pool)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a database");
    bide_pool_stats(server->pool, &stats);
    server->shared_most = stats.limit / 2 < 1                    ? 1
                          : stats.limit / 2 > BIDE_CAP_DB_SHARED ? BIDE_CAP_DB_SHARED
                                                                 : stats.limit / 2;
    int code = bide__server_lease(db, &first, trouble);
    if (code == 0) {
        compare_limits(db, first->connection, stats.limit);
        bide_pool_release(first);
    }
    return code;
}

static void close_pool(void *pool) BIDE__UNCHECKED
{
    (void)bide_await(bide_pool_close(pool, bide_ms(BIDE_CAP_DB_CLOSE_MS)));
}

bool bide__server_close(bide_db *db)
{
    static const struct bide_site site = {__FILE__, "bide_db_close", "closes a pool", __LINE__};
    struct bide__scope shield = {0};
    struct bide__server *server = db->server;
    struct bide__list_node *node;
    /* A janitor ends what still runs there. */
    while ((node = bide__list_first(&server->shared)) || (node = bide__list_first(&server->apart)))
        retire(server, shared_in(node));
    if (!server->pool)
        return true;
    bide__shield_enter(&shield, &site, BIDE_FOREVER);
    bide_error *error = bide__boundary(close_pool, server->pool);
    bide__scope_pop(&shield);
    if (error)
        bide_log(BIDE_LOG_ERROR, "postgresql: closing: %s", error->message);
    else /* until then a janitor may be in one of them */
        bide__kept_clear(db->driver, &server->kept);
    return !error;
}

/* ---- URLs ---- */

struct number_option {
    const char *name;
    long least, most;
    int *to;
};

static bool set_number(const struct number_option *option, const char *value)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end || errno || number < option->least || number > option->most)
        return false;
    *option->to = (int)number;
    return true;
}

/* Seconds, perhaps with a fraction. */
static bool set_duration(bide_duration *to, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds > 0) || seconds > 1e9)
        return false;
    *to = bide_s(seconds);
    return true;
}

/* 1: it was ours; 0: it is libpq's. */
static int set_option(struct bide__db_options *options, const char *name, const char *value,
                      struct bide__trouble *trouble)
{
    struct bide_pool_options *pool = &options->pool;
    int echo = options->echo;
    const struct number_option numbers[] = {
        {"pool_size", 1, 10000, &pool->pool_size},
        {"max_overflow", 0, 10000, &pool->max_overflow},
        {"max_waiting", 0, INT_MAX, &pool->max_waiting},
        {"statement_cache", 0, BIDE_CAP_DB_STATEMENTS, &options->statement_cache},
        {"statement_timeout_ms", 0, INT_MAX / 4, &options->statement_timeout_ms},
        {"echo", 0, 1, &echo},
    };
    const struct {
        const char *name;
        bide_duration *to;
    } durations[] = {
        {"pool_timeout", &pool->pool_timeout},       {"pool_recycle", &pool->pool_recycle},
        {"pool_pre_ping", &pool->pool_pre_ping},     {"idle_timeout", &pool->idle_timeout},
        {"connect_timeout", &pool->connect_timeout},
    };
    bool ours = false, good = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0) {
            ours = true;
            good = set_number(&numbers[i], value);
            if (good && *numbers[i].to == 0 && i > 0 && i < 3)
                *numbers[i].to = -1; /* 0 is the pool's default */
        }
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (strcmp(name, durations[i].name) == 0) {
            ours = true;
            good = set_duration(durations[i].to, value);
        }
    options->echo = echo;
    if (good)
        return ours;
    return bide__trouble(trouble, BIDE_INVALID, "'%s' is no value of the option '%s'", value, name);
}

/* Not the cores: a transaction has its connection to itself while its commit waits for the disk,
   and commits that wait together are one write. Each loop's engine has its part. */
static int usual_pool_size(void)
{
    int size = BIDE_CAP_DB_POOL_SIZE / bide_loop_count();
    return size > BIDE_CAP_DB_POOL_SIZE_MOST    ? BIDE_CAP_DB_POOL_SIZE_MOST
           : size < BIDE_CAP_DB_POOL_SIZE_LEAST ? BIDE_CAP_DB_POOL_SIZE_LEAST
                                                : size;
}

int bide__server_options(bide_db *db, const char *url, struct bide__trouble *trouble)
{
    struct bide__db_options *options = &db->options;
    size_t length = strlen(url);
    char *path = bide__alloc(2 * length + 2); /* the URL, and room to take its end apart */
    options->path = path;
    options->statement_cache = BIDE_CAP_DB_STATEMENTS;
    options->statement_timeout_ms = BIDE_CAP_DB_STATEMENT_MS;
    options->pool.name = "postgresql";
    options->pool.pool_size = usual_pool_size();
    if (!path)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a database");
    const char *query = strchr(url, '?');
    size_t before = query ? (size_t)(query - url) : length;
    memcpy(path, url, before);
    path[before] = 0;
    char *to = path + before, *copy = path + length + 1, *rest = NULL, separator = '?';
    memcpy(copy, query ? query + 1 : "", query ? length - before : 1);
    for (char *pair = strtok_r(copy, "&", &rest); pair; pair = strtok_r(NULL, "&", &rest)) {
        char *equals = strchr(pair, '=');
        if (equals)
            *equals = 0;
        int ours = set_option(options, pair, equals ? equals + 1 : "", trouble);
        if (ours < 0)
            return ours;
        if (ours)
            continue;
        to += snprintf(to, (size_t)(path + length + 1 - to), "%c%s%s%s", separator, pair,
                       equals ? "=" : "", equals ? equals + 1 : "");
        separator = '&';
    }
    if (options->statement_cache == 0 || strstr(path, "options="))
        options->statement_timeout_ms = 0; /* nobody has set one */
    return db->driver->check_url(path, trouble);
}
