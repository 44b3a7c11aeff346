/*
 * Rendering: with the async fields of a template, computed concurrently before anything is written.
 * The only file of this folder that suspends. Called by users and the web layer; calls render.c and
 * the models' resolve.c.
 */
#include "template/template.h"

#include "core/error.h"
#include "core/loop.h"
#include "model/model.h"

#include <errno.h>

int bide_template_write(const bide_template *template, const void *row, const void *site,
                        bide_arena *arena, bide_buf *out)
{
    struct bide__template_problem problem;
    struct bide__code *code = bide__template_take(template, &problem);
    if (!code)
        return -EINVAL;
    int result = bide__code_run(code, row, site, arena, NULL, false, out);
    bide__template_give_back(template, code);
    return result;
}

static __attribute__((noreturn, cold)) void raise_code(const char *name, const char *problem,
                                                       int error)
{
    const char *why = error == -EMSGSIZE ? "it is larger than its buffer may be"
                      : error == -ENOMEM ? "there is no memory"
                      : error == -ERANGE ? "a value has no text"
                      : error == -EDOM   ? "a value of a path is absent, empty, '.' or '..'"
                      : error == -ELOOP  ? "its items and partials stand inside each other too deep"
                      : error == -EAGAIN ? "it has async fields: use bide_template_render"
                                         : problem;
    bide__fail(bide__current->at,
               bide_error_new(error == -EMSGSIZE ? BIDE_LIMIT
                              : error == -ENOMEM ? BIDE_NO_MEMORY
                                                 : BIDE_INVALID,
                              "the template `%s` cannot be rendered: %s", name, why));
}

/* The code in use, given back on every way out. */
struct use {
    const bide_template *template;
    struct bide__code *code;
};

static void end_use(void *arg)
{
    struct use *use = arg;
    bide__template_give_back(use->template, use->code);
}

/* All calls that were noted, at once. */
static bide_async(void) resolve(const bide_template *template, struct bide__pendings *pendings,
                                bide_arena *arena)
{
    size_t count = 0;
    if (pendings->count == 0)
        return bide_void;
    bide__pending_ptr *calls = bide_arena_alloc_zero(arena, pendings->count, sizeof *calls);
    if (!calls)
        raise_code(bide_template_name(template), NULL, -ENOMEM);
    for (size_t i = 0; i < pendings->capacity; i++)
        if (pendings->slots[i])
            calls[count++] = pendings->slots[i];
    bide_await(bide__resolve(calls, count));
    return bide_void;
}

bide_async(void) bide_template_render(const bide_template *template, const void *row,
                                      const void *site, bide_arena *arena, bide_buf *out)
{
    struct bide__template_problem problem;
    struct bide__pendings pendings = {NULL, 0, 0};
    struct use use = {template, bide__template_take(template, &problem)};
    if (!use.code)
        raise_code(bide_template_name(template), problem.text, -EINVAL);
    bide_defer(end_use, &use);
    if (use.code->resolves) {
        int error = bide__code_run(use.code, row, site, arena, &pendings, true, out);
        if (error < 0)
            raise_code(bide_template_name(template), NULL, error);
        bide_await(resolve(template, &pendings, arena));
    }
    int error = bide__code_run(use.code, row, site, arena, &pendings, false, out);
    if (error < 0)
        raise_code(bide_template_name(template), NULL, error);
    return bide_void;
}

const char *bide__render(bide_arena *arena, bide_templates *templates, const char *name,
                         const bide_model *model, const void *row)
{
    const bide_template *template = bide_template_of(templates, name, model, NULL);
    bide_buf out;
    size_t length;
    if (!template)
        raise_code(name, bide_templates_problem(templates), -EINVAL);
    bide_buf_init(&out, BIDE_CAP_TEMPLATE_PAGE_BYTES);
    int error = bide_template_write(template, row, NULL, arena, &out);
    char *text = NULL;
    if (error == 0) {
        length = bide_buf_length(&out);
        text = bide_arena_copy(arena, bide_buf_str(&out), length + 1);
    }
    bide_buf_done(&out);
    if (!text)
        raise_code(name, bide_templates_problem(templates), error < 0 ? error : -ENOMEM);
    return text;
}
