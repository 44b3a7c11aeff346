/*
 * The queueing session: bide_add, bide_add_all, bide_flush, bide_refresh. Rows wait in their
 * transaction until its next query, its commit or a flush; those of one model then go together.
 * Called by users through db_macros.h, by perform.c and tx.c; calls write.c and query.c.
 */
#include "db/db.h"

#include "base/mem.h"

#include <string.h>

/* Rows that follow each other in memory, in the arena of the request. */
struct bide__queued {
    struct bide__queued *next;
    const bide_model *model;
    void *rows;
    size_t count;
};

static void free_queue(struct bide__queued **queue)
{
    struct bide__queued *entry;
    while ((entry = *queue)) {
        *queue = entry->next;
        bide__free(entry);
    }
}

void bide__queue_drop(struct bide_tx *tx)
{
    free_queue(&tx->queued);
}

/* What a member points to, into the arena. False: no memory. */
static bool copy_member(bide_arena *arena, const bide_field *field, void *member)
{
    const char **text = member;
    bide_json *json = member;
    bide_bytes *bytes = member;
    switch (field->kind) {
    case BIDE_KIND_STR:
    case BIDE_KIND_SECRET:
    case BIDE_KIND_HASH:
        return !*text || (*text = bide_arena_strdup(arena, *text));
    case BIDE_KIND_JSON:
        return !json->text || (json->text = bide_arena_strndup(arena, json->text, json->length));
    case BIDE_KIND_BYTES:
        return !bytes->size || (bytes->data = bide_arena_copy(arena, bytes->data, bytes->size));
    default:
        return true;
    }
}

static void *copy_rows(const bide_model *model, const void *rows, size_t count)
{
    bide_arena *arena = bide_task_arena();
    char *copy = arena ? bide_arena_alloc(arena, count * model->size) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, rows, count * model->size);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        for (size_t row = 0; row < count; row++) {
            char *member = copy + row * model->size + field->offset;
            if (bide__is_column(field) && !copy_member(arena, field, member))
                return NULL;
        }
    }
    return copy;
}

void *bide__db_add(bide_tx *tx, struct bide__write what)
{
    bide__tx_check(tx);
    if (!tx->writes)
        bide__misuse("bide_add in the with_read_tx of %s:%d", tx->site->file, tx->site->line);
    size_t waiting = (tx->queued ? tx->queued_rows : 0) + what.count;
    if (waiting > BIDE_CAP_DB_QUEUED)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "more than %d rows are queued: bide_flush them",
                                  BIDE_CAP_DB_QUEUED));
    if (what.count == 0)
        return NULL;
    void *copy = copy_rows(what.model, what.rows, what.count);
    struct bide__queued *entry = copy ? bide__alloc(sizeof *entry) : NULL;
    if (!entry)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "out of memory for a row"));
    *entry = (struct bide__queued){NULL, what.model, copy, what.count};
    if (tx->queued)
        tx->queued_last->next = entry;
    else
        tx->queued = entry;
    tx->queued_last = entry;
    tx->queued_rows = waiting;
    return copy;
}

static void free_list(void ***list)
{
    bide__free(*list);
}

/* Takes the rows of the first one's model out of the queue and inserts them. */
static void insert_first_model(struct bide_tx *tx, struct bide__queued **queue) BIDE__UNCHECKED
{
    void **each __attribute__((cleanup(free_list))) = NULL;
    struct bide__write what = {.model = (*queue)->model, .kind = BIDE__INSERT};
    size_t total = 0;
    for (struct bide__queued *entry = *queue; entry; entry = entry->next)
        total += entry->model == what.model ? entry->count : 0;
    each = bide__alloc(total * sizeof *each);
    if (!each)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "out of memory for rows"));
    for (struct bide__queued **at = queue; *at;) {
        struct bide__queued *entry = *at;
        if (entry->model != what.model) {
            at = &entry->next;
            continue;
        }
        for (size_t i = 0; i < entry->count; i++)
            each[what.count++] = (char *)entry->rows + i * entry->model->size;
        *at = entry->next;
        bide__free(entry);
    }
    what.each = each;
    (void)bide__db_write(bide__on_tx(tx), what).await;
}

void bide__queue_flush(struct bide_tx *tx)
{
    /* What it inserts asks for a flush as every query does: it finds nothing. */
    struct bide__queued *queue __attribute__((cleanup(free_queue))) = tx->queued;
    tx->queued = NULL;
    while (queue)
        insert_first_model(tx, &queue);
}

bide_async(void) bide_flush(bide_tx *tx)
{
    bide__tx_check(tx);
    bide__queue_flush(tx);
    return bide_void;
}

bide_async(void) bide__db_refresh(struct bide__on on, const bide_model *model, void *row)
{
    bide_buf text __attribute__((cleanup(bide_buf_done)));
    bide_bind binds[65] = {{.kind = BIDE__BIND_NULL}}; /* from 1 on */
    struct bide__trouble trouble = {0};
    size_t count = 1;
    bide_buf_init(&text, BIDE_CAP_DB_STATEMENT_BYTES);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        if (!(field->flags & BIDE_KEY))
            continue;
        bide_buf_printf(&text, "%s\"%s\" = $%zu", count > 1 ? " and " : "", field->name, count);
        binds[count++] = bide__bind_field(model, field, row);
    }
    if (count == 1)
        bide__trouble(&trouble, BIDE_QUERY, "the model %s has no key", model->name);
    else if (bide_buf_error(&text))
        bide__text_trouble(&text, &trouble);
    if (trouble.code)
        bide__db_raise(-1, &trouble, NULL);
    struct bide__want want = {.model = model, .how = BIDE__ONE};
    const struct bide__form *form =
        bide__form_make(NULL, bide_buf_str(&text), want.model, BIDE__SHAPE_ANY, count);
    bide__rows got = bide__form_rows(on, want, form, binds, count).await;
    memcpy(row, got.items, model->size);
    return bide_void;
}
