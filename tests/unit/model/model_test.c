/*
 * model_test.c: what the declarations declare: structs, descriptors, presence, views, partials,
 * enums, and models that cannot be used.
 */
#include <stdio.h>

#include "models.h"

static const bide_field *field_of(const bide_model *model, const char *name)
{
    return bide_model_field(model, name, strlen(name));
}

TEST_PLAIN(descriptors_say_what_was_declared)
{
    const bide_model *model = user_model();
    check_str(bide_model_check(model), NULL);
    check_str(model->name, "user");
    check_str(model->table, "users");
    check_int(model->size, sizeof(user));
    check_int(model->field_count, 8);
    check_int(model->fields[0].flags, BIDE_KEY | BIDE_GENERATED);
    const bide_field *name = field_of(model, "username");
    require(name);
    check_int(name->offset, offsetof(user, username));
    check_int(name->kind, BIDE_KIND_STR);
    check_int(name->flags, BIDE_LEN | BIDE_MATCH | BIDE_UNIQUE);
    check_int(name->min_length, 3);
    check_int(name->max_length, 32);
    check_int(field_of(model, "age")->min_int, 0);
    check_int(field_of(model, "age")->max_int, 150);
    check_int(field_of(model, "password")->flags, BIDE_SECRET);
    check_ptr(field_of(model, "nobody"), NULL);
    check_ptr(field_of(model, ""), NULL);
    check_str(bide_model_unwritten(model)->name, "password");
    check_ptr(bide_model_unwritten(user_out_model()), NULL);
    check_int(model->required, 4 | 8);
    check(model->base == NULL && user_out_model()->base == model);
    check_int(field_of(everything_model(), "typed")->flags, BIDE_SECRET);
    check_str(field_of(purchase_model(), "items")->type->name, "order_line");
    check(field_of(purchase_model(), "items")->type->model() == order_line_model());
}

TEST_PLAIN(enums_have_names)
{
    check_str(color_name(color_blue), "blue");
    check_str(color_name((color)9), "?");
    check_int(color_red, 0);
}

TEST_PLAIN(presence)
{
    user u = {.email = "x"};
    check(!bide_has(&u, email));
    bide_set_field(&u, age, 0);
    check(bide_has(&u, age));
    check(bide_field_has_value(user_model(), field_of(user_model(), "age"), &u));
    bide_unset_field(&u, age);
    check(!bide_has(&u, age));
    check(!bide_field_has_value(user_model(), field_of(user_model(), "age"), &u));
    u.age = 5;
    check(bide_field_has_value(user_model(), field_of(user_model(), "age"), &u));
    check(!bide_field_has_value(user_model(), field_of(user_model(), "bio"), &u));
}

TEST_PLAIN(views_copy_values_and_presence)
{
    user u = {.id = 3, .email = "e", .password = {"hash"}};
    bide_set_field(&u, age, 0);
    user_out out = user_out_of(&u);
    check_int(out.id, 3);
    check_str(out.email, "e");
    check(bide_has(&out, age));
    check(!bide_has(&out, id));
    check(sizeof(user_out) < sizeof(user));
}

TEST_PLAIN(partials_tell_absent_from_null)
{
    struct reading r;
    reading_init(&r);
    user_changes c;
    check_str(problems_of(&r, user_changes_model(), "{\"age\":null,\"email\":\"n@b.example\"}", &c),
              "[]");
    check(bide_has(&c, email) && !bide_is_null(&c, email));
    check(!bide_has(&c, age) && bide_is_null(&c, age));
    check(!bide_has(&c, bio) && !bide_is_null(&c, bio));
    user u = {.email = "old", .bio = "kept", .password = {"kept"}};
    bide_set_field(&u, age, 50);
    check_int(user_changes_apply(&c, &u), 2);
    check_str(u.email, "n@b.example");
    check_str(u.bio, "kept");
    check_str(u.password.text, "kept");
    check(!bide_has(&u, age));
    check_int(u.age, 0);
    check_str(
        problems_of(&r, user_changes_model(), "{\"email\":null,\"shade\":null,\"age\":151}", &c),
        "[{\"type\":\"string_type\",\"loc\":[\"body\",\"email\"],"
        "\"msg\":\"Input should be a valid string\"},"
        "{\"type\":\"enum\",\"loc\":[\"body\",\"shade\"],"
        "\"msg\":\"Input should be a string, the name of a value\"},"
        "{\"type\":\"less_than_equal\",\"loc\":[\"body\",\"age\"],"
        "\"msg\":\"Input should be less than or equal to 150\"}]");
    check_str(problems_of(&r, user_changes_model(), "{}", &c), "[]");
    check_int(user_changes_apply(&c, &u), 0);
    reading_done(&r);
}

MODEL(aliased, "", (str, first_name, alias("firstName")), (i32, _secret_count),
      (i64, when, dflt(9007199254740993)), (f64, ratio, dflt(0.5)), (bool, on, dflt(true)),
      (date, day, dflt("2024-02-29")), (str, word, dflt("a\"b"), readonly),
      (str, once, writeonly, dflt("")), (json, extra, dflt("[1]")));

TEST_PLAIN(aliases_defaults_and_directions)
{
    struct reading r;
    reading_init(&r);
    aliased a;
    check_str(bide_model_check(aliased_model()), NULL);
    check_str(problems_of(&r, aliased_model(),
                          "{\"firstName\":\"f\",\"_secret_count\":1,\"word\":\"mine\"}", &a),
              "[]");
    check_str(a.first_name, "f");
    check_int(a.when, 9007199254740993);
    check(a.on);
    check_str(written(&r, aliased_model(), &a),
              "{\"firstName\":\"f\",\"when\":9007199254740993,\"ratio\":0.5,\"on\":true,"
              "\"day\":\"2024-02-29\",\"word\":\"a\\\"b\",\"extra\":[1]}");
    reading_done(&r);
}

MODEL(bad_pattern, "", (str, text, match("(")));
MODEL(bad_default, "", (i32, age, range(0, 10), dflt(11)));
MODEL(bad_default_type, "", (i32, age, dflt("x")));
MODEL(bad_names, "", (str, a, alias("b")), (str, b));
MODEL(bad_alias, "", (str, a, alias("x\ny")));
MODEL(bad_bytes, "", (str, a, alias("\xc3(")));
MODEL(bad_range, "", (i32, a, range(2, 1)));
MODEL(bad_inside, "", (list(bad_pattern), all));

TEST_PLAIN(what_cannot_be_used_says_why)
{
    check_str(bide_model_check(bad_pattern_model()),
              "model `bad_pattern`, field `text`: its pattern is not valid");
    check_str(bide_model_check(bad_default_model()),
              "model `bad_default`, field `age`: its default is not valid: "
              "Input should be less than or equal to 10");
    check_contains(bide_model_check(bad_default_type_model()), "its default is not valid");
    check_contains(bide_model_check(bad_names_model()), "another field has the same name in JSON");
    check_contains(bide_model_check(bad_alias_model()), "an alias with characters");
    check_contains(bide_model_check(bad_bytes_model()), "an alias that is not UTF-8");
    check_contains(bide_model_check(bad_range_model()), "range(min, max) with min above max");
    check_contains(bide_model_check(bad_inside_model()), "model `bad_pattern`");
    struct reading r;
    bad_inside row;
    reading_init(&r);
    check_int(bide_json_read(&r.input, bad_inside_model(), "{}", 2, &row), -EINVAL);
    check_int(bide_json_write(bad_inside_model(), &row, &r.arena, &r.text), -EINVAL);
    reading_done(&r);
}

/* Sixty-four fields: the last one has the last bit. */
#define EIGHT(n)                                                                                   \
    (i32, a##n), (i32, b##n), (i32, c##n), (i32, d##n), (i32, e##n), (i32, f##n), (i32, g##n),     \
        (i32, h##n)
MODEL(wide, "", EIGHT(0), EIGHT(1), EIGHT(2), EIGHT(3), EIGHT(4), EIGHT(5), EIGHT(6), EIGHT(7));

TEST_PLAIN(sixty_four_fields)
{
    struct reading r;
    wide w = {0};
    reading_init(&r);
    bide_set_field(&w, h7, 5);
    check_int(w.bide_set, INT64_MIN);
    const char *text = bide_arena_strdup(&r.arena, written(&r, wide_model(), &w));
    check_contains(text, "\"h7\":5}");
    check_str(problems_of(&r, wide_model(), text, &w), "[]");
    check_int(w.bide_set, -1);
    problems_of(&r, wide_model(), "{}", &w);
    check_int(bide_problems_count(&r.problems), 64);
    reading_done(&r);
}

TEST(problems_become_an_error)
{
    struct reading r;
    reading_init(&r);
    user u;
    problems_of(&r, user_model(), "{\"username\":\"abc\"}", &u);
    bide_error *error = bide_problems_error(&r.problems);
    check_int(error->code, 422);
    check_str(error->message, "Field required at [\"body\",\"email\"]");
    problems_of(&r, user_model(), "{}", &u);
    error = bide_problems_error(&r.problems);
    check_str(error->message, "Field required at [\"body\",\"email\"], and 1 more problems");
    reading_done(&r);
}
