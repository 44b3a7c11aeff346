/*
 * Request and response heads: see README.md.
 */
#include "fuzz.h"

#include "http/head.h"

static void check_span(const struct bide__http_head *head, struct bide__http_span span)
{
    promise(span.at + span.length <= head->bytes);
}

static void check_done(const struct bide__http_head *head, const char *bytes, size_t length)
{
    promise(head->bytes <= length && head->bytes <= BIDE_CAP_HTTP_HEAD_BYTES);
    promise(memcmp(bytes + head->bytes - 4, "\r\n\r\n", 4) == 0 || head->count == 0);
    promise(head->count <= BIDE_CAP_HTTP_HEADERS && head->minor_version <= 1);
    check_span(head, head->method_text);
    check_span(head, head->target);
    check_span(head, head->path);
    check_span(head, head->query);
    check_span(head, head->host);
    check_span(head, head->reason);
    for (int i = 0; i < head->count; i++) {
        check_span(head, head->fields[i].name);
        check_span(head, head->fields[i].value);
        promise(head->fields[i].name.length > 0 && head->fields[i].id < BIDE__FIELDS);
        promise(!memchr(bytes + head->fields[i].value.at, '\n', head->fields[i].value.length));
    }
    promise((head->framing == BIDE__HTTP_LENGTH) <= (head->content_length > 0));
    promise(head->response || head->framing != BIDE__HTTP_UNTIL_CLOSE);
    if (head->framing == BIDE__HTTP_CHUNKED)
        promise(!(head->known >> BIDE__FIELD_CONTENT_LENGTH & 1) && head->minor_version == 1);
}

static enum bide__http_result parse(struct bide__http_head *head, const char *bytes, size_t length,
                                    unsigned kind, uint32_t seed)
{
    enum bide__http_result result = BIDE__HTTP_MORE;
    memset(head, 0xAA, sizeof *head);
    if (kind & 1)
        bide__http_head_response(head, (enum bide__http_method)(kind >> 1 & 7));
    else
        bide__http_head_request(head);
    for (size_t held = 0; held < length && result == BIDE__HTTP_MORE;) {
        held += next_piece(&seed, length - held);
        char *copy = copy_of(bytes, held);
        result = bide__http_head_parse(head, copy, held);
        free(copy);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bide__http_head whole, pieces;
    if (size < 1)
        return 0;
    const char *bytes = (const char *)data + 1;
    enum bide__http_result result = parse(&whole, bytes, size - 1, data[0] & 15U, 0);
    promise(parse(&pieces, bytes, size - 1, data[0] & 15U, data[0] + 1U) == result);
    if (result == BIDE__HTTP_BAD) {
        promise(whole.refusal.status >= 400 && whole.refusal.text == pieces.refusal.text);
    } else if (result == BIDE__HTTP_DONE) {
        check_done(&whole, bytes, size - 1);
        whole.start = pieces.start; /* private, and of no use at the end */
        size_t used = offsetof(struct bide__http_head, fields) +
                      whole.count * sizeof(struct bide__http_field);
        promise(memcmp(&whole, &pieces, used) == 0);
    }
    return 0;
}
