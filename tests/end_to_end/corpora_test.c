/*
 * The corpora as requests: each file of the JSON corpus as a body (y_ must be accepted, n_ refused,
 * i_ is free), each naughty string as a field that comes back byte for byte. In-process and over a
 * socket.
 */
#include "wire.h"

#include "http/url.h"

#include <bide/json.h>
#include <dirent.h>

enum { FILE_BYTES = 1 << 20 };

MODEL(holder, "", (json, value, optional));
MODEL(note, "", (str, text));
MODEL(strings, "", (list(str), items));

POST(keep_json, "/json", holder, body(holder, form))
{
    return *form;
}

POST(keep_text, "/text", note, body(note, form))
{
    return *form;
}

GET(query_text, "/query", note, query(str, text))
{
    return (note){.text = text};
}

GET(path_text, "/path/{text}", note, path(str, text))
{
    return (note){.text = text};
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "corpora");
    bide_app_add_all(app, "");
    return app;
}

/* A file of the corpora with a NUL behind it; NULL: it is not here. To be freed. */
static char *corpus_file(const char *name, size_t *ret_length)
{
    char path[1024];
    const char *corpora = getenv("BIDE_CORPORA");
    snprintf(path, sizeof path, "%s/%s", corpora ? corpora : "../shared/corpora", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = malloc(FILE_BYTES);
    require(text);
    *ret_length = fread(text, 1, FILE_BYTES - 1, file);
    text[*ret_length] = '\0';
    fclose(file);
    return text;
}

/* One way of asking: in-process or over a socket. */
struct asked {
    int status;
    const char *body;
    size_t length;
};

struct way {
    bide_client *client; /* or */
    struct wire *wire;
};

static void post(const struct way *way, const char *path, const char *body, size_t size,
                 struct asked *ret) BIDE__TASK;
static void post(const struct way *way, const char *path, const char *body, size_t size,
                 struct asked *ret)
{
    if (way->client) {
        reply r = await(
            client_post(way->client, path, ((bide_client_body){"application/json", body, size})));
        *ret = (struct asked){r.status, r.body, r.length};
    } else {
        await(wire_post(way->wire, path, body, size));
        *ret = (struct asked){way->wire->status, way->wire->body, way->wire->length};
    }
}

static bool says(const struct asked *asked, const char *text)
{
    return memmem(asked->body, asked->length, text, strlen(text)) != NULL;
}

/* A refusal is a JSON object with a reason. */
static bool is_clear_refusal(const struct asked *asked)
{
    const char *why;
    size_t offset;
    return asked->status == 422 && says(asked, "{\"detail\":[{\"type\":\"") &&
           says(asked, "\"msg\":\"") &&
           bide_json_check(asked->body, asked->length, &offset, &why) == 0;
}

/* The text as the whole body, and as the value of a field. */
static bool json_holds(const struct way *way, char kind, const char *text,
                       size_t length) BIDE__TASK;
static bool json_holds(const struct way *way, char kind, const char *text, size_t length)
{
    struct asked raw, inside;
    post(way, "/json", text, length, &raw);
    bool no_json = says(&raw, "\"json_invalid\"") || (length == 0 && says(&raw, "\"missing\""));
    bool raw_good = raw.status == 200 || is_clear_refusal(&raw);
    raw_good &= kind == 'i' || no_json == (kind == 'n');

    char *whole = malloc(length + 10);
    require(whole);
    memcpy(whole, "{\"value\":", 9);
    memcpy(whole + 9, text, length);
    whole[9 + length] = '}';
    post(way, "/json", whole, length + 10, &inside);
    bool inside_good =
        kind == 'y' ? inside.status == 200 : inside.status == 200 || is_clear_refusal(&inside);
    if (kind == 'y') { /* it comes back in the words in which it came */
        while (length > 0 && strchr(" \t\r\n", text[0]))
            text++, length--;
        while (length > 0 && strchr(" \t\r\n", text[length - 1]))
            length--;
        inside_good &= inside.length == length + 10 && memcmp(inside.body + 9, text, length) == 0;
    }
    free(whole);
    bool raw_holds = check(raw_good);
    return check(inside_good) && raw_holds;
}

static void post_json_corpus(const struct way *way) BIDE__TASK;
static void post_json_corpus(const struct way *way)
{
    char folder[512], name[1024];
    int counts[128] = {0};
    const char *corpora = getenv("BIDE_CORPORA");
    snprintf(folder, sizeof folder, "%s/json/test_parsing",
             corpora ? corpora : "../shared/corpora");
    DIR *entries = opendir(folder);
    if (!entries)
        test_skip("no corpora here");
    for (struct dirent *entry; (entry = readdir(entries));) {
        size_t length;
        if (entry->d_name[1] != '_')
            continue;
        snprintf(name, sizeof name, "json/test_parsing/%s", entry->d_name);
        char *text = corpus_file(name, &length);
        require(text);
        counts[(unsigned char)name[18]]++;
        if (!json_holds(way, name[18], text, length))
            printf("wrong: %s\n", name);
        free(text);
    }
    closedir(entries);
    check(counts['y'] >= 95 && counts['n'] >= 188 && counts['i'] >= 35);
}

/* ---- strings ---- */

static bool is_kept(const struct asked *asked, const char *text, bide_arena *arena)
{
    bide_problems problems;
    note got;
    bide_problems_init(&problems, arena);
    return asked->status == 200 &&
           bide_json_read(&(bide_input){.arena = arena, .problems = &problems}, note_model(),
                          asked->body, asked->length, &got) == 0 &&
           strcmp(got.text, text) == 0;
}

static void get(const struct way *way, const char *target, struct asked *ret) BIDE__TASK;
static void get(const struct way *way, const char *target, struct asked *ret)
{
    char request[8192];
    if (way->client) {
        reply r = await(client_get(way->client, target));
        *ret = (struct asked){r.status, r.body, r.length};
    } else {
        int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
        await(wire_ask(way->wire, request, (size_t)size));
        *ret = (struct asked){way->wire->status, way->wire->body, way->wire->length};
    }
}

static void send_string(const struct way *way, const char *text, bide_arena *arena) BIDE__TASK;
static void send_string(const struct way *way, const char *text, bide_arena *arena)
{
    bide_buf body;
    struct asked asked;
    char target[4096];
    size_t length = strlen(text), used;
    bide_buf_init(&body, 1 << 20);
    check_int(bide_json_write(note_model(), &(note){.text = text}, arena, &body), 0);
    post(way, "/text", bide_buf_str(&body), bide_buf_length(&body), &asked);
    if (!check(is_kept(&asked, text, arena)))
        printf("not kept as a field: '%s'\n", text);
    bide_buf_done(&body);

    require(3 * length + 32 < sizeof target);
    used = (size_t)sprintf(target, "/query?text=");
    used += bide__url_encode(bide__slice(text, length), BIDE__URL_PLUS_SPACE, target + used);
    target[used] = '\0';
    get(way, target, &asked);
    if (!check(is_kept(&asked, text, arena)))
        printf("not kept in a query: '%s'\n", text);

    used = (size_t)sprintf(target, "/path/");
    used += bide__url_encode(bide__slice(text, length), BIDE__URL_PLUS, target + used);
    target[used] = '\0';
    get(way, target, &asked);
    if (length == 0 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        check_int(asked.status, 404); /* no segment */
    else if (!check(is_kept(&asked, text, arena)))
        printf("not kept in a path: '%s'\n", text);
}

static void send_strings(const struct way *way) BIDE__TASK;
static void send_strings(const struct way *way)
{
    bide_arena arena, scratch;
    bide_problems problems;
    strings all;
    size_t length;
    char *text = corpus_file("strings/blns.json", &length);
    if (!text)
        test_skip("no corpora here");
    char *whole = malloc(length + 16);
    require(whole);
    int size = sprintf(whole, "{\"items\":%s}", text);
    bide_arena_init(&arena, NULL, 4 << 20);
    bide_problems_init(&problems, &arena);
    check_int(bide_json_read(&(bide_input){.arena = &arena, .problems = &problems}, strings_model(),
                             whole, (size_t)size, &all),
              0);
    check(all.items.count >= 500);
    for (size_t i = 0; i < all.items.count; i++) {
        bide_arena_init(&scratch, NULL, 1 << 20);
        send_string(way, all.items.items[i], &scratch);
        bide_arena_done(&scratch);
    }
    bide_arena_done(&arena);
    free(whole);
    free(text);
}

/* ---- the two ways ---- */

TEST(json_corpus_in_process)
{
    with_client(client, make_app())
        post_json_corpus(&(struct way){.client = client});
}

TEST(strings_in_process)
{
    with_client(client, make_app())
        send_strings(&(struct way){.client = client});
}

static async(void) json_on_the_wire(uint16_t port)
{
    with(dial, wire, port)
        post_json_corpus(&(struct way){.wire = wire});
    return bide_void;
}

static async(void) strings_on_the_wire(uint16_t port)
{
    with(dial, wire, port)
        send_strings(&(struct way){.wire = wire});
    return bide_void;
}

TEST(json_corpus_on_the_wire, .real_clock = true, .timeout_ms = 60000)
{
    await(with_site(make_app(), json_on_the_wire));
}

TEST(strings_on_the_wire, .real_clock = true, .timeout_ms = 60000)
{
    await(with_site(make_app(), strings_on_the_wire));
}
