/*
 * Pages after a row: bide_page_after. The rows that follow one, in an order that is total, however
 * many come before it and whatever is inserted or deleted meanwhile. Called by users through
 * db_macros.h; calls query.c.
 */
#include "db/db.h"

#include <string.h>
#include <strings.h>

static void check_keyset(const struct bide__keyset *set, const char *text,
                         struct bide__trouble *trouble)
{
    const bide_model *model = set->model;
    const char *error = bide_model_check(model);
    bool total = false;
    if (error)
        bide__trouble(trouble, BIDE_INVALID, "%s", error);
    for (size_t i = 0; i < set->count && !trouble->code; i++) {
        const bide_field *field = &model->fields[set->fields[i]];
        if (!bide__is_column(field) || (field->flags & BIDE_OPTIONAL))
            bide__trouble(trouble, BIDE_QUERY,
                          "bide_page_after: no order by %s, which is optional or no column",
                          field->name);
        total = field->flags & (BIDE_KEY | BIDE_UNIQUE);
    }
    if (!trouble->code && !total)
        bide__trouble(trouble, BIDE_QUERY,
                      "bide_page_after: rows with the same values would be skipped: the last field "
                      "of the order must be a key, or unique");
    if (!trouble->code && strcasestr(text, "order by"))
        bide__trouble(trouble, BIDE_QUERY, "bide_page_after: the query says `order by` itself");
    if (!trouble->code && (set->size < 1 || set->size > BIDE_CAP_DB_PAGE_ROWS))
        bide__trouble(trouble, BIDE_INVALID, "there is no page of %lld rows", (long long)set->size);
}

/* ("a","b") > ($2,$3) */
static void put_after(bide_buf *buf, const struct bide__keyset *set, size_t first)
{
    bide_buf_append_str(buf, " where (");
    for (size_t i = 0; i < set->count; i++)
        bide_buf_printf(buf, "%s\"%s\"", i ? "," : "", set->model->fields[set->fields[i]].name);
    bide_buf_append_str(buf, set->descending ? ") < (" : ") > (");
    for (size_t i = 0; i < set->count; i++)
        bide_buf_printf(buf, "%s$%zu", i ? "," : "", first + i);
    bide_buf_append_str(buf, ")");
}

void bide__put_order(bide_buf *buf, const struct bide__keyset *set)
{
    bide_buf_append_str(buf, " order by ");
    for (size_t i = 0; i < set->count; i++)
        bide_buf_printf(buf, "%s\"%s\"%s", i ? "," : "", set->model->fields[set->fields[i]].name,
                        set->descending ? " desc" : "");
}

static void put_text(bide_buf *buf, const struct bide__keyset *set, const char *text, size_t count)
{
    bide_buf_append_str(buf, "select * from (");
    bide__put_query(buf, set->model, text);
    bide_buf_append_str(buf, ") as paged");
    if (set->after)
        put_after(buf, set, count);
    bide__put_order(buf, set);
    bide_buf_printf(buf, " limit $%zu", count + (set->after ? set->count : 0));
}

bide_async(bide__rows) bide__db_after(struct bide__on on, struct bide__keyset set, const char *text,
                                      const bide_bind *binds, size_t count)
{
    bide_buf whole __attribute__((cleanup(bide_buf_done)));
    struct bide__trouble trouble = {0};
    bide_arena *arena = bide_task_arena();
    size_t own = count;
    bide_buf_init(&whole, BIDE_CAP_DB_STATEMENT_BYTES);
    check_keyset(&set, text, &trouble);
    bide_bind *all = arena ? bide_arena_alloc(arena, (count + 65) * sizeof *all) : NULL;
    if (!trouble.code)
        put_text(&whole, &set, text, count);
    if (!trouble.code && !all)
        bide__trouble(&trouble, BIDE_NO_MEMORY, "out of memory for a page");
    if (!trouble.code && bide_buf_error(&whole))
        bide__text_trouble(&whole, &trouble);
    if (trouble.code)
        bide__db_raise(-1, &trouble, NULL);
    memcpy(all, binds, count * sizeof *all);
    for (size_t i = 0; set.after && i < set.count; i++)
        all[own++] = bide__bind_field(set.model, &set.model->fields[set.fields[i]], set.after);
    all[own++] = bide__bind_int(set.size);
    struct bide__want want = {.model = set.model, .how = BIDE__ALL};
    const struct bide__form *form =
        bide__form_make(NULL, bide_buf_str(&whole), set.model, BIDE__SHAPE_ANY, own);
    return bide__form_rows(on, want, form, all, own);
}
