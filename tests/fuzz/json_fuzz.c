/*
 * JSON into models and back: see README.md. The first byte chooses the model and how it is read.
 */
#include "fuzz.h"

#include "base/utf8.h"

#include <bide/json.h>
#include <errno.h>

enum {
    ARENA_BYTES = 64 << 20,
    TEXT_BYTES = 16 << 20,
};

ENUM(shade, light, dark, gray);
MODEL(inner, "", (str, name, len(0, 5), optional), (list(inner), more, optional),
      (json, any, optional), (i32, count, range(-5, 5), dflt(1)));
MODEL(everything, "",
      (bool, flag), (i32, small), (i64, large, alias("large number")), (f64, real), (str, text),
      (bytes, data), (uuid, uuid), (time, at), (date, day), (decimal, amount), (shade, shade),
      (json, extra), (obj(inner), inside), (list(bool), flags), (list(f64), reals, len(0, 3)),
      (list(str), texts), (list(decimal), amounts), (list(shade), shades), (list(json), extras),
      (list(inner), inners));
MODEL(choosy, "",
      (bool, flag, optional), (i32, small, range(-3, 3), optional), (i64, large, dflt(7)),
      (f64, real, range(0, 1e300), optional), (str, text, len(2, 4), dflt("ab")),
      (bytes, data, len(0, 3), optional), (uuid, uuid, optional), (time, at, optional),
      (date, day, optional), (decimal, amount, range(-1, 1), optional), (shade, shade, optional),
      (json, extra, optional), (obj(inner), inside, optional), (str, mail, email, optional),
      (str, link, url, optional), (str, word, match("^[a-z]+$"), optional),
      (secret, token, optional), (plain_pw, typed, len(1, 9), optional), (hash, kept),
      (i64, id, key, generated), (str, shown, readonly, optional),
      (str, told, writeonly, optional));
PARTIAL(changes, choosy, flag, small, text, day, amount, inside, link);

union row {
    everything all;
    choosy some;
    changes few;
};

struct reading {
    bide_arena arena;
    bide_problems problems;
    bide_input input;
    union row row;
    int result;
    bide_buf text; /* the problems, or the row as it is written */
};

static void write_row(struct reading *reading, const bide_model *model)
{
    int error = bide_json_write(model, &reading->row, &reading->arena, &reading->text);
    const char *reason;
    size_t offset, length = bide_buf_length(&reading->text);
    promise(error == 0);
    promise(bide_json_check(bide_buf_str(&reading->text), length, &offset, &reason) == 0);
    promise(bide__utf8_valid(bide_buf_str(&reading->text), length));
}

static void check_problems(struct reading *reading)
{
    const char *reason;
    size_t offset;
    promise(bide_problems_count(&reading->problems) > 0);
    for (const bide_problem *p = reading->problems.first; p; p = p->next) {
        promise(p->type[0] && p->msg[0] && p->loc[0] == '[');
        promise(bide_json_check(p->loc, strlen(p->loc), &offset, &reason) == 0);
    }
    promise(bide_problems_write(&reading->problems, &reading->text) == 0);
    promise(bide_json_check(bide_buf_str(&reading->text), bide_buf_length(&reading->text), &offset,
                            &reason) == 0);
}

static void read_it(struct reading *reading, const bide_model *model, unsigned flags,
                    const char *bytes, size_t length)
{
    memset(&reading->row, 0x55, sizeof reading->row);
    bide_arena_init(&reading->arena, NULL, ARENA_BYTES);
    bide_problems_init(&reading->problems, &reading->arena);
    bide_buf_init(&reading->text, TEXT_BYTES);
    reading->input = (bide_input){.arena = &reading->arena,
                                  .problems = &reading->problems,
                                  .refuse_unknown = flags & 4,
                                  .trusted = flags & 8};
    char *copy = copy_of(bytes, length);
    reading->result = bide_json_read(&reading->input, model, copy, length, &reading->row);
    free(copy);
    promise(reading->result == 0 || reading->result == -EBADMSG);
    if (reading->result == 0)
        write_row(reading, model);
    else
        check_problems(reading);
}

static void forget(struct reading *reading)
{
    bide_buf_done(&reading->text);
    bide_arena_done(&reading->arena);
}

/* What was written is read again, and written in the same words. */
static void check_again(const struct reading *first, const bide_model *model, unsigned flags)
{
    static struct reading again;
    read_it(&again, model, flags | 8, bide_buf_str(&first->text), bide_buf_length(&first->text));
    promise(again.result == 0);
    promise(bide_buf_length(&again.text) == bide_buf_length(&first->text));
    promise(memcmp(bide_buf_str(&again.text), bide_buf_str(&first->text),
                   bide_buf_length(&first->text)) == 0);
    forget(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading reading;
    if (size < 1)
        return 0;
    const bide_model *models[] = {everything_model(), choosy_model(), changes_model(),
                                  inner_model()};
    const bide_model *model = models[data[0] & 3];
    unsigned flags = data[0];
    const char *bytes = (const char *)data + 1, *reason;
    size_t offset;
    promise(!bide_model_check(model));
    int valid = bide_json_check(bytes, size - 1, &offset, &reason);
    promise(valid == 0 || (valid == -EBADMSG && reason && offset <= size - 1));
    read_it(&reading, model, flags, bytes, size - 1);
    promise(valid == 0 || reading.result == -EBADMSG);
    if (reading.result == 0)
        check_again(&reading, model, flags);
    forget(&reading);
    return 0;
}
