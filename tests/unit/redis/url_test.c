/*
 * URLs of Redis servers.
 */
#include "redis/redis.h"

#include <bide/test.h>

#include <string.h>

TEST_PLAIN(all_parts)
{
    struct bide__redis_url url;
    check_ptr(bide__redis_url_parse("redis://ada:p%40ss%3a@127.0.0.1:7000/3", &url), NULL);
    check_str(url.user, "ada");
    check_str(url.password, "p@ss:");
    check_str(url.host, "127.0.0.1");
    check_int(url.port, 7000);
    check_int(url.database, 3);
}

TEST_PLAIN(defaults)
{
    struct bide__redis_url url;
    check_ptr(bide__redis_url_parse("redis://localhost", &url), NULL);
    check_str(url.user, "");
    check_str(url.password, "");
    check_int(url.port, 6379);
    check_int(url.database, 0);
    check_ptr(bide__redis_url_parse("redis://:secret@[::1]:1/", &url), NULL);
    check_str(url.password, "secret");
    check_str(url.host, "::1");
    check_int(url.port, 1);
    check_ptr(bide__redis_url_parse("unix:/run/redis.sock", &url), NULL);
    check_str(url.host, "/run/redis.sock");
    check_int(url.port, 0);
}

TEST_PLAIN(what_is_wrong_is_said_without_the_password)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {NULL, "not there"},
        {"http://x", "neither"},
        {"redis://", "no host"},
        {"redis://secret@x", "behind a ':'"},
        {"redis://:secret%4@x", "malformed"},
        {"redis://:secret@x:0", "port"},
        {"redis://:secret@x:65536", "port"},
        {"redis://:secret@x:1a", "port"},
        {"redis://[::1", "malformed"},
        {"redis://[::1]x", "port"},
        {"redis://x/one", "database"},
        {"redis://x/-1", "database"},
        {"rediss://x", "TLS"},
        {"unix:", "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bide__redis_url url;
        const char *problem = bide__redis_url_parse(cases[i].text, &url);
        if (!check(problem != NULL))
            continue;
        check_contains(problem, cases[i].problem);
        check_ptr(strstr(problem, "secret"), NULL);
    }
}
