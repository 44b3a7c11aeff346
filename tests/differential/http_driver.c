/*
 * Bytes of connections on stdin, what bide's parsers make of them on stdout: see README.md. Built
 * and run by ../run_http_differential.py.
 */
#include "http/body.h"
#include "http/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_BYTES = 1 << 20,
    BODY_CAP = 1 << 20,
};

struct text {
    char *bytes;
    size_t length, room;
};

static void put(struct text *text, const char *bytes, size_t length)
{
    if (text->room - text->length < length) {
        text->room = (text->room + length) * 2;
        text->bytes = realloc(text->bytes, text->room);
        if (!text->bytes)
            abort();
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void puts_(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* A JSON string; bytes above 0x7F as the characters of Latin-1, as node does. */
static void put_string(struct text *text, const char *bytes, size_t length)
{
    puts_(text, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char escape[8];
        if (c >= ' ' && c < 0x7F && c != '"' && c != '\\')
            put(text, (const char *)&c, 1);
        else
            put(text, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
    }
    puts_(text, "\"");
}

static void put_head(struct text *text, const struct bide__http_head *head, const char *bytes)
{
    struct bide__slice method = bide__http_text(bytes, head->method_text);
    struct bide__slice target = bide__http_text(bytes, head->target);
    puts_(text, "[");
    put_string(text, method.bytes, method.length);
    puts_(text, ",");
    put_string(text, target.bytes, target.length);
    puts_(text, head->minor_version ? ",1,[" : ",0,[");
    for (int i = 0; i < head->count; i++) {
        struct bide__slice name = bide__http_text(bytes, head->fields[i].name);
        struct bide__slice value = bide__http_text(bytes, head->fields[i].value);
        puts_(text, i ? ",[" : "[");
        put_string(text, name.bytes, name.length);
        puts_(text, ",");
        put_string(text, value.bytes, value.length);
        puts_(text, "]");
    }
    puts_(text, "],\"");
}

/* What became of the connection. */
struct outcome {
    const char *end;
    struct bide__http_refusal refusal;
};

/* Reads a body from the bytes at `*at`, `step` bytes at a time, and writes it as hexadecimal. */
static enum bide__http_result read_body(struct text *text, const struct bide__http_head *head,
                                        const char *bytes, size_t length, size_t *at, size_t step,
                                        struct outcome *outcome)
{
    struct bide__http_body body;
    enum bide__http_result result =
        bide__http_body_init(&body, head->framing, head->content_length, BODY_CAP);
    while (result == BIDE__HTTP_DATA || (result == BIDE__HTTP_MORE && *at < length)) {
        struct bide__slice data = {0};
        size_t used, given = length - *at < step ? length - *at : step;
        result = bide__http_body_next(&body, bytes + *at, given, &used, &data);
        *at += used;
        for (size_t i = 0; i < data.length; i++) {
            char hex[3];
            snprintf(hex, sizeof hex, "%02x", (unsigned char)data.bytes[i]);
            put(text, hex, 2);
        }
    }
    outcome->refusal = body.refusal;
    return result;
}

/* One message from the bytes at `*at`; false when it is the last. */
static bool read_message(struct text *text, const char *bytes, size_t length, size_t *at,
                         size_t step, struct outcome *outcome)
{
    static struct bide__http_head head;
    const char *start = bytes + *at;
    size_t left = length - *at, before = text->length;
    enum bide__http_result result = BIDE__HTTP_MORE;
    bide__http_head_request(&head);
    for (size_t held = 0; result == BIDE__HTTP_MORE && held < left;) {
        held = left - held < step ? left : held + step;
        result = bide__http_head_parse(&head, start, held);
    }
    outcome->refusal = head.refusal;
    if (result == BIDE__HTTP_DONE) {
        *at += head.bytes;
        if (before > 0 && text->bytes[before - 1] == ']')
            puts_(text, ",");
        put_head(text, &head, start);
        result = read_body(text, &head, bytes, length, at, step, outcome);
    }
    if (result != BIDE__HTTP_DONE) {
        text->length = before;
        outcome->end = result == BIDE__HTTP_BAD ? "bad" : left ? "more" : "idle";
        return false;
    }
    bool stop = head.method == BIDE__HTTP_CONNECT || head.upgrade || !head.keep_alive;
    puts_(text, head.keep_alive ? "\",\"keep\"]" : "\",\"close\"]");
    outcome->end = "stop";
    return !stop;
}

static void read_connection(struct text *text, const char *bytes, size_t length, size_t step)
{
    struct outcome outcome = {0};
    size_t at = 0;
    text->length = 0;
    puts_(text, "{\"messages\":[");
    while (read_message(text, bytes, length, &at, step, &outcome)) {
    }
    puts_(text, "],\"end\":\"");
    puts_(text, outcome.end);
    puts_(text, "\"");
    if (strcmp(outcome.end, "bad") == 0) {
        char status[32];
        snprintf(status, sizeof status, ",\"status\":%d,\"reason\":", outcome.refusal.status);
        puts_(text, status);
        put_string(text, outcome.refusal.text, strlen(outcome.refusal.text));
    }
    puts_(text, "}\n");
}

int main(void)
{
    static char bytes[MOST_BYTES];
    unsigned char size[4];
    struct text whole = {0}, pieces = {0};
    while (fread(size, 1, 4, stdin) == 4) {
        size_t length =
            (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
        if (length > MOST_BYTES || fread(bytes, 1, length, stdin) != length)
            return 2;
        read_connection(&whole, bytes, length, MOST_BYTES);
        read_connection(&pieces, bytes, length, 1);
        if (whole.length != pieces.length || memcmp(whole.bytes, pieces.bytes, whole.length) != 0) {
            whole.length = 0;
            puts_(&whole, "{\"messages\":[],\"end\":\"split\"}\n");
        }
        fwrite(whole.bytes, 1, whole.length, stdout);
    }
    free(whole.bytes);
    free(pieces.bytes);
    return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
