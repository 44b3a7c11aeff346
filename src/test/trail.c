/*
 * trail.c: schedules as text (trail.h). Called by harness.c.
 */
#include "trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char letters[BIDE__DECISION_KINDS] = {[BIDE__DECIDE_CANCEL] = 'c',
                                                   [BIDE__DECIDE_FAULT] = 'f',
                                                   [BIDE__DECIDE_ALLOCATION] = 'a',
                                                   [BIDE__DECIDE_WAITING] = 'w'};

static bool has_value(const struct bide__decision *decision)
{
    return decision->kind == BIDE__DECIDE_ORDER || decision->kind == BIDE__DECIDE_WAITING;
}

/* A number from 1 to `most`; moves `*at` behind it. 0: there is none. */
static unsigned long number(const char **at, unsigned long most)
{
    unsigned long value = 0;

    for (; **at >= '0' && **at <= '9'; ++*at) {
        value = value * 10 + (unsigned long)(**at - '0');
        if (value > most)
            return 0;
    }
    return value;
}

static bool parse_one(const char **at, struct bide__decision *decision)
{
    *decision = (struct bide__decision){.kind = BIDE__DECIDE_ORDER, .value = 1};
    for (int kind = BIDE__DECIDE_CANCEL; kind < BIDE__DECISION_KINDS; kind++) {
        if (**at == letters[kind]) {
            decision->kind = (uint16_t)kind;
            ++*at;
            break;
        }
    }
    decision->at = (uint32_t)number(at, UINT32_MAX);
    if (has_value(decision)) {
        if (**at != '.')
            return false;
        ++*at;
        decision->value = (uint16_t)number(at, UINT16_MAX);
    }
    return decision->at > 0 && decision->value > 0;
}

bool bide__trail_parse(const char *text, struct bide__trail *ret_trail)
{
    uint32_t last[BIDE__DECISION_KINDS] = {0};

    ret_trail->count = 0;
    if (strcmp(text, "0") == 0)
        return true;
    while (ret_trail->count < BIDE__TRAIL_MAX) {
        struct bide__decision *decision = &ret_trail->decisions[ret_trail->count];

        if (!parse_one(&text, decision) || decision->at <= last[decision->kind])
            return false;
        last[decision->kind] = decision->at;
        ret_trail->count++;
        if (!*text)
            return true;
        if (*text++ != ',')
            return false;
    }
    return false;
}

char *bide__trail_text(const struct bide__trail *trail)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        abort();
    if (trail->count == 0)
        fputc('0', stream);
    for (uint32_t i = 0; i < trail->count; i++) {
        const struct bide__decision *decision = &trail->decisions[i];

        if (i > 0)
            fputc(',', stream);
        if (decision->kind != BIDE__DECIDE_ORDER)
            fputc(letters[decision->kind], stream);
        fprintf(stream, "%u", decision->at);
        if (has_value(decision))
            fprintf(stream, ".%u", decision->value);
    }
    fclose(stream);
    return text;
}
