/*
 * A template from a text, rendered once: for the tests of this folder.
 */
#ifndef BIDE_TESTS_TEMPLATE_RENDER_H
#define BIDE_TESTS_TEMPLATE_RENDER_H

#include <bide/template.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

/* Further templates of the next rendering: pairs of names and texts, up to a NULL. */
static const char *const *partials;

static bide_templates *templates_of(const char *name, const char *text)
{
    bide_templates *templates = bide_templates_open(NULL, NULL);
    check(templates);
    for (size_t i = 0; partials && partials[i]; i += 2)
        if (bide_templates_add(templates, partials[i], partials[i + 1]) < 0)
            return templates;
    (void)bide_templates_add(templates, name, text);
    return templates;
}

/* What becomes of a row, or the problem. Valid until the next call. */
__attribute__((__unused__)) static const char *rendered(const char *name, const char *text,
                                                        const bide_model *model, const void *row)
{
    static char result[65536];
    bide_arena arena;
    bide_buf out;
    bide_templates *templates = templates_of(name, text);
    const bide_template *template = bide_template_of(templates, name, model, NULL);
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_buf_init(&out, sizeof result - 1);
    if (!template)
        snprintf(result, sizeof result, "%s", bide_templates_problem(templates));
    else if (bide_template_write(template, row, NULL, &arena, &out) < 0)
        snprintf(result, sizeof result, "error");
    else
        memcpy(result, bide_buf_str(&out), bide_buf_length(&out) + 1);
    bide_buf_done(&out);
    bide_arena_done(&arena);
    bide_templates_close(templates);
    return result;
}

/* Why a template does not compile. Valid until the next call. */
__attribute__((__unused__)) static const char *refused(const char *name, const char *text,
                                                       const bide_model *model)
{
    static char result[1024];
    bide_templates *templates = templates_of(name, text);
    const bide_template *template = bide_template_of(templates, name, model, NULL);
    const char *problem = bide_templates_problem(templates);
    snprintf(result, sizeof result, "%s", template ? "(compiled)" : problem ? problem : "(none)");
    bide_templates_close(templates);
    return result;
}

#endif
