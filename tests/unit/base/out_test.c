/* Pieces into a buffer: in order, up to its cap, and nothing once it has failed. */
#include "base/out.h"

#include <bide/test.h>
#include <errno.h>

TEST_PLAIN(pieces_stand_in_their_order)
{
    char expected[5000];
    bide_buf buf;
    bide_buf_init(&buf, sizeof expected);
    struct bide__out out = {.buf = &buf};
    size_t length = 0;
    for (size_t size = 0; length + size <= sizeof expected; size = (size * 7 + 3) % 900) {
        memset(expected + length, 'a' + (int)(size % 26), size);
        bide__out_put(&out, expected + length, size);
        length += size;
    }
    bide__out_flush(&out);
    bide__out_flush(&out);
    check_int(bide_buf_error(&buf), 0);
    check_int(bide_buf_length(&buf), length);
    check(memcmp(bide_buf_str(&buf), expected, length) == 0);
    bide_buf_append_str(&buf, "x"); /* the buffer is free again */
    bide_buf_done(&buf);
}

TEST_PLAIN(a_buffer_may_end_full)
{
    for (size_t cap = 1; cap < 30; cap++) {
        bide_buf buf;
        bide_buf_init(&buf, cap);
        struct bide__out out = {.buf = &buf};
        for (int i = 0; i < 4; i++)
            bide__out_put(&out, "fives", 5);
        bool fits = bide__out_room(&out, 0) && !bide_buf_error(&buf);
        bide__out_put(&out, "", 0);
        bide__out_flush(&out);
        check_int(bide_buf_error(&buf), cap < 20 ? -EMSGSIZE : 0);
        check(fits == (cap >= 20));
        bide_buf_done(&buf);
    }
}
