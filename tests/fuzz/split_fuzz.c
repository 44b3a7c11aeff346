/*
 * The statements of a text of SQL: see README.md.
 */
#include "fuzz.h"

#include "db/split.h"

#include <errno.h>

static int newlines(const char *from, const char *to)
{
    int count = 0;
    for (; from < to; from++)
        count += *from == '\n';
    return count;
}

/* A statement by itself is the same statement again, whatever stands around it. */
static void check_alone(const struct bide__sql_statement *one)
{
    char *copy = copy_of(one->text, one->length);
    struct bide__sql sql = {copy, copy + one->length, 1};
    struct bide__sql_statement again;
    promise(bide__sql_next(&sql, &again) == 1);
    promise(again.text == copy && again.length == one->length && again.line == 1);
    promise(bide__sql_next(&sql, &again) == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_of((const char *)data, size);
    struct bide__sql sql = {text, text + size, 1};
    struct bide__sql_statement one;
    const char *before = text;
    int code;
    while ((code = bide__sql_next(&sql, &one)) > 0) {
        promise(one.length > 0 && one.text >= before && one.text + one.length <= sql.at);
        promise(one.text[0] != ';' && one.line == 1 + newlines(text, one.text));
        promise(sql.at <= sql.end && sql.line == 1 + newlines(text, sql.at));
        check_alone(&one);
        before = sql.at;
    }
    promise(code == 0 ? sql.at == sql.end : code == -EBADMSG && one.length > 0);
    free(text);
    return 0;
}
