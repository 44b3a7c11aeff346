/*
 * json_read_test.c: JSON into structs: values, limits, all problems at once with their words and
 * places, syntax, duplicates, unknown keys, depth, memory.
 */
#include "base/caps.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "models.h"

#define USER(more) "{\"email\":\"a@b.example\",\"username\":\"abc\"" more "}"

TEST_PLAIN(a_whole_user)
{
    struct reading r;
    user u;
    reading_init(&r);
    check_str(problems_of(&r, user_model(),
                          " { \"email\" : \"frodo@shire.example\",\n\t\"username\":\"frodo_1\","
                          "\"age\":50, \"bio\":\"h\\u00e9 \\ud83d\\ude00\\n\","
                          " \"shade\":\"blue\"} ",
                          &u),
              "[]");
    check_str(u.email, "frodo@shire.example");
    check_str(u.username, "frodo_1");
    check_int(u.age, 50);
    check_str(u.bio, "h\xc3\xa9 \xf0\x9f\x98\x80\n");
    check_int(u.shade, color_blue);
    check(bide_has(&u, age));
    check(!bide_has(&u, id));
    reading_done(&r);
}

TEST_PLAIN(defaults_and_optional_fields)
{
    struct reading r;
    user u;
    reading_init(&r);
    check_str(problems_of(&r, user_model(), USER(",\"age\":null"), &u), "[]");
    check_int(u.shade, color_green);
    check(!bide_has(&u, shade));
    check(!bide_has(&u, age));
    check_ptr(u.bio, NULL);
    check_str(problems_of(&r, user_model(), USER(",\"age\":0"), &u), "[]");
    check(bide_has(&u, age));
    reading_done(&r);
}

TEST_PLAIN(all_problems_come_at_once)
{
    struct reading r;
    user u;
    reading_init(&r);
    check_str(problems_of(&r, user_model(),
                          "{\"username\":\"A\",\"age\":151,\"bio\":5,\"shade\":\"pink\"}", &u),
              "[{\"type\":\"string_too_short\",\"loc\":[\"body\",\"username\"],"
              "\"msg\":\"String should have at least 3 characters\"},"
              "{\"type\":\"less_than_equal\",\"loc\":[\"body\",\"age\"],"
              "\"msg\":\"Input should be less than or equal to 150\"},"
              "{\"type\":\"string_type\",\"loc\":[\"body\",\"bio\"],"
              "\"msg\":\"Input should be a valid string\"},"
              "{\"type\":\"enum\",\"loc\":[\"body\",\"shade\"],"
              "\"msg\":\"Input should be 'red', 'green' or 'blue'\"},"
              "{\"type\":\"missing\",\"loc\":[\"body\",\"email\"],\"msg\":\"Field required\"}]");
    check(!bide_has(&u, age));
    reading_done(&r);
}

TEST_PLAIN(places_lead_through_lists_and_objects)
{
    struct reading r;
    purchase p;
    reading_init(&r);
    check_str(problems_of(&r, purchase_model(),
                          "{\"home\":{\"city\":\"\"},\"work\":{},\"tags\":[\"a\",1],"
                          "\"items\":[{\"name\":\"x\",\"count\":1,\"price\":\"1.5\"},"
                          "{\"name\":\"y\",\"count\":0,\"price\":-1}],\"shades\":[\"red\",null]}",
                          &p),
              "[{\"type\":\"string_too_short\",\"loc\":[\"body\",\"home\",\"city\"],"
              "\"msg\":\"String should have at least 1 character\"},"
              "{\"type\":\"missing\",\"loc\":[\"body\",\"work\",\"city\"],"
              "\"msg\":\"Field required\"},"
              "{\"type\":\"string_type\",\"loc\":[\"body\",\"tags\",1],"
              "\"msg\":\"Input should be a valid string\"},"
              "{\"type\":\"greater_than_equal\",\"loc\":[\"body\",\"items\",1,\"count\"],"
              "\"msg\":\"Input should be greater than or equal to 1\"},"
              "{\"type\":\"greater_than_equal\",\"loc\":[\"body\",\"items\",1,\"price\"],"
              "\"msg\":\"Input should be greater than or equal to 0\"},"
              "{\"type\":\"enum\",\"loc\":[\"body\",\"shades\",1],"
              "\"msg\":\"Input should be a string, the name of a value\"}]");
    check_int(p.items.count, 0); /* a wrong item: none of it is kept */
    reading_done(&r);
}

TEST_PLAIN(lists_have_limits)
{
    struct reading r;
    purchase p;
    reading_init(&r);
    check_str(problems_of(&r, purchase_model(),
                          "{\"home\":{\"city\":\"x\"},\"tags\":[],\"items\":[]}", &p),
              "[{\"type\":\"too_short\",\"loc\":[\"body\",\"items\"],"
              "\"msg\":\"List should have at least 1 item after validation, not 0\"}]");
#define LINE "{\"name\":\"x\",\"count\":1,\"price\":1}"
    check_str(problems_of(&r, purchase_model(),
                          "{\"home\":{\"city\":\"x\"},\"tags\":[\"t\"],\"items\":[" LINE "," LINE
                          "," LINE "," LINE "," LINE "]}",
                          &p),
              "[{\"type\":\"too_long\",\"loc\":[\"body\",\"items\"],"
              "\"msg\":\"List should have at most 3 items after validation, not 5\"}]");
    check_int(p.items.count, 0);
    reading_done(&r);
}

TEST_PLAIN(numbers_are_exact_or_refused)
{
    struct reading r;
    purchase p;
    char text[256];
    reading_init(&r);
    static const struct {
        const char *number, *type;
    } cases[] = {
        {"9223372036854775807", NULL},
        {"-9223372036854775808", NULL},
        {"9223372036854775808", "less_than_equal"},
        {"-9223372036854775809", "greater_than_equal"},
        {"99999999999999999999999999999999999999", "less_than_equal"},
        {"1.0", "int_from_float"},
        {"1e3", "int_from_float"},
        {"\"5\"", "int_type"},
        {"true", "int_type"},
        {"null", "int_type"},
        {"[]", "int_type"},
        {"{\"a\":[{}]}", "int_type"},
        {"01", "json_invalid"},
        {"+1", "json_invalid"},
        {"-", "json_invalid"},
        {"1.", "json_invalid"},
        {".5", "json_invalid"},
        {"0x10", "json_invalid"},
        {"NaN", "json_invalid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "{\"home\":{\"city\":\"x\"},\"tags\":[],\"items\":[" LINE "],\"numbers\":[%s]}",
                 cases[i].number);
        problems_of(&r, purchase_model(), text, &p);
        check_str(r.problems.first ? r.problems.first->type : NULL, cases[i].type);
        if (!cases[i].type)
            check_int(p.numbers.items[0], i ? INT64_MIN : INT64_MAX);
    }
    reading_done(&r);
}

TEST_PLAIN(a_text_that_is_no_json_is_one_problem)
{
    struct reading r;
    user u;
    reading_init(&r);
    check_str(problems_of(&r, user_model(), "{\"username\":\"A\",\"age\":500,}", &u),
              "[{\"type\":\"json_invalid\",\"loc\":[\"body\",26],"
              "\"msg\":\"JSON decode error: a key in quotes was expected\"}]");
    check_str(problems_of(&r, user_model(), "", &u),
              "[{\"type\":\"json_invalid\",\"loc\":[\"body\",0],"
              "\"msg\":\"JSON decode error: a value was expected\"}]");
    check_str(problems_of(&r, user_model(), USER("") " x", &u),
              "[{\"type\":\"json_invalid\",\"loc\":[\"body\",41],"
              "\"msg\":\"JSON decode error: something behind the value\"}]");
    check_str(problems_of(&r, user_model(), "[1]", &u),
              "[{\"type\":\"model_type\",\"loc\":[\"body\"],"
              "\"msg\":\"Input should be an object\"}]");
    check_str(problems_of(&r, user_model(), "{\"bio\":\"\xff\"}", &u),
              "[{\"type\":\"json_invalid\",\"loc\":[\"body\",8],"
              "\"msg\":\"JSON decode error: bytes that are not UTF-8\"}]");
    reading_done(&r);
}

TEST_PLAIN(strings_are_strict)
{
    struct reading r;
    user u;
    reading_init(&r);
    problems_of(&r, user_model(), USER(",\"bio\":\"a\\u0000b\""), &u);
    check_str(r.problems.first->type, "string_nul");
    static const char *const refused[] = {"\\ud800",  "\\udc00\\ud800", "\\ud800\\u0041",
                                          "\\x",      "\\u12",          "\x01",
                                          "\xc0\x80", "\xed\xa0\x80",   "\\"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[128];
        snprintf(text, sizeof text, USER(",\"bio\":\"%s\""), refused[i]);
        problems_of(&r, user_model(), text, &u);
        check_str(r.problems.first ? r.problems.first->type : refused[i], "json_invalid");
    }
    check_str(
        problems_of(&r, user_model(), USER(",\"bio\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\""), &u),
        "[]");
    check_str(u.bio, "\"\\/\b\f\n\r\t\xe2\x82\xac");
    check_str(
        problems_of(&r, user_model(), "{\"\\u0065mail\":\"a@b.example\",\"username\":\"abc\"}", &u),
        "[]");
    check_str(u.email, "a@b.example");
    reading_done(&r);
}

TEST_PLAIN(duplicates_are_refused)
{
    struct reading r;
    user u;
    reading_init(&r);
    check_str(problems_of(&r, user_model(), USER(",\"age\":1,\"age\":2"), &u),
              "[{\"type\":\"duplicate_key\",\"loc\":[\"body\",\"age\"],"
              "\"msg\":\"Field is there twice\"}]");
    check_int(u.age, 1);
    reading_done(&r);
}

MODEL(alike, "",
      (i32, a, optional), (i32, ab, optional), (i64, made, generated), (i32, abc, optional),
      (i32, long_name_0, optional), (i32, long_name_01, optional),
      (i32, a_name_of_more_than_sixteen, optional), (i32, e, alias("h\xc3\xa9"), optional));

/* The likely key is the next one that may be read, written as it is: all others must do as well. */
TEST_PLAIN(keys_come_in_any_order_and_form)
{
    static const struct {
        const char *text, *written, *type;
    } cases[] = {
        {"{\"a\":1,\"ab\":2,\"abc\":3}", "1,2,3", NULL},
        {"{\"abc\":3,\"ab\":2,\"a\":1}", "1,2,3", NULL},
        {"{\"ab\":2,\"a\":1,\"abc\":3}", "1,2,3", NULL},
        {"{ \"a\" :1 , \"ab\"\n:\t2,\"abc\": 3}", "1,2,3", NULL},
        {"{\"\\u0061\":1,\"a\\u0062\":2,\"\\u0061bc\":3}", "1,2,3", NULL},
        {"{\"a\":1,\"x\":{\"a\":5},\"ab\":2,\"ab \":6,\"abc\":3,\"\":4}", "1,2,3", NULL},
        {"{\"a\":1,\"made\":7,\"ab\":2,\"made\":7,\"abc\":3}", "1,2,3", NULL},
        {"{\"A\":9,\"aa\":9,\"abcd\":9,\"a\":1,\"ab\":2,\"abc\":3}", "1,2,3", NULL},
        {"{\"ab\":2,\"abc\":3,\"ab\":5,\"a\":1}", "1,2,3", "duplicate_key"},
        {"{\"abc\":3,\"ab\":2,\"abc\":4,\"a\":1}", "1,2,3", "duplicate_key"},
        {"{\"ab\":2,\"a\":1,\"\\u0061b\":4,\"abc\":3}", "1,2,3", "duplicate_key"},
        {"{\"ab\":2,\"a\":1,\"ab\":\"x\",\"abc\":3}", "1,2,3", "duplicate_key"},
        {"{\"ab\":2,\"a\":1,\"ab\":5,\"abc\":3}", "1,2,3", "duplicate_key"},
        {"{\"a\"1}", "0,0,0", "json_invalid"},
        {"{\"a\":}", "0,0,0", "json_invalid"},
        {"{\"a\":", "0,0,0", "json_invalid"},
        {"{\"a\"", "0,0,0", "json_invalid"},
        {"{\"a", "0,0,0", "json_invalid"},
        {"{a:1}", "0,0,0", "json_invalid"},
    };
    struct reading r;
    alike row;
    reading_init(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problems_of(&r, alike_model(), cases[i].text, &row);
        check_str(r.problems.first ? r.problems.first->type : NULL, cases[i].type);
        char values[64];
        snprintf(values, sizeof values, "%d,%d,%d", row.a, row.ab, row.abc);
        if (!check_str(values, cases[i].written))
            printf("%s\n", cases[i].text);
        check_int(row.made, 0);
    }
    check_str(problems_of(&r, alike_model(),
                          "{\"long_name_0\":1,\"long_name_01\":2,"
                          "\"a_name_of_more_than_sixteen\":3,\"h\xc3\xa9\":4}",
                          &row),
              "[]");
    check_int(row.long_name_0 * 1000 + row.long_name_01 * 100, 1200);
    check_int(row.a_name_of_more_than_sixteen * 10 + row.e, 34);
    problems_of(&r, alike_model(), "{\"long_name_1\":1,\"a_name_of_more_than_sixteem\":3}", &row);
    check_int(row.long_name_0 + row.a_name_of_more_than_sixteen, 0);
    reading_done(&r);
}

MODEL(limits, "", (i32, small, range(-5, 150)), (i64, large));

TEST_PLAIN(whole_numbers_of_fields)
{
    static const struct {
        const char *small, *large, *type;
    } cases[] = {
        {"0", "0", NULL},
        {"150", "999999999999999999", NULL},
        {"-5", "1000000000000000000", NULL},
        {"-0", "9223372036854775807", NULL},
        {"7 ", " 7\n", NULL},
        {"151", "1", "less_than_equal"},
        {"-6", "1", "greater_than_equal"},
        {"4294967297", "1", "less_than_equal"},
        {"1", "9223372036854775808", "less_than_equal"},
        {"1.0", "1", "int_from_float"},
        {"1", "1e0", "int_from_float"},
        {"1E0", "1", "int_from_float"},
        {"\"1\"", "1", "int_type"},
        {"1.", "1", "json_invalid"},
        {"1e", "1", "json_invalid"},
        {"01", "1", "json_invalid"},
        {"1", "00", "json_invalid"},
        {"1x", "1", "json_invalid"},
        {"-", "1", "json_invalid"},
        {"", "1", "json_invalid"},
    };
    struct reading r;
    limits row;
    char text[128];
    reading_init(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "{\"small\":%s,\"large\":%s}", cases[i].small, cases[i].large);
        problems_of(&r, limits_model(), text, &row);
        if (!check_str(r.problems.first ? r.problems.first->type : NULL, cases[i].type))
            printf("%s\n", text);
        if (cases[i].type)
            continue;
        check_int(row.small, atoi(cases[i].small));
        check_int(row.large, strtoll(cases[i].large, NULL, 10));
    }
    reading_done(&r);
}

/* Bytes that are refused, or mean others, at every place of strings of every length around the
   words and vectors in which they are read; in memory that ends where the text does. */
TEST_PLAIN(strings_end_anywhere)
{
    static const struct {
        const char *bytes, *meaning; /* NULL: no JSON */
    } marks[] = {{"", ""},       {"\\n", "\n"},    {"\xc3\xa9", "\xc3\xa9"},
                 {"\x1f", NULL}, {"\x80", NULL},   {"\xff", NULL},
                 {" ", " "},     {"\x7f", "\x7f"}, {"\\\"", "\""},
                 {"\"", NULL},   {"\\", NULL}};
    struct reading r;
    comment c;
    reading_init(&r);
    for (size_t length = 0; length <= 50; length++) {
        for (size_t i = 0; i < (sizeof marks / sizeof *marks) * (length + 1); i++) {
            size_t mark = i / (length + 1), at = i % (length + 1);
            char filler[51], text[128], meaning[128];
            memset(filler, 'x', length);
            int size = snprintf(text, sizeof text, "{\"text\":\"%.*s%s%.*s\"}", (int)at, filler,
                                marks[mark].bytes, (int)(length - at), filler);
            char *exact = malloc((size_t)size);
            require(exact);
            memcpy(exact, text, (size_t)size);
            bide_problems_init(&r.problems, &r.arena);
            int result = bide_json_read(&r.input, comment_model(), exact, (size_t)size, &c);
            check_int(result, marks[mark].meaning ? 0 : -EBADMSG);
            free(exact);
            if (!marks[mark].meaning)
                continue;
            snprintf(meaning, sizeof meaning, "%.*s%s%.*s", (int)at, filler, marks[mark].meaning,
                     (int)(length - at), filler);
            check_str(c.text, meaning);
        }
        bide_arena_reset(&r.arena);
    }
    reading_done(&r);
}

/* Every text is refused when its end is missing, and nothing behind it is looked at. */
TEST_PLAIN(cut_texts_are_refused)
{
    const char *text = USER(",\"age\":50,\"bio\":\"h\\u00e9 \xc3\xa9\",\"shade\":\"blue\"");
    struct reading r;
    user u;
    reading_init(&r);
    for (size_t length = 0; length < strlen(text); length++) {
        char *exact = malloc(length + !length);
        require(exact);
        memcpy(exact, text, length);
        bide_problems_init(&r.problems, &r.arena);
        check_int(bide_json_read(&r.input, user_model(), exact, length, &u), -EBADMSG);
        check_str(r.problems.first ? r.problems.first->type : NULL, "json_invalid");
        free(exact);
    }
    reading_done(&r);
}

TEST_PLAIN(unknown_and_generated_keys)
{
    struct reading r;
    user u;
    reading_init(&r);
    const char *text = USER(",\"id\":7,\"is_admin\":{\"a\":[1,2]},\"password\":\"$hash\"");
    check_str(problems_of(&r, user_model(), text, &u), "[]");
    check_int(u.id, 0);
    check_ptr(u.password.text, NULL);
    r.input.refuse_unknown = true;
    check_str(problems_of(&r, user_model(), text, &u),
              "[{\"type\":\"read_only\",\"loc\":[\"body\",\"id\"],\"msg\":\"Field is read-only\"},"
              "{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"is_admin\"],"
              "\"msg\":\"Extra inputs are not permitted\"},"
              "{\"type\":\"read_only\",\"loc\":[\"body\",\"password\"],"
              "\"msg\":\"Field is read-only\"}]");
    r.input.refuse_unknown = false;
    r.input.trusted = true;
    check_str(problems_of(&r, user_model(), text, &u), "[]");
    check_int(u.id, 7);
    check_str(u.password.text, "$hash");
    reading_done(&r);
}

TEST_PLAIN(patterns_mean_the_very_end)
{
    struct reading r;
    user u;
    reading_init(&r);
    problems_of(&r, user_model(), "{\"email\":\"a@b.example\",\"username\":\"abc\\n\"}", &u);
    check_str(r.problems.first ? r.problems.first->msg : NULL,
              "String should match pattern '^[a-z][a-z0-9_]*$'");
    problems_of(&r, user_model(), "{\"email\":\"a@b\",\"username\":\"abc\"}", &u);
    check_str(r.problems.first ? r.problems.first->msg : NULL,
              "value is not a valid email address: The part after the @-sign is not valid.");
    reading_done(&r);
}

MODEL(contact, "", (str, link, url, optional), (str, mail, email, optional));

/* Texts stand in the middle of others: what follows them is not theirs. */
TEST_PLAIN(forms_end_where_their_text_ends)
{
    static const char *const good[] = {
        "{\"link\":\"https://a.example\"}", "{\"link\":\"http://a.example:8080\"}",
        "{\"link\":\"https://a.example?q\"}", "{\"link\":\"https://[::1]\",\"x\":\"@/\"}",
        "{\"mail\":\"a@b.example\"}"};
    static const char *const bad[] = {"{\"link\":\"https://a_b\",\"x\":\"/\"}",
                                      "{\"link\":\"https://u@a.example\"}", "{\"mail\":\"a@b.1\"}",
                                      "{\"mail\":\"a@b.\"}"};
    struct reading r;
    contact c;
    reading_init(&r);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_str(problems_of(&r, contact_model(), good[i], &c), "[]");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        problems_of(&r, contact_model(), bad[i], &c);
        check_int(bide_problems_count(&r.problems), 1);
    }
    reading_done(&r);
}

MODEL(evil, "", (str, text, match("^(a+)+$")));

TEST_PLAIN(a_pattern_that_backtracks_is_stopped)
{
    struct reading r;
    evil e;
    reading_init(&r);
    problems_of(&r, evil_model(), "{\"text\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"}",
                &e);
    check_str(r.problems.first ? r.problems.first->msg : NULL,
              "String is too complex for pattern '^(a+)+$'");
    reading_done(&r);
}

TEST_PLAIN(each_type_is_read)
{
    struct reading r;
    everything e;
    reading_init(&r);
    check_str(problems_of(&r, everything_model(),
                          "{\"flag\":true,\"small\":-5,\"large\":12345678901,\"real\":-1.5e3,"
                          "\"text\":\"t\",\"data\":\"AAEC/w==\","
                          "\"uuid\":\"01234567-89AB-cdef-0123-456789abcdef\","
                          "\"at\":\"2024-05-06T07:08:09.5+02:00\",\"day\":\"2024-02-29\","
                          "\"amount\":12.50,\"shade\":\"blue\",\"extra\": {\"a\": [1, 2.0] } ,"
                          "\"token\":\"s\",\"typed\":\"p\",\"flags\":[true,false],"
                          "\"_hidden\":\"h\"}",
                          &e),
              "[]");
    check(e.flag);
    check_int(e.small, -5);
    check_int(e.large, 12345678901);
    check_near(e.real, -1500, 0);
    check_int(e.data.size, 4);
    check_mem(e.data.data, "\x00\x01\x02\xff", 4);
    check_int(e.uuid.bytes[4], 0x89);
    check_int(e.at, INT64_C(1714972089500000));
    check_int(e.day.days, 19782);
    check_int(e.amount.units, 1250);
    check_int(e.amount.scale, 2);
    check_str(e.extra.text, "{\"a\": [1, 2.0] }");
    check_str(e.token.text, "s");
    check_str(e.typed.text, "p");
    check_int(e.flags.count, 2);
    check(e.flags.items[0] && !e.flags.items[1]);
    reading_done(&r);
}

TEST_PLAIN(depth_and_keys_are_capped)
{
    struct reading r;
    comment c;
    everything e;
    reading_init(&r);
    char text[20000] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, "{\"text\":\"x\",\"replies\":[");
    problems_of(&r, comment_model(), text, &c);
    check_str(r.problems.first->msg, "JSON decode error: more than 64 levels");
    strcpy(text, "{\"extra\":");
    for (int i = 0; i < 100; i++)
        strcat(text, "[");
    problems_of(&r, everything_model(), text, &e);
    check_str(r.problems.first->msg, "JSON decode error: more than 64 levels");
    strcpy(text, "{");
    for (int i = 0; i < 1001; i++)
        sprintf(text + strlen(text), "%s\"k%d\":1", i ? "," : "", i);
    strcat(text, "}");
    problems_of(&r, everything_model(), text, &e);
    check_str(r.problems.first->msg, "JSON decode error: more than 1000 keys in one object");
    reading_done(&r);
}

TEST_PLAIN(problems_are_capped)
{
    struct reading r;
    purchase p;
    reading_init(&r);
    char text[4096] = "{\"numbers\":[";
    for (int i = 0; i < 500; i++)
        strcat(text, i ? ",\"\"" : "\"\"");
    strcat(text, "]}");
    problems_of(&r, purchase_model(), text, &p);
    check_int(r.problems.count, BIDE_CAP_PROBLEMS);
    check_int(bide_problems_count(&r.problems), 503);
    reading_done(&r);
}

TEST_PLAIN(a_list_at_the_top)
{
    struct reading r;
    bide_list(address) list;
    reading_init(&r);
    const char *text = "[{\"city\":\"a\"},{\"city\":\"b\",\"street\":\"s\"}]";
    check_int(bide_json_read_list(&r.input, address_model(), text, strlen(text), &list), 0);
    check_int(list.count, 2);
    check_str(list.items[1].street, "s");
    reading_done(&r);
}

TEST_PLAIN(a_tree_of_itself)
{
    struct reading r;
    comment c;
    reading_init(&r);
    const char *text =
        "{\"text\":\"a\",\"replies\":[{\"text\":\"b\",\"replies\":[]},{\"text\":\"c\","
        "\"replies\":null}]}";
    check_str(problems_of(&r, comment_model(), text, &c), "[]");
    check_str(c.replies.items[1].text, "c");
    check_str(written(&r, comment_model(), &c), text);
    reading_done(&r);
}

TEST_PLAIN(reading_does_without_memory)
{
    struct reading r;
    const char *text = "{\"home\":{\"city\":\"x\\n\"},\"tags\":[\"a\",\"b\",5],\"items\":[" LINE
                       "," LINE "," LINE "," LINE "]}";
    purchase p;
    for (unsigned n = 1;; n++) {
        require(n < 200);
        reading_init(&r);
        purchase_model();
        bide__mem_fail_at(n, false);
        int result = bide_json_read(&r.input, purchase_model(), text, strlen(text), &p);
        bool failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        check(result == -EBADMSG || result == -ENOMEM);
        reading_done(&r);
        if (!failed)
            break;
    }
}

/* Bytes changed at random: never a crash, and what is accepted can be written and read again. */
TEST_PLAIN(mutated_texts, .timeout_ms = 20000)
{
    static const char *const seeds[] = {
        USER(",\"age\":50,\"bio\":\"h\\u00e9\",\"shade\":\"blue\""),
        "{\"home\":{\"city\":\"c\"},\"work\":{\"city\":\"w\",\"street\":\"s\"},\"items\":[" LINE
        "],\"tags\":[\"a\",\"b\"],\"numbers\":[1,-2,30]}",
    };
    struct reading r;
    uint64_t state = test_seed() * 2654435761u + 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[400];
        const char *seed = seeds[round % 2];
        size_t length = strlen(seed);
        memcpy(text, seed, length);
        for (int change = 0; change < 1 + round % 3; change++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            text[state % length] = "\"\\{}[]:,0aeu-.\xc3\xff\n"[state >> 32 & 15];
        }
        const bide_model *model = round % 2 ? purchase_model() : user_model();
        union {
            user u;
            purchase p;
        } row, again;
        reading_init(&r);
        if (bide_json_read(&r.input, model, text, length, &row) == 0) {
            const char *first = written(&r, model, &row);
            char copy[800];
            snprintf(copy, sizeof copy, "%s", first);
            r.input.trusted = true;
            if (!check_str(problems_of(&r, model, copy, &again), "[]") ||
                !check_str(written(&r, model, &again), copy))
                printf("from: %.*s\n", (int)length, text);
        }
        reading_done(&r);
    }
}
