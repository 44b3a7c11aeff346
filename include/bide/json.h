/*
 * json.h: models in and out: JSON, forms, JSON Schema.
 *
 *     bide_problems problems;
 *     bide_problems_init(&problems, arena);
 *     user u;
 *     bide_input input = {.arena = arena, .problems = &problems};
 *     if (bide_json_read(&input, user_model(), body, length, &u))
 *         fail(bide_problems_error(&problems));
 *
 *     bide_json_write(user_out_model(), &out, arena, &buf);
 *
 * JSON is RFC 8259, strictly: one value, UTF-8, no comments, no commas too many. It goes straight
 * into the struct; there is no tree in between. Reading and writing are pure and never suspend, but
 * for bide_json_render.
 *
 * Invariants
 *  1. All problems of an input come back at once (problems.h). A text that is no JSON is one.
 *  2. A number that its field cannot hold exactly is a problem: i64 knows no overflow and no 1.5.
 *  3. At most BIDE_CAP_JSON_DEPTH (64) levels, BIDE_CAP_JSON_KEYS (1000) keys of one object, and
 *     BIDE_CAP_JSON_ITEMS (10,000) items of a list without len(). The size of the whole is limited
 *     by who receives it, memory by the arena's cap.
 *  4. A field that occurs twice is a problem. Unknown keys are skipped, or are problems too; a
 *     `json` field is kept as it came, with whatever it repeats.
 *  5. What was written is valid JSON: bytes that are not UTF-8 become U+FFFD, NaN becomes null.
 *
 * layer: model
 */
#ifndef BIDE_JSON_H
#define BIDE_JSON_H

#include <bide/model.h>
#include <bide/problems.h>

/* How an input is read. */
typedef struct bide_input {
    bide_arena *arena;       /* for texts and lists */
    bide_problems *problems; /* what is wrong is added to it */
    const char *where;       /* the first element of `loc`; NULL: "body" */
    bool refuse_unknown;     /* a key that is no field is a problem */
    bool trusted;            /* generated, readonly and hash fields are read too: for what this
                                program wrote itself */
} bide_input;

/*
 * Reads an object into `ret_row`, the struct of the model, which is zeroed first. Returns 0;
 * -EBADMSG: there are problems, and the row is only partly filled; -ENOMEM; -EINVAL: the model
 * cannot be used (bide_model_check).
 */
int bide_json_read(const bide_input *input, const bide_model *model, const char *text,
                   size_t length, void *ret_row);

/* The same for an array of objects: `ret_list` is a `bide_list(NAME)`. */
int bide_json_read_list(const bide_input *input, const bide_model *model, const char *text,
                        size_t length, void *ret_list);

/* Whether a text is JSON. Returns 0, or -EBADMSG and where and why. */
int bide_json_check(const char *text, size_t length, size_t *ret_offset, const char **ret_reason);

/* A name and its value, both without escapes; from a form, a query, a multipart body. */
typedef struct bide_pair {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
} bide_pair;

/*
 * Reads named texts into a row: the same limits and problems as JSON. Numbers are as in JSON,
 * `bool` is true, 1, on, yes, false, 0, off or no, a list is a name that occurs more than once, and
 * an empty text is null for an optional field. Objects inside a form do not exist. Returns as
 * bide_json_read.
 */
int bide_form_read(const bide_input *input, const bide_model *model, const bide_pair *pairs,
                   size_t count, void *ret_row);

/*
 * One text into one field, for a path parameter: `field` is any field of a descriptor, `ret_value`
 * its member. Returns as bide_json_read.
 */
int bide_text_read(const bide_input *input, const bide_field *field, const char *text,
                   size_t length, void *ret_value);

/*
 * Appends the row as an object; `null` without a row. Computed fields are computed, in `arena`.
 * Returns 0; the buffer's error; -ERANGE: an instant or a date outside of the years 1 to 9999;
 * -EAGAIN: the model has async computed fields, use bide_json_render; -EINVAL as above.
 */
int bide_json_write(const bide_model *model, const void *row, bide_arena *arena, bide_buf *out);

/* The same for `count` rows in an array. */
int bide_json_write_list(const bide_model *model, const void *rows, size_t count, bide_arena *arena,
                         bide_buf *out);

/*
 * The same for any model: async computed fields, also those of objects in lists, are computed
 * concurrently first, at most BIDE_CAP_RESOLVE_TASKS (16) at a time. The first failure cancels the
 * rest and is raised; an error of the writing is raised as BIDE_LIMIT, BIDE_NO_MEMORY or
 * BIDE_INVALID. Does not suspend if nothing is async.
 */
bide_async(void) bide_json_render(const bide_model *model, const void *row, bide_arena *arena,
                                  bide_buf *out);
bide_async(void) bide_json_render_list(const bide_model *model, const void *rows, size_t count,
                                       bide_arena *arena, bide_buf *out);

/* How schemas are written. */
typedef struct bide_schema {
    bool output;        /* of what is written; else of what is read */
    const char *refs;   /* in front of the name of a model inside; NULL: "#/$defs/" */
    const char *ending; /* behind it: "-Input"; NULL: nothing */
} bide_schema;

/*
 * Appends the JSON Schema (draft 2020-12, as OpenAPI 3.1 has it) of one model: an object whose
 * models inside are `$ref`s. Returns 0, the buffer's error, or -EINVAL.
 */
int bide_schema_write(const bide_schema *schema, const bide_model *model, bide_buf *out);

/* The same as a document of its own, with `$schema` and with the models inside under `$defs`. */
int bide_schema_document(const bide_schema *schema, const bide_model *model, bide_buf *out);

/* The schema of one field, with its limits: for a parameter. */
int bide_schema_write_field(const bide_schema *schema, const bide_field *field, bide_buf *out);

/*
 * The models inside a model, itself first, each once by name, as they occur in its fields that are
 * read (or written, with `output`). Writes at most `capacity` and gives how many there are.
 */
size_t bide_schema_models(const bide_schema *schema, const bide_model *model,
                          const bide_model **ret_models, size_t capacity);

#endif
