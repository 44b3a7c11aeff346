/*
 * Async computed fields: collected over the whole response, resolved concurrently, then written.
 * The only file of this folder that suspends. Called by users and the web layer; calls bide_each
 * and json_write.c.
 *
 *     rows -> collect: one call per async field, in the writer's order -> bide_each (bounded)
 *          -> values in the same order -> the writer takes one at each async field
 *
 * Invariant
 *  1. collect and the writer walk the same fields in the same order: those in `writable`, objects
 *     where they stand, lists by index, and nothing below a null.
 */
#include <bide/group.h>
#include <bide/json.h>

#include "base/caps.h"
#include "model/model.h"

#include <errno.h>
#include <string.h>

struct calls {
    bide_arena *arena;
    struct bide__pending *calls;
    size_t count, capacity;
    int error;
    unsigned depth;
};

static void collect_row(struct calls *calls, const bide_model *model, const void *row);

static void add_call(struct calls *calls, const bide_model *model, const bide_field *field,
                     const void *row)
{
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity ? calls->capacity * 2 : 8;
        struct bide__pending *grown = bide_arena_alloc_zero(calls->arena, capacity, sizeof *grown);
        if (!grown) {
            calls->error = -ENOMEM;
            return;
        }
        if (calls->count)
            memcpy(grown, calls->calls, calls->count * sizeof *grown);
        calls->calls = grown;
        calls->capacity = capacity;
    }
    void *value = bide_arena_alloc_zero(calls->arena, 1, field->type->size);
    if (!value) {
        calls->error = -ENOMEM;
        return;
    }
    calls->calls[calls->count++] =
        (struct bide__pending){field, bide__row_of(model, row, calls->arena), value, false};
}

/* The objects of one field: itself, or the items of its list. */
static void collect_inside(struct calls *calls, const bide_model *model, const bide_field *field,
                           const void *row)
{
    if (field->type->kind != BIDE_KIND_OBJ || !field->type->model()->resolves)
        return;
    if (field->flags & BIDE_OPTIONAL && !bide_field_has_value(model, field, row))
        return;
    const bide_model *inside = field->type->model();
    const char *member = (const char *)row + field->offset;
    if (field->kind == BIDE_KIND_OBJ) {
        collect_row(calls, inside, member);
        return;
    }
    const struct bide__any_list *list = (const struct bide__any_list *)member;
    for (size_t i = 0; i < list->count && !calls->error; i++)
        collect_row(calls, inside, (const char *)list->items + i * inside->size);
}

static void collect_row(struct calls *calls, const bide_model *model, const void *row)
{
    if (calls->depth == BIDE_CAP_JSON_DEPTH) {
        calls->error = -EINVAL;
        return;
    }
    calls->depth++;
    for (uint64_t left = model->writable; left && !calls->error; left &= left - 1) {
        const bide_field *field = &model->fields[bide__first_bit(left)];
        if (field->flags & BIDE_ASYNC)
            add_call(calls, model, field, row);
        else if (!(field->flags & BIDE_COMPUTED))
            collect_inside(calls, model, field, row);
    }
    calls->depth--;
}

static bide_async(void) resolve_one(bide__pending_ptr call, size_t index, void *unused);
SPAWNABLE(void, resolve_one, bide__pending_ptr, size_t, void *)

/* The thunk awaits: its function is the user's `async(T)`. */
static bide_async(void) resolve_one(bide__pending_ptr call, size_t index, void *unused)
{
    (void)index;
    (void)unused;
    call->field->compute(&call->row, call->value);
    call->done = true;
    return bide_void;
}

static void raise_code(const bide_model *model, int error)
{
    if (error == -ENOMEM)
        bide_fail(bide_error_new(BIDE_NO_MEMORY, "no memory to write `%s`", model->name));
    if (error == -EMSGSIZE)
        bide_fail(bide_error_new(BIDE_LIMIT, "`%s` is larger than its buffer may be", model->name));
    if (error == -ERANGE)
        bide_fail(bide_error_new(BIDE_INVALID, "`%s` holds a value that has no text", model->name));
    bide_fail(bide_error_new(BIDE_INVALID, "`%s` cannot be written: %s", model->name,
                             model->error ? model->error : "more than 64 levels"));
}

/* A task that somebody cancelled alone is no failure for its group, but its value is missing. */
bide_async(void) bide__resolve(bide__pending_ptr *calls, size_t count)
{
    bide_await(bide_each(calls, count, BIDE_CAP_RESOLVE_TASKS, resolve_one, NULL));
    for (size_t i = 0; i < count; i++)
        if (!calls[i]->done)
            bide_fail(bide_error_new(BIDE_CANCELLED, "the computing of `%s` of `%s` was cancelled",
                                     calls[i]->field->name, calls[i]->row.model->name));
    return bide_void;
}

static bide_async(void) render(const bide_model *model, const void *rows, size_t count,
                               bool is_list, bide_arena *arena, bide_buf *out)
{
    struct calls calls = {.arena = arena};
    struct bide__resolved resolved = {NULL, 0, 0};
    if (!model->error && model->resolves && rows) {
        for (size_t i = 0; i < count && !calls.error; i++)
            collect_row(&calls, model, (const char *)rows + i * model->size);
        bide__pending_ptr *pointers = bide_arena_alloc(arena, (calls.count + 1) * sizeof *pointers);
        const void **values = bide_arena_alloc(arena, (calls.count + 1) * sizeof *values);
        if (calls.error || !pointers || !values)
            raise_code(model, calls.error ? calls.error : -ENOMEM);
        for (size_t i = 0; i < calls.count; i++) {
            pointers[i] = &calls.calls[i];
            values[i] = calls.calls[i].value;
        }
        bide_await(bide__resolve(pointers, calls.count));
        resolved = (struct bide__resolved){values, calls.count, 0};
    }
    int error = bide__json_write_rows(model, rows, count, is_list, arena, &resolved, out);
    if (error)
        raise_code(model, error);
    return bide_void;
}

bide_async(void) bide_json_render(const bide_model *model, const void *row, bide_arena *arena,
                                  bide_buf *out)
{
    return render(model, row, 1, false, arena, out);
}

bide_async(void) bide_json_render_list(const bide_model *model, const void *rows, size_t count,
                                       bide_arena *arena, bide_buf *out)
{
    return render(model, rows, count, true, arena, out);
}
