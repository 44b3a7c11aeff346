/*
 * json_write_test.c: structs into JSON: each type, null, escapes, what is never written, caps,
 * memory; random rows there and back.
 */
#include "base/mem.h"
#include "model/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models.h"

TEST_PLAIN(a_user_without_its_password)
{
    struct reading r;
    reading_init(&r);
    user u = {.id = 7,
              .created_at = 0,
              .email = "a@b.example",
              .username = "abc",
              .age = 5,
              .shade = color_blue,
              .password = {"$2b$"}};
    check_str(written(&r, user_model(), &u),
              "{\"id\":7,\"created_at\":\"1970-01-01T00:00:00Z\",\"email\":\"a@b.example\","
              "\"username\":\"abc\",\"age\":5,\"bio\":null,\"shade\":\"blue\"}");
    user_out out = user_out_of(&u);
    check_str(written(&r, user_out_model(), &out),
              "{\"id\":7,\"email\":\"a@b.example\",\"username\":\"abc\",\"age\":5}");
    check_str(written(&r, user_model(), NULL), "null");
    reading_done(&r);
}

TEST_PLAIN(null_and_zero_are_told_apart)
{
    struct reading r;
    reading_init(&r);
    user u = {.email = "e", .username = NULL};
    check_contains(written(&r, user_model(), &u), "\"username\":null,\"age\":null");
    bide_set_field(&u, age, 0);
    check_contains(written(&r, user_model(), &u), "\"age\":0");
    bide_unset_field(&u, age);
    check_contains(written(&r, user_model(), &u), "\"age\":null");
    reading_done(&r);
}

TEST_PLAIN(partials_write_what_is_there)
{
    struct reading r;
    reading_init(&r);
    user_changes c = {0};
    check_str(written(&r, user_changes_model(), &c), "{}");
    check_str(problems_of(&r, user_changes_model(), "{\"age\":null,\"shade\":\"red\"}", &c), "[]");
    check_str(written(&r, user_changes_model(), &c), "{\"age\":null,\"shade\":\"red\"}");
    reading_done(&r);
}

TEST_PLAIN(each_type_is_written)
{
    struct reading r;
    reading_init(&r);
    bool flags[] = {true, false};
    everything e = {.flag = true,
                    .small = INT32_MIN,
                    .large = INT64_MIN,
                    .real = 0.1,
                    .text = "t",
                    .data = {(const unsigned char *)"\x00\x01\x02\xff", 4},
                    .uuid = {{1, 2, 3}},
                    .at = 1500000,
                    .day = {19782},
                    .amount = {-5, 3},
                    .shade = color_red,
                    .extra = {"{\"a\":1}", 7},
                    .token = {"s"},
                    .typed = {"p"},
                    .kept = {"h"},
                    .flags = {flags, 2},
                    ._hidden = "x"};
    check_str(written(&r, everything_model(), &e),
              "{\"flag\":true,\"small\":-2147483648,\"large\":-9223372036854775808,\"real\":0.1,"
              "\"text\":\"t\",\"data\":\"AAEC/w==\","
              "\"uuid\":\"01020300-0000-0000-0000-000000000000\","
              "\"at\":\"1970-01-01T00:00:01.500000Z\",\"day\":\"2024-02-29\",\"amount\":\"-0.005\","
              "\"shade\":\"red\",\"extra\":{\"a\":1},\"flags\":[true,false]}");
    reading_done(&r);
}

TEST_PLAIN(strings_are_escaped)
{
    struct reading r;
    reading_init(&r);
    address a = {.city = "a\"b\\c\n\x01\x1f\x7f/\xe2\x82\xac"};
    check_str(written(&r, address_model(), &a),
              "{\"city\":\"a\\\"b\\\\c\\n\\u0001\\u001f\x7f/\xe2\x82\xac\",\"street\":null}");
    a.city = "long enough for a word, then \xff\xc3( and \xf0\x9f\x98\x80";
    check_contains(written(&r, address_model(), &a),
                   "word, then \xef\xbf\xbd\xef\xbf\xbd( and \xf0\x9f\x98\x80\"");
    reading_done(&r);
}

/* What must be escaped, or is none, at every place of strings of every length around the words and
   vectors in which they are copied; in memory that ends where the text does. */
TEST_PLAIN(strings_are_escaped_anywhere)
{
    static const struct {
        const char *bytes, *written;
    } marks[] = {{"", ""},
                 {"\n", "\\n"},
                 {"\"", "\\\""},
                 {"\\", "\\\\"},
                 {"\x1f", "\\u001f"},
                 {"\x7f", "\x7f"},
                 {"\xc3\xa9", "\xc3\xa9"},
                 {"\x80", "\xef\xbf\xbd"},
                 {"\xff", "\xef\xbf\xbd"}};
    struct reading r;
    reading_init(&r);
    for (size_t length = 0; length <= 50; length++) {
        for (size_t i = 0; i < (sizeof marks / sizeof *marks) * (length + 1); i++) {
            size_t mark = i / (length + 1), at = i % (length + 1);
            char filler[51], text[64], expected[128];
            memset(filler, 'x', length);
            snprintf(text, sizeof text, "%.*s%s%.*s", (int)at, filler, marks[mark].bytes,
                     (int)(length - at), filler);
            snprintf(expected, sizeof expected, "{\"text\":\"%.*s%s%.*s\",\"replies\":[]}", (int)at,
                     filler, marks[mark].written, (int)(length - at), filler);
            comment c = {.text = strdup(text)};
            require(c.text);
            bide_set_field(&c, replies, c.replies);
            check_str(written(&r, comment_model(), &c), expected);
            bide_buf_reset(&r.text);
            bide__json_write_text(&r.text, c.text, strlen(text));
            check_int(memcmp(bide_buf_str(&r.text), expected + 8, bide_buf_length(&r.text)), 0);
            free((char *)c.text);
        }
    }
    reading_done(&r);
}

TEST_PLAIN(whole_numbers_are_written)
{
    struct reading r;
    everything e = {.large = 0};
    reading_init(&r);
    for (int digits = 0; digits < 19; digits++) {
        int64_t power = 1;
        for (int i = 0; i < digits; i++)
            power *= 10;
        for (int64_t step = -1; step <= 1; step++) {
            for (int sign = -1; sign <= 1; sign += 2) {
                e.large = sign * (power + step);
                char expected[64];
                snprintf(expected, sizeof expected, "\"large\":%lld,", (long long)e.large);
                check_contains(written(&r, everything_model(), &e), expected);
            }
        }
    }
    reading_done(&r);
}

TEST_PLAIN(values_without_a_text)
{
    struct reading r;
    reading_init(&r);
    everything e = {.real = NAN, .amount = {0, 0}};
    check_contains(written(&r, everything_model(), &e), "\"real\":null");
    e.at = INT64_MAX;
    bide_buf_reset(&r.text);
    check_int(bide_json_write(everything_model(), &e, &r.arena, &r.text), -ERANGE);
    e = (everything){.shade = (color)77};
    bide_buf_reset(&r.text);
    check_int(bide_json_write(everything_model(), &e, &r.arena, &r.text), -ERANGE);
    reading_done(&r);
}

TEST_PLAIN(the_cap_is_exact)
{
    address a = {.city = "a city whose name is not so short"};
    static const char expected[] =
        "{\"city\":\"a city whose name is not so short\",\"street\":null}";
    for (size_t cap = 1; cap <= sizeof expected; cap++) {
        bide_buf out;
        bide_buf_init(&out, cap);
        int result = bide_json_write(address_model(), &a, NULL, &out);
        check_int(result, cap < sizeof expected - 1 ? -EMSGSIZE : 0);
        bide_buf_done(&out);
    }
}

TEST_PLAIN(what_was_there_before_stays)
{
    bide_buf out;
    bide_buf_init(&out, 1000);
    bide_buf_append_str(&out, "xxHEAD ");
    bide_buf_consume(&out, 2);
    address list[] = {{.city = "a"}, {.city = "b"}};
    check_int(bide_json_write_list(address_model(), list, 2, NULL, &out), 0);
    check_str(bide_buf_str(&out),
              "HEAD [{\"city\":\"a\",\"street\":null},{\"city\":\"b\",\"street\":null}]");
    bide_buf_done(&out);
}

TEST_PLAIN(writing_does_without_memory)
{
    address a = {.city = "x"};
    address_model();
    for (unsigned n = 1;; n++) {
        require(n < 100);
        bide_buf out;
        bide_buf_init(&out, 1000);
        bide__mem_fail_at(n, false);
        int result = bide_json_write(address_model(), &a, NULL, &out);
        bool failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        check_int(result, failed ? -ENOMEM : 0);
        bide_buf_done(&out);
        if (!failed)
            break;
    }
}

static uint64_t state;

static uint64_t random_bits(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static const char *random_text(bide_arena *arena)
{
    static const char *const pieces[] = {
        "a",          "\"", "\\",   "\n",    "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "plain text", "/",  "\x7f", "{}[],:"};
    char text[256] = "";
    for (uint64_t n = random_bits() % 12; n > 0; n--)
        strcat(text, pieces[random_bits() % (sizeof pieces / sizeof *pieces)]);
    return bide_arena_strdup(arena, text);
}

TEST_PLAIN(random_rows_come_back, .timeout_ms = 20000)
{
    state = test_seed() + 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        struct reading r;
        everything row = {0}, again;
        reading_init(&r);
        uint64_t bits = random_bits();
        double real;
        memcpy(&real, &bits, sizeof real);
        row.flag = bits & 1;
        row.small = (int32_t)random_bits();
        row.large = (int64_t)random_bits();
        row.real = isfinite(real) ? real : (double)(int32_t)bits / 100;
        row.text = random_text(&r.arena);
        row.data = (bide_bytes){(const unsigned char *)random_text(&r.arena), 0};
        row.data.size = strlen((const char *)row.data.data);
        row.at = (int64_t)(random_bits() % INT64_C(200000000000000000));
        row.day.days = (int32_t)(random_bits() % 2000000);
        row.amount = (bide_decimal){(int64_t)random_bits(), (int32_t)(random_bits() % 19)};
        row.shade = random_bits() % 3;
        row.extra = (bide_json){"[1,{\"x\":null}]", 14};
        row._hidden = "";
        memcpy(&row.uuid, &state, sizeof state);
        const char *text = bide_arena_strdup(&r.arena, written(&r, everything_model(), &row));
        r.input.trusted = true;
        check_str(problems_of(&r, everything_model(), text, &again), "[]");
        check_mem(&again.real, &row.real, sizeof row.real);
        check_int(again.large, row.large);
        check_int(again.at, row.at);
        check_int(again.amount.units, row.amount.units);
        check_str(again.text, row.text);
        check_str(written(&r, everything_model(), &again), text);
        reading_done(&r);
    }
}
