/*
 * UTF-8 against a decoder that is slow and plain: all short inputs of a kind, and the borders.
 */
#include "base/utf8.h"

#include <bide/test.h>

#include <stdint.h>
#include <string.h>

static size_t encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (char)((0xF00U >> size & 0xF0) | point);
    return size;
}

TEST_PLAIN(every_character_is_valid_and_no_surrogate)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        char text[4];
        size_t size = encode(point, text);
        bool valid = point < 0xD800 || (point > 0xDFFF && point < 0x110000);
        if (bide__utf8_valid(text, size) != valid)
            require(!"a code point is judged wrongly");
        if (size > 1 && bide__utf8_prefix(text, size - 1) != 0)
            require(!"a cut character is taken");
    }
}

/* All sequences of two bytes, and all of three with a first byte that matters. */
TEST_PLAIN(everything_else_is_refused)
{
    int valid = 0;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char text[2] = {(char)a, (char)b};
            valid += bide__utf8_valid(text, 2);
        }
    }
    check_int(valid, 128 * 128 + 0x800 - 0x80);
    valid = 0;
    for (int a = 0xC0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            for (int c = 0x80; c < 256; c++) {
                char text[3] = {(char)a, (char)b, (char)c};
                valid += bide__utf8_valid(text, 3);
            }
        }
    }
    check_int(valid, 0x10000 - 0x800 - 0x800);
    check_int(bide__utf8_valid("\xC0\xAF", 2), 0);
    check_int(bide__utf8_valid("\xE0\x80\xAF", 3), 0);
    check_int(bide__utf8_valid("\xF0\x80\x80\xAF", 4), 0);
    check_int(bide__utf8_valid("\xF4\x90\x80\x80", 4), 0);
    check_int(bide__utf8_valid("\xF8\x88\x80\x80\x80", 5), 0);
}

TEST_PLAIN(the_prefix_ends_before_the_first_wrong_byte)
{
    char text[64];
    for (size_t length = 0; length <= sizeof text; length++) {
        for (size_t wrong = 0; wrong < length; wrong++) {
            memset(text, 'a', sizeof text);
            text[wrong] = (char)0xFF;
            check_int(bide__utf8_prefix(text, length), wrong);
        }
        memset(text, 'a', sizeof text);
        check_int(bide__utf8_prefix(text, length), length);
    }
    check_int(bide__utf8_prefix("abcdefgh\xC3\xA9\xC3", 11), 10);
    check_int(bide__utf8_prefix(NULL, 0), 0);
}
