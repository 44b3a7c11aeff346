/*
 * `echo`: each statement as a line of the log, with what was bound, how many rows it gave or
 * changed, and how long it took. What a model or a type calls secret is never written. Called by
 * connection.c.
 *
 *     INFO sql: select "id" from "users" where email = $1 ['frodo@shire.example'] 1 row, 0.041 ms
 */
#include "db/db.h"

#include "base/clock.h"

#include <bide/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MOST = 60, BINDS_BYTES = 800, STATEMENT_MOST = 1000 };

static void put_bind(char *text, size_t size, const bide_bind *bind);

static void put_list(char *text, size_t size, const bide_bind *list)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < list->size; i++) {
        char value[TEXT_MOST + BIDE_VALUE_TEXT];
        bide_bind item = bide__bind_item(list, i);
        put_bind(value, sizeof value, &item);
        if (used + strlen(value) + 16 > size) {
            used += (size_t)snprintf(text + used, size - used, ", ...");
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", value);
    }
    snprintf(text + used, size - used, "]");
}

static void put_text(char *text, size_t size, const bide_bind *bind)
{
    bool whole = bind->size <= TEXT_MOST;
    snprintf(text, size, "'%.*s%s'", whole ? (int)bind->size : TEXT_MOST, (const char *)bind->data,
             whole ? "" : "...");
}

/* One value, cut. */
static void put_bind(char *text, size_t size, const bide_bind *bind)
{
    if (bind->secret) {
        snprintf(text, size, "***");
        return;
    }
    switch (bind->kind) {
    case BIDE__BIND_NULL:
        snprintf(text, size, "null");
        break;
    case BIDE__BIND_BOOL:
        snprintf(text, size, bind->integer ? "true" : "false");
        break;
    case BIDE__BIND_INT:
        snprintf(text, size, "%lld", (long long)bind->integer);
        break;
    case BIDE__BIND_REAL:
        snprintf(text, size, "%.17g", bind->real);
        break;
    case BIDE__BIND_TEXT:
        put_text(text, size, bind);
        break;
    case BIDE__BIND_BYTES:
        snprintf(text, size, "<%zu bytes>", bind->size);
        break;
    case BIDE__BIND_UUID:
        bide_uuid_format(bind->uuid, text);
        break;
    case BIDE__BIND_DATE:
        bide_date_format(bind->date, text);
        break;
    case BIDE__BIND_DECIMAL:
        bide_decimal_format(bind->decimal, text);
        break;
    case BIDE__BIND_TOO_LARGE:
        snprintf(text, size, "<too large>");
        break;
    case BIDE__BIND_LIST:
        put_list(text, size, bind);
    }
}

static void put_binds(char *text, size_t size, const bide_bind *binds, size_t count)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count; i++) {
        char value[TEXT_MOST + BIDE_VALUE_TEXT];
        put_bind(value, sizeof value, &binds[i]);
        if (used + strlen(value) + 16 > size) {
            snprintf(text + used, size - used, ", %zu more", count - i);
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", value);
    }
}

bool bide__echo_wanted(void)
{
    const char *value = getenv("BIDE_DB_ECHO");
    return value && strcmp(value, "1") == 0;
}

/* Whether how many rows there were says anything of a statement of this kind. */
static bool counts(const struct bide__statement *statement)
{
    static const char *const words[] = {"insert", "update", "delete", "replace", "with"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (statement->text && strncasecmp(statement->text, words[i], strlen(words[i])) == 0)
            return true;
    return statement->columns > 0;
}

void bide__echo(const struct bide__run *run)
{
    const struct bide__statement *statement = run->statement;
    const struct bide__echoed *echo = &run->echo;
    char binds[BINDS_BYTES], outcome[32] = "";
    size_t length = statement->text ? statement->length : 0;
    int64_t took_us = (bide__clock_monotonic_ns() - echo->since_ns) / 1000;
    int64_t rows = statement->columns > 0 ? echo->rows : run->affected;
    if (echo->count && !echo->binds)
        snprintf(binds, sizeof binds, "values of %zu rows", echo->count);
    else
        put_binds(binds, sizeof binds, echo->binds, echo->count);
    if (echo->failed)
        snprintf(outcome, sizeof outcome, "failed, ");
    else if (counts(statement))
        snprintf(outcome, sizeof outcome, "%lld row%s, ", (long long)rows, rows == 1 ? "" : "s");
    bide_log(BIDE_LOG_INFO, "sql: %.*s [%s] %s%lld.%03lld ms",
             length < STATEMENT_MOST ? (int)length : STATEMENT_MOST, length ? statement->text : "",
             binds, outcome, (long long)(took_us / 1000), (long long)(took_us % 1000));
}
