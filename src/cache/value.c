/*
 * value.c: values as text. Rows are JSON, of all fields but the computed ones; texts are as they
 * are, and none is a NUL. Called by flight.c; calls src/model.
 */
#include "cache/cache.h"

#include "model/model.h"

#include <errno.h>
#include <string.h>

bide__rows bide__cache_result(const struct bide__cache_load *load)
{
    bide__rows rows = {.items = NULL};
    if (load->shape == BIDE__CACHE_LIST) {
        struct bide__any_list list;
        memcpy(&list, load->call.args, sizeof list);
        rows.items = list.items;
        rows.count = list.count;
    } else {
        memcpy(&rows.items, load->call.args, sizeof rows.items);
    }
    return rows;
}

int bide__cache_encode(const struct bide__cache_load *load, bide__rows rows, bide_buf *out)
{
    switch (load->shape) {
    case BIDE__CACHE_TEXT:
        return rows.items ? bide_buf_append_str(out, rows.items) : bide_buf_append_char(out, 0);
    case BIDE__CACHE_ROW:
        return bide__json_write_stored(load->model, rows.items, 1, false, out);
    default:
        return bide__json_write_stored(load->model, rows.items, rows.count, true, out);
    }
}

static int decode_text(const char *text, size_t size, bide_arena *arena, bide__rows *ret_rows)
{
    if (bide__cache_is_none(text, size))
        return 0;
    ret_rows->items = bide_arena_strndup(arena, text, size);
    return ret_rows->items ? 0 : -ENOMEM;
}

static int decode_row(const bide_input *input, const bide_model *model, const char *text,
                      size_t size, bide__rows *ret_rows)
{
    if (size == 4 && memcmp(text, "null", 4) == 0)
        return 0;
    void *row = bide_arena_alloc_zero(input->arena, 1, model->size);
    if (!row)
        return -ENOMEM;
    int code = bide_json_read(input, model, text, size, row);
    if (code == 0)
        ret_rows->items = row;
    return code;
}

int bide__cache_decode(const struct bide__cache_load *load, const char *text, size_t size,
                       bide_arena *arena, bide__rows *ret_rows)
{
    *ret_rows = (bide__rows){.items = NULL};
    if (load->shape == BIDE__CACHE_TEXT)
        return decode_text(text, size, arena, ret_rows);
    bide_problems problems;
    bide_problems_init(&problems, arena);
    bide_input input = {.arena = arena, .problems = &problems, .trusted = true};
    if (load->shape == BIDE__CACHE_ROW)
        return decode_row(&input, load->model, text, size, ret_rows);
    struct bide__any_list list = {NULL, 0};
    int code = bide_json_read_list(&input, load->model, text, size, &list);
    if (code == 0)
        *ret_rows = (bide__rows){.items = list.items, .count = list.count};
    return code;
}
