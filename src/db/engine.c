/*
 * Engines: URLs, opening and closing, connections to read with. Called by users (db.h), perform.c
 * and tx.c; calls connection.c, and the wait mechanism of core/loop.h.
 */
#include "db/db.h"

#include "base/mem.h"
#include "base/process.h"

#include <bide/log.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes in place; false for what cannot be in a path. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex_of(at[1]);
        int low = high < 0 ? -1 : hex_of(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = 0;
    return true;
}

static bool number(const char *value, long least, long most, int *ret_number)
{
    char *end;
    errno = 0;
    long read = strtol(value, &end, 10);
    if (end == value || *end || errno || read < least || read > most)
        return false;
    *ret_number = (int)read;
    return true;
}

static int set_option(struct bide__db_options *options, const char *name, const char *value,
                      struct bide__trouble *trouble)
{
    static const char *const levels[] = {"full", "normal", "off"};
    bool known = true;
    if (strcmp(name, "synchronous") == 0) {
        known = false;
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
            if (strcmp(value, levels[i]) == 0) {
                options->synchronous = levels[i];
                known = true;
            }
        }
    } else if (strcmp(name, "busy_timeout_ms") == 0) {
        known = number(value, 0, INT_MAX, &options->busy_timeout_ms);
    } else if (strcmp(name, "readers") == 0) {
        known = number(value, 1, BIDE_CAP_DB_READERS_MOST, &options->readers);
    } else if (strcmp(name, "echo") == 0) {
        int echo = 0;
        known = number(value, 0, 1, &echo);
        options->echo = echo;
    } else {
        return bide__trouble(trouble, BIDE_INVALID,
                             "a database's URL has no option '%s': there are synchronous, "
                             "busy_timeout_ms, readers, echo",
                             name);
    }
    return known ? 0
                 : bide__trouble(trouble, BIDE_INVALID, "'%s' is no value of the option '%s'",
                                 value, name);
}

/* `query`: what follows `?`. */
static int read_options(struct bide__db_options *options, char *query,
                        struct bide__trouble *trouble)
{
    char *rest = NULL;
    for (char *pair = strtok_r(query, "&", &rest); pair; pair = strtok_r(NULL, "&", &rest)) {
        char *equals = strchr(pair, '=');
        if (equals)
            *equals = 0;
        int code = set_option(options, pair, equals ? equals + 1 : "", trouble);
        if (code < 0)
            return code;
    }
    return 0;
}

/* options->path is made, and freed with the engine. */
static int read_url(bide_db *db, const char *url, struct bide__trouble *trouble)
{
    static const char scheme[] = "sqlite://";
    static const char *const servers[] = {"postgresql://", "postgres://"};
    db->options = (struct bide__db_options){.synchronous = "full",
                                            .busy_timeout_ms = BIDE_CAP_DB_BUSY_MS,
                                            .readers = BIDE_CAP_DB_READERS,
                                            .echo = bide__echo_wanted()};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strncmp(url, servers[i], strlen(servers[i])) == 0) {
            db->driver = &bide__driver_postgres;
            return bide__server_options(db, url, trouble);
        }
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return bide__trouble(trouble, BIDE_INVALID,
                             "no driver for this database URL: it begins with sqlite:// or "
                             "postgresql://");
    db->driver = &bide__driver_sqlite;
    char *path = bide__strdup(url + sizeof scheme - 1);
    db->options.path = path;
    if (!path)
        return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a database");
    char *query = strchr(path, '?');
    if (query)
        *query = 0;
    if (!decode(path) || !path[0])
        return bide__trouble(trouble, BIDE_INVALID, "the database URL has no path");
    int code = query ? read_options(&db->options, query + 1, trouble) : 0;
    if (strcmp(path, ":memory:") == 0) {
        path[0] = 0;
        db->single = true;
    }
    return code;
}

static const struct bide__kind kind_readers = {.noun = "connections to read from a",
                                               .verb = "waits for"};

static void free_engine(bide_db *db)
{
    struct bide__list_node *node;
    while ((node = bide__list_pop_front(&db->idle)))
        bide__disconnect(bide__container_of(node, struct bide__connection, node));
    bide__disconnect(db->reader);
    bide__disconnect(db->writer);
    bide__store_free(db->store);
    bide__forms_done(&db->forms);
    bide__server_free(db->server);
    bide__free(db->options.path);
    bide__free(db);
}

/* Other processes that open the file at the same time hold it for a moment, to set it up. */
static int connect_patiently(bide_db *db, enum bide__connection_role role,
                             struct bide__connection **ret_connection,
                             struct bide__trouble *trouble)
{
    int64_t since_ns = bide_clock_ns();
    int tries = 0, code;
    while ((code = bide__connect(db, role, ret_connection, trouble)) == -EAGAIN) {
        code = bide__busy_wait(db, since_ns, &tries, trouble);
        if (code < 0)
            break;
    }
    return code;
}

static int open_connections(bide_db *db, struct bide__trouble *trouble)
{
    if (db->driver->pool)
        return bide__server_open(db, trouble);
    int code = connect_patiently(db, BIDE__WRITER, &db->writer, trouble);
    if (code == 0 && !db->single)
        code = connect_patiently(db, BIDE__READER, &db->reader, trouble);
    if (code < 0)
        return code;
    db->store = bide__store_of(db->options.path); /* the file exists now */
    return db->store ? 0 : bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for a database");
}

static void close_engine(bide_db *db)
{
    if (!db->server || bide__server_close(db))
        free_engine(db);
}

bide_async(bide_db_ptr) bide_db_open(const char *url)
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (code < 0)
        bide__raise(code, NULL);
    struct bide__trouble trouble = {.code = BIDE_NO_MEMORY, .message = "out of memory"};
    bide_db *db = bide__calloc(1, sizeof *db);
    if (!db)
        bide__db_raise(-EBADMSG, &trouble, NULL);
    bide__list_init(&db->idle);
    db->loop = me->loop;
    db->forks = bide__process_forks;
    bide__object_init(&db->object, &kind_readers, "database", me->head.at);
    code = read_url(db, url, &trouble);
    if (code == 0)
        code = open_connections(db, &trouble);
    if (code < 0) {
        close_engine(db);
        bide__db_raise(code, &trouble, NULL);
    }
    bide__done_at_once(me);
    return bide_ready(bide_db_ptr, db);
}

static const struct bide__kind kind_users = {.verb = "waits for the last users of a database"};

bide_async(void) bide_db_close(bide_db_ptr db, bide_error *error)
{
    (void)error;
    if (!db)
        return bide_void;
    bide__db_check(db);
    while (db->users > 0) {
        struct bide__object object;
        struct bide__wait wait = {.shielded = true};
        bide__object_init(&object, &kind_users, NULL, NULL);
        bide__wait(bide__task_current(), &db->closing, &wait, &object);
    }
    close_engine(db);
    return bide_void;
}

void bide__user_left(bide_db *db)
{
    if (--db->users == 0)
        bide__wake_all(&db->closing, 0);
}

int bide__reader_take(bide_db *db, struct bide__connection **ret_connection,
                      struct bide__trouble *trouble)
{
    struct bide_task *me = bide__task_current();
    int code = bide__checkpoint(me);
    if (code < 0)
        return code;
    struct bide__list_node *node = bide__list_pop_front(&db->idle);
    if (node) {
        *ret_connection = bide__container_of(node, struct bide__connection, node);
    } else if (db->readers < db->options.readers) {
        code = bide__connect(db, BIDE__READER, ret_connection, trouble);
        if (code < 0)
            return code;
        db->readers++;
    } else {
        struct bide__wait wait = {.payload = ret_connection};
        code = bide__wait(me, &db->waiting, &wait, &db->object);
        if (code < 0)
            return code;
    }
    db->users++;
    return 0;
}

void bide__reader_give(bide_db *db, struct bide__connection *connection)
{
    struct bide__wait *next = db->waiting.first;
    if (next) {
        *(struct bide__connection **)next->payload = connection;
        bide__wake(next, 0);
    } else {
        bide__list_push_front(&db->idle, &connection->node);
    }
    bide__user_left(db);
}
