/*
 * Operations and rows into bytes. Called by store.c and resolve.c; calls the models' functions and
 * escape.c.
 *
 * Invariants
 *  1. `run` is compiled twice: it writes, or it only notes which async fields the writing will ask
 *     for. The second does not know their values yet, so it goes both ways at a section on one.
 *  2. A frame is pushed by LOOP, OBJECT and CALL, and popped by NEXT, POP and RETURN.
 */
#include "template/escape.h"

#include "base/mem.h"
#include "model/number.h"

#include <errno.h>

struct frame {
    const void *saved;    /* of the register */
    const char *at, *end; /* the items that are left; of LOOP */
    uint32_t op;          /* to go on at; of CALL */
};

/* A value on its way: where it is, or where it was computed to. */
union value {
    max_align_t alignment;
    char bytes[64];
};

struct run {
    struct bide__out out;
    bide_arena *arena;
    struct bide__pendings *pendings;
    int error;
    unsigned depth;
    bool has_query; /* the URL that is being written */
    const void *regs[BIDE_CAP_TEMPLATE_REGISTERS];
    struct frame frames[BIDE_CAP_TEMPLATE_FRAMES];
};

/* ---- values ---- */

static size_t slot_of(const struct bide__pendings *pendings, const bide_field *field,
                      const void *row)
{
    uint64_t hash = ((uint64_t)(uintptr_t)row ^ (uint64_t)(uintptr_t)field << 20) *
                    UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(hash >> 32) & (pendings->capacity - 1);
    while (pendings->slots[slot] &&
           (pendings->slots[slot]->row.data != row || pendings->slots[slot]->field != field))
        slot = (slot + 1) & (pendings->capacity - 1);
    return slot;
}

static int widen(struct run *run)
{
    struct bide__pendings *pendings = run->pendings, wider = *pendings;
    wider.capacity = pendings->capacity ? pendings->capacity * 2 : 16;
    wider.slots = bide_arena_alloc_zero(run->arena, wider.capacity, sizeof *wider.slots);
    if (!wider.slots)
        return -ENOMEM;
    for (size_t i = 0; i < pendings->capacity; i++) {
        bide__pending_ptr pending = pendings->slots[i];
        if (pending)
            wider.slots[slot_of(&wider, pending->field, pending->row.data)] = pending;
    }
    *pendings = wider;
    return 0;
}

/* Notes an async field of a row, once. */
static void note(struct run *run, const bide_field *field, const bide_row *row)
{
    struct bide__pendings *pendings = run->pendings;
    if (pendings->count * 2 >= pendings->capacity && (run->error = widen(run)) < 0)
        return;
    size_t slot = slot_of(pendings, field, row->data);
    if (pendings->slots[slot])
        return;
    bide__pending_ptr pending = bide_arena_alloc_zero(run->arena, 1, sizeof *pending);
    void *value = bide_arena_alloc_zero(run->arena, 1, field->type->size);
    if (!pending || !value) {
        run->error = -ENOMEM;
        return;
    }
    *pending = (struct bide__pending){.field = field, .row = *row, .value = value};
    pendings->slots[slot] = pending;
    pendings->count++;
}

static const void *compute(struct run *run, const struct bide__place *place, const void *row,
                           union value *scratch)
{
    bide_row at = bide__row_of(place->model, row, run->arena);
    if (!(place->field->flags & BIDE_ASYNC)) {
        memset(scratch, 0, sizeof *scratch);
        place->field->compute(&at, scratch);
        return scratch;
    }
    const struct bide__pendings *pendings = run->pendings;
    size_t slot = pendings && pendings->capacity ? slot_of(pendings, place->field, at.data) : 0;
    if (!pendings || !pendings->capacity || !pendings->slots[slot]) {
        run->error = -EAGAIN;
        return NULL;
    }
    return pendings->slots[slot]->value;
}

/* The row that has the field of a place; NULL: an object around it is absent. */
static const char *row_of(const struct run *run, const struct bide__place *place)
{
    const char *row = run->regs[place->reg];
    for (unsigned i = 0; i < place->hop_count; i++)
        if (!bide_field_has_value(place->hops[i].model, place->hops[i].field,
                                  row + place->hops[i].offset))
            return NULL;
    return row + place->offset;
}

/* The value, or NULL: null. */
static const void *value_of(struct run *run, const struct bide__place *place, union value *scratch)
{
    const bide_field *field = place->field;
    if (!field)
        return run->regs[place->reg];
    const char *row = row_of(run, place);
    if (!row)
        return NULL;
    if (field->flags & BIDE_COMPUTED)
        return compute(run, place, row, scratch);
    if ((field->flags & BIDE_OPTIONAL || place->model->partial) &&
        !bide_field_has_value(place->model, field, row))
        return NULL;
    return row + field->offset;
}

static bool is_pending(const struct bide__place *place)
{
    return place->field && place->field->flags & BIDE_ASYNC;
}

static void note_place(struct run *run, const struct bide__place *place)
{
    const char *row = row_of(run, place);
    if (!row)
        return;
    bide_row at = bide__row_of(place->model, row, run->arena);
    note(run, place->field, &at);
}

static bool is_enum_value(const struct bide__place *place, const void *value)
{
    int32_t index;
    memcpy(&index, value, sizeof index);
    return index == place->is;
}

static bool is_number_true(enum bide_kind kind, const void *value)
{
    switch (kind) {
    case BIDE_KIND_BOOL:
        return *(const bool *)value;
    case BIDE_KIND_I32:
        return *(const int32_t *)value != 0;
    case BIDE_KIND_I64:
        return *(const int64_t *)value != 0;
    case BIDE_KIND_F64:
        return *(const double *)value != 0;
    case BIDE_KIND_DECIMAL:
        return ((const bide_decimal *)value)->units != 0;
    default:
        return true;
    }
}

/* What a section is about: false for null, false, 0, an empty text, an empty list. */
static bool is_true(struct run *run, const struct bide__place *place)
{
    union value scratch;
    const void *value = value_of(run, place, &scratch);
    if (!value)
        return false;
    if (place->aspect == BIDE__ASPECT_IS)
        return is_enum_value(place, value);
    switch (place->kind) {
    case BIDE_KIND_LIST:
        return ((const struct bide__any_list *)value)->count > 0;
    case BIDE_KIND_STR: {
        const char *text = *(const char *const *)value;
        return text && *text;
    }
    case BIDE_KIND_BYTES:
        return ((const bide_bytes *)value)->size > 0;
    case BIDE_KIND_JSON: {
        const bide_json *json = value;
        return json->text && strcmp(json->text, "null") != 0 && strcmp(json->text, "false") != 0;
    }
    default:
        return is_number_true(place->kind, value);
    }
}

/* ---- writing ---- */

static void put_number(struct bide__out *out, int64_t number)
{
    if (bide__out_room(out, BIDE__NUMBER_BYTES))
        out->at += bide__format_i64(out->at, number);
}

/* base64, which needs no escaping but in URLs: in pieces. */
static void put_bytes(struct bide__out *out, enum bide__escape escape, const bide_bytes *bytes)
{
    char text[BIDE__BASE64_PIECE_TEXT];
    for (size_t i = 0; i < bytes->size; i += BIDE__BASE64_PIECE) {
        size_t left = bytes->size - i;
        size_t size = left < BIDE__BASE64_PIECE ? left : BIDE__BASE64_PIECE;
        bide__out_text(out, escape, text, bide__base64_encode(bytes->data + i, size, text));
    }
}

static size_t format(enum bide_kind kind, const void *value, char *text)
{
    switch (kind) {
    case BIDE_KIND_UUID:
        return bide_uuid_format(*(const bide_uuid *)value, text);
    case BIDE_KIND_TIME:
        return bide_time_format(*(const bide_time *)value, text);
    case BIDE_KIND_DATE:
        return bide_date_format(*(const bide_date *)value, text);
    case BIDE_KIND_DECIMAL:
        return bide_decimal_format(*(const bide_decimal *)value, text);
    case BIDE_KIND_F64:
        return bide__format_f64(text, *(const double *)value);
    default:
        return 0;
    }
}

static void put_enum(struct run *run, enum bide__escape escape, const bide_type *type,
                     const void *value)
{
    int32_t index;
    memcpy(&index, value, sizeof index);
    if (index >= 0 && (size_t)index < type->enum_count)
        bide__out_text(&run->out, escape, type->enum_names[index], strlen(type->enum_names[index]));
    else
        run->error = -ERANGE;
}

static void put_value(struct run *run, enum bide__escape escape, enum bide_kind kind,
                      const bide_type *type, const void *value)
{
    struct bide__out *out = &run->out;
    char text[BIDE_VALUE_TEXT];
    size_t length;
    switch (kind) {
    case BIDE_KIND_BOOL:
        bide__out_put(out, *(const bool *)value ? "true" : "false", *(const bool *)value ? 4 : 5);
        return;
    case BIDE_KIND_I32:
        put_number(out, *(const int32_t *)value);
        return;
    case BIDE_KIND_I64:
        put_number(out, *(const int64_t *)value);
        return;
    case BIDE_KIND_STR: {
        const char *string = *(const char *const *)value;
        bide__out_text(out, escape, string ? string : "", string ? strlen(string) : 0);
        return;
    }
    case BIDE_KIND_JSON:
        bide__out_text(out, escape, ((const bide_json *)value)->text,
                       ((const bide_json *)value)->length);
        return;
    case BIDE_KIND_BYTES:
        put_bytes(out, escape, value);
        return;
    case BIDE_KIND_ENUM:
        put_enum(run, escape, type, value);
        return;
    default:
        length = format(kind, value, text);
        if (length > 0)
            bide__out_text(out, escape, text, length);
        else
            run->error = -ERANGE;
    }
}

/* Of a parameter in a path. */
static bool is_part(const struct bide__template_op *op, const void *value)
{
    if (!value || op->place->kind != BIDE_KIND_STR || op->place->aspect != BIDE__ASPECT_VALUE)
        return value != NULL;
    const char *text = *(const char *const *)value;
    return text && bide__url_part_fits(bide__slice_of(text), op->escape != BIDE__ESCAPE_URL_QUERY);
}

static void put_place(struct run *run, const struct bide__template_op *op)
{
    const struct bide__place *place = op->place;
    union value scratch;
    const void *value = value_of(run, place, &scratch);
    if (op->code == BIDE__OP_PART && run->error == 0 && !is_part(op, value))
        run->error = -EDOM;
    if (!value)
        return;
    if (place->aspect == BIDE__ASPECT_COUNT)
        put_number(&run->out, (int64_t)((const struct bide__any_list *)value)->count);
    else if (place->aspect == BIDE__ASPECT_IS)
        bide__out_put(&run->out, is_enum_value(place, value) ? "true" : "false",
                      is_enum_value(place, value) ? 4 : 5);
    else
        put_value(run, (enum bide__escape)op->escape, place->kind, place->type, value);
}

static void put_pair(struct run *run, const struct bide__query *query, enum bide_kind kind,
                     const void *value)
{
    struct bide__out *out = &run->out;
    if (kind == BIDE_KIND_STR && !query->text && !*(const char *const *)value)
        return;
    bide__out_put(out, run->has_query ? "&amp;" : "?", run->has_query && query->is_html ? 5 : 1);
    bide__out_text(out, BIDE__ESCAPE_URL_QUERY, query->name, strlen(query->name));
    bide__out_put(out, "=", 1);
    if (query->text)
        bide__out_text(out, BIDE__ESCAPE_URL_QUERY, query->text, strlen(query->text));
    else
        put_value(run, BIDE__ESCAPE_URL_QUERY, kind, query->place.type, value);
    run->has_query = true;
}

/* What is absent is left out. */
static void put_query(struct run *run, const struct bide__query *query)
{
    const struct bide__place *place = &query->place;
    union value scratch;
    const void *value = query->text ? query : value_of(run, place, &scratch);
    run->has_query &= !query->is_first;
    if (!value)
        return;
    if (query->text || (place->aspect == BIDE__ASPECT_VALUE && place->kind != BIDE_KIND_LIST)) {
        put_pair(run, query, place->kind, value);
    } else if (place->aspect == BIDE__ASPECT_VALUE) {
        const struct bide__any_list *list = value;
        for (size_t i = 0; i < list->count; i++)
            put_pair(run, query, place->type->kind,
                     (const char *)list->items + i * place->type->size);
    } else if (place->aspect == BIDE__ASPECT_COUNT) {
        const int64_t count = (int64_t)((const struct bide__any_list *)value)->count;
        put_pair(run, query, BIDE_KIND_I64, &count);
    } else {
        const bool is = is_enum_value(place, value);
        put_pair(run, query, BIDE_KIND_BOOL, &is);
    }
}

/* ---- the operations ---- */

static struct frame *push(struct run *run)
{
    if (run->depth == BIDE_CAP_TEMPLATE_FRAMES) {
        run->error = -ELOOP;
        return NULL;
    }
    return &run->frames[run->depth++];
}

/* Begins a list. Gives the next operation. */
static uint32_t loop(struct run *run, const struct bide__template_op *op, uint32_t index)
{
    union value scratch;
    const struct bide__any_list *list = value_of(run, op->place, &scratch);
    struct frame *frame;
    if (!list || list->count == 0 || !(frame = push(run)))
        return op->target;
    const char *items = list->items;
    frame->saved = run->regs[op->reg];
    frame->at = items;
    frame->end = items + list->count * op->place->type->size;
    run->regs[op->reg] = items;
    return index + 1;
}

/* Ends an item of a list; the operation before `target` says of what size it is. */
static uint32_t next(struct run *run, const struct bide__code *code,
                     const struct bide__template_op *op, uint32_t index)
{
    struct frame *frame = &run->frames[run->depth - 1];
    frame->at += code->ops[op->target - 1].place->type->size;
    if (frame->at < frame->end) {
        run->regs[op->reg] = frame->at;
        return op->target;
    }
    run->regs[op->reg] = frame->saved;
    run->depth--;
    return index + 1;
}

static uint32_t object(struct run *run, const struct bide__template_op *op, uint32_t index)
{
    union value scratch;
    const void *row = value_of(run, op->place, &scratch);
    struct frame *frame;
    if (!row || !(frame = push(run)))
        return op->target;
    frame->saved = run->regs[op->reg];
    run->regs[op->reg] = row;
    return index + 1;
}

/* Of a section: whether its body is for this row. */
static bool goes_in(struct run *run, const struct bide__template_op *op, bool collects)
{
    if (collects && is_pending(op->place)) {
        note_place(run, op->place);
        return true;
    }
    return is_true(run, op->place) == (op->code == BIDE__OP_IF);
}

__attribute__((__always_inline__)) static inline void
run_ops(struct run *run, const struct bide__code *code, bool collects)
{
    uint32_t index = 0;
    while (run->error == 0) {
        const struct bide__template_op *op = &code->ops[index];
        switch ((enum bide__op_code)op->code) {
        case BIDE__OP_TEXT:
            if (!collects)
                bide__out_put(&run->out, op->text, op->length);
            index++;
            break;
        case BIDE__OP_STR: {
            const char *text;
            memcpy(&text, (const char *)run->regs[op->reg] + op->offset, sizeof text);
            if (!collects && text)
                bide__out_html(&run->out, text, strlen(text));
            index++;
            break;
        }
        case BIDE__OP_VALUE:
        case BIDE__OP_PART:
            if (!collects)
                put_place(run, op);
            else if (is_pending(op->place))
                note_place(run, op->place);
            index++;
            break;
        case BIDE__OP_QUERY:
            if (!collects)
                put_query(run, op->query);
            else if (!op->query->text && is_pending(&op->query->place))
                note_place(run, &op->query->place);
            index++;
            break;
        case BIDE__OP_IF:
        case BIDE__OP_UNLESS:
            index = goes_in(run, op, collects) ? index + 1 : op->target;
            break;
        case BIDE__OP_LOOP:
            index = loop(run, op, index);
            break;
        case BIDE__OP_NEXT:
            if (bide__unlikely(!run->out.at) && bide_buf_error(run->out.buf))
                return;
            index = next(run, code, op, index);
            break;
        case BIDE__OP_OBJECT:
            index = object(run, op, index);
            break;
        case BIDE__OP_POP:
            run->regs[op->reg] = run->frames[--run->depth].saved;
            index++;
            break;
        case BIDE__OP_CALL: {
            struct frame *frame = push(run);
            if (!frame)
                return;
            frame->op = index + 1;
            index = op->target;
            break;
        }
        case BIDE__OP_RETURN:
            if (run->depth == 0)
                return;
            index = run->frames[--run->depth].op;
            break;
        }
    }
}

int bide__code_run(const struct bide__code *code, const void *row, const void *site,
                   bide_arena *arena, struct bide__pendings *pendings, bool collects, bide_buf *out)
{
    struct run run;
    run.out = (struct bide__out){.buf = out};
    run.arena = arena;
    run.pendings = pendings;
    run.error = 0;
    run.depth = 0;
    run.has_query = false;
    memset(run.regs, 0, code->reg_count * sizeof *run.regs);
    run.regs[0] = row;
    run.regs[1] = site;
    if (collects)
        run_ops(&run, code, true);
    else
        run_ops(&run, code, false);
    bide__out_flush(&run.out);
    return bide_buf_error(out) ? bide_buf_error(out) : run.error;
}
