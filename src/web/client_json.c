/*
 * Looking into the replies of the client: a path through a JSON text. Called by tests; calls the
 * scanner and the readers of models. The text is passed over token by token; there is no tree.
 */
#include "base/slice.h"
#include "core/error.h"
#include "model/json_scan.h"
#include "model/number.h"

#include <bide/client_reply.h>
#include <errno.h>
#include <string.h>

static __attribute__((noreturn)) void raise_at(bide_client_reply from, const char *path,
                                               const char *what)
{
    bide__fail(bide__current->at,
               bide_error_new(BIDE_INVALID, "the reply, %d, has no %s at '%s': %.100s", from.status,
                              what, path, from.body));
}

/* At the key of a member: whether it is `name`. */
static bool take_key(struct bide__scan *scan, struct bide__slice name, bool *ret_same)
{
    struct bide__json_string key;
    char plain[256];
    if (bide__scan_next(scan) != '"' || !bide__scan_string(scan, &key) ||
        key.length > sizeof plain || bide__scan_next(scan) != ':')
        return false;
    scan->at++;
    size_t length = bide__json_unescape(&key, plain);
    *ret_same = bide__slice_equal(bide__slice(plain, length), name);
    return true;
}

/* At an object or an array: goes to the member or the item with that name. */
static bool go_down(struct bide__scan *scan, struct bide__slice name)
{
    char close = bide__scan_next(scan) == '{' ? '}' : ']';
    int64_t index = 0;
    bool more = true;
    if (*scan->at != '{' && *scan->at != '[')
        return false;
    if (close == ']' && bide__parse_i64(name.bytes, name.length, &index) < 0)
        return false;
    if (!bide__scan_open(scan) || bide__scan_next(scan) == close)
        return false;
    for (int64_t i = 0; more; i++) {
        bool same = i == index;
        if (close == '}' && !take_key(scan, name, &same))
            return false;
        if (same)
            return true;
        if (!bide__scan_value(scan) || !bide__scan_more(scan, close, &more))
            return false;
    }
    return false;
}

/* The first byte of the value at the path; '\0': there is none. */
static char find(bide_client_reply from, const char *path, struct bide__scan *ret_scan)
{
    struct bide__slice rest = bide__slice_of(path), name;
    *ret_scan = (struct bide__scan){.at = from.body, .end = from.body + from.length};
    while (bide__slice_split(&rest, '.', &name))
        if (!go_down(ret_scan, name))
            return '\0';
    return bide__scan_next(ret_scan);
}

int64_t bide_json_int(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    size_t length;
    int64_t value;
    bool is_integer;
    char c = find(from, path, &scan);
    const char *start = scan.at;
    if ((c != '-' && (c < '0' || c > '9')) || !bide__scan_number(&scan, &length, &is_integer) ||
        !is_integer || bide__parse_i64(start, length, &value) < 0)
        raise_at(from, path, "whole number");
    return value;
}

double bide_json_real(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    size_t length;
    double value;
    bool is_integer;
    char c = find(from, path, &scan);
    const char *start = scan.at;
    if ((c != '-' && (c < '0' || c > '9')) || !bide__scan_number(&scan, &length, &is_integer) ||
        bide__parse_f64(start, length, &value) < 0)
        raise_at(from, path, "number");
    return value;
}

bool bide_json_bool(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    char c = find(from, path, &scan);
    if (c != 't' && c != 'f')
        raise_at(from, path, "true or false");
    return c == 't';
}

const char *bide_json_str(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    struct bide__json_string string;
    if (find(from, path, &scan) != '"' || !bide__scan_string(&scan, &string))
        raise_at(from, path, "string");
    char *text = bide_arena_alloc(from.arena, string.length + 1);
    if (!text)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for the reply"));
    text[bide__json_unescape(&string, text)] = 0;
    return text;
}

size_t bide_json_count(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    char c = find(from, path, &scan), close = c == '{' ? '}' : ']';
    size_t count = 0;
    bool more = true, same;
    if ((c != '{' && c != '[') || !bide__scan_open(&scan))
        raise_at(from, path, "list or object");
    if (bide__scan_next(&scan) == close)
        return 0;
    for (; more; count++)
        if ((close == '}' && !take_key(&scan, bide__slice("", 0), &same)) ||
            !bide__scan_value(&scan) || !bide__scan_more(&scan, close, &more))
            raise_at(from, path, "list or object");
    return count;
}

bool bide_json_has(bide_client_reply from, const char *path)
{
    struct bide__scan scan;
    return find(from, path, &scan) != '\0';
}

const void *bide__reply_as(bide_client_reply from, const bide_model *model, size_t size)
{
    bide_problems problems;
    bide_arena *arena = from.arena;
    void *row = bide_arena_alloc(arena, size);
    bide_problems_init(&problems, arena);
    bide_input input = {.arena = arena, .problems = &problems, .trusted = true};
    if (!row || bide_json_read(&input, model, from.body, from.length, row) < 0)
        raise_at(from, problems.first ? problems.first->loc : "", model->name);
    return row;
}

bide_client_body bide__body_model(const bide_model *model, const void *row)
{
    bide_arena *arena = bide_task_arena();
    bide_client_body body = {.content_type = "application/json"};
    bide_buf out;
    bide_buf_init(&out, BIDE_CAP_CLIENT_BODY_BYTES);
    int code = arena ? bide_json_write(model, row, arena, &out) : -ENOMEM;
    if (code == 0) {
        body.size = bide_buf_length(&out);
        body.data = bide_arena_copy(arena, bide_buf_str(&out), body.size + 1);
        code = body.data ? 0 : -ENOMEM;
    }
    bide_buf_done(&out);
    if (code < 0)
        bide__fail(bide__current->at,
                   bide_error_new(code == -ENOMEM     ? BIDE_NO_MEMORY
                                  : code == -EMSGSIZE ? BIDE_LIMIT
                                                      : BIDE_INVALID,
                                  "a %s cannot be written as JSON", model->name));
    return body;
}
