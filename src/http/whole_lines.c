/*
 * whole_lines.c: bide__http_head_parse(), and the usual case of a head: lines that are all there
 * and in order, without a step per part. Called by connections, and by head.c for fields; calls
 * names.c, scan.c, framing.c, and head.c for what is left: cut lines and wrong ones. Nothing is
 * refused here, and nothing is looser than the steps of head.c; tests and fuzzers hold that by
 * cutting the same bytes in other places.
 *
 * With SSE2 a line is looked at 16 bytes at a time. The first block holds a usual name, its colon
 * and the beginning of the value; a known name, being made of tchars, needs no other look.
 */
#include "http/head_parts.h"

#include "base/assert.h"

#include <string.h>

static inline bool is_crlf(const char *bytes, size_t at, size_t end)
{
    return at + 2 <= end && memcmp(bytes + at, "\r\n", 2) == 0;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes a line from `at` on. Gives where the next one begins, or 0. */
static __attribute__((noinline)) size_t take_line(const char *bytes, size_t at, size_t end,
                                                  struct bide__http_field *field)
{
    size_t colon = bide__http_scan_token(bytes, at, end);
    if (colon == end || colon == at || bytes[colon] != ':')
        return 0;
    size_t stop = bide__http_scan_value(bytes, colon + 1, end);
    if (!is_crlf(bytes, stop, end))
        return 0;
    size_t next = stop + 2, value = colon + 1;
    while (is_blank(bytes[value])) /* the CR is none */
        value++;
    while (stop > value && is_blank(bytes[stop - 1]))
        stop--;
    bide__http_set_span(&field->name, at, colon);
    bide__http_set_span(&field->value, value, stop);
    field->id = (uint16_t)bide__http_field_id_of(bytes + at, colon - at);
    return next;
}

#ifdef BIDE__HTTP_SSE2
/* The same for lines whose first 16 bytes, or all, are `block`: with a name of at most 15 letters,
 * digits and '-', one SP, and a value that is not empty, without tabs and obs-text. False for
 * others, too. The parts of the field are stored as they are found: all at once, gcc would put them
 * together in a register first. */
static inline __attribute__((always_inline)) bool
take_usual_line(const char *bytes, __m128i block, size_t at, size_t end,
                struct bide__http_field *field, size_t *ret_next, uint64_t *ret_bit)
{
    static const struct bide__http_name unknown = {.bit = 0};
    unsigned colons = bide__http_mask_of(block, ':');
    unsigned odd = ~bide__http_text_mask(block);  /* and bit 16 */
    unsigned up_to_colon = colons ^ (colons - 1); /* all, if there is none */
    if (bide__unlikely(odd & up_to_colon))
        return false;
    size_t length = bide__http_first(colons), colon = at + length;
    field->name.at = (uint16_t)at;
    const struct bide__http_name *name = /* of no use for an empty name, and no harm */
        bide__http_name_guess(length, bytes[at], bytes[colon - 1]);
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i known = _mm_load_si128((const __m128i *)(const void *)name->lower);
    if (up_to_colon & ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(lower, known))) {
        if (length == 0 || (bide__http_not_word(block) & up_to_colon >> 1))
            return false;
        name = &unknown;
    }
    field->name.length = (uint16_t)length;
    size_t stop = at + bide__http_first(odd);
    if (stop == at + 16)
        stop = bide__http_scan_text(bytes, stop, end);
    if (bide__unlikely(!is_crlf(bytes, stop, end)))
        return false;
    field->id = (uint16_t)name->id;
    *ret_bit = name->bit;
    size_t value = colon + 2;
    if (bide__unlikely(bytes[value - 1] != ' ' || bytes[value] <= ' '))
        return false;
    field->value.at = (uint16_t)value;
    if (bide__unlikely(bytes[stop - 1] == ' '))
        return false;
    field->value.length = (uint16_t)(stop - value);
    *ret_next = stop + 2;
    return true;
}
#endif

/* Takes lines from `at` on. True at the end of the head. */
static inline __attribute__((always_inline)) bool take_lines(struct bide__http_head *head,
                                                             const char *bytes, size_t at,
                                                             size_t end, unsigned count,
                                                             uint64_t known)
{
    const uint64_t once = UINT64_C(1) << BIDE__FIELD_HOST | UINT64_C(1)
                                                                << BIDE__FIELD_CONTENT_LENGTH;
    struct bide__http_field *field = head->fields + count;
    unsigned room = BIDE_CAP_HTTP_HEADERS - count;
    uint64_t bit;
    size_t next;
    for (; room > 0; room--, field++, at = next) {
#ifdef BIDE__HTTP_SSE2
        __m128i block;
        if (bide__likely(at + 16 <= end))
            block = bide__http_block(bytes + at);
        else if (at < end)
            block = bide__http_last_block(bytes, at, end);
        else
            break;
        if (bytes[at] == '\r')
            break;
        if (bide__unlikely(!take_usual_line(bytes, block, at, end, field, &next, &bit)))
#else
        if (at == end || bytes[at] == '\r')
            break;
#endif
        {
            next = take_line(bytes, at, end, field);
            if (next == 0)
                break;
            bit = UINT64_C(1) << field->id & ~UINT64_C(1);
        }
        if (bide__unlikely(known & bit) && (bit & once))
            break;
        known |= bit;
    }
    head->known = known;
    head->count = (uint16_t)(BIDE_CAP_HTTP_HEADERS - room);
    bool last = is_crlf(bytes, at, end);
    head->at = (uint16_t)(last ? at + 2 : at);
    return last;
}

bool bide__http_read_whole_fields(struct bide__http_head *head, const char *bytes, size_t end)
{
    return take_lines(head, bytes, head->at, end, head->count, head->known);
}

/* Takes the request line at the first byte; `method` is the length of its method. Gives where the
 * fields begin, or 0: also if the target is no path or the version not 1.1. */
static inline __attribute__((always_inline)) size_t
take_request_line(struct bide__http_head *head, const char *bytes, size_t end, size_t method)
{
    static const char tail[] = " HTTP/1.1\r\n";
    const size_t tail_length = sizeof tail - 1;
    size_t target = method + 1;
    size_t mark = bide__http_scan_path(bytes, target, end);
    size_t stop = mark;
    if (mark + tail_length > end || bytes[target] != '/')
        return 0;
    if (bytes[mark] == '?') {
        stop = bide__http_scan_target(bytes, mark + 1, end);
        if (stop + tail_length > end)
            return 0;
    }
    size_t next = stop + tail_length;
    if (next > BIDE_CAP_HTTP_REQUEST_LINE_BYTES + 2 || memcmp(bytes + stop, tail, tail_length) != 0)
        return 0;
    bide__http_set_span(&head->method_text, 0, method);
    bide__http_set_span(&head->target, target, stop);
    bide__http_set_path(head, target, mark, stop);
    head->minor_version = 1;
    return next;
}

/* The same for methods other than GET. */
static __attribute__((noinline)) size_t take_other_line(struct bide__http_head *head,
                                                        const char *bytes, size_t end)
{
    size_t space = bide__http_scan_token(bytes, 0, end);
    if (space == 0 || space == end || bytes[space] != ' ')
        return 0;
    enum bide__http_method method = bide__http_method_of(bytes, space);
    size_t next = method == BIDE__HTTP_CONNECT ? 0 : take_request_line(head, bytes, end, space);
    if (next > 0)
        head->method = (uint8_t)method;
    return next;
}

/* All of a usual request; false if something was left for the steps. */
static inline __attribute__((always_inline)) bool take_request(struct bide__http_head *head,
                                                               const char *bytes, size_t end)
{
    size_t next;
    if (end < 16)
        return false;
    if (bide__likely(memcmp(bytes, "GET ", 4) == 0)) {
        next = take_request_line(head, bytes, end, 3);
        if (next == 0)
            return false;
        head->method = BIDE__HTTP_GET;
    } else if ((next = take_other_line(head, bytes, end)) == 0) {
        return false;
    }
    if (bide__likely(take_lines(head, bytes, next, end, 0, 0)))
        return true;
    head->state = BIDE__HTTP_AT_FIELD;
    return false;
}

enum bide__http_result bide__http_head_parse(struct bide__http_head *head, const char *bytes,
                                             size_t length)
{
    size_t end = length < BIDE_CAP_HTTP_HEAD_BYTES ? length : BIDE_CAP_HTTP_HEAD_BYTES;
    if (bide__unlikely(head->state != BIDE__HTTP_AT_START || head->at > 0 ||
                       !take_request(head, bytes, end)))
        return bide__http_parse_in_steps(head, bytes, length);
    head->state = BIDE__HTTP_AT_END;
    head->bytes = head->at;
    return bide__http_judge(head, bytes);
}
