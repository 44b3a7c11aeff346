/* A driver for threads, called on the loop. docs/pitfalls/sync_driver.md. */
#include <bide/bide.h>

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
PGresult *PQexec(PGconn *connection, const char *query);

async(bool) any_user(PGconn *connection);
async(bool) any_user(PGconn *connection)
{
    return ready(bool, PQexec(connection, "select 1 from users limit 1") != NULL);
}
