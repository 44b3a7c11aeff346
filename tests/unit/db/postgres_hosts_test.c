/*
 * The hosts of a PostgreSQL URL: looked up by bide_resolve, several of them, several addresses of
 * one, and a name server that never answers.
 */
#if __has_include(<libpq-fe.h>)
#define BIDE_POSTGRES 1
#include "db/postgres.h"
#include "io/name.h"
#endif

#define DB_ON_SERVER
#include "db_case.h"

#if BIDE_POSTGRES
#include <netdb.h>
#include <unistd.h>

static int over; /* atomic */

static int answer(const char *host, struct bide__address *ret_addresses, size_t *ret_count)
{
    if (strcmp(host, "silent.test") == 0) {
        while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
            usleep(1000);
        return EAI_AGAIN;
    }
    if (strcmp(host, "two.test") != 0)
        return EAI_NONAME;
    *ret_count = 2; /* nobody is there at the first one */
    return bide__address_parse("127.0.0.2", 0, &ret_addresses[0]) ||
                   bide__address_parse("127.0.0.1", 0, &ret_addresses[1])
               ? EAI_FAIL
               : 0;
}

static void expect(const char *url, const char *hosts, const char *addresses,
                   const char *ports) BIDE__TASK;
static void expect(const char *url, const char *hosts, const char *addresses, const char *ports)
{
    struct bide__pg_hosts found;
    bide__pg_hosts_find(&found, url);
    check_str(bide_buf_str(&found.hosts), hosts);
    check_str(bide_buf_str(&found.addresses), addresses);
    check_str(bide_buf_str(&found.ports), ports);
    bide__pg_hosts_done(&found);
}

TEST(each_host_stands_beside_its_addresses, .real_clock = true)
{
    bide__name_source = answer;
    expect("postgresql://u:p@two.test:6000/x", "two.test,two.test", "127.0.0.2,127.0.0.1",
           "6000,6000");
    expect("postgresql://192.0.2.1,two.test:7,[2001:db8::1]:8/x",
           "192.0.2.1,two.test,two.test,2001:db8::1", "192.0.2.1,127.0.0.2,127.0.0.1,2001:db8::1",
           ",7,7,8");
    expect("postgresql://nobody.test,192.0.2.1/x?port=5", "192.0.2.1", "192.0.2.1", "5");
    expect("postgresql:///x?host=/run/postgresql,localhost", "/run/postgresql,localhost,localhost",
           ",127.0.0.1,::1", ",,");
    expect("postgresql:///x", "", "", "");
    expect("postgresql://two.test/x?hostaddr=127.0.0.1", "", "", "");
    expect("postgresql://two.test:70000/x", "", "", "");
    expect("postgresql://two.test,two.test/x?port=1,2,3", "", "", "");
}

static async(void) open_it(const char *url)
{
    with(bide_database, db, url)
        check_int(await(bide_scalar(db, i64, "select 7")), 7);
    return bide_void;
}
SPAWNABLE(void, open_it, const char *)

TEST(names_are_found_by_the_resolver_of_all, .real_clock = true, .timeout_ms = 60000)
{
    DB_SERVER(c, "");
    char url[300];
    bide_error *error;
    bide__name_source = answer;
    snprintf(url, sizeof url, "postgresql://tester:secret@two.test:%s/test", db_server.port);
    await(open_it(url));
    snprintf(url, sizeof url, "postgresql://tester:secret@nobody.test,two.test/test?port=%s",
             db_server.port);
    await(open_it(url));
    attempt(&error, open_it, "postgresql://u@nobody.test/test");
    require(error);
    check_int(error->code, BIDE_UNREACHABLE);
    check_contains(error->message, "nobody.test");
    int64_t began_ns = bide_clock_ns();
    attempt(&error, open_it, "postgresql://u@silent.test/test?connect_timeout=1");
    require(error);
    check_int(error->code, BIDE_TIMEOUT);
    check(bide_clock_ns() - began_ns < 5000000000);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
}

#else

TEST_PLAIN(without_libpq)
{
    test_skip("built without libpq");
}
#endif
