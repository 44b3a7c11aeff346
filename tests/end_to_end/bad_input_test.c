/*
 * Everything that nobody should send, as a table: each request on a connection of its own gets a
 * clear error, while another connection is served and memory stays flat.
 */
#include "wire.h"

#include "base/mem.h"

#include <bide/json.h>
#include <malloc.h>
#include <sys/resource.h>

ENUM(shade, light, dark);
MODEL(inner, "", (str, name, len(1, 5)), (list(inner), more, optional));
MODEL(everything, "", (bool, flag, optional), (i32, small, optional), (i64, large, optional),
      (f64, real, optional), (str, text, optional), (bytes, data, optional), (uuid, key, optional),
      (time, at, optional), (date, day, optional), (decimal, amount, optional),
      (shade, shade, optional), (json, extra, optional), (obj(inner), inside, optional),
      (list(i32), numbers, optional));

POST(take, "/take", nothing, body(everything, form))
{
    check(form->small != 12345); /* no bad one comes this far */
}

GET(search, "/q", text, query(i32, page, range(1, 9), dflt(1)), query(str, q, optional))
{
    return page == 1 && !q ? "all" : "some";
}

GET(by_path, "/p/{id}/{name}", text, path(i64, id), path(str, name))
{
    return id == 1 ? name : "";
}

GET(by_cookie, "/c", text, cookie(str, sid, optional), header(i32, x_count, optional))
{
    return sid && x_count ? "both" : "one";
}

MODEL(login, "", (str, name, len(1, 9)), (i32, count, dflt(1)));

POST(take_form, "/form", nothing, form_body(login, form))
{
    check(form->name[0]);
}

POST(take_parts, "/parts", nothing, form(str, title, len(1, 9)), file(picture))
{
    check(title[0] && picture->data);
}

GET(by_token, "/token", text, bearer(token))
{
    return token;
}

GET(by_password, "/password", text, basic(who))
{
    return who->user;
}

/* What is sent: `head`, for a body also its length, then `before`, `piece` so many times, `after`.
 */
struct text {
    const char *bytes;
    size_t length;
};
#define T(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

struct bad {
    const char *name;
    struct text head, before, piece, after;
    int times;
    bool is_body;
    int status;       /* that is expected */
    const char *says; /* a part of the reply */
};

#define JSON_HEAD T("POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
#define GET_HEAD(target) T("GET " target " HTTP/1.1\r\nHost: x\r\n\r\n")
#define BODY(name_, text, status_, says_)                                                          \
    {                                                                                              \
        .name = name_, .head = JSON_HEAD, .before = T(text), .is_body = true, .status = status_,   \
        .says = says_                                                                              \
    }
#define MANY(name_, before_, piece_, times_, after_, status_, says_)                               \
    {                                                                                              \
        .name = name_, .head = JSON_HEAD, .before = T(before_), .piece = T(piece_),                \
        .times = times_, .after = T(after_), .is_body = true, .status = status_, .says = says_     \
    }
#define FORM(name_, text, status_, says_)                                                          \
    {                                                                                              \
        .name = name_,                                                                             \
        .head = T("POST /form HTTP/1.1\r\nHost: x\r\n"                                             \
                  "Content-Type: application/x-www-form-urlencoded\r\n"),                          \
        .before = T(text), .is_body = true, .status = status_, .says = says_                       \
    }
#define PARTS_HEAD                                                                                 \
    T("POST /parts HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n")
#define PARTS(name_, before_, piece_, times_, after_, status_, says_)                              \
    {                                                                                              \
        .name = name_, .head = PARTS_HEAD, .before = T(before_), .piece = T(piece_),               \
        .times = times_, .after = T(after_), .is_body = true, .status = status_, .says = says_     \
    }
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\nx\r\n"
#define RAW(name_, text, status_, says_)                                                           \
    {                                                                                              \
        .name = name_, .head = T(text), .status = status_, .says = says_                           \
    }

static const struct bad bads[] = {
    /* JSON */
    MANY("deep arrays", "{\"extra\":", "[", 100000, "", 422, "json_invalid"),
    MANY("deep objects", "{\"extra\":", "{\"a\":", 100000, "1", 422, "json_invalid"),
    MANY("a deep model", "{\"inside\":{\"name\":\"a\",\"more\":[", "{\"name\":\"a\",\"more\":[",
         200, "]}]}}", 422, "\"detail\":[{\"type\":\"json_invalid\""),
    MANY("a deep unknown key", "{\"unknown\":", "[", 70, "1]", 422, "json_invalid"),
    BODY("too large for i32", "{\"small\":2147483648}", 422, "\"small\""),
    BODY("too large for i64", "{\"large\":9223372036854775808}", 422, "\"large\""),
    BODY("too small for i64", "{\"large\":-9223372036854775809}", 422, "\"large\""),
    BODY("too large for f64", "{\"real\":1e309}", 422, "finite_number"),
    BODY("an exponent of ten digits", "{\"real\":-1e9999999999}", 422, "finite_number"),
    MANY("an i64 of 100,000 digits", "{\"large\":", "9", 100000, "}", 422, "\"large\""),
    MANY("an f64 of 100,000 digits", "{\"real\":", "9", 100000, "}", 422, "\"real\""),
    MANY("a decimal of 100,000 digits", "{\"amount\":", "9", 100000, "}", 422, "\"amount\""),
    BODY("a fraction for i32", "{\"small\":1.5}", 422, "int_from_float"),
    BODY("NaN", "{\"real\":NaN}", 422, "json_invalid"),
    BODY("bad UTF-8", "{\"text\":\"a\xff\"}", 422, "json_invalid"),
    BODY("overlong UTF-8", "{\"text\":\"\xc0\xaf\"}", 422, "json_invalid"),
    BODY("a surrogate in UTF-8", "{\"text\":\"\xed\xa0\x80\"}", 422, "json_invalid"),
    BODY("half a surrogate pair", "{\"text\":\"\\ud800\"}", 422, "json_invalid"),
    BODY("bad UTF-8 in a key", "{\"\xff\":1}", 422, "json_invalid"),
    BODY("a null byte", "{\"text\":\"a\0b\"}", 422, "json_invalid"),
    BODY("an escaped null byte", "{\"text\":\"a\\u0000b\"}", 422, "string_nul"),
    BODY("a null byte behind it", "{}\0", 422, "json_invalid"),
    BODY("a byte order mark", "\xef\xbb\xbf{}", 422, "json_invalid"),
    BODY("a key twice", "{\"small\":1,\"small\":2}", 422, "duplicate_key"),
    BODY("an escaped key twice", "{\"small\":1,\"sm\\u0061ll\":2}", 422, "duplicate_key"),
    MANY("1,001 keys", "{\"small\":1", ",\"k\":1", 1000, "}", 422, "\"detail\":[{\"type\":\""),
    MANY("10,001 items", "{\"numbers\":[1", ",1", 10000, "]}", 422, "too_long"),
    MANY("a thousand problems", "{\"numbers\":[\"x\"", ",\"x\"", 999, "]}", 422, "int_"),
    MANY("a text of 1 MB in an enum", "{\"shade\":\"", "y", 1000000, "\"}", 422, "enum"),
    MANY("base64 that is none", "{\"data\":\"", "!", 100000, "\"}", 422, "bytes_invalid"),
    BODY("half an object", "{\"small\":", 422, "json_invalid"),
    BODY("two values", "{}{}", 422, "json_invalid"),
    BODY("no object", "[]", 422, "\"loc\":[\"body\"]"),
    BODY("nothing", "", 422, "\"missing\""),
    BODY("a day that is none", "{\"day\":\"2023-02-29\"}", 422, "\"day\""),
    BODY("an instant without an offset", "{\"at\":\"2024-01-01T00:00:00\"}", 422, "\"at\""),
    MANY("a body of 2 MiB", "{\"text\":\"", "yyyyyyyyyyyyyyyy", 131072, "\"}", 413, "too large"),

    /* content types */
    RAW("no content type", "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415,
        "content type"),
    RAW("a text",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        415, "application/json"),
    RAW("a form",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 7\r\n\r\nsmall=1",
        415, "application/json"),
    RAW("parts for JSON",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n"
        "Content-Length: 2\r\n\r\n--",
        415, "application/json"),
    RAW("a type that only begins so",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonp\r\n"
        "Content-Length: 2\r\n\r\n{}",
        415, "application/json"),

    /* forms */
    FORM("half an escape in a form", "name=%4", 422, "url_encoding"),
    FORM("a null byte in a form", "name=%00", 422, "\"body\""),
    FORM("bad UTF-8 in a form", "name=%ff", 422, "string_unicode"),
    FORM("raw bytes in a form", "name=\xff", 422, "string_unicode"),
    FORM("a field twice", "name=a&name=b", 422, "duplicate_key"),
    FORM("no field", "other=a", 422, "missing"),
    {.name = "4,000 fields",
     .head = T("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: "
               "application/x-www-form-urlencoded\r\n"),
     .before = T("name=a"),
     .piece = T("&a=1"),
     .times = 4000,
     .is_body = true,
     .status = 422,
     .says = "too_many_pairs"},
    PARTS("parts that do not end", FIELD("title"), "", 0, "", 400, ""),
    PARTS("a part that does not end", "--b\r\nContent-Disposition: form-data; name=a", "", 0, "",
          400, ""),
    PARTS("no part", "nothing of the kind", "", 0, "", 400, ""),
    PARTS("a part without a name", "--b\r\nContent-Type: x/y\r\n\r\nx\r\n--b--\r\n", "", 0, "", 400,
          ""),
    PARTS("a field where a file is", FIELD("title") FIELD("picture") "--b--\r\n", "", 0, "", 422,
          "\"picture\""),
    PARTS("2,000 parts", "", FIELD("title"), 2000, "--b--\r\n", 413, ""),
    PARTS("a part's head of 100,000 bytes", "--b\r\nX: ", "y", 100000, "\r\n\r\nx\r\n--b--\r\n",
          431, ""),
    PARTS("a name of 100,000 bytes", "--b\r\nContent-Disposition: form-data; name=\"", "y", 100000,
          "\"\r\n\r\nx\r\n--b--\r\n", 431, ""),
    RAW("a boundary of 100 bytes",
        "POST /parts HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary="
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "\r\nContent-Length: 2\r\n\r\n--",
        400, "boundary"),
    RAW("JSON for a form",
        "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\n\r\n{}",
        415, "form"),

    /* proofs */
    RAW("no token", "GET /token HTTP/1.1\r\nHost: x\r\n\r\n", 401, "Not authenticated"),
    RAW("an empty token", "GET /token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\n\r\n", 401,
        "Not authenticated"),
    RAW("another scheme", "GET /token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\r\n",
        401, "Not authenticated"),
    RAW("a password without a colon",
        "GET /password HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWI=\r\n\r\n", 401,
        "Not authenticated"),
    RAW("a password that is no base64",
        "GET /password HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!!!\r\n\r\n", 401,
        "Not authenticated"),
    RAW("a user with a null byte",
        "GET /password HTTP/1.1\r\nHost: x\r\nAuthorization: Basic AGE6Yg==\r\n\r\n", 401,
        "Not authenticated"),

    /* paths and queries */
    RAW("half an escape in a path", "GET /p/1/%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    RAW("no escape in a path", "GET /p/1/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    RAW("a null byte in a path", "GET /p/1/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    RAW("bad UTF-8 in a path", "GET /p/1/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "path"),
    RAW("no number in a path", "GET /p/1x/a HTTP/1.1\r\nHost: x\r\n\r\n", 422, "int_parsing"),
    RAW("a huge number in a path", "GET /p/99999999999999999999/a HTTP/1.1\r\nHost: x\r\n\r\n", 422,
        "\"id\""),
    RAW("out of the root", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Not Found"),
    RAW("no escape in a query", "GET /q?q=%zz HTTP/1.1\r\nHost: x\r\n\r\n", 422, "url_encoding"),
    RAW("a null byte in a query", "GET /q?q=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 422, "\"query\""),
    RAW("bad UTF-8 in a query", "GET /q?q=%ff HTTP/1.1\r\nHost: x\r\n\r\n", 422, "string_unicode"),
    RAW("a parameter twice", "GET /q?page=1&page=2 HTTP/1.1\r\nHost: x\r\n\r\n", 422,
        "duplicate_key"),
    RAW("out of range", "GET /q?page=0 HTTP/1.1\r\nHost: x\r\n\r\n", 422, "greater_than_equal"),
    {.name = "4,000 pairs in a query",
     .head = T("GET /q?"),
     .piece = T("a&"),
     .times = 4000,
     .after = T(" HTTP/1.1\r\nHost: x\r\n\r\n"),
     .status = 422,
     .says = "too_many_pairs"},
    {.name = "10,000 pairs in a query",
     .head = T("GET /q?"),
     .piece = T("a=1&"),
     .times = 10000,
     .after = T(" HTTP/1.1\r\nHost: x\r\n\r\n"),
     .status = 414,
     .says = ""},
    {.name = "a path of 100,000 bytes",
     .head = T("GET /"),
     .piece = T("a"),
     .times = 100000,
     .after = T(" HTTP/1.1\r\nHost: x\r\n\r\n"),
     .status = 414,
     .says = ""},
    {.name = "a path of 2,000 segments",
     .head = T("GET "),
     .piece = T("/a"),
     .times = 2000,
     .after = T(" HTTP/1.1\r\nHost: x\r\n\r\n"),
     .status = 404,
     .says = "Not Found"},

    /* methods */
    RAW("a method of nobody", "FOO /q HTTP/1.1\r\nHost: x\r\n\r\n", 501, ""),
    RAW("a method in small letters", "get /q HTTP/1.1\r\nHost: x\r\n\r\n", 501, ""),
    RAW("a method that the route has not", "PUT /q HTTP/1.1\r\nHost: x\r\n\r\n", 405,
        "Method Not Allowed"),
    RAW("TRACE", "TRACE /q HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Method Not Allowed"),
    RAW("a path of nobody", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Not Found"),

    /* heads */
    {.name = "101 cookie fields",
     .head = T("GET /c HTTP/1.1\r\nHost: x\r\n"),
     .piece = T("Cookie: a=b\r\n"),
     .times = 100,
     .after = T("\r\n"),
     .status = 431,
     .says = ""},
    {.name = "a head of 100 MB",
     .head = T("GET /c HTTP/1.1\r\nHost: x\r\n"),
     .piece =
         T("X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"),
     .times = 1250000,
     .after = T("\r\n"),
     .status = 431,
     .says = ""},
    {.name = "a cookie of 20,000 bytes",
     .head = T("GET /c HTTP/1.1\r\nHost: x\r\nCookie: sid="),
     .piece = T("y"),
     .times = 20000,
     .after = T("\r\n\r\n"),
     .status = 431,
     .says = ""},
    {.name = "1,500 cookies",
     .head = T("GET /c HTTP/1.1\r\nHost: x\r\nCookie: sid=1"),
     .piece = T(";  a=1"),
     .times = 1500,
     .after = T("\r\n\r\n"),
     .status = 200,
     .says = "one"},
    RAW("no number in a header", "GET /c HTTP/1.1\r\nHost: x\r\nX-Count: many\r\n\r\n", 422,
        "x-count"),
    RAW("bad UTF-8 in a cookie", "GET /c HTTP/1.1\r\nHost: x\r\nCookie: sid=\xff\r\n\r\n", 422,
        "\"cookie\""),
    RAW("a null byte in a header", "GET /q HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400, ""),
    RAW("a null byte in the target", "GET /q\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""),
    RAW("a bare CR", "GET /q HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400, ""),
    RAW("a space in front of the colon", "GET /q HTTP/1.1\r\nHost : x\r\n\r\n", 400, ""),
    RAW("a folded line", "GET /q HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400, ""),
    RAW("no host", "GET /q HTTP/1.1\r\n\r\n", 400, ""),
    RAW("two hosts", "GET /q HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, ""),
    RAW("a version to come", "GET /q HTTP/3.0\r\nHost: x\r\n\r\n", 505, ""),
    RAW("no version", "GET /q\r\n\r\n", 400, ""),
    RAW("TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400, ""),

    /* framing */
    RAW("two lengths", "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 3\r\n\r\n{}", 400, ""),
    RAW("a length that is none", "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
        400, ""),
    RAW("a length and chunks",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n",
        400, ""),
    RAW("a coding of nobody",
        "POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, ""),
    RAW("a chunk size that is none",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
        400, ""),
    RAW("a length of 19 digits",
        "POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 9999999999999999999\r\n\r\n{}",
        413, ""),
    {.name = "2 MiB in chunks",
     .head = T("POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n"),
     .piece = T("10\r\nyyyyyyyyyyyyyyyy\r\n"),
     .times = 131072,
     .after = T("0\r\n\r\n"),
     .status = 413,
     .says = "too large"},
    RAW("an expectation of nobody", "GET /q HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\n\r\n", 417,
        ""),
};

enum { BADS = sizeof bads / sizeof *bads };

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "bad input");
    bide_app_add_all(app, "");
    return app;
}

/* The bytes of a request; to be freed. */
static char *make_request(const struct bad *bad, size_t *ret_size)
{
    size_t times = (size_t)bad->times;
    size_t rest = bad->before.length + times * bad->piece.length + bad->after.length;
    char *bytes = malloc(bad->head.length + rest + 64), *at;
    require(bytes);
    at = mempcpy(bytes, bad->head.bytes, bad->head.length);
    if (bad->is_body)
        at += sprintf(at, "Content-Length: %zu\r\n\r\n", rest);
    if (bad->before.length > 0)
        at = mempcpy(at, bad->before.bytes, bad->before.length);
    for (size_t i = 0; i < times; i++)
        at = mempcpy(at, bad->piece.bytes, bad->piece.length);
    if (bad->after.length > 0)
        at = mempcpy(at, bad->after.bytes, bad->after.length);
    *ret_size = (size_t)(at - bytes);
    return bytes;
}

/* A reply in words: JSON of the web layer, a text of the connection; never a trace of the inside.
 */
static bool is_clear(const struct wire *wire)
{
    size_t offset;
    const char *why;
    if (wire->length == 0)
        return false;
    return wire->body[0] != '{' || bide_json_check(wire->body, wire->length, &offset, &why) == 0;
}

static async(void) send_bad(const struct bad *bad, uint16_t port, struct wire *other)
{
    static const char good[] = "GET /q HTTP/1.1\r\nHost: x\r\n\r\n";
    size_t size;
    char *bytes = make_request(bad, &size);
    with(dial, wire, port) {
        await(wire_ask(wire, bytes, size));
        bool status_holds = check_int(wire->status, bad->status);
        bool body_holds = check(is_clear(wire));
        if (!check(memmem(wire->body, wire->length, bad->says, strlen(bad->says)) != NULL) ||
            !status_holds || !body_holds)
            printf("%s: %d %.200s\n", bad->name, wire->status, wire->body);
        await(wire_ask(other, good, sizeof good - 1));
        if (!check_int(other->status, 200))
            printf("%s: the other connection suffers\n", bad->name);
    }
    free(bytes);
    return bide_void;
}

/* Those of up to so many bytes. */
static async(void) send_up_to(size_t most_bytes, uint16_t port)
{
    with(dial, other, port) {
        for (int i = 0; i < BADS; i++)
            if (bads[i].piece.length * (size_t)bads[i].times <= most_bytes)
                await(send_bad(&bads[i], port, other));
    }
    return bide_void;
}

static async(void) send_all(uint16_t port)
{
    await(send_up_to(SIZE_MAX, port));
    return bide_void;
}

TEST(each_gets_a_clear_error, .real_clock = true, .timeout_ms = 60000)
{
    await(with_site(make_app(), send_all));
}

static long resident_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* The blocks that are held, and the most memory that ever was, after many rounds as after a few.
   Without what would take more memory here than in the server. */
static async(void) send_rounds(uint16_t port)
{
    int64_t blocks = 0;
    long most_kb = 0;
    for (int round = 0; round < 12; round++) {
        await(send_up_to(4 << 20, port));
        await(bide_sleep(bide_ms(20))); /* the connections that were refused are closed */
        if (round == 3) {
            blocks = bide__mem_live();
            most_kb = resident_kb();
        }
    }
    check(bide__mem_live() <= blocks + 4);
    if (!BIDE__ASAN) /* which keeps what was freed for a while */
        check(resident_kb() <= most_kb + 2048);
    return bide_void;
}

TEST(memory_stays_flat, .real_clock = true, .timeout_ms = 60000)
{
    await(with_site(make_app(), send_rounds));
}
