/*
 * Requests through the in-process client: see README.md. The input is lines: `METHOD target`, then
 * header fields up to an empty line, then the body. A second request asks for what the first one
 * got, encoded anew.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "http/url.h"

#include <bide/bide.h>
#include <bide/json.h>
#include <bide/web_test.h>

enum {
    TARGET_BYTES = 6000,
    HEADERS = 20,
};

ENUM(order, up, down);
MODEL(echo, "", (str, text, optional), (str, more, optional));
MODEL(inside, "", (str, name, len(1, 5)));
MODEL(posted, "", (str, text, len(0, 50)), (i32, count, optional), (list(inside), all, optional),
      (json, any, optional));

GET(by_path, "/p/{id}/{name}/{rest:path}", echo, path(i64, id, range(-9, 9)), path(str, name),
    path(str, rest))
{
    promise(id >= -9 && id <= 9 && name[0]);
    return (echo){.text = name, .more = rest};
}

GET(by_query, "/q", echo, query(str, q, optional), query(i32, page, range(1, 9), dflt(1)),
    query(bool, deep, dflt(0)), query(order, sort, dflt(order_up)),
    query(list(i64), ids, len(0, 3), optional), query(f64, ratio, optional),
    query(time, since, optional), query(decimal, price, optional), query(uuid, key, optional),
    query(str, mail, email, optional), query(list(str), words, optional))
{
    promise(page >= 1 && page <= 9 && sort <= order_down && ids.count <= 3);
    return (echo){.text = q};
}

GET(by_header, "/h", echo, header(str, x_text, optional), header(i32, x_count, dflt(3)),
    cookie(str, sid, optional), cookie(i64, number, optional))
{
    return (echo){.text = x_text, .more = sid};
}

POST(by_body, "/b", echo, query(i32, version, optional), body(posted, form))
{
    return (echo){.text = form->text, .more = form->any.text};
}

POST(by_form, "/f", echo, form(str, text, optional), form(i32, count, range(1, 9), dflt(1)),
     form(list(str), all, len(0, 3), optional), file(one, optional), files(more, optional))
{
    promise(count >= 1 && count <= 9 && all.count <= 3);
    if (one)
        promise(bide__utf8_valid(one->name, strlen(one->name)) && one->content_type);
    size_t bytes = 0;
    for (size_t i = 0; i < more.count; i++)
        for (size_t at = 0; at < more.items[i].size; at++)
            bytes += more.items[i].data[at] != 'x'; /* all of it can be read */
    promise(bytes < 10000);
    return (echo){.text = text};
}

POST(by_form_body, "/m", echo, form_body(inside, form))
{
    return (echo){.text = form->name};
}

GET(by_proof, "/s", echo, bearer(token, optional), basic(login, optional),
    api_key(key, query, "key", optional))
{
    promise(!login || (login->user && login->password));
    return (echo){.text = key, .more = token};
}

static unsigned run_count;
static const char *input;
static size_t input_size;

/* The next line, as a text; its NULs end it. */
static bool take_line(char *line, size_t size)
{
    if (input_size == 0)
        return false;
    const char *stop = memchr(input, '\n', input_size);
    size_t length = stop ? (size_t)(stop - input) : input_size;
    size_t kept = length < size - 1 ? length : size - 1;
    memcpy(line, input, kept);
    line[kept] = '\0';
    input += length + (stop != NULL);
    input_size -= length + (stop != NULL);
    return true;
}

static void check_reply(bide_client_reply r)
{
    static const int statuses[] = {200, 204, 400, 401, 404, 405, 413, 415, 422, 501};
    bool known = false;
    const char *reason;
    size_t offset;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        known |= r.status == statuses[i];
    promise(known);
    if (r.length == 0)
        return;
    promise(bide__utf8_valid(r.body, r.length));
    promise(bide_json_check(r.body, r.length, &offset, &reason) == 0 || r.body[0] == '<');
    if (r.status == 422)
        for (size_t i = 0; i < json_count(r, "detail"); i++) {
            char at[40];
            snprintf(at, sizeof at, "detail.%zu.msg", i);
            promise(json_str(r, at)[0]);
        }
}

/* The text that arrived, percent-encoded by us, arrives again. */
static async(void) ask_again(bide_client_ptr client, bide_client_reply first)
{
    static char encoded[3 * TARGET_BYTES + 1], target[3 * TARGET_BYTES + 16];
    if (!json_has(first, "text") || first.body[8] == 'n')
        return bide_void;
    const char *text = json_str(first, "text");
    if (!text[0]) /* an optional field that is empty is absent */
        return bide_void;
    size_t length = bide__url_encode(bide__slice_of(text), BIDE__URL_PLUS_SPACE, encoded);
    encoded[length] = '\0';
    snprintf(target, sizeof target, "/q?q=%s", encoded);
    reply again = await(client_get(client, target));
    promise(again.status == 200 && strcmp(json_str(again, "text"), text) == 0);
    return bide_void;
}

static async(void) send_it(bide_client_ptr client)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "OPTIONS", "FOO"};
    static char line[TARGET_BYTES];
    static char target[TARGET_BYTES];
    bide_client_body body = {NULL, "", 0};
    int headers = 0;
    if (!take_line(target, sizeof target) || !target[0])
        return bide_void;
    const char *method = methods[(unsigned char)target[0] % 6];
    while (take_line(line, sizeof line) && line[0]) {
        char *colon = strchr(line, ':');
        if (!colon || colon == line || ++headers > HEADERS)
            continue;
        *colon = '\0';
        client_header(client, line, colon + 1);
    }
    if (input_size > 0)
        body = (bide_client_body){"application/json", input, input_size};
    reply r = await(client_send(client, method, target + 1, body));
    check_reply(r);
    if (r.status == 200 && r.body[0] == '{' && !strstr(target, "openapi"))
        await(ask_again(client, r));
    return bide_void;
}

static async(void) main_task(void)
{
    bide_app *app = bide_app_new(.title = "fuzz", .no_docs = true);
    bide_app_add_all(app, "");
    with_client(client, app)
        await(send_it(client));
    return bide_void;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *copy = copy_of((const char *)data + 1, size - 1);
    input = copy;
    input_size = size - 1;
    int64_t before = bide__mem_live();
    promise(bide_run(main_task, .ignore_signals = true, .virtual_clock = true) == 0);
    promise(bide__mem_live() <= before || run_count == 0); /* the first one opens the log */
    run_count++;
    free(copy);
    return 0;
}
