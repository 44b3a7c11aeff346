/*
 * Failures as browsers see them: what error.html says. Called by the library, as app.c tells it
 * with bide_app_error_page.
 */
#include "site/site.h"

#include <string.h>

/* For people; what a failure says of itself is below it. */
static const char *heading_of(const bide_failure *failure)
{
    switch (failure->status) {
    case 401:
        return "Log in first";
    case 403:
        return "This is not allowed";
    case 404:
        return "There is nothing here";
    case 405:
        return "This cannot be done here";
    case 422:
        return "Something in this is not right";
    case 429:
        return "Too much at once";
    default:
        return failure->status >= 500 ? "Something went wrong" : failure->title;
    }
}

/* `["query","page"]` and what is wrong as "page: ...". */
static const char *problem_text(bide_request *req, const bide_problem *problem)
{
    const char *end = strrchr(problem->loc, '"');
    const char *start = end;
    while (start && start > problem->loc && start[-1] != '"')
        start--;
    return bide_arena_printf(bide_arena_of(req), "%.*s: %s", start ? (int)(end - start) : 0,
                             start ? start : "", problem->msg);
}

static bide_list(str) problems_of(bide_request *req, const bide_problems *problems)
{
    const char **texts =
        problems ? bide_arena_alloc_zero(bide_arena_of(req), problems->count, sizeof *texts) : NULL;
    bide_list(str) list = {texts, 0};
    if (texts)
        for (const bide_problem *at = problems->first; at; at = at->next)
            texts[list.count++] = problem_text(req, at);
    return list;
}

error_page error_page_of(bide_request *req)
{
    const bide_failure *failure = bide_failure_of(req);
    bool repeats = strcmp(failure->detail, failure->title) == 0;
    return (error_page){.status = failure->status,
                        .heading = heading_of(failure),
                        .detail = repeats || failure->problems ? NULL : failure->detail,
                        .id = failure->id,
                        .problems = problems_of(req, failure->problems)};
}
