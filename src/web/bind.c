/*
 * Binding: the texts of a request into the parameters of a plan. Called by dispatch.c; calls the
 * readers of models, so that types, limits, defaults and problems are the same everywhere.
 */
#include "web/web.h"

#include "base/caps.h"
#include "http/cookie.h"
#include "http/url.h"

#include <errno.h>
#include <string.h>

/* Names and values of one source; the first ones need no arena. */
struct pairs {
    bide_pair few[BIDE__WEB_PAIRS];
    bide_pair *all;
    size_t count, room;
    bool parsed;
};

struct binding {
    bide_request *req;
    bide_problems *problems;
    struct pairs query, cookies;
};

static int add_pair(struct binding *binding, struct pairs *pairs, struct bide__slice name,
                    struct bide__slice value)
{
    if (pairs->count == BIDE_CAP_FORM_PARTS) {
        bide_problems_add(binding->problems, "too_many_pairs", "[]", "More than %d names",
                          BIDE_CAP_FORM_PARTS);
        return -EBADMSG;
    }
    if (pairs->count == pairs->room) {
        bide_pair *more =
            bide_arena_alloc(bide_arena_of(binding->req), 4 * pairs->room * sizeof *more);
        if (!more)
            return -ENOMEM;
        memcpy(more, pairs->all, pairs->count * sizeof *more);
        pairs->all = more;
        pairs->room *= 4;
    }
    pairs->all[pairs->count++] = (bide_pair){name.bytes, name.length, value.bytes, value.length};
    return 0;
}

/* Without its escapes; in place where there are none. */
static int decode(struct binding *binding, struct bide__slice text, enum bide__url_plus plus,
                  const char *loc, struct bide__slice *ret_text)
{
    *ret_text = text;
    if (text.length == 0 || (!memchr(text.bytes, '%', text.length) &&
                             (plus == BIDE__URL_PLUS || !memchr(text.bytes, '+', text.length))))
        return 0;
    char *out = bide_arena_alloc(bide_arena_of(binding->req), text.length);
    if (!out)
        return -ENOMEM;
    *ret_text = bide__slice(out, 0);
    if (bide__url_decode(text, plus, out, &ret_text->length) == 0)
        return 0;
    bide_problems_add(binding->problems, "url_encoding", loc, "Invalid percent-encoding");
    return -EBADMSG;
}

static void start_pairs(struct pairs *pairs)
{
    pairs->all = pairs->few;
    pairs->room = BIDE__WEB_PAIRS;
    pairs->count = 0;
    pairs->parsed = true;
}

/* A pair that is not well-formed is a problem, and left out. */
static int parse_query(struct binding *binding)
{
    struct bide__slice rest = binding->req->query, name, value;
    start_pairs(&binding->query);
    while (bide__url_pair_next(&rest, &name, &value)) {
        int result = decode(binding, name, BIDE__URL_PLUS_SPACE, "[\"query\"]", &name);
        if (result == 0)
            result = decode(binding, value, BIDE__URL_PLUS_SPACE, "[\"query\"]", &value);
        if (result == -ENOMEM)
            return result;
        if (result < 0)
            continue;
        result = add_pair(binding, &binding->query, name, value);
        if (result < 0)
            return result == -ENOMEM ? result : 0;
    }
    return 0;
}

/* The first of a name counts: the one with the longest path (RFC 6265 section 5.4). */
static int parse_cookies(struct binding *binding)
{
    bide_text field = bide_header_of(binding->req, "cookie");
    struct bide__slice rest = bide__slice(field.at, field.length), name, value;
    start_pairs(&binding->cookies);
    while (bide__cookie_next(&rest, &name, &value)) {
        bool known = false;
        for (size_t i = 0; i < binding->cookies.count && !known; i++)
            known = binding->cookies.all[i].name_length == name.length &&
                    memcmp(binding->cookies.all[i].name, name.bytes, name.length) == 0;
        int result = known ? 0 : add_pair(binding, &binding->cookies, name, value);
        if (result == -ENOMEM)
            return result;
        if (result < 0)
            break;
    }
    return 0;
}

/* The pairs of one source for one callable. */
static int find_pairs(struct binding *binding, enum bide__source source, const bide_model *model,
                      struct pairs *scratch, struct pairs **ret_pairs)
{
    const struct bide__route_match *match = binding->req->match;
    int result = 0;
    *ret_pairs = scratch;
    switch (source) {
    case BIDE__SOURCE_QUERY:
        *ret_pairs = &binding->query;
        return binding->query.parsed ? 0 : parse_query(binding);
    case BIDE__SOURCE_COOKIE:
        *ret_pairs = &binding->cookies;
        return binding->cookies.parsed ? 0 : parse_cookies(binding);
    case BIDE__SOURCE_PATH:
        start_pairs(scratch);
        for (unsigned i = 0; i < match->parameter_count && result == 0; i++) {
            struct bide__slice value;
            result = decode(binding, match->parameters[i], BIDE__URL_PLUS, "[\"path\"]", &value);
            if (result == 0)
                result = add_pair(binding, scratch,
                                  bide__slice_of(match->route->parameter_names[i]), value);
        }
        return result == -ENOMEM ? result : 0;
    default:
        start_pairs(scratch);
        for (size_t i = 0; i < model->field_count && result == 0; i++) {
            const char *name = model->fields[i].json_name;
            bide_text text = bide_header_of(binding->req, name);
            if (text.at)
                result = add_pair(binding, scratch, bide__slice_of(name),
                                  bide__slice(text.at, text.length));
        }
        return result;
    }
}

static int bind_step(struct binding *binding, const struct bide__step *step)
{
    static const char *const names[] = {"path", "query", "header", "cookie"};
    struct pairs scratch;
    for (int source = 0; source < BIDE__SOURCES; source++) {
        const bide_model *model = &step->callable->models[source];
        struct pairs *pairs;
        if (model->field_count == 0)
            continue;
        int result = find_pairs(binding, (enum bide__source)source, model, &scratch, &pairs);
        if (result < 0)
            return result;
        bide_input input = {.arena = bide_arena_of(binding->req),
                            .problems = binding->problems,
                            .where = names[source]};
        result = bide_form_read(&input, model, pairs->all, pairs->count,
                                binding->req->block + step->row_at);
        if (result < 0 && result != -EBADMSG)
            return result;
    }
    return 0;
}

int bide__web_bind(bide_request *req, bide_problems *problems)
{
    struct binding binding;
    const struct bide__plan *plan = req->plan;
    binding.req = req;
    binding.problems = problems;
    binding.query.parsed = binding.cookies.parsed = false;
    memset(req->block, 0, plan->rows_bytes);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].callable->field_count == 0)
            continue;
        int result = bind_step(&binding, &plan->steps[i]);
        if (result < 0)
            return result;
    }
    return 0;
}

bool bide__given(const bide_request *req, const char *name)
{
    const struct bide__plan *plan = req->plan;
    for (uint32_t i = 0; plan && req->block && i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        for (int source = 0; source < BIDE__SOURCES; source++) {
            const bide_model *model = &callable->models[source];
            for (size_t n = 0; n < model->field_count; n++) {
                uint64_t set;
                if (strcmp(model->fields[n].name, name) != 0)
                    continue;
                memcpy(&set, req->block + plan->steps[i].row_at + model->set_offset, sizeof set);
                return set >> n & 1;
            }
        }
    }
    return false;
}
