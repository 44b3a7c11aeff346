/*
 * bide_patch: what a PARTIAL holds, into the row with a key. Called by users through db_macros.h;
 * calls form.c, query.c, row.c.
 */
#include "db/db.h"

#include <errno.h>

struct patching {
    const bide_model *model, *partial;
    const void *changes;
    bide_buf *text;
    bide_bind binds[66]; /* from 1 on: the fields, then the key */
    size_t count;
};

static bool has_bit(const struct patching *patching, size_t offset, size_t index)
{
    const char *bits = (const char *)patching->changes + offset;
    return *(const uint64_t *)(const void *)bits >> index & 1;
}

/* update "t" set "a"=$1,"b"=$2; nothing for no changes */
static void put_changes(struct patching *patching)
{
    const bide_model *partial = patching->partial;
    for (size_t i = 0; i < partial->field_count; i++) {
        const bide_field *field = &partial->fields[i];
        bool null = has_bit(patching, partial->null_offset, i);
        if (!null && !has_bit(patching, partial->set_offset, i))
            continue;
        if (patching->count == 1)
            bide_buf_printf(patching->text, "update \"%s\" set ", patching->model->table);
        bide_buf_printf(patching->text, "%s\"%s\"=$%zu", patching->count > 1 ? "," : "",
                        field->name, patching->count);
        patching->binds[patching->count] =
            null ? bide__bind_none(NULL) : bide__bind_field(partial, field, patching->changes);
        patching->binds[patching->count++].secret = field->flags & BIDE_SECRET;
    }
}

/* The whole statement; without changes only what follows `where`. */
static int put_statement(struct patching *patching, bide_bind key, struct bide__trouble *trouble)
{
    const bide_model *model = patching->model;
    int code = bide__write_check(model, trouble);
    if (code < 0)
        return code;
    const bide_field *key_field = bide__only_key(model, trouble);
    if (!key_field)
        return -EBADMSG;
    put_changes(patching);
    bool changes = patching->count > 1;
    bide_buf_printf(patching->text, "%s\"%s\"=$%zu", changes ? " where " : "", key_field->name,
                    patching->count);
    patching->binds[patching->count++] = key;
    if (changes) {
        bide_buf_append_str(patching->text, " returning ");
        bide__put_columns(patching->text, model);
    }
    return bide_buf_error(patching->text) ? bide__text_trouble(patching->text, trouble) : 0;
}

bide_async(bide__rows) bide__db_patch(struct bide__on on, const bide_model *model, bide_bind key,
                                      const bide_model *partial, const void *changes)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    struct patching patching = {
        .model = model, .partial = partial, .changes = changes, .text = &text, .count = 1};
    struct bide__trouble trouble = {0};
    struct bide__want want = {.model = model, .how = BIDE__ONE};
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    bide__db_check(on.db);
    if (put_statement(&patching, key, &trouble) < 0)
        bide__db_raise(-EBADMSG, &trouble, NULL);
    const struct bide__form *form =
        bide__form_make(NULL, bide_buf_str(&text), patching.count > 2 ? NULL : model,
                        BIDE__SHAPE_ANY, patching.count);
    return bide__form_rows(on, want, form, patching.binds, patching.count);
}
