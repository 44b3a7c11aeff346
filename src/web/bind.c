/*
 * Binding: the texts of a request into the parameters of a plan. Called by dispatch.c, its pairs
 * also by body.c; calls the readers of models, so that types, limits, defaults and problems are the
 * same everywhere.
 */
#include "web/web.h"

#include "base/caps.h"
#include "http/cookie.h"
#include "http/url.h"

#include <errno.h>
#include <string.h>

struct binding {
    bide_request *req;
    bide_problems *problems;
    const struct bide__web_form *form; /* NULL: the plan takes none */
    struct bide__pairs query, cookies;
};

void bide__pairs_init(struct bide__pairs *pairs)
{
    pairs->all = pairs->few;
    pairs->room = BIDE__WEB_PAIRS;
    pairs->count = 0;
    pairs->parsed = true;
}

int bide__pairs_add(bide_request *req, bide_problems *problems, struct bide__pairs *pairs,
                    struct bide__slice name, struct bide__slice value)
{
    if (pairs->count == BIDE_CAP_FORM_PARTS) {
        bide_problems_add(problems, "too_many_pairs", "[]", "More than %d names",
                          BIDE_CAP_FORM_PARTS);
        return -EBADMSG;
    }
    if (pairs->count == pairs->room) {
        bide_pair *more = bide_arena_alloc(bide_arena_of(req), 4 * pairs->room * sizeof *more);
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
static int decode(bide_request *req, bide_problems *problems, struct bide__slice text,
                  enum bide__url_plus plus, const char *loc, struct bide__slice *ret_text)
{
    *ret_text = text;
    if (text.length == 0 || (!memchr(text.bytes, '%', text.length) &&
                             (plus == BIDE__URL_PLUS || !memchr(text.bytes, '+', text.length))))
        return 0;
    char *out = bide_arena_alloc(bide_arena_of(req), text.length);
    if (!out)
        return -ENOMEM;
    *ret_text = bide__slice(out, 0);
    if (bide__url_decode(text, plus, out, &ret_text->length) == 0)
        return 0;
    bide_problems_add(problems, "url_encoding", loc, "Invalid percent-encoding");
    return -EBADMSG;
}

int bide__pairs_decode(bide_request *req, bide_problems *problems, struct bide__pairs *pairs,
                       struct bide__slice text, const char *loc)
{
    struct bide__slice rest = text, name, value;
    while (bide__url_pair_next(&rest, &name, &value)) {
        int result = decode(req, problems, name, BIDE__URL_PLUS_SPACE, loc, &name);
        if (result == 0)
            result = decode(req, problems, value, BIDE__URL_PLUS_SPACE, loc, &value);
        if (result == -ENOMEM)
            return result;
        if (result < 0)
            continue;
        result = bide__pairs_add(req, problems, pairs, name, value);
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
    bide__pairs_init(&binding->cookies);
    while (bide__cookie_next(&rest, &name, &value)) {
        bool known = false;
        for (size_t i = 0; i < binding->cookies.count && !known; i++)
            known = binding->cookies.all[i].name_length == name.length &&
                    memcmp(binding->cookies.all[i].name, name.bytes, name.length) == 0;
        int result = known ? 0
                           : bide__pairs_add(binding->req, binding->problems, &binding->cookies,
                                             name, value);
        if (result == -ENOMEM)
            return result;
        if (result < 0)
            break;
    }
    return 0;
}

static int parse_query(struct binding *binding)
{
    bide__pairs_init(&binding->query);
    return bide__pairs_decode(binding->req, binding->problems, &binding->query, binding->req->query,
                              "[\"query\"]");
}

static int parse_path(struct binding *binding, struct bide__pairs *pairs)
{
    const struct bide__route_match *match = binding->req->match;
    int result = 0;
    bide__pairs_init(pairs);
    for (unsigned i = 0; i < match->parameter_count && result == 0; i++) {
        struct bide__slice value;
        result = decode(binding->req, binding->problems, match->parameters[i], BIDE__URL_PLUS,
                        "[\"path\"]", &value);
        if (result == 0)
            result = bide__pairs_add(binding->req, binding->problems, pairs,
                                     bide__slice_of(match->route->parameter_names[i]), value);
    }
    return result == -ENOMEM ? result : 0;
}

static int parse_headers(struct binding *binding, const bide_model *model,
                         struct bide__pairs *pairs)
{
    int result = 0;
    bide__pairs_init(pairs);
    for (size_t i = 0; i < model->field_count && result == 0; i++) {
        const char *name = model->fields[i].json_name;
        bide_text text = bide_header_of(binding->req, name);
        if (text.at)
            result = bide__pairs_add(binding->req, binding->problems, pairs, bide__slice_of(name),
                                     bide__slice(text.at, text.length));
    }
    return result;
}

/* The pairs of one source for one callable. */
static int find_pairs(struct binding *binding, enum bide__source source, const bide_model *model,
                      struct bide__pairs *scratch, const struct bide__pairs **ret_pairs)
{
    *ret_pairs = scratch;
    switch (source) {
    case BIDE__SOURCE_QUERY:
        *ret_pairs = &binding->query;
        return binding->query.parsed ? 0 : parse_query(binding);
    case BIDE__SOURCE_COOKIE:
        *ret_pairs = &binding->cookies;
        return binding->cookies.parsed ? 0 : parse_cookies(binding);
    case BIDE__SOURCE_FORM:
        *ret_pairs = &binding->form->pairs;
        return 0;
    case BIDE__SOURCE_PATH:
        return parse_path(binding, scratch);
    default:
        return parse_headers(binding, model, scratch);
    }
}

static bool is_field(const struct bide__web_upload *upload, const char *name)
{
    return bide__slice_equal(upload->field, bide__slice_of(name));
}

/* The files that one parameter takes. */
static int bind_files(struct binding *binding, const struct bide__upload *wanted, char *row)
{
    const struct bide__web_upload *upload;
    size_t count = 0;
    for (upload = binding->form->uploads; upload; upload = upload->next)
        count += is_field(upload, wanted->name);
    if (count == 0 && !wanted->optional)
        bide_problems_add(
            binding->problems, "missing",
            bide_arena_printf(bide_arena_of(binding->req), "[\"body\",\"%s\"]", wanted->name),
            "Field required");
    if (count == 0)
        return 0;
    bide_upload *items = bide_arena_alloc(bide_arena_of(binding->req), count * sizeof *items);
    if (!items)
        return -ENOMEM;
    count = 0;
    for (upload = binding->form->uploads; upload; upload = upload->next)
        if (is_field(upload, wanted->name))
            items[count++] = upload->file;
    if (wanted->many)
        *(bide_uploads *)(void *)(row + wanted->offset) = (bide_uploads){items, count};
    else
        *(const bide_upload **)(void *)(row + wanted->offset) = items;
    return 0;
}

static int bind_step(struct binding *binding, const struct bide__step *step)
{
    static const char *const names[] = {"path", "query", "header", "cookie", "body"};
    const struct bide__callable *callable = step->callable;
    char *row = binding->req->block + step->row_at;
    struct bide__pairs scratch;
    for (int source = 0; source < BIDE__SOURCES; source++) {
        const bide_model *model = &callable->models[source];
        const struct bide__pairs *pairs;
        if (model->field_count == 0)
            continue;
        int result = find_pairs(binding, (enum bide__source)source, model, &scratch, &pairs);
        if (result < 0)
            return result;
        bide_input input = {.arena = bide_arena_of(binding->req),
                            .problems = binding->problems,
                            .where = names[source]};
        result = bide_form_read(&input, model, pairs->all, pairs->count, row);
        if (result < 0 && result != -EBADMSG)
            return result;
    }
    for (uint32_t i = 0; i < callable->upload_count; i++) {
        int result = bind_files(binding, &callable->uploads[i], row);
        if (result < 0)
            return result;
    }
    return 0;
}

/* A form into the model that form_body names. */
static int bind_form_body(struct binding *binding)
{
    const struct bide__plan *plan = binding->req->plan;
    bide_input input = {.arena = bide_arena_of(binding->req), .problems = binding->problems};
    int result = bide_form_read(&input, plan->body, binding->form->pairs.all,
                                binding->form->pairs.count, binding->req->block + plan->body_at);
    return result == -EBADMSG ? 0 : result;
}

int bide__web_bind(bide_request *req, const struct bide__web_form *form, bide_problems *problems)
{
    struct binding binding;
    const struct bide__plan *plan = req->plan;
    binding.req = req;
    binding.problems = problems;
    binding.form = form;
    binding.query.parsed = binding.cookies.parsed = false;
    if (plan->body && plan->takes_form) {
        int result = bind_form_body(&binding);
        if (result < 0)
            return result;
    }
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        if (callable->field_count == 0 && callable->upload_count == 0)
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
