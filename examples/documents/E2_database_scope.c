/*
 * E2: AioDataBase, a database as a scope.
 *
 * The document: a class with __aenter__ that connects and __aexit__ that prints the traceback when
 * there is one, and disconnects.
 *
 * What goes wrong: __aexit__ that returns something true swallows the error; a disconnect that
 * fails replaces it; a cancel during the disconnect leaves the connection open.
 *
 * In bide: RESOURCE makes `with(aio_database, ...)`. The close function sees the error with its
 * line and its chain, disconnects, and cannot swallow it. The driver is a pretend one.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct connection {
    const char *url;
    bool connected;
    int queries;
} connection;
typedef connection *connection_ptr;
AWAITABLE(connection_ptr);

static async(connection_ptr) database_connect(connection *self, const char *url)
{
    await(bide_sleep(bide_ms(20)));
    self->url = url;
    self->connected = true;
    printf("connected to %s\n", url);
    return ready(connection_ptr, self);
}

static async(void) database_disconnect(connection_ptr self, bide_error *error)
{
    if (error)
        printf("on the way out: %s, raised in %s\n", error->message, error->at->function);
    await(bide_sleep(bide_ms(20)));
    self->connected = false;
    printf("disconnected after %d queries\n", self->queries);
    return bide_void;
}

RESOURCE(aio_database, connection_ptr, database_connect, database_disconnect)

static async(int) query(connection *c, const char *sql)
{
    await(bide_sleep(bide_ms(5)));
    c->queries++;
    if (sql[0] == '?')
        fail(bide_error_new(BIDE_INVALID, "syntax error at '?'"));
    return ready(int, 1);
}

SPAWNABLE(int, load_posts, connection *, const char *)
async(int) load_posts(connection *place, const char *sql)
{
    with(aio_database, db, place, "db://blog") {
        int rows = await(query(db, "select 1"));
        return ready(int, rows + await(query(db, sql)));
    }
    return ready(int, 0);
}

static async(void) app(void)
{
    connection place = {.connected = false};
    bide_error *error;
    int rows = attempt(&error, load_posts, &place, "select 2");
    printf("%d rows, %s\n\n", rows, error ? error->message : "no error");

    place.queries = 0;
    rows = attempt(&error, load_posts, &place, "? 2");
    printf("%d rows, %s\n", rows, error ? error->message : "no error");
    printf("still connected: %s\n", place.connected ? "yes" : "no");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
