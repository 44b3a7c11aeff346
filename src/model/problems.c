/*
 * The list of problems: see problems.h. Called by the readers of this folder and by the web layer;
 * calls the JSON writer for the texts.
 */
#include <bide/problems.h>

#include "base/caps.h"
#include "model/model.h"

#include <stdarg.h>
#include <string.h>

void bide_problems_init(bide_problems *problems, bide_arena *arena)
{
    *problems = (bide_problems){.arena = arena};
}

void bide_problems_add(bide_problems *problems, const char *type, const char *loc,
                       const char *format, ...)
{
    bide_problem *problem = NULL;
    if (problems->count < BIDE_CAP_PROBLEMS)
        problem = bide_arena_alloc(problems->arena, sizeof *problem);
    char *loc_copy = problem ? bide_arena_strdup(problems->arena, loc) : NULL;
    va_list args;
    va_start(args, format);
    char *msg = loc_copy ? bide_arena_vprintf(problems->arena, format, args) : NULL;
    va_end(args);
    if (!msg) {
        problems->dropped++;
        return;
    }
    *problem = (bide_problem){.type = type, .loc = loc_copy, .msg = msg};
    if (problems->last)
        problems->last->next = problem;
    else
        problems->first = problem;
    problems->last = problem;
    problems->count++;
}

int bide_problems_write(const bide_problems *problems, bide_buf *out)
{
    bide_buf_append_char(out, '[');
    for (const bide_problem *problem = problems->first; problem; problem = problem->next) {
        bide_buf_append_str(out, problem == problems->first ? "{\"type\":" : ",{\"type\":");
        bide__json_write_text(out, problem->type, strlen(problem->type));
        bide_buf_append_str(out, ",\"loc\":");
        bide_buf_append_str(out, problem->loc);
        bide_buf_append_str(out, ",\"msg\":");
        bide__json_write_text(out, problem->msg, strlen(problem->msg));
        bide_buf_append_char(out, '}');
    }
    return bide_buf_append_char(out, ']');
}

bide_error *bide_problems_error(const bide_problems *problems)
{
    size_t count = bide_problems_count(problems);
    const bide_problem *first = problems->first;
    if (!first)
        return bide_error_new(422, "%zu problems, and no memory to say which", count);
    if (count == 1)
        return bide_error_new(422, "%s at %s", first->msg, first->loc);
    return bide_error_new(422, "%s at %s, and %zu more problems", first->msg, first->loc,
                          count - 1);
}

/* Writes the steps from the first to `path` behind `where`. */
static void write_steps(const struct bide__path *path, bide_buf *out)
{
    if (!path)
        return;
    write_steps(path->up, out);
    bide_buf_append_char(out, ',');
    if (path->name) {
        size_t length = path->name_length;
        if (length > BIDE_CAP_PROBLEM_KEY_BYTES)
            length = BIDE_CAP_PROBLEM_KEY_BYTES;
        bide__json_write_text(out, path->name, length);
    } else {
        bide_buf_printf(out, "%zu", path->index);
    }
}

void bide__problem(const bide_input *input, const struct bide__path *path, const char *type,
                   const char *format, ...)
{
    bide_problems *problems = input->problems;
    if (problems->count >= BIDE_CAP_PROBLEMS) {
        problems->dropped++;
        return;
    }
    bide_buf loc;
    bide_buf_init(&loc, (size_t)(BIDE_CAP_JSON_DEPTH + 2) * (BIDE_CAP_PROBLEM_KEY_BYTES * 6 + 8));
    const char *where = input->where ? input->where : "body";
    bide_buf_append_char(&loc, '[');
    bide__json_write_text(&loc, where, strlen(where));
    write_steps(path, &loc);
    bide_buf_append_char(&loc, ']');
    va_list args;
    va_start(args, format);
    char *msg = bide_arena_vprintf(problems->arena, format, args);
    va_end(args);
    if (msg && !bide_buf_error(&loc))
        bide_problems_add(problems, type, bide_buf_str(&loc), "%s", msg);
    else
        problems->dropped++;
    bide_buf_done(&loc);
}
