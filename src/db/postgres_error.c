/*
 * What PostgreSQL says is wrong, as errors: SQLSTATE, the constraint's columns, lost connections.
 * Called by postgres.c and postgres_connect.c.
 *
 * Source: PostgreSQL, appendix A (error codes), libpq: PQresultErrorField.
 */
#include "db/postgres.h"

#if BIDE_POSTGRES
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *part(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text ? text : "";
}

static void name_field(struct bide__trouble *trouble, const char *name, size_t length)
{
    snprintf(trouble->field, sizeof trouble->field, "%.*s", (int)length, name);
}

/* "Key (email, name)=(x, y) already exists." -> "email", in every language. */
static void name_key(struct bide__trouble *trouble, const PGresult *result)
{
    const char *detail = part(result, PG_DIAG_MESSAGE_DETAIL);
    const char *open = strchr(detail, '(');
    const char *close = open ? strstr(open, ")=(") : NULL;
    if (!close)
        return;
    open += open[1] == '"' ? 2 : 1;
    size_t length = strcspn(open, ",)\"(");
    if (open[length] != '(') /* an expression is no field */
        name_field(trouble, open, length);
}

/* "items_amount_check" is the rule of the column amount; another name stands for itself. */
static void name_check(struct bide__trouble *trouble, const PGresult *result)
{
    static const char ending[] = "_check";
    const char *name = part(result, PG_DIAG_CONSTRAINT_NAME);
    const char *table = part(result, PG_DIAG_TABLE_NAME);
    size_t length = strlen(name), before = strlen(table) + 1;
    size_t end = sizeof ending - 1;
    if (length > before + end && strncmp(name, table, before - 1) == 0 &&
        strcmp(name + length - end, ending) == 0)
        name_field(trouble, name + before, length - before - end);
    else
        name_field(trouble, name, length);
}

static int constraint_failed(struct bide__trouble *trouble, const PGresult *result,
                             const char *state)
{
    if (strcmp(state, "23505") == 0 || strcmp(state, "23P01") == 0) {
        bide__trouble(trouble, BIDE_CONFLICT, "this value is taken");
        name_key(trouble, result);
        if (trouble->field[0])
            snprintf(trouble->message, sizeof trouble->message, "this %s is taken", trouble->field);
    } else if (strcmp(state, "23503") == 0) {
        bide__trouble(trouble, BIDE_CONSTRAINT,
                      "it refers to a row that does not exist, or a row refers to it");
        name_key(trouble, result);
    } else if (strcmp(state, "23502") == 0) {
        const char *column = part(result, PG_DIAG_COLUMN_NAME);
        bide__trouble(trouble, BIDE_CONSTRAINT, "%s is missing", column[0] ? column : "a value");
        name_field(trouble, column, strlen(column));
    } else {
        bide__trouble(trouble, BIDE_CONSTRAINT, "%s", bide__told_rule);
        trouble->told = bide__told_rule;
        name_check(trouble, result);
        if (trouble->field[0])
            snprintf(trouble->message, sizeof trouble->message, "the rule %s says no",
                     trouble->field);
    }
    return -EBADMSG;
}

/* A code for the states that are not the query's own fault; 0 for the others. */
static int code_of(const char *state)
{
    static const struct {
        char state[6]; /* or how it begins */
        int code;
    } codes[] = {
        {"40001", BIDE_TX_RETRY},
        {"40P01", BIDE_TX_RETRY},
        {"57014", BIDE_TIMEOUT},
        {"55P03", BIDE_TIMEOUT},
        {"53300", BIDE_LIMIT},
        {"53200", BIDE_NO_MEMORY},
        {"54", BIDE_LIMIT},
        {"57P", BIDE_UNREACHABLE},
        {"25P03", BIDE_UNREACHABLE},
        {"08P01", BIDE_QUERY},
        {"08", BIDE_UNREACHABLE},
        {"22001", BIDE_CONSTRAINT},
        {"40003", BIDE_OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0)
            return codes[i].code;
    return 0;
}

int bide__pg_failed(const PGresult *result, struct bide__trouble *trouble)
{
    const char *state = part(result, PG_DIAG_SQLSTATE);
    const char *message = part(result, PG_DIAG_MESSAGE_PRIMARY);
    int code = code_of(state);
    if (strncmp(state, "23", 2) == 0)
        return constraint_failed(trouble, result, state);
    if (strcmp(state, "53100") == 0) {
        bide__trouble(trouble, BIDE_SYSTEM, "the disk of the database is full");
        trouble->system_errno = ENOSPC;
        return -EBADMSG;
    }
    if (strcmp(state, "42601") == 0 && strstr(message, "multiple commands"))
        return bide__trouble(trouble, BIDE_QUERY, "more than one statement in a query");
    if (strcmp(state, "26000") == 0 || (strcmp(state, "0A000") == 0 && strstr(message, "plan"))) {
        bide__trouble(trouble, BIDE_QUERY, "%s", message);
        return -ESTALE;
    }
    if (!message[0]) /* libpq's own */
        message = PQresultErrorMessage(result);
    bide__trouble(trouble, code ? code : BIDE_QUERY, "%s", message);
    if (code == BIDE_CONSTRAINT) /* "value too long for type character varying(10)" */
        trouble->told = "a value is too long";
    trouble->position = (int)strtol(part(result, PG_DIAG_STATEMENT_POSITION), NULL, 10);
    return -EBADMSG;
}

int bide__pg_lost(const struct bide__pg *pg, bool final, struct bide__trouble *trouble)
{
    if (!final)
        return bide__trouble(trouble, BIDE_UNREACHABLE, "the connection was lost: %s", pg->why);
    bide__trouble(trouble, BIDE_OUTCOME_UNKNOWN,
                  "the connection was lost: nobody knows whether this was committed: %s", pg->why);
    trouble->may_stay = true;
    return -EBADMSG;
}

int bide__pg_refused(PGconn *handle, struct bide__trouble *trouble)
{
    static const char *const wrong[] = {"28", "3D"}; /* who asks, the database */
    const char *message = PQerrorMessage(handle);
    const char *fatal = strstr(message, "FATAL:  ");
    int code = 0;
    /* The verbose form: "FATAL:  28P01: password ..." */
    if (fatal && strlen(fatal) > 15 && fatal[13] == ':') {
        const char *state = fatal + 8;
        code = code_of(state);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            if (strncmp(state, wrong[i], 2) == 0)
                code = BIDE_INVALID;
        message = fatal + 15;
    } else if (strstr(message, "no password supplied")) {
        code = BIDE_INVALID;
    }
    return bide__trouble(trouble, code ? code : BIDE_UNREACHABLE, "postgresql: %.*s",
                         (int)strcspn(message, "\n"), message);
}

#endif
