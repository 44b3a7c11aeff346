/*
 * Commands and replies as bytes, without a server: however the bytes are cut, into whichever arena,
 * for a task that is gone meanwhile.
 */
#include "base/caps.h"
#include "redis/resp.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_command(const bide_redis_arg *args, size_t count, const char *expected)
{
    char bytes[256] = {0};
    size_t size = bide__redis_command_bytes(args, count);
    require(size < sizeof bytes);
    check_ptr(bide__redis_command_write(bytes, args, count), bytes + size);
    check_str(bytes, expected);
}

TEST_PLAIN(commands_of_every_type)
{
    static const unsigned char raw[] = {'a', '\r', '\n'};
    bide_bytes bytes = {raw, sizeof raw};
    check_command(BIDE__REDIS_ARGS("GET", "k"), 2, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    check_command(BIDE__REDIS_ARGS("A", "", bytes), 3,
                  "*3\r\n$1\r\nA\r\n$0\r\n\r\n$3\r\na\r\n\r\n");
    check_command(BIDE__REDIS_ARGS(-5, 7u, INT64_MIN, UINT64_MAX), 4,
                  "*4\r\n$2\r\n-5\r\n$1\r\n7\r\n$20\r\n-9223372036854775808\r\n"
                  "$20\r\n18446744073709551615\r\n");
    check_command(BIDE__REDIS_ARGS(0.1, -1.0 / 0.0), 2, "*2\r\n$3\r\n0.1\r\n$4\r\n-inf\r\n");
    check_int(BIDE__REDIS_COUNT(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 16);
    check_command(BIDE__REDIS_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2), 12,
                  "*12\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n"
                  "$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

TEST_PLAIN(a_null_text_is_found)
{
    const char *none = NULL;
    check_int(bide__redis_bad_arg(BIDE__REDIS_ARGS("SET", "k", none), 3), 2);
    check_int(bide__redis_bad_arg(BIDE__REDIS_ARGS("SET", "k", ""), 3), 3);
}

static struct bide__redis_reader *reader_or_skip(void)
{
    if (bide__redis_missing())
        test_skip(bide__redis_missing());
    struct bide__redis_reader *reader = bide__redis_reader_new(1000);
    require(reader);
    return reader;
}

static const char nested[] = "*5\r\n:-7\r\n$-1\r\n$4\r\na\r\nb\r\n*2\r\n+OK\r\n*0\r\n-ERR no\r\n";

static void check_nested(const bide_redis_reply *reply)
{
    check_int(reply->kind, BIDE_REDIS_ARRAY);
    require(reply->count == 5);
    const bide_redis_reply *items = reply->items;
    check_int(items[0].kind, BIDE_REDIS_INTEGER);
    check_int(items[0].integer, -7);
    check_int(items[1].kind, BIDE_REDIS_NIL);
    check_ptr(items[1].text, NULL);
    check_int(items[2].kind, BIDE_REDIS_TEXT);
    check_int(items[2].size, 4);
    check_str(items[2].text, "a\r\nb");
    check_int(items[3].kind, BIDE_REDIS_ARRAY);
    require(items[3].count == 2);
    check_str(items[3].items[0].text, "OK");
    check_int(items[3].items[1].kind, BIDE_REDIS_ARRAY);
    check_int(items[3].items[1].count, 0);
    check_int(items[4].kind, BIDE_REDIS_ERROR);
    check_str(items[4].text, "ERR no");
}

TEST_PLAIN(replies_of_every_kind_however_cut)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, 65536);
    size_t size = sizeof nested - 1;
    for (size_t cut = 1; cut < size; cut++) {
        struct bide__redis_reader *reader = reader_or_skip();
        struct bide__redis_answer answer = {.arena = &arena};
        check_int(bide__redis_reader_feed(reader, nested, cut), 0);
        check_int(bide__redis_reader_next(reader, &answer), 0);
        check(bide__redis_reader_holds(reader));
        check_int(bide__redis_reader_feed(reader, nested + cut, size - cut), 0);
        check_int(bide__redis_reader_next(reader, &answer), 1);
        check(!bide__redis_reader_holds(reader));
        check_nested(&answer.reply);
        bide__redis_reader_free(reader);
        bide_arena_reset(&arena);
    }
    bide_arena_done(&arena);
}

TEST_PLAIN(a_task_that_leaves_in_the_middle_is_not_touched)
{
    size_t size = sizeof nested - 1;
    for (size_t cut = 1; cut < size; cut++) {
        struct bide__redis_reader *reader = reader_or_skip();
        bide_arena *arena = bide_arena_new(NULL, 65536), later;
        struct bide__redis_answer *answer = calloc(1, sizeof *answer);
        answer->arena = arena;
        bide__redis_reader_feed(reader, nested, cut);
        check_int(bide__redis_reader_next(reader, answer), 0);
        bide_arena_free(arena);
        free(answer);
        bide__redis_reader_feed(reader, nested + cut, size - cut);
        check_int(bide__redis_reader_next(reader, NULL), 1);
        /* The next reply is the next one's. */
        bide_arena_init(&later, NULL, 65536);
        struct bide__redis_answer next = {.arena = &later};
        bide__redis_reader_feed(reader, nested, size);
        check_int(bide__redis_reader_next(reader, &next), 1);
        check_nested(&next.reply);
        bide_arena_done(&later);
        bide__redis_reader_free(reader);
    }
}

TEST_PLAIN(without_an_arena_kind_and_number_stay)
{
    struct bide__redis_reader *reader = reader_or_skip();
    struct bide__redis_answer answers[5] = {{.arena = NULL}};
    static const char bytes[] =
        ":9\r\n+OK\r\n$3\r\nabc\r\n-WRONG kind\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n";
    for (size_t i = 0; i + 1 < sizeof bytes; i++)
        bide__redis_reader_feed(reader, bytes + i, 1);
    for (int i = 0; i < 5; i++)
        check_int(bide__redis_reader_next(reader, &answers[i]), 1);
    check_int(answers[0].reply.integer, 9);
    check_int(answers[1].reply.kind, BIDE_REDIS_TEXT);
    check_ptr(answers[2].reply.text, NULL);
    check_int(answers[2].reply.size, 0);
    check_int(answers[3].reply.kind, BIDE_REDIS_ERROR);
    check_str(answers[3].text, "WRONG kind");
    check_int(answers[4].reply.kind, BIDE_REDIS_ARRAY);
    check_int(answers[4].reply.count, 0);
    bide__redis_reader_free(reader);
}

TEST_PLAIN(a_full_arena_harms_one_reply_only)
{
    struct bide__redis_reader *reader = reader_or_skip();
    bide_arena arena;
    bide_arena_init(&arena, NULL, 300);
    struct bide__redis_answer full = {.arena = &arena}, next = {.arena = NULL};
    char text[401];
    memset(text, 'x', 400);
    text[400] = 0;
    bide__redis_reader_feed(reader, "*3\r\n$400\r\n", 10);
    bide__redis_reader_feed(reader, text, 400);
    check_int(bide__redis_reader_next(reader, &full), 0);
    bide__redis_reader_feed(reader, "\r\n*1\r\n:1\r\n", 10);
    check_int(bide__redis_reader_next(reader, &full), 0);
    bide__redis_reader_feed(reader, ":1\r\n:5\r\n", 8);
    check_int(bide__redis_reader_next(reader, &full), 1);
    check_int(full.code, -ENOMEM);
    check_int(bide__redis_reader_next(reader, &next), 1);
    check_int(next.reply.integer, 5);
    bide_arena_done(&arena);
    bide__redis_reader_free(reader);
}

TEST_PLAIN(what_is_no_reply_is_refused)
{
    static const char *const wrong[] = {"HTTP/1.1 400 Bad Request\r\n", "*x\r\n", "$-5\r\n",
                                        ":12a\r\n", "\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct bide__redis_reader *reader = reader_or_skip();
        struct bide__redis_answer answer = {.arena = NULL};
        bide__redis_reader_feed(reader, wrong[i], strlen(wrong[i]));
        check_int(bide__redis_reader_next(reader, &answer), -EPROTO);
        check(bide__redis_reader_problem(reader)[0] != 0);
        bide__redis_reader_free(reader);
    }
}

TEST_PLAIN(a_text_without_end_is_refused)
{
    struct bide__redis_reader *reader = reader_or_skip();
    struct bide__redis_answer answer = {.arena = NULL};
    char part[100];
    int code = bide__redis_reader_feed(reader, "$5000\r\n", 7);
    memset(part, 'x', sizeof part);
    for (int i = 0; i < 20 && code == 0; i++) {
        check_int(bide__redis_reader_next(reader, &answer), 0);
        code = bide__redis_reader_feed(reader, part, sizeof part);
    }
    check_int(code, -EMSGSIZE);
    check_contains(bide__redis_reader_problem(reader), "1000 bytes");
    bide__redis_reader_free(reader);
}
