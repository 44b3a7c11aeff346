/*
 * bide_load_many: the rows that belong to many parents, by one query for up to
 * BIDE_CAP_DB_LOAD_KEYS of them, dealt out in their order. Called by users through db_macros.h;
 * calls query.c.
 *
 *     keys of the parents, sorted:  3 7 7 9      each row finds its parent by bisection; parents
 *     one query:  ... = any({3, 7, 9})           with the same key share a list
 */
#include "db/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What every M_list is like. */
typedef void *any_items __attribute__((may_alias));
typedef size_t any_count __attribute__((may_alias));
struct list {
    any_items items;
    any_count count;
};

struct loading {
    const struct bide__load *load;
    const bide_field *field;
    size_t *sorted; /* indexes of parents, by key */
    bide_bind *binds;
    size_t bind_count; /* the text's own, from 0 on */
    bide_arena *arena;
    struct bide__trouble trouble;
};

static const void *key_of(const struct bide__load *load, size_t parent)
{
    return (const char *)load->parents + parent * load->stride + load->offset;
}

static int compare(const bide_field *field, const void *a, const void *b)
{
    int64_t x, y;
    switch (field->kind) {
    case BIDE_KIND_STR:
        return strcmp(*(const char *const *)a, *(const char *const *)b);
    case BIDE_KIND_I32:
        x = *(const int32_t *)a;
        y = *(const int32_t *)b;
        break;
    case BIDE_KIND_I64:
        x = *(const int64_t *)a;
        y = *(const int64_t *)b;
        break;
    default:
        return memcmp(a, b, field->size);
    }
    return (x > y) - (x < y);
}

static int compare_parents(const void *a, const void *b, void *arg)
{
    const struct loading *loading = arg;
    return compare(loading->field, key_of(loading->load, *(const size_t *)a),
                   key_of(loading->load, *(const size_t *)b));
}

/* The place in `sorted` of the first parent with this key, or the count: the database may hold
   other texts for equal. */
static size_t place_of(const struct loading *loading, const void *key)
{
    size_t low = 0, high = loading->load->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(loading->field, key_of(loading->load, loading->sorted[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < loading->load->count &&
        compare(loading->field, key_of(loading->load, loading->sorted[low]), key) != 0)
        return loading->load->count;
    return low;
}

static bool same_as_before(const struct loading *loading, size_t place)
{
    return place > 0 && compare_parents(&loading->sorted[place - 1], &loading->sorted[place],
                                        (void *)loading) == 0;
}

static void check_load(struct loading *loading, const char *text)
{
    const struct bide__load *load = loading->load;
    enum bide_kind kind = loading->field->kind;
    struct bide__trouble *trouble = &loading->trouble;
    const char *error = bide_model_check(load->set.model);
    if (error)
        bide__trouble(trouble, BIDE_INVALID, "%s", error);
    else if (kind != BIDE_KIND_I32 && kind != BIDE_KIND_I64 && kind != BIDE_KIND_STR &&
             kind != BIDE_KIND_UUID)
        bide__trouble(trouble, BIDE_QUERY, "bide_load_many: %s is no integer, str or uuid",
                      loading->field->name);
    else if (strcasestr(text, "order by"))
        bide__trouble(trouble, BIDE_QUERY, "bide_load_many: the query says `order by` itself");
}

/* The rows of parents with these keys. */
static bide__rows query(struct loading *loading, struct bide__on on, const char *text,
                        const void *keys, size_t count) BIDE__UNCHECKED
{
    const struct bide__load *load = loading->load;
    bide_buf whole __attribute__((cleanup(bide_buf_done)));
    struct bide__want want = {.model = load->set.model, .how = BIDE__ALL};
    size_t own = loading->bind_count;
    bide_buf_init(&whole, BIDE_CAP_DB_STATEMENT_BYTES);
    bide_buf_append_str(&whole, "select * from (");
    bide__put_query(&whole, load->set.model, text);
    bide_buf_printf(&whole, ") as loaded where \"%s\" = any($%zu)", loading->field->name, own);
    loading->binds[own] = bide__bind_list(loading->field->type, keys, count);
    loading->binds[own].secret = loading->field->flags & BIDE_SECRET;
    bide__put_order(&whole, &load->set);
    if (bide_buf_error(&whole)) {
        bide__text_trouble(&whole, &loading->trouble);
        bide__db_raise(-EBADMSG, &loading->trouble, NULL);
    }
    const struct bide__form *form =
        bide__form_make(NULL, bide_buf_str(&whole), want.model, BIDE__SHAPE_ANY, own + 1);
    return bide__form_rows(on, want, form, loading->binds, own + 1).await;
}

/* Gives the rows to the lists, in their order; `taken` of each list counts again. */
static void deal(struct loading *loading, bide__rows rows, bide__rows *lists)
{
    const struct bide__load *load = loading->load;
    size_t size = load->set.model->size;
    char *room = rows.count ? bide_arena_alloc(loading->arena, rows.count * size) : NULL;
    size_t *places =
        rows.count ? bide_arena_alloc(loading->arena, rows.count * sizeof *places) : NULL;
    if (rows.count && (!room || !places))
        bide__raise(-ENOMEM, NULL);
    for (size_t i = 0; i < rows.count; i++) {
        places[i] = place_of(loading, (char *)rows.items + i * size + loading->field->offset);
        if (places[i] < load->count)
            lists[places[i]].count++;
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (places[i] == load->count)
            continue;
        bide__rows *list = &lists[places[i]];
        if (!list->items) {
            list->items = room;
            room += list->count * size;
        }
        memcpy((char *)list->items + (size_t)list->total++ * size, (char *)rows.items + i * size,
               size);
    }
}

/* One query for each BIDE_CAP_DB_LOAD_KEYS different keys. */
static void load_all(struct loading *loading, struct bide__on on, const char *text,
                     bide__rows *lists)
{
    const struct bide__load *load = loading->load;
    size_t size = loading->field->size, count = 0;
    size_t most = load->count < BIDE_CAP_DB_LOAD_KEYS ? load->count : BIDE_CAP_DB_LOAD_KEYS;
    char *keys = bide_arena_alloc(loading->arena, most * size);
    if (!keys)
        bide__raise(-ENOMEM, NULL);
    for (size_t i = 0; i < load->count; i++) {
        if (!same_as_before(loading, i))
            memcpy(keys + count++ * size, key_of(load, loading->sorted[i]), size);
        if (count == most || (count && i + 1 == load->count)) {
            deal(loading, query(loading, on, text, keys, count), lists);
            count = 0;
        }
    }
}

bide_async(bide__lists) bide__db_load(struct bide__on on, struct bide__load load, const char *text,
                                      const bide_bind *binds, size_t count)
{
    struct loading loading = {.load = &load,
                              .field = &load.set.model->fields[load.field],
                              .bind_count = count,
                              .arena = bide_task_arena()};
    struct list *ret = NULL;
    bide__rows *lists = NULL;
    check_load(&loading, text);
    if (loading.trouble.code)
        bide__db_raise(-1, &loading.trouble, NULL);
    if (load.count == 0)
        return bide_ready(bide__lists, NULL);
    if (loading.arena) {
        loading.sorted = bide_arena_alloc(loading.arena, load.count * sizeof *loading.sorted);
        loading.binds = bide_arena_alloc(loading.arena, (count + 1) * sizeof *loading.binds);
        lists = bide_arena_alloc_zero(loading.arena, load.count, sizeof *lists);
        ret = bide_arena_alloc_zero(loading.arena, load.count, sizeof *ret);
    }
    if (!loading.sorted || !loading.binds || !lists || !ret)
        bide__raise(-ENOMEM, NULL);
    memcpy(loading.binds, binds, count * sizeof *binds);
    for (size_t i = 0; i < load.count; i++)
        loading.sorted[i] = i;
    qsort_r(loading.sorted, load.count, sizeof *loading.sorted, compare_parents, &loading);
    load_all(&loading, on, text, lists);
    for (size_t i = 0, first = 0; i < load.count; i++) {
        first = same_as_before(&loading, i) ? first : i;
        ret[loading.sorted[i]].items = lists[first].items;
        ret[loading.sorted[i]].count = lists[first].count;
    }
    return bide_ready(bide__lists, ret);
}
