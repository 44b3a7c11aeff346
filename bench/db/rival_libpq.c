/* libpq by hand: rival_libpq CASE CONNINFO prints what rate.h says.
 *
 * pg_select: CONNECTIONS connections in pipeline mode, each with DEPTH point selects under way, a
 * Sync after each; the values are read into a struct. pg_insert: BATCH_ROWS rows in one statement,
 * each column an array that is unnested, and the ids that the rows got. */
#include "rate.h"
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>

enum { CONNECTIONS = 4, DEPTH = 16 };

struct peer {
    PGconn *connection;
    uint64_t seed;
    int64_t asked[DEPTH]; /* ids, a ring */
    unsigned next, oldest, under_way;
};

struct account {
    int64_t id, balance;
    char name[64];
};

static void must(bool holds, PGconn *connection)
{
    if (holds)
        return;
    fprintf(stderr, "rival_libpq: %s\n", PQerrorMessage(connection));
    exit(1);
}

static PGconn *connected(const char *conninfo)
{
    PGconn *connection = PQconnectdb(conninfo);
    must(PQstatus(connection) == CONNECTION_OK, connection);
    return connection;
}

static void prepare(PGconn *connection, const char *text)
{
    PGresult *result = PQprepare(connection, "statement", text, 0, NULL);
    must(PQresultStatus(result) == PGRES_COMMAND_OK, connection);
    PQclear(result);
}

/* ---- pg_select ---- */

static int64_t big_endian(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return (int64_t)be64toh(value);
}

static void ask(struct peer *peer)
{
    int64_t id = next_account(&peer->seed);
    uint64_t sent = htobe64((uint64_t)id);
    const char *values[] = {(const char *)&sent};
    int lengths[] = {sizeof sent}, formats[] = {1};
    must(PQsendQueryPrepared(peer->connection, "statement", 1, values, lengths, formats, 1) &&
             PQpipelineSync(peer->connection),
         peer->connection);
    peer->asked[peer->next++ % DEPTH] = id;
    peer->under_way++;
}

static void read_account(struct peer *peer, const PGresult *result)
{
    struct account account = {.id = big_endian(PQgetvalue(result, 0, 0)),
                              .balance = big_endian(PQgetvalue(result, 0, 2))};
    size_t size = (size_t)PQgetlength(result, 0, 1);
    must(size < sizeof account.name, peer->connection);
    memcpy(account.name, PQgetvalue(result, 0, 1), size);
    __asm__ volatile("" ::"r"(&account) : "memory");
    if (account.id != peer->asked[peer->oldest++ % DEPTH])
        abort();
}

/* Reads what has come; gives how many statements are done. */
static unsigned take_replies(struct peer *peer)
{
    unsigned done = 0;
    must(PQconsumeInput(peer->connection), peer->connection);
    while (peer->under_way > 0 && !PQisBusy(peer->connection)) {
        PGresult *result = PQgetResult(peer->connection);
        if (!result) /* the end of a statement's results */
            continue;
        switch (PQresultStatus(result)) {
        case PGRES_TUPLES_OK:
            read_account(peer, result);
            break;
        case PGRES_PIPELINE_SYNC:
            peer->under_way--;
            done++;
            break;
        default:
            must(false, peer->connection);
        }
        PQclear(result);
    }
    return done;
}

static void pg_select(const char *conninfo)
{
    static struct peer peers[CONNECTIONS];
    struct pollfd sockets[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        peers[i] = (struct peer){.connection = connected(conninfo), .seed = (uint64_t)i};
        prepare(peers[i].connection, "select id, name, balance from accounts where id = $1");
        must(PQsetnonblocking(peers[i].connection, 1) == 0 &&
                 PQenterPipelineMode(peers[i].connection),
             peers[i].connection);
        sockets[i] = (struct pollfd){.fd = PQsocket(peers[i].connection), .events = POLLIN};
        while (peers[i].under_way < DEPTH)
            ask(&peers[i]);
    }
    struct rate rate = rate_begin(16);
    for (bool goes_on = true; goes_on;) {
        if (poll(sockets, CONNECTIONS, -1) <= 0)
            continue;
        for (int i = 0; i < CONNECTIONS; i++) {
            if (!sockets[i].revents)
                continue;
            goes_on &= rate_goes_on(&rate, take_replies(&peers[i]));
            while (peers[i].under_way < DEPTH)
                ask(&peers[i]);
        }
    }
    rate_print(&rate, "pg_select");
    for (int i = 0; i < CONNECTIONS; i++)
        PQfinish(peers[i].connection);
}

/* ---- pg_insert ---- */

/* An array in the binary format: one dimension, no NULL. */
struct array {
    char *bytes, *end;
};

static void put_32(struct array *array, uint32_t value)
{
    value = htobe32(value);
    memcpy(array->end, &value, sizeof value);
    array->end += sizeof value;
}

static void put_item(struct array *array, const void *item, size_t size)
{
    put_32(array, (uint32_t)size);
    memcpy(array->end, item, size);
    array->end += size;
}

static void put_int8(struct array *array, int64_t value)
{
    uint64_t item = htobe64((uint64_t)value);
    put_item(array, &item, sizeof item);
}

static void array_begin(struct array *array, uint32_t element_oid)
{
    array->end = array->bytes;
    put_32(array, 1); /* dimensions */
    put_32(array, 0);
    put_32(array, element_oid);
    put_32(array, BATCH_ROWS);
    put_32(array, 1); /* the first index */
}

static void pg_insert(const char *conninfo)
{
    enum { INT8_OID = 20, TEXT_OID = 25, COLUMNS = 3, ROW_BYTES = 64 };
    static int64_t ids[BATCH_ROWS];
    PGconn *connection = connected(conninfo);
    uint64_t seed = 1;
    struct array arrays[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        arrays[i].bytes = malloc(BATCH_ROWS * ROW_BYTES);
    prepare(connection, "insert into entries (account, delta, note) select * from "
                        "unnest($1::bigint[], $2::bigint[], $3::text[]) returning id");
    struct rate rate = rate_begin(1);
    do {
        array_begin(&arrays[0], INT8_OID);
        array_begin(&arrays[1], INT8_OID);
        array_begin(&arrays[2], TEXT_OID);
        for (int i = 0; i < BATCH_ROWS; i++) {
            put_int8(&arrays[0], next_account(&seed));
            put_int8(&arrays[1], i);
            put_item(&arrays[2], NOTE, strlen(NOTE));
        }
        const char *values[COLUMNS];
        int lengths[COLUMNS], formats[COLUMNS] = {1, 1, 1};
        for (int i = 0; i < COLUMNS; i++) {
            values[i] = arrays[i].bytes;
            lengths[i] = (int)(arrays[i].end - arrays[i].bytes);
        }
        PGresult *result =
            PQexecPrepared(connection, "statement", COLUMNS, values, lengths, formats, 1);
        must(PQntuples(result) == BATCH_ROWS, connection);
        for (int i = 0; i < BATCH_ROWS; i++)
            ids[i] = big_endian(PQgetvalue(result, i, 0));
        PQclear(result);
        if (ids[BATCH_ROWS - 1] < BATCH_ROWS)
            abort();
    } while (rate_goes_on(&rate, BATCH_ROWS));
    rate_print(&rate, "pg_insert");
    PQfinish(connection);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: rival_libpq pg_select|pg_insert CONNINFO\n");
        return 2;
    }
    if (!strcmp(argv[1], "pg_select"))
        pg_select(argv[2]);
    else
        pg_insert(argv[2]);
    return 0;
}
