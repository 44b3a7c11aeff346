/*
 * What the tests of half-open connections to PostgreSQL share: a server behind a path that can be
 * cut, and what is asked over it.
 */
#ifndef BIDE_TEST_HALF_OPEN_CASE_H
#define BIDE_TEST_HALF_OPEN_CASE_H

#define DB_ON_SERVER
#include "../half_open.h"
#include "db_case.h"

static async(void) begin(half_open *path, struct postgres_server *server, char url[200],
                         const char *options)
{
    half_open_begin(path);
    if (path->wire) { /* one that is on the far side */
        server->host = path->server_host;
        postgres_make(server, "trust");
    } else {
        (void)db_case_on_server("");
    }
    await(half_open_connect(path, path->wire ? server->port : db_server.port));
    snprintf(url, 200, "postgresql://tester:secret@%s:%u/test?connect_timeout=1%s", path->host,
             path->port, options);
    return bide_void;
}

/* For `defer`. */
static void end(void *server)
{
    postgres_end(server);
}

static async(void) ask(bide_db *db, int n, int *wrong);
SPAWNABLE(void, ask, bide_db *, int, int *)
static async(void) ask(bide_db *db, int n, int *wrong)
{
    int64_t got = await(bide_scalar(db, i64, "select $1::bigint", n));
    *wrong += got != n;
    return bide_void;
}

static async(void) until_healed(bide_db *db, int *wrong)
{
    bide_error *err;
    with_deadline(bide_s(20)) {
        do
            attempt(&err, ask, db, 7, wrong);
        while (err);
    }
    return bide_void;
}

#endif
