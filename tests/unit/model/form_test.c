/*
 * form_test.c: named texts into structs, and single texts into fields.
 */
#include "models.h"

#define PAIR(name, value)                                                                          \
    {                                                                                              \
        name, strlen(name), value, strlen(value)                                                   \
    }

MODEL(search, "",
      (str, text, len(1, 20)), (i32, page, range(1, 1000), dflt(1)), (bool, deep, dflt(false)),
      (f64, near, optional), (list(str), tag, len(0, 2), optional), (color, shade, optional),
      (decimal, price, optional), (time, since, optional), (json, extra, optional),
      (str, note, optional), (plain_pw, password, len(8, 128), optional));

static const char *bound(struct reading *r, const bide_pair *pairs, size_t count, search *ret)
{
    bide_problems_init(&r->problems, &r->arena);
    bide_buf_reset(&r->text);
    int result = bide_form_read(&r->input, search_model(), pairs, count, ret);
    check_int(result, bide_problems_count(&r->problems) ? -EBADMSG : 0);
    bide_problems_write(&r->problems, &r->text);
    return bide_buf_str(&r->text);
}

TEST_PLAIN(a_form_is_read)
{
    struct reading r;
    search s;
    reading_init(&r);
    bide_pair pairs[] = {PAIR("text", "abc"),
                         PAIR("page", "7"),
                         PAIR("deep", "Yes"),
                         PAIR("near", "1.5"),
                         PAIR("tag", "a"),
                         PAIR("shade", "blue"),
                         PAIR("price", "12.50"),
                         PAIR("since", "2024-05-06T07:08:09Z"),
                         PAIR("extra", " {\"a\":1}"),
                         PAIR("password", "12345678"),
                         PAIR("tag", "b"),
                         PAIR("other", "x")};
    check_str(bound(&r, pairs, 12, &s), "[]");
    check_str(s.text, "abc");
    check_int(s.page, 7);
    check(s.deep);
    check_near(s.near, 1.5, 0);
    check_int(s.tag.count, 2);
    check_str(s.tag.items[1], "b");
    check_int(s.shade, color_blue);
    check_int(s.price.units, 1250);
    check_int(s.since, INT64_C(1714979289000000));
    check_str(s.extra.text, "{\"a\":1}");
    check_str(s.password.text, "12345678");
    check(bide_has(&s, near) && !bide_has(&s, note));
    reading_done(&r);
}

TEST_PLAIN(wrong_forms)
{
    struct reading r;
    search s;
    reading_init(&r);
    r.input.where = "query";
    r.input.refuse_unknown = true;
    bide_pair pairs[] = {PAIR("page", "1.0"), PAIR("deep", "2"), PAIR("near", "x"),
                         PAIR("shade", ""),   PAIR("tag", "a"),  PAIR("tag", "b"),
                         PAIR("tag", "c"),    PAIR("note", "1"), PAIR("note", "2"),
                         PAIR("other", "x"),  PAIR("extra", "{")};
    check_str(bound(&r, pairs, 11, &s),
              "[{\"type\":\"int_from_float\",\"loc\":[\"query\",\"page\"],"
              "\"msg\":\"Input should be a valid integer, got a number with a fractional part\"},"
              "{\"type\":\"bool_parsing\",\"loc\":[\"query\",\"deep\"],"
              "\"msg\":\"Input should be a valid boolean, unable to interpret input\"},"
              "{\"type\":\"float_parsing\",\"loc\":[\"query\",\"near\"],"
              "\"msg\":\"Input should be a valid number, unable to parse string as a number\"},"
              "{\"type\":\"too_long\",\"loc\":[\"query\",\"tag\"],"
              "\"msg\":\"List should have at most 2 items after validation, not 3\"},"
              "{\"type\":\"json_invalid\",\"loc\":[\"query\",\"extra\"],"
              "\"msg\":\"Invalid JSON: a key in quotes was expected at byte 1\"},"
              "{\"type\":\"duplicate_key\",\"loc\":[\"query\",\"note\"],"
              "\"msg\":\"Field is there twice\"},"
              "{\"type\":\"extra_forbidden\",\"loc\":[\"query\",\"other\"],"
              "\"msg\":\"Extra inputs are not permitted\"},"
              "{\"type\":\"missing\",\"loc\":[\"query\",\"text\"],\"msg\":\"Field required\"}]");
    check_int(s.page, 0);
    bide_pair zero = {"text", 4, "a\0b", 3}, latin = {"text", 4, "\xe9", 1};
    bound(&r, &zero, 1, &s);
    check_str(r.problems.first->type, "string_nul");
    bound(&r, &latin, 1, &s);
    check_str(r.problems.first->type, "string_unicode");
    reading_done(&r);
}

TEST_PLAIN(one_text_into_a_field)
{
    struct reading r;
    reading_init(&r);
    r.input.where = "path";
    const bide_field *field = bide_model_field(search_model(), "page", 4);
    int32_t page = 0;
    check_int(bide_text_read(&r.input, field, "12", 2, &page), 0);
    check_int(page, 12);
    check_int(bide_text_read(&r.input, field, "x", 1, &page), -EBADMSG);
    check_str(r.problems.first->loc, "[\"path\",\"page\"]");
    check_str(r.problems.first->msg,
              "Input should be a valid integer, unable to parse string as an integer");
    reading_done(&r);
}
