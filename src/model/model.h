/*
 * What the files of this folder share: the way to a value, conversion of texts, completion.
 *
 *     bide_json_read -> json_read.c -> json_scan.c (tokens) -> convert.c (texts into members)
 *     bide_form_read -> form.c ----------------------------->
 *     bide_settings_read -> settings.c ----> both
 *     bide_json_write -> json_write.c; bide_json_render -> resolve.c -> json_write.c
 */
#ifndef BIDE_MODEL_MODEL_H
#define BIDE_MODEL_MODEL_H

#include <bide/json.h>

/* Where a value stands in the input: a list from the inside out, in the readers' frames. */
struct bide__path {
    const struct bide__path *up;
    const char *name; /* a key; NULL: an index */
    size_t name_length;
    size_t index;
};

/* Adds a problem at `path` (NULL: the input as a whole). */
void bide__problem(const bide_input *input, const struct bide__path *path, const char *type,
                   const char *format, ...) __attribute__((__cold__, __format__(__printf__, 4, 5)));

/* What is to be read: a field's member, or an item of a list, which has no limits of its own. */
struct bide__target {
    enum bide_kind kind;
    const bide_type *type;
    const bide_field *field; /* whose limits hold; NULL: none */
};

/* What is known of a text. */
enum {
    BIDE__TEXT_KEPT = 1 << 0,  /* it ends with a NUL and may be kept */
    BIDE__TEXT_ASCII = 1 << 1, /* it has no byte above 0x7f */
};

/*
 * One text into a value: of a JSON string, of a JSON number for `decimal`, or of a form. The text
 * is UTF-8 without a NUL; `facts` are of BIDE__TEXT_. Adds problems. Returns 0 (also with problems)
 * or -ENOMEM.
 */
int bide__convert_string(const bide_input *input, const struct bide__path *path,
                         const struct bide__target *target, const char *text, size_t length,
                         unsigned facts, void *ret_value);
int bide__convert_number(const bide_input *input, const struct bide__path *path,
                         const struct bide__target *target, const char *text, size_t length,
                         bool is_integer, void *ret_value);

/* The same for a text that may be meant for any type but lists and objects, as in a form: checked
   to be UTF-8 without a NUL, and numbers and `bool` in words too. */
int bide__text_read(const bide_input *input, const struct bide__path *path,
                    const struct bide__target *target, const char *text, size_t length,
                    void *ret_value);

/* A whole JSON text into one value of any type. Returns 0, -EBADMSG with problems, or -ENOMEM. */
int bide__json_read_value(const bide_input *input, const struct bide__target *target,
                          const char *text, size_t length, void *ret_value);

/* The problem of a value whose JSON type is another one. */
void bide__problem_of_type(const bide_input *input, const struct bide__path *path,
                           const struct bide__target *target);

/* Whether the number of items fits; adds the problem. */
void bide__check_count(const bide_input *input, const struct bide__path *path,
                       const bide_field *field, size_t count);

/* Sets the defaults of absent fields and adds the problems of missing ones; `seen` are the fields
 * that were in the input, with whatever value. */
void bide__finish_row(const bide_input *input, const struct bide__path *path,
                      const bide_model *model, uint64_t seen, void *row);

/* Assigns the default of a field. */
int bide__set_default(const bide_input *input, const struct bide__path *path,
                      const bide_field *field, void *ret_value);

/* Whether a pattern can be compiled; what compiled it is kept in the field. NULL, or why not. */
const char *bide__pattern_compile(bide_field *field);

/* Whether the text contains the pattern. 1, 0, or -E2BIG beyond the limits of steps. */
int bide__pattern_match(const bide_field *field, const char *text, size_t length);

/* NULL, or what is wrong with an e-mail address, with an http or https URL. */
const char *bide__check_email(const char *text, size_t length);
const char *bide__check_url(const char *text, size_t length);

/* base64 (RFC 4648 section 4): writes the text of so many bytes, four characters for each three,
   and gives its length. Who writes much of it does so in pieces of BIDE__BASE64_PIECE bytes. */
enum { BIDE__BASE64_PIECE = 192, BIDE__BASE64_PIECE_TEXT = BIDE__BASE64_PIECE / 3 * 4 };
size_t bide__base64_encode(const void *bytes, size_t size, char *ret_text);

/* base64: the bytes that `length` characters may take; the real number, or -1 for another form. */
#define BIDE__BASE64_BYTES(length) ((length) / 4 * 3)
ptrdiff_t bide__base64_decode(const char *text, size_t length, unsigned char *ret_data);

/* Appends a JSON string. Returns the buffer's error. */
int bide__json_write_text(bide_buf *out, const char *text, size_t length);

/* Appends one value of a plain type. Returns 0, the buffer's error or -ERANGE. */
int bide__json_write_value(bide_buf *out, enum bide_kind kind, const bide_type *type,
                           const void *value);

/* The values of async computed fields, in the order in which the writer meets them. */
struct bide__resolved {
    const void *const *values;
    size_t count, next;
};
int bide__json_write_rows(const bide_model *model, const void *rows, size_t count, bool is_list,
                          bide_arena *arena, struct bide__resolved *resolved, bide_buf *out);

/* The same for the program itself, to be read back as `trusted`: every field but the computed ones.
   -EACCES: one of them is secret. */
int bide__json_write_stored(const bide_model *model, const void *rows, size_t count, bool is_list,
                            bide_buf *out);

/* An async computed field of a row, on its way. */
typedef struct bide__pending {
    const bide_field *field;
    bide_row row;
    void *value; /* of the type's size, zeroed */
    bool done;
} * bide__pending_ptr;

/* resolve.c: calls them all concurrently; the first failure cancels the rest and is raised. */
bide_async(void) bide__resolve(bide__pending_ptr *calls, size_t count);

/* What every list(T) is made of. */
struct bide__any_list {
    void *items;
    size_t count;
};

/* Index of the first bit; the set is not 0. */
static inline unsigned bide__first_bit(uint64_t set)
{
    return (unsigned)__builtin_ctzll(set);
}

static inline uint64_t *bide__set_of(const bide_model *model, void *row)
{
    return (uint64_t *)((char *)row + model->set_offset);
}

/* The row that a computed field is computed from: a view keeps it. */
static inline bide_row bide__row_of(const bide_model *model, const void *row, bide_arena *arena)
{
    if (model->base)
        return (bide_row){model->base, (const char *)row + model->base_offset, arena};
    return (bide_row){model, row, arena};
}

#endif
