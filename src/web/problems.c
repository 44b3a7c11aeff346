/*
 * What is wrong with a body, for handlers that take its problems (`takes_problems`). Called by
 * dispatch.c and by users; failure.c answers with the list.
 */
#include "web/web.h"

#include "base/utf8.h"
#include "core/error.h"

#include <stdarg.h>
#include <string.h>

static const char body[] = "[\"body\"";

static bool is_of_body(const bide_problem *problem)
{
    return strncmp(problem->loc, body, sizeof body - 1) == 0;
}

/* Pairs lie in the frame of who binds as long as they are few. */
static bool keep_form(bide_request *req, const struct bide__web_form *form)
{
    struct bide__pairs *kept = bide_arena_alloc(bide_arena_of(req), sizeof *kept);
    if (!kept)
        return false;
    *kept = form->pairs;
    if (form->pairs.all == form->pairs.few)
        kept->all = kept->few;
    req->typed = kept;
    return true;
}

bool bide__web_keep_problems(bide_request *req, const bide_problems *problems,
                             const struct bide__web_form *form)
{
    for (const bide_problem *problem = problems->first; problem; problem = problem->next)
        if (!is_of_body(problem))
            return false;
    bide_problems *kept = bide_arena_alloc(bide_arena_of(req), sizeof *kept);
    if (!kept || (req->plan->takes_form && !keep_form(req, form)))
        return false;
    *kept = *problems;
    req->problems = kept;
    return true;
}

static __attribute__((noreturn, cold)) void raise_memory(void)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for problems"));
}

static bide_problems *list_of(bide_request *req)
{
    if (!req->problems) {
        bide_arena *arena = bide_arena_of(req);
        req->problems = bide_arena_alloc(arena, sizeof *req->problems);
        if (!req->problems)
            raise_memory();
        bide_problems_init(req->problems, arena);
    }
    return req->problems;
}

const bide_problems *bide_problems_of(bide_request *req)
{
    return list_of(req);
}

/* "users.3.email" is ["body","users",3,"email"]. */
static const char *loc_of(bide_request *req, const char *field)
{
    const char *loc = body;
    for (size_t length; loc && field; field = field[length] ? field + length + 1 : NULL) {
        length = strcspn(field, ".");
        bool is_index = length > 0 && strspn(field, "0123456789") == length;
        const char *quote = is_index ? "" : "\"";
        loc = bide_arena_printf(bide_arena_of(req), "%s,%s%.*s%s", loc, quote, (int)length, field,
                                quote);
    }
    loc = loc ? bide_arena_printf(bide_arena_of(req), "%s]", loc) : NULL;
    if (!loc)
        raise_memory();
    return loc;
}

void bide_add_problem(bide_request *req, const char *field, const char *type, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    const char *text = bide_arena_vprintf(bide_arena_of(req), format, args);
    va_end(args);
    if (!text)
        raise_memory();
    bide_problems_add(list_of(req), type, loc_of(req, field), "%s", text);
}

const char *bide_problem_of(bide_request *req, const char *field)
{
    const char *loc = loc_of(req, field);
    for (const bide_problem *problem = list_of(req)->first; problem; problem = problem->next)
        if (strcmp(problem->loc, loc) == 0)
            return problem->msg;
    return NULL;
}

void bide_refuse_problems(bide_request *req)
{
    const bide_problems *problems = list_of(req);
    if (bide_problems_count(problems) > 0)
        bide__fail(bide__current->at, bide_problems_error(problems));
}

const char *bide_form_value(bide_request *req, const char *field)
{
    for (size_t i = 0; req->typed && i < req->typed->count; i++) {
        const bide_pair *pair = &req->typed->all[i];
        if (!bide__slice_equal(bide__slice(pair->name, pair->name_length), bide__slice_of(field)))
            continue;
        if (!bide__utf8_valid(pair->value, pair->value_length) ||
            memchr(pair->value, 0, pair->value_length))
            return NULL;
        const char *text = bide_arena_strndup(bide_arena_of(req), pair->value, pair->value_length);
        if (!text)
            raise_memory();
        return text;
    }
    return NULL;
}
