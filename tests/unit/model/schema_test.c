/*
 * schema_test.c: JSON Schema of what is read and of what is written, with models inside.
 */
#include "models.h"

TEST_PLAIN(what_is_read_and_what_is_written)
{
    struct reading r;
    reading_init(&r);
    check_int(bide_schema_write(&(bide_schema){0}, user_model(), &r.text), 0);
    check_str(bide_buf_str(&r.text),
              "{\"title\":\"user\",\"type\":\"object\",\"properties\":{"
              "\"email\":{\"type\":\"string\",\"format\":\"email\"},"
              "\"username\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":32,"
              "\"pattern\":\"^[a-z][a-z0-9_]*$\"},"
              "\"age\":{\"anyOf\":[{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":0,"
              "\"maximum\":150},{\"type\":\"null\"}]},"
              "\"bio\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},"
              "\"shade\":{\"type\":\"string\",\"enum\":[\"red\",\"green\",\"blue\"],"
              "\"default\":\"green\"}},\"required\":[\"email\",\"username\"]}");
    bide_buf_reset(&r.text);
    check_int(bide_schema_write(&(bide_schema){.output = true}, user_out_model(), &r.text), 0);
    check_str(bide_buf_str(&r.text),
              "{\"title\":\"user_out\",\"type\":\"object\",\"properties\":{"
              "\"id\":{\"type\":\"integer\",\"format\":\"int64\"},"
              "\"email\":{\"type\":\"string\",\"format\":\"email\"},"
              "\"username\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":32,"
              "\"pattern\":\"^[a-z][a-z0-9_]*$\"},"
              "\"age\":{\"anyOf\":[{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":0,"
              "\"maximum\":150},{\"type\":\"null\"}]}},"
              "\"required\":[\"id\",\"email\",\"username\",\"age\"]}");
    reading_done(&r);
}

TEST_PLAIN(models_inside_are_references)
{
    struct reading r;
    reading_init(&r);
    const bide_model *models[8];
    bide_schema schema = {.refs = "#/components/schemas/", .ending = "-Input"};
    check_int(bide_schema_models(&schema, purchase_model(), models, 8), 3);
    check(models[0] == purchase_model() && models[1] == address_model());
    bide_schema_write(&schema, purchase_model(), &r.text);
    check_contains(bide_buf_str(&r.text),
                   "\"home\":{\"$ref\":\"#/components/schemas/address-Input\"},"
                   "\"work\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/address-Input\"},"
                   "{\"type\":\"null\"}]},"
                   "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
                   "\"#/components/schemas/order_line-Input\"},\"minItems\":1,\"maxItems\":3},"
                   "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
    bide_buf_reset(&r.text);
    check_int(bide_schema_document(&(bide_schema){0}, comment_model(), &r.text), 0);
    check_str(
        bide_buf_str(&r.text),
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
        "\"$ref\":\"#/$defs/comment\",\"$defs\":{\"comment\":{\"title\":\"comment\","
        "\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"},"
        "\"replies\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/comment\"}},"
        "{\"type\":\"null\"}]}},\"required\":[\"text\"]}}}");
    reading_done(&r);
}

TEST_PLAIN(decimals_have_a_range_where_they_may_be_numbers)
{
    struct reading r;
    reading_init(&r);
    check_int(bide_schema_write(&(bide_schema){0}, order_line_model(), &r.text), 0);
    check_contains(bide_buf_str(&r.text), "\"minimum\":0,\"maximum\":1000}");
    bide_buf_reset(&r.text);
    bide_schema_write(&(bide_schema){.output = true}, order_line_model(), &r.text);
    check(!strstr(bide_buf_str(&r.text), "\"maximum\":1000"));
    reading_done(&r);
}

TEST_PLAIN(each_schema_is_json)
{
    const bide_model *models[] = {user_model(), everything_model(), purchase_model(),
                                  user_changes_model(), comment_model()};
    for (size_t i = 0; i < 2 * sizeof models / sizeof *models; i++) {
        struct reading r;
        size_t offset;
        const char *reason = NULL;
        reading_init(&r);
        check_int(bide_schema_document(&(bide_schema){.output = i % 2}, models[i / 2], &r.text), 0);
        check_int(
            bide_json_check(bide_buf_str(&r.text), bide_buf_length(&r.text), &offset, &reason), 0);
        check_str(reason, NULL);
        check(!strstr(bide_buf_str(&r.text), i % 2 ? "typed" : "kept"));
        reading_done(&r);
    }
}
