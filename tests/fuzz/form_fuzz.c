/*
 * Urlencoded pairs into a model: see README.md.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "http/url.h"

#include <bide/json.h>
#include <errno.h>

enum {
    ARENA_BYTES = 16 << 20,
    PAIRS = 200,
};

ENUM(shade, light, dark);
MODEL(form, "", (str, t, len(0, 20), optional), (i32, i, range(-5, 500), dflt(1)),
      (i64, l, optional), (f64, f, optional), (bool, b, dflt(false)), (bytes, y, optional),
      (uuid, u, optional), (time, m, optional), (date, d, optional), (decimal, c, optional),
      (shade, s, optional), (json, j, optional), (str, e, email, optional), (str, h, url, optional),
      (list(i32), li, len(0, 3), optional), (list(str), ls, optional),
      (list(shade), le, optional), (plain_pw, p, len(2, 9), optional), (str, r, alias("a b")));

static size_t parse(const char *bytes, size_t length, bide_arena *arena, bide_pair *ret_pairs)
{
    struct bide__slice rest = bide__slice(bytes, length), texts[2];
    size_t count = 0;
    while (count < PAIRS && bide__url_pair_next(&rest, &texts[0], &texts[1])) {
        for (int i = 0; i < 2; i++) {
            char *out = bide_arena_alloc(arena, texts[i].length + !texts[i].length);
            promise(out);
            if (bide__url_decode(texts[i], BIDE__URL_PLUS_SPACE, out, &texts[i].length) == 0)
                texts[i].bytes = out;
        }
        ret_pairs[count++] =
            (bide_pair){texts[0].bytes, texts[0].length, texts[1].bytes, texts[1].length};
    }
    return count;
}

static void check_text(const char *text)
{
    promise(!text || bide__utf8_valid(text, strlen(text)));
}

/* As JSON, and read from that again: the same words. */
static void check_row(const form *row, bide_arena *arena, bide_problems *problems)
{
    bide_buf first, second;
    form again;
    bide_input input = {.arena = arena, .problems = problems};
    bide_buf_init(&first, ARENA_BYTES);
    bide_buf_init(&second, ARENA_BYTES);
    check_text(row->t);
    check_text(row->r);
    for (size_t i = 0; i < row->ls.count; i++)
        check_text(row->ls.items[i]);
    promise(row->li.count <= 3 && row->i >= -5 && row->i <= 500 && row->s <= shade_dark);
    promise(bide_json_write(form_model(), row, arena, &first) == 0);
    promise(bide_json_read(&input, form_model(), bide_buf_str(&first), bide_buf_length(&first),
                           &again) == 0);
    promise(bide_json_write(form_model(), &again, arena, &second) == 0);
    promise(strcmp(bide_buf_str(&first), bide_buf_str(&second)) == 0);
    bide_buf_done(&first);
    bide_buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bide_arena arena;
    bide_problems problems;
    bide_pair pairs[PAIRS];
    form row;
    if (size < 1)
        return 0;
    promise(!bide_model_check(form_model()));
    char *copy = copy_of((const char *)data + 1, size - 1);
    bide_arena_init(&arena, NULL, ARENA_BYTES);
    bide_problems_init(&problems, &arena);
    size_t count = parse(copy, size - 1, &arena, pairs);
    bide_input input = {
        .arena = &arena, .problems = &problems, .where = "form", .refuse_unknown = data[0] & 1};
    memset(&row, 0x55, sizeof row);
    int result = bide_form_read(&input, form_model(), pairs, count, &row);
    promise(result == (bide_problems_count(&problems) ? -EBADMSG : 0));
    free(copy); /* what was read does not point into the input */
    if (result == 0)
        check_row(&row, &arena, &problems);
    bide_arena_done(&arena);
    return 0;
}
