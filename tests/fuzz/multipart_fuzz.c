/*
 * Multipart forms: see README.md. The boundary is `b`, or comes from the input's own first line.
 */
#include "fuzz.h"

#include "http/multipart.h"

enum {
    STORAGE_BYTES = 256,
    TRACE_BYTES = 1 << 20,
};

struct outcome {
    enum bide__http_result result;
    const char *problem;
    size_t length;
    char trace[TRACE_BYTES]; /* each event as a byte, data as they are */
};

static void add(struct outcome *outcome, const void *bytes, size_t length)
{
    promise(length <= TRACE_BYTES - outcome->length);
    if (length > 0)
        memcpy(outcome->trace + outcome->length, bytes, length);
    outcome->length += length;
}

static void add_text(struct outcome *outcome, const char *storage, struct bide__slice text)
{
    promise(text.length == 0 ||
            (text.bytes >= storage && text.bytes + text.length <= storage + STORAGE_BYTES));
    add(outcome, "|", 1);
    add(outcome, text.bytes, text.length);
}

static void add_event(struct outcome *outcome, const struct bide__multipart *form,
                      const char *storage, struct bide__slice data, bool *inside)
{
    if (outcome->result == BIDE__HTTP_PART) {
        promise(!*inside);
        *inside = true;
        add_text(outcome, storage, form->name);
        add_text(outcome, storage, form->file_name);
        add_text(outcome, storage, form->content_type);
        add(outcome, "[", 1);
    } else if (outcome->result == BIDE__HTTP_PART_END) {
        promise(*inside);
        *inside = false;
        add(outcome, "]", 1);
    } else if (outcome->result == BIDE__HTTP_DATA) {
        promise(*inside && data.length > 0);
        add(outcome, data.bytes, data.length);
    }
}

static void read_form(struct outcome *outcome, struct bide__slice boundary, const char *bytes,
                      size_t length, uint32_t seed)
{
    struct bide__multipart form;
    char *storage = malloc(STORAGE_BYTES);
    bool inside = false;
    promise(storage && bide__multipart_init(&form, boundary, storage, STORAGE_BYTES) == 0);
    outcome->result = BIDE__HTTP_MORE;
    outcome->length = 0;
    for (size_t at = 0; at < length && outcome->result != BIDE__HTTP_BAD;) {
        size_t piece = next_piece(&seed, length - at), from = 0, used;
        char *copy = copy_of(bytes + at, piece);
        do {
            struct bide__slice data = {0};
            outcome->result = bide__multipart_next(&form, copy + from, piece - from, &used, &data);
            promise(used <= piece - from);
            from += used;
            add_event(outcome, &form, storage, data, &inside);
        } while (outcome->result > BIDE__HTTP_DONE);
        if (outcome->result == BIDE__HTTP_MORE)
            promise(from == piece);
        promise(outcome->result != BIDE__HTTP_DONE || !inside);
        at += outcome->result == BIDE__HTTP_DONE ? from : piece;
        free(copy);
    }
    outcome->problem = form.refusal.text;
    free(storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, pieces;
    if (size < 1)
        return 0;
    const char *bytes = (const char *)data + 1;
    struct bide__slice line = bide__slice(bytes, size - 1), boundary = bide__slice_of("b");
    char content_type[128];
    const char *end = size > 1 ? memchr(bytes, '\r', size - 1) : NULL;
    if (data[0] & 1 && end && end - bytes > 2 && end - bytes < 80) {
        int length =
            snprintf(content_type, sizeof content_type, "multipart/form-data; boundary=\"%.*s\"",
                     (int)(end - bytes) - 2, line.bytes + 2);
        bide__multipart_boundary(bide__slice(content_type, (size_t)length), &boundary);
    }
    read_form(&whole, boundary, bytes, size - 1, 0);
    read_form(&pieces, boundary, bytes, size - 1, data[0] + 1U);
    promise(whole.result == pieces.result && whole.problem == pieces.problem);
    promise(whole.length == pieces.length && memcmp(whole.trace, pieces.trace, whole.length) == 0);
    return 0;
}
