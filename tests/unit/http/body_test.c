/*
 * Bodies: one row per rule of RFC 9112 sections 6 to 8 that binds a recipient, each fed in every
 * way; the caps; chunks on their way out.
 */
#include "feed.h"

#include "base/caps.h"
#include "http/body.h"
#include "http/head.h"

struct frame {
    enum bide__http_framing framing;
    uint64_t length, cap;
};

/* The trace: the data in brackets, then "done left=N", "more ended=..." or "400 text". */
static void feed_body(struct trace *trace, const char *bytes, size_t length, size_t cut,
                      const void *context)
{
    const struct frame *frame = context;
    struct bide__http_body body;
    memset(&body, 0xAA, sizeof body);
    enum bide__http_result result =
        bide__http_body_init(&body, frame->framing, frame->length, frame->cap);
    size_t at = 0;
    note(trace, "[");
    while (at < length && result != BIDE__HTTP_DONE && result != BIDE__HTTP_BAD) {
        size_t end = piece_end(at, length, cut), used;
        char *copy = copy_of(bytes + at, end - at);
        size_t held = end - at, used_here = 0;
        do {
            struct bide__slice data = {0};
            result = bide__http_body_next(&body, copy + used_here, held - used_here, &used, &data);
            require(used <= held - used_here);
            used_here += used;
            if (result == BIDE__HTTP_DATA) {
                check(data.length > 0);
                note_bytes(trace, data.bytes, data.length);
            }
        } while (result == BIDE__HTTP_DATA);
        check(result != BIDE__HTTP_MORE || used_here == held);
        at += used_here;
        free(copy);
    }
    note(trace, "]");
    if (result == BIDE__HTTP_DONE)
        note(trace, " done left=%zu", length - at);
    else if (result == BIDE__HTTP_BAD)
        note(trace, " %d %s", body.refusal.status, body.refusal.text);
    else
        note(trace, " more ended=%d", bide__http_body_ended(&body) == BIDE__HTTP_DONE);
    if (result != BIDE__HTTP_BAD)
        note(trace, " total=%d", (int)body.total);
}

static void row(const struct frame *frame, const char *raw, size_t length, const char *expected)
{
    feed_all(feed_body, frame, raw, length, expected);
}
#define CHUNKED(raw, expected) row(&chunked, raw, sizeof(raw) - 1, expected)

static const struct frame chunked = {BIDE__HTTP_CHUNKED, 0, 100};
static const struct frame five = {BIDE__HTTP_LENGTH, 5, 100};
static const struct frame none = {BIDE__HTTP_NO_BODY, 0, 100};
static const struct frame until_close = {BIDE__HTTP_UNTIL_CLOSE, 0, 8};

TEST_PLAIN(rfc9112_6_2_content_length)
{
    row(&five, "hello", 5, "[hello] done left=0 total=5");
    row(&five, "helloGET /", 10, "[hello] done left=5 total=5");
    row(&five, "hel", 3, "[hel] more ended=0");
    row(&five, "\r\n\0\r\n", 5, "[\r\n");
    row(&none, "GET /", 5, "[] done left=5 total=0");
}

TEST_PLAIN(rfc9112_6_3_until_the_close)
{
    row(&until_close, "hello", 5, "[hello] more ended=1 total=5");
    row(&until_close, "12345678", 8, "[12345678] more ended=1 total=8");
    row(&until_close, "123456789", 9, "[12345678] 413");
}

TEST_PLAIN(rfc9112_7_1_chunked)
{
    CHUNKED("0\r\n\r\n", "[] done left=0 total=0");
    CHUNKED("5\r\nhello\r\n0\r\n\r\n", "[hello] done left=0 total=5");
    CHUNKED("5\r\nhello\r\n0\r\n\r\nGET /", "[hello] done left=5 total=5");
    CHUNKED("5\r\nhello\r\n1\r\n,\r\nA\r\n0123456789\r\n000\r\n\r\n",
            "[hello,0123456789] done left=0 total=16");
    CHUNKED("a\r\n0123456789\r\n0\r\n\r\n", "[0123456789] done");
    CHUNKED("005\r\nhello\r\n0\r\n\r\n", "[hello] done");
    CHUNKED("2\r\n\r\n\r\n0\r\n\r\n", "[\r\n] done left=0 total=2");
    CHUNKED("5\r\nhello", "[hello] more ended=0");
    CHUNKED("5\r\nhello\r\n0\r\n", "[hello] more ended=0");
    CHUNKED("5\r\nhello\r\n0\r\n\r", "[hello] more ended=0");
    CHUNKED("\r\n", "[] 400");
    CHUNKED("g\r\n", "[] 400");
    CHUNKED("0x5\r\nhello\r\n", "[] 400");
    CHUNKED("-5\r\nhello\r\n", "[] 400");
    CHUNKED("+5\r\nhello\r\n", "[] 400");
    CHUNKED(" 5\r\nhello\r\n", "[] 400");
    CHUNKED("5 \r\nhello\r\n", "[] 400");
    CHUNKED("5\nhello\r\n", "[] 400");
    CHUNKED("5\rhello\r\n", "[] 400");
    CHUNKED("5\r\r\nhello\r\n", "[] 400");
    CHUNKED("5\r\nhello0\r\n\r\n", "[hello] 400");
    CHUNKED("5\r\nhello\n0\r\n\r\n", "[hello] 400");
    CHUNKED("5\r\nhello\r0\r\n\r\n", "[hello] 400");
    CHUNKED("5\r\nhelloo\r\n0\r\n\r\n", "[hello] 400");
    CHUNKED("5\r\nhello\r\n\r\n0\r\n\r\n", "[hello] 400");
    CHUNKED("0\r\n\n", "[] 400");
    CHUNKED("0\r\n\rX", "[] 400");
    CHUNKED("5\0\r\nhello\r\n", "[] 400");
}

/* RFC 9112 7.1: anticipate large sizes, and prevent errors of conversion. */
TEST_PLAIN(rfc9112_7_1_large_sizes)
{
    CHUNKED("64\r\n", "[] more");
    CHUNKED("65\r\n", "[] 413");
    CHUNKED("ffffffff\r\n", "[] 413");
    CHUNKED("100000005\r\nhello\r\n", "[] 413");
    CHUNKED("7fffffffffffffff\r\n", "[] 413");
    CHUNKED("ffffffffffffffff\r\n", "[] 413");
    CHUNKED("10000000000000005\r\nhello\r\n", "[] 413");
    CHUNKED("fffffffffffffffffffffffffffffffffff\r\n", "[] 413");
    const struct frame endless = {BIDE__HTTP_CHUNKED, 0, UINT64_MAX};
    row(&endless, "ffffffffffffffff\r\nx", 19, "[x] more ended=0 total=1");
    row(&endless, "10000000000000000\r\nx", 20, "[] 413");
    row(&endless, "1\r\nx\r\nffffffffffffffff\r\n", 24, "[x] 413");
}

TEST_PLAIN(rfc9112_7_1_1_chunk_extensions)
{
    CHUNKED("5;a\r\nhello\r\n0;b=c\r\n\r\n", "[hello] done left=0");
    CHUNKED("5;a=b;c=\"d;\\\"e\r\\\n\"\r\nhello\r\n0\r\n\r\n", "[] 400");
    CHUNKED("5;a=b;c=\"d; \\\" e\"\r\nhello\r\n0\r\n\r\n", "[hello] done left=0");
    CHUNKED("5 ; a = b ;\tc\r\nhello\r\n0\r\n\r\n", "[hello] done left=0");
    CHUNKED("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "[hello] done left=0");
    CHUNKED("5;\r\nhello\r\n", "[] 400");
    CHUNKED("5;;a\r\nhello\r\n", "[] 400");
    CHUNKED("5;=a\r\nhello\r\n", "[] 400");
    CHUNKED("5;a=\r\nhello\r\n", "[] 400");
    CHUNKED("5;a \r\nhello\r\n", "[] 400");
    CHUNKED("5;a b\r\nhello\r\n", "[] 400");
    CHUNKED("5;a=b c\r\nhello\r\n", "[] 400");
    CHUNKED("5;a=b \r\nhello\r\n", "[] 400");
    CHUNKED("5;a=\"b\r\nhello\r\n", "[] 400");
    CHUNKED("5;a=\"b\"c\r\nhello\r\n", "[] 400");
    CHUNKED("5;a\nhello\r\n", "[] 400");
    CHUNKED("5;a\0\r\nhello\r\n", "[] 400");
    CHUNKED("5;a=\"\0\"\r\nhello\r\n", "[] 400");
}

TEST_PLAIN(rfc9112_7_1_2_trailers)
{
    CHUNKED("0\r\nA: b\r\n\r\nX", "[] done left=1");
    CHUNKED("1\r\nx\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n", "[x] done left=0");
    CHUNKED("0\r\nA:\r\nB: \t\r\n\r\n", "[] done left=0");
    CHUNKED("0\r\nA: b\r\n", "[] more ended=0");
    CHUNKED("0\r\n A: b\r\n\r\n", "[] 400");
    CHUNKED("0\r\nA : b\r\n\r\n", "[] 400");
    CHUNKED("0\r\nA\r\n\r\n", "[] 400");
    CHUNKED("0\r\n: b\r\n\r\n", "[] 400");
    CHUNKED("0\r\nA: b\n\r\n", "[] 400");
    CHUNKED("0\r\nA: b\rc\r\n\r\n", "[] 400");
    CHUNKED("0\r\nA: b\r\n c\r\n\r\n", "[] 400");
    CHUNKED("0\r\nA: \0\r\n\r\n", "[] 400");
    CHUNKED("0\r\nGET / HTTP/1.1\r\n\r\n", "[] 400");
}

/* `count` bytes of filling between two texts. */
static char *filled(const char *front, char filling, size_t count, const char *back,
                    size_t *ret_length)
{
    size_t a = strlen(front), b = strlen(back);
    char *text = malloc(a + count + b + 1);
    require(text);
    memcpy(text, front, a);
    memset(text + a, filling, count);
    memcpy(text + a + count, back, b + 1);
    *ret_length = a + count + b;
    return text;
}

static void row_filled(const char *front, char filling, size_t count, const char *back,
                       const char *expected)
{
    size_t length;
    char *text = filled(front, filling, count, back, &length);
    row(&chunked, text, length, expected);
    free(text);
}

TEST_PLAIN(caps_at_n_and_one_more)
{
    const struct frame exact = {BIDE__HTTP_LENGTH, 5, 5}, over = {BIDE__HTTP_LENGTH, 6, 5};
    row(&exact, "hello", 5, "[hello] done");
    row(&over, "hello!", 6, "[] 413");
    const struct frame ten = {BIDE__HTTP_CHUNKED, 0, 10};
    row(&ten, "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 26, "[helloworld] done");
    row(&ten, "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", 27, "[hello] 413");
    size_t overhead = BIDE_CAP_HTTP_CHUNK_OVERHEAD_BYTES;
    row_filled("5;", 'a', overhead - 1, "\r\nhello\r\n0\r\n\r\n", "[hello] done");
    row_filled("5;", 'a', overhead, "\r\nhello\r\n0\r\n\r\n", "[] 400");
    row_filled("5;", 'a', overhead - 1, "\r\nhello\r\n0;\r\n\r\n", "[hello] 400");
    row_filled("0", '0', overhead, "\r\n\r\n", "[] done");
    row_filled("0", '0', overhead + 1, "\r\n\r\n", "[] 400");
    size_t trailers = BIDE_CAP_HTTP_HEAD_BYTES;
    row_filled("0\r\nA:", 'a', trailers - 6, "\r\n\r\n", "[] done");
    row_filled("0\r\nA:", 'a', trailers - 5, "\r\n\r\n", "[] 431");
}

TEST_PLAIN(as_many_trailers_as_the_cap)
{
    for (int extra = 0; extra < 2; extra++) {
        char raw[1024] = "0\r\n";
        for (int i = 0; i < BIDE_CAP_HTTP_HEADERS + extra; i++)
            memcpy(raw + 3 + 4 * i, "A:\r\n", 4);
        size_t length = (size_t)(3 + 4 * (BIDE_CAP_HTTP_HEADERS + extra));
        memcpy(raw + length, "\r\n", 2);
        row(&chunked, raw, length + 2, extra ? "[] 431" : "[] done left=0");
    }
}

/* Tiny chunks are not overhead: a peer that flushes often is not refused. */
TEST_PLAIN(many_tiny_chunks_are_no_overhead)
{
    enum { COUNT = 20000 };
    char *raw = malloc(6 * COUNT + 5);
    require(raw);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(raw + 6 * i, "1\r\nx\r\n", 6);
    memcpy(raw + 6 * COUNT, "0\r\n\r\n", 5);
    struct bide__http_body body;
    bide__http_body_init(&body, BIDE__HTTP_CHUNKED, 0, COUNT);
    enum bide__http_result result;
    size_t at = 0, used;
    struct bide__slice data;
    while ((result = bide__http_body_next(&body, raw + at, 6 * COUNT + 5 - at, &used, &data)) ==
           BIDE__HTTP_DATA)
        at += used;
    check_int(result, BIDE__HTTP_DONE);
    check_int(body.total, COUNT);
    free(raw);
}

TEST_PLAIN(chunks_on_their_way_out)
{
    static const struct {
        uint64_t size;
        const char *line;
    } rows[] = {
        {1, "1\r\n"},       {15, "f\r\n"},
        {16, "10\r\n"},     {0xABCDEF, "abcdef\r\n"},
        {4096, "1000\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[BIDE__HTTP_CHUNK_HEAD_BYTES];
        size_t length = bide__http_chunk_head(out, rows[i].size);
        require(length == strlen(rows[i].line));
        check_mem(out, rows[i].line, length);
    }
    char whole[64];
    size_t length = bide__http_chunk_head(whole, 26);
    memcpy(whole + length, "abcdefghijklmnopqrstuvwxyz\r\n" BIDE__HTTP_LAST_CHUNK, 33);
    row(&chunked, whole, length + 33, "[abcdefghijklmnopqrstuvwxyz] done left=0 total=26");
}
