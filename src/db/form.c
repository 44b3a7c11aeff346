/*
 * Forms: what becomes of the text of a call: the whole statement, checked, with its hash. Texts of
 * calls are literals, so a form is made at the first call and found by the text's address at all
 * others. Called by query.c, check.c and those who make texts; calls row.c for the columns of
 * models.
 *
 * Invariants
 *  1. A form that the engine keeps stays as long as the engine. The others are the request's.
 *  2. An address alone says nothing: the library that held the literal may be gone, and another
 *     one be there. So the text is compared too.
 */
#include "db/db.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Whether the text begins with the word, in any case. */
static bool begins_with(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r' || *text == '(')
        text++;
    return (text[0] | 0x20) == word[0] && strncasecmp(text, word, length) == 0 &&
           !isalnum((unsigned char)text[length]) && text[length] != '_';
}

static bool is_whole(const char *text)
{
    return begins_with(text, "select") || begins_with(text, "with");
}

void bide__put_query(bide_buf *buf, const bide_model *model, const char *text)
{
    if (is_whole(text)) {
        bide_buf_append_str(buf, text);
        return;
    }
    bide_buf_append_str(buf, "select ");
    bide__put_columns(buf, model);
    bide_buf_append_str(buf, " from \"");
    bide_buf_append_str(buf, bide__table_of(model));
    bool no_where =
        !text[strspn(text, " \t\r\n")] || begins_with(text, "order") || begins_with(text, "limit");
    bide_buf_append_str(buf, no_where ? "\" " : "\" where ");
    bide_buf_append_str(buf, text);
}

static int check(const bide_model *model, enum bide__shape shape, const char *text,
                 struct bide__trouble *trouble)
{
    static const char *const words[] = {"begin",    "commit",    "end",
                                        "rollback", "savepoint", "release"};
    const char *error = model ? bide_model_check(model) : NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(text, words[i]))
            return bide__trouble(trouble, BIDE_QUERY, "no '%s' in a query: use with_tx", words[i]);
    if (error)
        return bide__trouble(trouble, BIDE_INVALID, "%s", error);
    if (model && !bide__table_of(model)[0] && !is_whole(text))
        return bide__trouble(trouble, BIDE_QUERY, "the model %s has no table", model->name);
    if (shape != BIDE__SHAPE_ANY && !strcasestr(text, "order by"))
        return bide__trouble(trouble, BIDE_QUERY,
                             "which rows come first? The query says no `order by`");
    return 0;
}

int bide__query_check(const struct bide__want *want, const char *text,
                      struct bide__trouble *trouble)
{
    return check(want->model, bide__shape_of(want->how), text, trouble);
}

/* The statements of a form that has its first part. */
static void put_statements(const struct bide__form *form, bide_buf *whole, bide_buf *counting)
{
    if (form->model)
        bide__put_query(whole, form->model, form->own);
    else
        bide_buf_append_str(whole, form->own);
    if (form->shape == BIDE__SHAPE_PAGE) {
        bide_buf_printf(counting, "select count(*) from (%s) as counted", bide_buf_str(whole));
        bide_buf_printf(whole, " limit $%zu offset $%zu", form->binds, form->binds + 1);
    }
}

static struct bide__text copy_text(char **at, const char *text, size_t length)
{
    char *copy = memcpy(*at, text, length);
    copy[length] = 0;
    *at += length + 1;
    return (struct bide__text){copy, length, bide__text_hash(text, length)};
}

/* Beside its texts; kept by the engine, if there is room, else by the request. */
static struct bide__form *form_new(bide_db *db, const struct bide__form *part,
                                   const bide_buf *whole, const bide_buf *counting)
{
    size_t own = strlen(part->own), size = bide_buf_length(whole),
           count = bide_buf_length(counting);
    size_t bytes = sizeof(struct bide__form) + own + size + count + 3;
    bool kept = db && db->forms.count < BIDE_CAP_DB_FORMS;
    bide_arena *arena = kept ? NULL : bide_task_arena();
    struct bide__form *form = kept    ? bide__alloc(bytes)
                              : arena ? bide_arena_alloc(arena, bytes)
                                      : NULL;
    if (!form)
        bide__raise(-ENOMEM, NULL);
    char *at = (char *)(form + 1);
    *form = *part;
    form->own = copy_text(&at, part->own, own).data;
    form->whole = copy_text(&at, bide_buf_str(whole), size);
    form->counting = copy_text(&at, bide_buf_str(counting), count);
    if (kept) {
        struct bide__form **bucket = bide__form_bucket(&db->forms, part->literal);
        form->next = *bucket;
        *bucket = form;
        db->forms.count++;
    }
    return form;
}

const struct bide__form *bide__form_make(bide_db *db, const char *text, const bide_model *model,
                                         enum bide__shape shape, size_t binds)
{
    struct bide__form part = {
        .literal = text, .own = text, .model = model, .binds = binds, .shape = shape};
    struct bide__trouble trouble;
    bide_buf whole __attribute__((cleanup(bide_buf_done)));
    bide_buf counting __attribute__((cleanup(bide_buf_done)));
    bide_buf_init(&whole, BIDE_CAP_DB_STATEMENT_BYTES);
    bide_buf_init(&counting, BIDE_CAP_DB_STATEMENT_BYTES);
    if (check(model, shape, text, &trouble) < 0)
        bide__db_raise(-EBADMSG, &trouble, NULL);
    put_statements(&part, &whole, &counting);
    const bide_buf *broken = bide_buf_error(&whole) ? &whole : &counting;
    if (bide_buf_error(broken)) {
        bide__text_trouble(broken, &trouble);
        bide__db_raise(-EBADMSG, &trouble, NULL);
    }
    return form_new(db, &part, &whole, &counting);
}

void bide__forms_done(struct bide__forms *forms)
{
    for (size_t i = 0; i < BIDE__FORM_BUCKETS; i++) {
        struct bide__form *form;
        while ((form = forms->buckets[i])) {
            forms->buckets[i] = form->next;
            bide__free(form);
        }
    }
}
