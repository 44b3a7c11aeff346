/*
 * Descriptors: completed at their first use, then constant. Called by NAME_model() of every
 * declaration; calls the functions of the models inside, the patterns, the defaults.
 *
 * States of a model: NEW -> BUILDING -> READY. Models refer to each other in circles, so a model
 * that is met while it is BUILDING is taken as it is, and all that were reached become READY
 * together, when the first of them is done. One lock covers it; a READY model is read without.
 */
#include <bide/model.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/model.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static bide_model *building; /* all that are being completed */
static unsigned depth;       /* calls of bide__model_complete inside each other */

static void refuse(bide_model *model, const bide_field *field, const char *reason)
{
    if (model->error)
        return;
    char text[256];
    snprintf(text, sizeof text, "model `%s`, field `%s`: %s", model->name, field->name, reason);
    const char *copy = bide__strdup(text);
    model->error = copy ? copy : "out of memory";
}

static unsigned hash_of(const char *name, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return (hash ^ hash >> 16) & 255;
}

const bide_field *bide_model_field(const bide_model *model, const char *json_name, size_t length)
{
    for (unsigned slot = hash_of(json_name, length);; slot = (slot + 1) & 255) {
        if (!model->slots[slot])
            return NULL;
        const bide_field *field = &model->fields[model->slots[slot] - 1];
        if (field->json_key_length == length + 3 &&
            memcmp(field->json_name, json_name, length) == 0)
            return field;
    }
}

static void add_name(bide_model *model, bide_field *field)
{
    size_t length = strlen(field->json_name);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)field->json_name[i] < 0x20 || strchr("\"\\\x7f", field->json_name[i]))
            refuse(model, field, "an alias with characters that JSON would escape");
    if (!bide__utf8_valid(field->json_name, length)) /* the reader compares keys as they stand */
        refuse(model, field, "an alias that is not UTF-8");
    if (bide_model_field(model, field->json_name, length))
        refuse(model, field, "another field has the same name in JSON");
    unsigned slot = hash_of(field->json_name, length);
    while (model->slots[slot])
        slot = (slot + 1) & 255;
    model->slots[slot] = (uint8_t)(field - model->fields + 1);
}

/* The range as whole numbers, for i32 and i64. */
static void set_int_range(bide_field *field)
{
    int64_t least = field->kind == BIDE_KIND_I32 ? INT32_MIN : INT64_MIN;
    int64_t most = field->kind == BIDE_KIND_I32 ? INT32_MAX : INT64_MAX;
    field->min_int = least;
    field->max_int = most;
    if (!(field->flags & BIDE_RANGE))
        return;
    if (field->min > (long double)least)
        field->min_int = field->min > (long double)most ? most : (int64_t)ceill(field->min);
    if (field->max < (long double)most)
        field->max_int = field->max < (long double)least ? least : (int64_t)floorl(field->max);
}

/* Reads the default once, as every input without the field will. */
static void check_default(bide_model *model, bide_field *field)
{
    union {
        max_align_t alignment;
        char bytes[64];
    } value;
    bide_arena arena;
    bide_problems problems;
    BIDE_ASSERT(field->size <= sizeof value, "a default of %zu bytes", field->size);
    bide_arena_init(&arena, NULL, 65536);
    bide_problems_init(&problems, &arena);
    bide_input input = {.arena = &arena, .problems = &problems};
    bide__set_default(&input, NULL, field, &value);
    if (bide_problems_count(&problems)) {
        char reason[160];
        snprintf(reason, sizeof reason, "its default is not valid: %s",
                 problems.first ? problems.first->msg : "out of memory");
        refuse(model, field, reason);
    }
    bide_arena_done(&arena);
}

static void complete_field(bide_model *model, bide_field *field)
{
    if (model->base) {
        bide_field own = *field;
        *field = model->base->fields[own.base_index];
        field->offset = own.offset;
    } else {
        field->type = field->type_of();
        field->json_name = field->alias ? field->alias : field->name;
        if (field->alias_key)
            field->json_key = field->alias_key;
        field->json_key_length = strlen(field->json_key);
        set_int_range(field);
        if (field->flags & BIDE_LEN && field->min_length > field->max_length)
            refuse(model, field, "len(min, max) with min above max");
        if (field->flags & BIDE_RANGE && !(field->min <= field->max))
            refuse(model, field, "range(min, max) with min above max");
        if (field->flags & BIDE_MATCH) {
            const char *reason = bide__pattern_compile(field);
            if (reason)
                refuse(model, field, reason);
        }
        if (field->flags & BIDE_DFLT && !model->error)
            check_default(model, field);
    }
    add_name(model, field);
    uint64_t bit = UINT64_C(1) << (field - model->fields);
    if (!(field->flags & (BIDE_COMPUTED | BIDE_GENERATED | BIDE_READONLY)) &&
        field->kind != BIDE_KIND_HASH && field->type != bide__info_html_safe()) {
        model->readable |= bit;
        if (!(field->flags & (BIDE_OPTIONAL | BIDE_DFLT)) && !model->partial)
            model->required |= bit;
    }
    if (field->flags & BIDE_DFLT && !model->partial)
        model->defaulted |= bit;
    if (!(field->flags & (BIDE_SECRET | BIDE_WRITEONLY)) && field->name[0] != '_')
        model->writable |= bit;
    if (field->flags & BIDE_ASYNC && model->writable & bit)
        model->resolves = true;
}

static const bide_model *model_inside(const bide_field *field)
{
    return field->type->kind == BIDE_KIND_OBJ ? field->type->model() : NULL;
}

/* Errors and async fields of the models inside count for the ones around: until nothing changes. */
static void spread(void)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (bide_model *model = building; model; model = model->next) {
            for (size_t i = 0; i < model->field_count; i++) {
                const bide_model *inside = model_inside(&model->fields[i]);
                if (!inside)
                    continue;
                if (inside->error && !model->error) {
                    model->error = inside->error;
                    changed = true;
                }
                if (inside->resolves && !model->resolves && model->writable >> i & 1) {
                    model->resolves = true;
                    changed = true;
                }
            }
        }
    }
}

const bide_model *bide__model_complete(bide_model *model)
{
    pthread_mutex_lock(&lock);
    if (model->state == BIDE__MODEL_NEW) {
        __atomic_store_n(&model->state, BIDE__MODEL_BUILDING, __ATOMIC_RELAXED);
        model->next = building;
        building = model;
        depth++;
        if (model->base_of)
            model->base = model->base_of();
        for (size_t i = 0; i < model->field_count; i++)
            complete_field(model, &model->fields[i]);
        for (size_t i = 0; i < model->field_count; i++)
            model_inside(&model->fields[i]);
        if (--depth == 0) {
            spread();
            while (building) {
                bide_model *done = building;
                building = done->next;
                done->next = NULL;
                __atomic_store_n(&done->state, BIDE__MODEL_READY, __ATOMIC_RELEASE);
            }
        }
    }
    pthread_mutex_unlock(&lock);
    return model;
}

const char *bide_model_check(const bide_model *model)
{
    return model->error;
}

const bide_field *bide_model_unwritten(const bide_model *model)
{
    for (size_t i = 0; i < model->field_count; i++)
        if (model->fields[i].flags & (BIDE_SECRET | BIDE_WRITEONLY))
            return &model->fields[i];
    return NULL;
}

bool bide_field_has_value(const bide_model *model, const bide_field *field, const void *row)
{
    const char *member = (const char *)row + field->offset;
    switch (field->kind) {
    case BIDE_KIND_STR:
    case BIDE_KIND_SECRET:
    case BIDE_KIND_HASH:
    case BIDE_KIND_PLAIN_PW:
    case BIDE_KIND_JSON: { /* the text's pointer comes first */
        const char *text;
        memcpy(&text, member, sizeof text);
        return text != NULL;
    }
    default:
        break;
    }
    if (!(field->flags & BIDE_OPTIONAL) && !model->partial)
        return true;
    uint64_t set;
    memcpy(&set, (const char *)row + model->set_offset, sizeof set);
    if (set >> (field - model->fields) & 1)
        return true;
    for (size_t i = 0; i < field->size; i++)
        if (member[i])
            return true;
    return false;
}

/* ---- the plain types ---- */

#define PLAIN(T, tag, c_type, text)                                                                \
    const bide_type *bide__info_##T(void)                                                          \
    {                                                                                              \
        static const bide_type type = {                                                            \
            .kind = BIDE_KIND_##tag, .name = text, .size = sizeof(c_type)};                        \
        return &type;                                                                              \
    }
PLAIN(_Bool, BOOL, bool, "bool")
PLAIN(i32, I32, int32_t, "i32")
PLAIN(i64, I64, int64_t, "i64")
PLAIN(f64, F64, double, "f64")
PLAIN(str, STR, const char *, "str")
PLAIN(bytes, BYTES, bide_bytes, "bytes")
PLAIN(uuid, UUID, bide_uuid, "uuid")
PLAIN(time, TIME, bide_time, "time")
PLAIN(date, DATE, bide_date, "date")
PLAIN(decimal, DECIMAL, bide_decimal, "decimal")
PLAIN(json, JSON, bide_json, "json")
PLAIN(html_safe, STR, bide_html_safe, "html_safe")
PLAIN(secret, SECRET, bide_secret, "secret")
PLAIN(hash, HASH, bide_hash, "hash")
PLAIN(plain_pw, PLAIN_PW, bide_plain_pw, "plain_pw")
