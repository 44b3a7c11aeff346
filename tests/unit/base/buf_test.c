/* Capped buffers: growth, the sticky failure, ownership, and every allocation failing once. */
#include <bide/buf.h>

#include "base/mem.h"

#include <bide/test.h>

#include <errno.h>
#include <string.h>

TEST_PLAIN(an_empty_buffer_is_the_empty_string)
{
    bide_buf buf;
    bide_buf_init(&buf, 10);
    check_str(bide_buf_str(&buf), "");
    check_int(bide_buf_length(&buf), 0);
    check_int(bide_buf_append(&buf, NULL, 0), 0);
    bide_buf_consume(&buf, 0);
    size_t length = 99;
    char *taken = bide_buf_take(&buf, &length);
    check_str(taken, "");
    check_int(length, 0);
    bide_free(taken);
    bide_buf_done(&buf);
}

TEST_PLAIN(pieces_are_joined_and_terminated)
{
    bide_buf buf;
    bide_buf_init(&buf, 1000);
    check_int(bide_buf_append_str(&buf, "a"), 0);
    check_int(bide_buf_append_char(&buf, '-'), 0);
    check_int(bide_buf_printf(&buf, "%d %s", 42, "text"), 0);
    check_int(bide_buf_append(&buf, "\0x", 2), 0);
    check_str(bide_buf_str(&buf), "a-42 text");
    check_int(bide_buf_length(&buf), 11);
    bide_buf_done(&buf);
}

TEST_PLAIN(the_cap_is_exact)
{
    bide_buf buf;
    bide_buf_init(&buf, 100);
    for (int i = 0; i < 100; i++)
        check_int(bide_buf_append_char(&buf, 'x'), 0);
    check_int(bide_buf_length(&buf), 100);
    check_int(strlen(bide_buf_str(&buf)), 100);
    check_int(bide_buf_append_char(&buf, 'x'), -EMSGSIZE);
    bide_buf_done(&buf);
}

TEST_PLAIN(an_overflow_frees_and_sticks)
{
    int64_t before = bide__mem_live();
    bide_buf buf;
    bide_buf_init(&buf, 8);
    bide_buf_append_str(&buf, "12345");
    check_int(bide__mem_live() - before, 1);
    check_int(bide_buf_printf(&buf, "%s", "6789"), -EMSGSIZE);
    check_int(bide__mem_live() - before, 0);
    check_int(bide_buf_append_char(&buf, 'x'), -EMSGSIZE);
    check_int(bide_buf_append(&buf, NULL, 0), -EMSGSIZE);
    check_int(bide_buf_printf(&buf, "x"), -EMSGSIZE);
    check_ptr(bide_buf_reserve(&buf, 1), NULL);
    check_ptr(bide_buf_take(&buf, NULL), NULL);
    check_int(bide_buf_error(&buf), -EMSGSIZE);
    check_str(bide_buf_str(&buf), "");
    bide_buf_reset(&buf);
    check_int(bide_buf_append_str(&buf, "again"), 0);
    check_str(bide_buf_str(&buf), "again");
    bide_buf_done(&buf);
    check_int(bide__mem_live() - before, 0);
}

TEST_PLAIN(consumed_room_is_used_again)
{
    bide_buf buf;
    bide_buf_init(&buf, 64);
    char expected = 0, next = 0;
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 40; i++)
            check_int(bide_buf_append_char(&buf, next++), 0);
        for (int i = 0; i < 40; i++)
            require(bide_buf_str(&buf)[i] == expected++);
        bide_buf_consume(&buf, 30);
        bide_buf_consume(&buf, 10);
        check(buf.storage_bytes <= 65);
    }
    bide_buf_done(&buf);
}

TEST_PLAIN(reserve_and_commit)
{
    bide_buf buf;
    bide_buf_init(&buf, 100);
    char *room = bide_buf_reserve(&buf, 50);
    require(room);
    memset(room, 'y', 50);
    bide_buf_commit(&buf, 3);
    check_str(bide_buf_str(&buf), "yyy");
    room = bide_buf_reserve(&buf, 97);
    require(room);
    memset(room, 'z', 97);
    bide_buf_commit(&buf, 0);
    check_str(bide_buf_str(&buf), "yyy");
    check_ptr(bide_buf_reserve(&buf, 98), NULL);
    check_int(bide_buf_error(&buf), -EMSGSIZE);
    bide_buf_commit(&buf, 0);
}

TEST_PLAIN(a_buffer_may_be_appended_to_itself)
{
    bide_buf buf;
    bide_buf_init(&buf, 4096);
    bide_buf_append_str(&buf, "_ab");
    bide_buf_consume(&buf, 1);
    for (int i = 0; i < 10; i++)
        check_int(bide_buf_append(&buf, bide_buf_str(&buf), bide_buf_length(&buf)), 0);
    check_int(bide_buf_length(&buf), 2048);
    for (int i = 0; i < 2048; i++)
        require(bide_buf_str(&buf)[i] == "ab"[i % 2]);
    bide_buf_done(&buf);
}

TEST_PLAIN(take_moves_the_bytes_out)
{
    bide_buf buf;
    bide_buf_init(&buf, 100);
    bide_buf_append_str(&buf, "skip:kept");
    bide_buf_consume(&buf, 5);
    size_t length = 0;
    char *taken = bide_buf_take(&buf, &length);
    check_str(taken, "kept");
    check_int(length, 4);
    check_int(bide_buf_length(&buf), 0);
    check_int(bide_buf_append_str(&buf, "new"), 0);
    check_str(bide_buf_str(&buf), "new");
    bide_free(taken);
    bide_buf_done(&buf);
}

/* Appends, takes, appends again; returns whether all of it worked. */
static bool use_a_buffer(void)
{
    bide_buf buf;
    bide_buf_init(&buf, 100000);
    for (int i = 0; i < 300; i++)
        bide_buf_printf(&buf, "line %d\n", i);
    char *taken = bide_buf_take(&buf, NULL);
    bide_free(taken);
    bide_buf_append_str(&buf, "x");
    int error = bide_buf_error(&buf);
    check(error == 0 || error == -ENOMEM);
    bide_buf_done(&buf);
    return taken && !error;
}

TEST_PLAIN(each_allocation_may_fail)
{
    int64_t before = bide__mem_live();
    for (unsigned n = 1;; n++) {
        require(n < 1000);
        bide__mem_fail_at(n, false);
        bool worked = use_a_buffer();
        bool failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        check_int(bide__mem_live(), before);
        check(worked == !failed);
        if (!failed)
            break;
    }
}
