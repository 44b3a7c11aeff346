/*
 * Settings for people: problems, values, sources. Called by users and by bide_main; calls the JSON
 * writer for the values.
 *
 * Invariant
 *  1. What is secret, writeonly or begins with `_` is ***, and so is the password in a URL.
 */
#include "base/caps.h"
#include "model/settings.h"

#include <string.h>

size_t bide_settings_problems(const bide_settings *settings, FILE *out)
{
    if (!settings || settings->no_memory) {
        if (out)
            fprintf(out, "settings: out of memory\n");
        return 1;
    }
    size_t count = settings->problem_count;
    if (!out || count == 0)
        return count;
    fprintf(out, "settings: %zu problem%s\n", count, count == 1 ? "" : "s");
    for (const struct bide__settings_problem *problem = settings->problems; problem;
         problem = problem->next) {
        fprintf(out, "  %s: %s\n", problem->where, problem->message);
        count--;
    }
    if (count > 0)
        fprintf(out, "  and %zu more\n", count);
    return settings->problem_count;
}

const char *bide_settings_source(const bide_settings *settings, const char *name)
{
    if (!settings)
        return NULL;
    for (const struct bide__setting *setting = settings->first; setting; setting = setting->next)
        if (strcmp(setting->name, name) == 0)
            return setting->source;
    return NULL;
}

static bool is_secret(const bide_field *field)
{
    return field->flags & (BIDE_SECRET | BIDE_WRITEONLY) || field->name[0] == '_';
}

/* Prints a text with *** for the password of each URL in it: scheme://user:password@host. It may
   hold what it should not, a `/` say: it ends at the last `@`. */
static void print_masked(const char *text, FILE *out)
{
    for (const char *at; (at = strstr(text, "://")); text = at) {
        at += 3;
        size_t length = strcspn(at, " \"\\");
        const char *colon = memchr(at, ':', length), *end = at;
        for (size_t i = 0; i < length; i++)
            end = at[i] == '@' ? at + i : end;
        if (!colon || colon > end)
            colon = end;
        fprintf(out, "%.*s%s", (int)(colon - text), text, colon < end ? ":***" : "");
        at = end;
    }
    fputs(text, out);
}

static int write_value(const bide_field *field, const void *value, bide_arena *arena, bide_buf *out)
{
    const struct bide__any_list *list = value;
    if (field->kind == BIDE_KIND_OBJ)
        return bide_json_write(field->type->model(), value, arena, out);
    if (field->kind == BIDE_KIND_LIST && field->type->kind == BIDE_KIND_OBJ)
        return bide_json_write_list(field->type->model(), list->items, list->count, arena, out);
    return bide__json_write_value(out, field->kind, field->type, value);
}

static void print_value(const struct bide__setting *setting, FILE *out)
{
    bide_arena arena;
    bide_buf buf;
    if (!setting->value) {
        fputs("null", out);
        return;
    }
    if (is_secret(setting->field)) {
        fputs("***", out);
        return;
    }
    bide_arena_init(&arena, NULL, BIDE_CAP_SETTINGS_BYTES);
    bide_buf_init(&buf, BIDE_CAP_SETTINGS_BYTES);
    if (write_value(setting->field, setting->value, &arena, &buf) < 0)
        fputs("?", out);
    else
        print_masked(bide_buf_str(&buf), out);
    bide_buf_done(&buf);
    bide_arena_done(&arena);
}

void bide_settings_print(const bide_settings *settings, FILE *out)
{
    if (!settings)
        return;
    for (const struct bide__setting *setting = settings->first; setting; setting = setting->next) {
        fprintf(out, "%s = ", setting->name);
        print_value(setting, out);
        fprintf(out, "  (%s)\n", setting->source);
    }
}
