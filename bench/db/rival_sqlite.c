/* Bare SQLite: prepared statements, nothing around them: rival_sqlite CASE PATH SYNCHRONOUS prints
 * what rate.h says, for sqlite_read nanoseconds per operation. sqlite_write commits one row after
 * the other, sqlite_batch BATCH_ROWS rows together; both ask for the ids that the rows got. */
#include "rate.h"
#include <sqlite3.h>

static sqlite3 *handle;
static sqlite3_stmt *reading, *inserting, *beginning, *committing;

static void must(bool holds)
{
    if (holds)
        return;
    fprintf(stderr, "rival_sqlite: %s\n", sqlite3_errmsg(handle));
    exit(1);
}

static sqlite3_stmt *prepared(const char *text)
{
    sqlite3_stmt *statement;
    must(sqlite3_prepare_v3(handle, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) ==
         SQLITE_OK);
    return statement;
}

static void run(sqlite3_stmt *statement)
{
    must(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_reset(statement);
}

struct account {
    int64_t id, balance;
    char name[64];
};

static void read_account(int64_t id, struct account *account)
{
    sqlite3_bind_int64(reading, 1, id);
    must(sqlite3_step(reading) == SQLITE_ROW);
    account->id = sqlite3_column_int64(reading, 0);
    const unsigned char *name = sqlite3_column_text(reading, 1);
    size_t size = (size_t)sqlite3_column_bytes(reading, 1);
    must(size < sizeof account->name);
    memcpy(account->name, name, size + 1);
    account->balance = sqlite3_column_int64(reading, 2);
    must(sqlite3_step(reading) == SQLITE_DONE);
    sqlite3_reset(reading);
}

static struct measured sqlite_read(uint64_t count)
{
    struct account account;
    uint64_t seed = 1, start_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        int64_t id = next_account(&seed);
        read_account(id, &account);
        if (account.id != id)
            abort();
    }
    return (struct measured){count, measure_now_ns() - start_ns};
}

static int64_t insert_row(int64_t account, int64_t delta)
{
    sqlite3_bind_int64(inserting, 1, account);
    sqlite3_bind_int64(inserting, 2, delta);
    sqlite3_bind_text(inserting, 3, NOTE, -1, SQLITE_STATIC);
    run(inserting);
    return sqlite3_last_insert_rowid(handle);
}

static void insert(const char *name, int rows)
{
    static int64_t ids[BATCH_ROWS];
    uint64_t seed = 1;
    struct rate rate = rate_begin(1);
    do {
        if (rows > 1)
            run(beginning);
        for (int i = 0; i < rows; i++)
            ids[i] = insert_row(next_account(&seed), i);
        if (rows > 1)
            run(committing);
        if (ids[rows - 1] < rows)
            abort();
    } while (rate_goes_on(&rate, (uint64_t)rows));
    rate_print(&rate, name);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: rival_sqlite CASE PATH SYNCHRONOUS\n");
        return 2;
    }
    char pragmas[100];
    snprintf(pragmas, sizeof pragmas, "pragma journal_mode = wal; pragma synchronous = %.10s",
             argv[3]);
    must(sqlite3_open_v2(argv[2], &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
         SQLITE_OK);
    must(sqlite3_exec(handle, pragmas, NULL, NULL, NULL) == SQLITE_OK);
    reading = prepared("select id, name, balance from accounts where id = ?1");
    inserting = prepared("insert into entries (account, delta, note) values (?1, ?2, ?3)");
    beginning = prepared("begin immediate");
    committing = prepared("commit");
    if (!strcmp(argv[1], "sqlite_read"))
        measure_case(argv[1], sqlite_read, 1000);
    else
        insert(argv[1], strcmp(argv[1], "sqlite_batch") ? 1 : BATCH_ROWS);
    sqlite3_finalize(reading);
    sqlite3_finalize(inserting);
    sqlite3_finalize(beginning);
    sqlite3_finalize(committing);
    return sqlite3_close(handle) != SQLITE_OK;
}
