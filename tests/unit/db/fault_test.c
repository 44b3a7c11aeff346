/*
 * fault_test.c: what befalls a SQLite file: no room, no rights, bytes that are no database, a file
 * that is gone. Each is a typed error, what was committed stays, and with the cause gone the same
 * engine goes on. Other processes: tx_test.c.
 */
#include "db_case.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char large[50000];

/* One that does not fit into little room. */
static async(void) add_large(bide_db *db, int number)
{
    memset(large, 'x', sizeof large - 1);
    item one = {.note = large, .name = bide_arena_printf(bide_task_arena(), "large %d", number)};
    await(bide_insert(db, item, &one));
    return bide_void;
}
SPAWNABLE(void, add_large, bide_db *, int)

static async(int64_t) count(bide_db *db)
{
    return ready(int64_t, await(bide_scalar(db, i64, "select count(*) from items")));
}

static async(void) add_small(bide_db *db, const char *name)
{
    item one = {.name = name};
    await(bide_insert(db, item, &one));
    return bide_void;
}
SPAWNABLE(void, add_small, bide_db *, const char *)

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    require(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    require(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void check_system(const bide_error *error, int system_errno)
{
    require(error);
    check_int(error->code, BIDE_SYSTEM);
    check_int(error->system_errno, system_errno);
    check_contains(error->message, "the file of the database: ");
}

/* After the cause is gone, and in a file that SQLite finds whole. */
static async(void) check_goes_on(bide_db *db, int64_t rows)
{
    check_int(await(count(db)), rows);
    await(add_small(db, "small"));
    with_tx(tx, db) {
        check_int(await(bide_exec(tx, "delete from items where name = $1", "small")), 1);
    }
    check_int(await(count(db)), rows);
    check_str(await(bide_scalar(db, str, "select * from pragma_integrity_check")), "ok");
    return bide_void;
}

TEST(a_limit_on_the_size_of_files)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        limit_files(1 << 20);
        int rows = 0;
        while (!error && rows < 100) {
            attempt(&error, add_large, db, rows);
            rows += !error;
        }
        check_system(error, EFBIG);
        check(rows > 5 && rows < 100);
        check_int(await(count(db)), rows);
        bide_error *again = NULL;
        attempt(&again, add_large, db, 1000);
        check_system(again, EFBIG);
        limit_files(RLIM_INFINITY);
        await(check_goes_on(db, rows));
        await(add_large(db, 1000));
    }
    with(bide_database, db, c.url) {
        check(await(count(db)) > 5);
    }
}

/* Lets the file of the writing connection grow to this many pages only. */
static async(void) limit_pages(bide_db *db, const char *pages)
{
    with_tx(tx, db) {
        if (*pages == '4')
            await(bide_do(tx, "pragma max_page_count = 40"));
        else
            await(bide_do(tx, "pragma max_page_count = 4000"));
    }
    return bide_void;
}

static async(void) add_in_tx(bide_db *db)
{
    with_tx(tx, db) {
        item small = {.name = "in front of it"};
        await(bide_insert(tx, item, &small));
        for (int i = 0; i < 10; i++) {
            item one = {.note = large, .name = bide_arena_printf(bide_task_arena(), "t %d", i)};
            await(bide_insert(tx, item, &one));
        }
    }
    return bide_void;
}
SPAWNABLE(void, add_in_tx, bide_db *)

TEST(a_full_disk_in_a_transaction)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    memset(large, 'x', sizeof large - 1);
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(add_small(db, "first"));
        await(limit_pages(db, "40"));
        attempt(&error, add_in_tx, db);
        check_system(error, ENOSPC);
        check_contains(error->message, "the disk is full");
        check_int(await(count(db)), 1);
        await(limit_pages(db, "much"));
        await(check_goes_on(db, 1));
        await(add_in_tx(db));
    }
}

static async(void) add_or_not(bide_db *db, int number, int *ret_code)
{
    bide_error *error = NULL;
    attempt(&error, add_large, db, number);
    *ret_code = error ? error->code : 0;
    return bide_void;
}
SPAWNABLE(void, add_or_not, bide_db *, int, int *)

/* Of writes that share a commit each learns what became of its own. */
TEST(a_full_disk_among_writes_that_share_a_commit)
{
    DB_CASE(c, "");
    int codes[20] = {0};
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(limit_pages(db, "40"));
        with_group(g) {
            for (int i = 0; i < 20; i++)
                spawn_void(g, add_or_not, db, i, &codes[i]);
        }
        int done = 0;
        for (int i = 0; i < 20; i++) {
            done += !codes[i];
            check(!codes[i] || codes[i] == BIDE_SYSTEM);
        }
        check(done < 20);
        check_int(await(count(db)), done);
        await(limit_pages(db, "much"));
        await(check_goes_on(db, done));
    }
}

/* ---- rights ---- */

/* From here on no rights but those that the files give: root has all. */
static void give_rights_up(const struct db_case *c)
{
    const uid_t nobody = 65534;
    if (geteuid() == 0) {
        require(chown(c->folder, nobody, (gid_t)-1) == 0);
        require(seteuid(nobody) == 0);
    }
}

static void take_rights_back(void)
{
    require(seteuid(getuid()) == 0);
}

TEST(a_file_that_may_only_be_read)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    give_rights_up(&c);
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(add_small(db, "first"));
    }
    require(chmod(c.file, 0400) == 0);
    with(bide_database, db, c.url) {
        check_int(await(count(db)), 1);
        attempt(&error, add_small, db, "second");
        check_system(error, EROFS);
        check_int(await(count(db)), 1);
    }
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) { /* SQLite makes the others with the rights of the first */
        char name[128];
        snprintf(name, sizeof name, "%s%s", c.file, endings[i]);
        check(chmod(name, 0600) == 0 || i > 0);
    }
    with(bide_database, db, c.url) {
        await(check_goes_on(db, 1));
    }
    take_rights_back();
}

TEST(a_folder_that_may_not_be_written)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    give_rights_up(&c);
    require(chmod(c.folder, 0500) == 0);
    attempt(&error, bide_db_open, c.url);
    check_system(error, EACCES);
    require(chmod(c.folder, 0700) == 0);
    take_rights_back();
}

/* ---- bytes ---- */

static void overwrite(const char *path, long from, long bytes)
{
    FILE *file = fopen(path, "r+");
    require(file && fseek(file, from, SEEK_SET) == 0);
    for (long i = 0; i < bytes; i++)
        fputc(0xa5, file);
    require(fclose(file) == 0);
}

TEST(a_file_that_is_no_database)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    FILE *file = fopen(c.file, "w");
    require(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is some text\n", file);
    fclose(file);
    attempt(&error, bide_db_open, c.url);
    check_system(error, EIO);
    check_contains(error->message, "file is not a database");
    struct stat status;
    check(stat(c.file, &status) == 0 && status.st_size == 18000);
}

TEST(a_damaged_page)
{
    DB_CASE(c, "");
    bide_error *error = NULL;
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(bide_do(db, "create table others (x)"));
        await(bide_do(db, "insert into others values (7)"));
        for (int i = 0; i < 10; i++)
            await(add_large(db, i));
    }
    overwrite(c.file, 4096, 4096);
    with(bide_database, db, c.url) {
        attempt(&error, bide_all, db, item, "");
        check_system(error, EIO);
        check_contains(error->message, "malformed");
        check_int(await(bide_scalar(db, i64, "select x from others")), 7);
    }
}

/* ---- a file that goes ---- */

TEST(a_file_that_was_removed)
{
    DB_CASE(c, "");
    bide_error *error = NULL, *in_tx = NULL;
    char away[128];
    snprintf(away, sizeof away, "%s/away", c.folder);
    with(bide_database, db, c.url) {
        await(bide_create_table(db, item));
        await(add_small(db, "first"));
        require(rename(c.file, away) == 0);
        attempt(&error, add_small, db, "second");
        check_system(error, ENOENT);
        attempt(&in_tx, add_in_tx, db);
        check_system(in_tx, ENOENT);
        require(rename(away, c.file) == 0);
        await(check_goes_on(db, 1));
    }
}
