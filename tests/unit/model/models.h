/*
 * The models that the tests of this folder read and write.
 */
#ifndef TESTS_UNIT_MODEL_MODELS_H
#define TESTS_UNIT_MODEL_MODELS_H

#include <bide/json.h>
#include <bide/test.h>

#include <errno.h>
#include <string.h>

ENUM(color, red, green, blue);

#define BASE_FIELDS (i64, id, key, generated), (time, created_at, generated)

MODEL(user, "users", BASE_FIELDS,
      (str, email, email, unique),
      (str, username, len(3, 32), match("^[a-z][a-z0-9_]*$"), unique),
      (i32, age, range(0, 150), optional),
      (str, bio, optional),
      (color, shade, dflt(color_green)),
      (hash, password, secret));

VIEW(user_out, user, id, email, username, age);
PARTIAL(user_changes, user, email, age, bio, shade);

MODEL(address, "", (str, city, len(1, 50)), (str, street, optional));

MODEL(order_line, "",
      (str, name, len(1, 20)), (i32, count, range(1, 99)), (decimal, price, range(0, 1000)));

MODEL(purchase, "orders",
      (obj(address), home),
      (obj(address), work, optional),
      (list(order_line), items, len(1, 3)),
      (list(str), tags),
      (list(color), shades, optional),
      (list(i64), numbers, optional));

/* One field of each type. */
MODEL(everything, "",
      (bool, flag), (i32, small), (i64, large), (f64, real), (str, text), (bytes, data),
      (uuid, uuid), (time, at), (date, day), (decimal, amount), (color, shade), (json, extra),
      (secret, token), (plain_pw, typed), (hash, kept), (list(bool), flags), (str, _hidden));

/* A tree: a model may hold a list of itself. */
MODEL(comment, "", (str, text), (list(comment), replies, optional));

/* What a reading test needs: an arena, the problems, and their text. */
struct reading {
    bide_arena arena;
    bide_problems problems;
    bide_input input;
    bide_buf text;
};

static inline void reading_init(struct reading *reading)
{
    bide_arena_init(&reading->arena, NULL, 64 << 20);
    bide_problems_init(&reading->problems, &reading->arena);
    reading->input = (bide_input){.arena = &reading->arena, .problems = &reading->problems};
    bide_buf_init(&reading->text, 1 << 20);
}

static inline void reading_done(struct reading *reading)
{
    bide_buf_done(&reading->text);
    bide_arena_done(&reading->arena);
}

/* Reads a text and gives what is wrong with it, as JSON; "[]": nothing. */
static inline const char *problems_of(struct reading *reading, const bide_model *model,
                                      const char *text, void *ret_row)
{
    bide_problems_init(&reading->problems, &reading->arena);
    bide_buf_reset(&reading->text);
    int result = bide_json_read(&reading->input, model, text, strlen(text), ret_row);
    check_int(result, bide_problems_count(&reading->problems) ? -EBADMSG : 0);
    bide_problems_write(&reading->problems, &reading->text);
    return bide_buf_str(&reading->text);
}

/* A row as JSON, in the same buffer. */
static inline const char *written(struct reading *reading, const bide_model *model, const void *row)
{
    bide_buf_reset(&reading->text);
    check_int(bide_json_write(model, row, &reading->arena, &reading->text), 0);
    return bide_buf_str(&reading->text);
}

#endif
