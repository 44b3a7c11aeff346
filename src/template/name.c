/*
 * Names in templates: which field of which model around the tag. Called by compile.c; pure.
 */
#include "template/compile.h"

#include "base/nearest.h"

#include <errno.h>
#include <string.h>

/* A name that is being looked up. */
struct lookup {
    struct bide__compiler *compiler;
    const struct bide__source *source;
    const struct bide__token *token;
    struct bide__place place;
    struct bide__hop hops[BIDE_CAP_TEMPLATE_DEPTH];
};

static const bide_field *find(const bide_model *model, struct bide__slice name)
{
    for (size_t i = 0; i < model->field_count; i++)
        if (bide__slice_equal(bide__slice_of(model->fields[i].name), name))
            return &model->fields[i];
    return NULL;
}

static bool may_be_written(const bide_model *model, const bide_field *field)
{
    return model->writable >> (field - model->fields) & 1;
}

static int refuse(struct lookup *lookup, struct bide__slice part, const char *what,
                  const char *where, struct bide__nearest *nearest)
{
    return bide__template_refuse(lookup->compiler->problem, lookup->source->file->where,
                                 lookup->token->line, "there is no %s `%.*s` in `%s`%s%s%s", what,
                                 (int)(part.length < 80 ? part.length : 80), part.bytes, where,
                                 nearest->best ? ": did you mean `" : "",
                                 nearest->best ? nearest->best : "", nearest->best ? "`?" : "");
}

static const char *copy_of(struct lookup *lookup, struct bide__slice part)
{
    const char *copy = bide_arena_strndup(&lookup->compiler->scratch, part.bytes, part.length);
    return copy ? copy : "";
}

static int set_field(struct lookup *lookup, const bide_model *model, const bide_field *field)
{
    if (!may_be_written(model, field))
        return bide__template_refuse(
            lookup->compiler->problem, lookup->source->file->where, lookup->token->line,
            "the field `%s` of `%s` is never written: it is %s", field->name, model->name,
            field->flags & BIDE_SECRET      ? "secret"
            : field->flags & BIDE_WRITEONLY ? "writeonly"
                                            : "private, by the `_` of its name");
    lookup->place.model = model;
    lookup->place.field = field;
    lookup->place.kind = field->kind;
    lookup->place.type = field->type;
    lookup->compiler->code->resolves |= (field->flags & BIDE_ASYNC) != 0;
    return 0;
}

static int find_first(struct lookup *lookup, const struct bide__names *scope,
                      struct bide__slice part)
{
    struct bide__nearest nearest = {.wanted = copy_of(lookup, part)};
    const bide_model *innermost = NULL;
    for (unsigned i = 0; i < scope->count; i++) {
        const bide_model *model = lookup->compiler->regs[scope->regs[i]];
        const bide_field *field = find(model, part);
        lookup->place.reg = scope->regs[i];
        if (field)
            return set_field(lookup, model, field);
        for (size_t n = 0; n < model->field_count; n++)
            if (may_be_written(model, &model->fields[n]))
                bide__nearest_offer(&nearest, model->fields[n].name);
        if (!innermost)
            innermost = model;
    }
    return refuse(lookup, part, "field", innermost->name, &nearest);
}

/* The part behind a dot: a field of an object, the count of a list, a value of an enum. */
static int find_next(struct lookup *lookup, struct bide__slice part)
{
    struct bide__place *place = &lookup->place;
    struct bide__nearest nearest = {.wanted = copy_of(lookup, part)};
    if (place->aspect == BIDE__ASPECT_VALUE && place->kind == BIDE_KIND_LIST) {
        if (!bide__slice_equal(part, bide__slice("count", 5))) {
            nearest.best = "count";
            return refuse(lookup, part, "part", "a list", &nearest);
        }
        place->aspect = BIDE__ASPECT_COUNT;
        return 0;
    }
    if (place->aspect == BIDE__ASPECT_VALUE && place->kind == BIDE_KIND_ENUM) {
        for (size_t i = 0; i < place->type->enum_count; i++) {
            bide__nearest_offer(&nearest, place->type->enum_names[i]);
            if (bide__slice_equal(part, bide__slice_of(place->type->enum_names[i]))) {
                place->aspect = BIDE__ASPECT_IS;
                place->is = (int32_t)i;
                return 0;
            }
        }
        return refuse(lookup, part, "value", place->type->name, &nearest);
    }
    if (place->aspect != BIDE__ASPECT_VALUE || place->kind != BIDE_KIND_OBJ)
        return refuse(lookup, part, "part", place->type->name, &nearest);
    const bide_model *model = place->type->model();
    const bide_field *field = find(model, part);
    for (size_t i = 0; i < model->field_count; i++)
        if (may_be_written(model, &model->fields[i]))
            bide__nearest_offer(&nearest, model->fields[i].name);
    if (!field)
        return refuse(lookup, part, "field", model->name, &nearest);
    if (place->field && (place->field->flags & BIDE_OPTIONAL || place->model->partial)) {
        if (place->hop_count == BIDE_CAP_TEMPLATE_DEPTH)
            return -EINVAL;
        lookup->hops[place->hop_count++] =
            (struct bide__hop){place->model, place->field, place->offset};
    }
    if (place->field)
        place->offset += place->field->offset;
    return set_field(lookup, model, field);
}

int bide__compiler_resolve(struct bide__compiler *compiler, const struct bide__source *source,
                           const struct bide__names *scope, const struct bide__token *token,
                           struct bide__place *ret_place)
{
    struct lookup lookup = {.compiler = compiler, .source = source, .token = token};
    struct bide__slice rest = token->text, part = rest;
    int result;
    if (bide__slice_equal(rest, bide__slice(".", 1))) {
        *ret_place = scope->dot;
        return 0;
    }
    if (*rest.bytes == '.' || rest.bytes[rest.length - 1] == '.' ||
        memmem(rest.bytes, rest.length, "..", 2))
        return bide__compiler_refuse(compiler, source, token,
                                     "a name with a dot that nothing stands before or behind");
    bide__slice_split(&rest, '.', &part);
    result = find_first(&lookup, scope, part);
    while (result == 0 && bide__slice_split(&rest, '.', &part))
        result = find_next(&lookup, part);
    if (result < 0)
        return result;
    if (lookup.place.hop_count) {
        lookup.place.hops = bide_arena_copy(&compiler->code->arena, lookup.hops,
                                            lookup.place.hop_count * sizeof *lookup.hops);
        if (!lookup.place.hops)
            return -ENOMEM;
    }
    compiler->code->uses_site |= lookup.place.reg == 1;
    *ret_place = lookup.place;
    return 0;
}
