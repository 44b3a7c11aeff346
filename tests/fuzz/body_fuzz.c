/*
 * Bodies: see README.md. A whole request goes through head and body, as on a connection.
 */
#include "fuzz.h"

#include "http/body.h"
#include "http/head.h"

enum {
    CAP = 300,
};

struct outcome {
    enum bide__http_result result;
    const char *problem;
    size_t used, length;
    char data[CAP];
};

static void read_body(struct outcome *outcome, unsigned framing, uint64_t content_length,
                      const char *bytes, size_t length, uint32_t seed)
{
    struct bide__http_body body;
    outcome->result = bide__http_body_init(&body, framing, content_length, CAP);
    outcome->used = outcome->length = 0;
    while (outcome->used < length && outcome->result == BIDE__HTTP_MORE) {
        size_t piece = next_piece(&seed, length - outcome->used), at = 0, used;
        char *copy = copy_of(bytes + outcome->used, piece);
        do {
            struct bide__slice data = {0};
            outcome->result = bide__http_body_next(&body, copy + at, piece - at, &used, &data);
            promise(used <= piece - at);
            if (outcome->result == BIDE__HTTP_DATA) {
                promise(data.length > 0 && data.length <= CAP - outcome->length);
                promise(data.bytes >= copy + at && data.bytes + data.length <= copy + at + used);
                memcpy(outcome->data + outcome->length, data.bytes, data.length);
                outcome->length += data.length;
            }
            at += used;
        } while (outcome->result == BIDE__HTTP_DATA);
        promise(outcome->result != BIDE__HTTP_MORE || at == piece);
        outcome->used += at;
        free(copy);
    }
    promise(body.total == outcome->length || outcome->result == BIDE__HTTP_BAD);
    outcome->problem = body.refusal.text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bide__http_head head;
    static struct outcome whole, pieces;
    if (size < 1)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t length = size - 1;
    unsigned framing = BIDE__HTTP_CHUNKED;
    uint64_t content_length = 0;
    bide__http_head_request(&head);
    if (bide__http_head_parse(&head, bytes, length) == BIDE__HTTP_DONE) {
        framing = head.framing;
        content_length = head.content_length;
        bytes += head.bytes;
        length -= head.bytes;
    }
    read_body(&whole, framing, content_length, bytes, length, 0);
    read_body(&pieces, framing, content_length, bytes, length, data[0] + 1U);
    promise(whole.result == pieces.result && whole.problem == pieces.problem);
    promise(whole.result != BIDE__HTTP_DONE || whole.used == pieces.used);
    promise(whole.length == pieces.length);
    promise(whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0);
    return 0;
}
