/*
 * Lists, parameters, hosts, and the way out; status phrases.
 */
#include "http/fields.h"
#include "feed.h"

#include "http/status.h"

#include <errno.h>

static const char *elements(const char *list)
{
    static struct trace trace;
    trace.length = 0;
    trace.text[0] = '\0';
    struct bide__slice rest = bide__slice_of(list), element;
    while (bide__http_list_next(&rest, &element)) {
        note(&trace, "<");
        note_bytes(&trace, element.bytes, element.length);
        note(&trace, ">");
    }
    return trace.text;
}

/* RFC 9110 5.6.1.2: a recipient passes over a reasonable number of empty elements. */
TEST_PLAIN(lists)
{
    check_str(elements(""), "");
    check_str(elements("a"), "<a>");
    check_str(elements("a,b , c\t"), "<a><b><c>");
    check_str(elements(" , ,a,, b c ,"), "<a><b c>");
}

static const char *params(const char *text)
{
    static struct trace trace;
    trace.length = 0;
    trace.text[0] = '\0';
    char *copy = copy_of(text, strlen(text));
    struct bide__slice rest = bide__slice(copy, strlen(text));
    struct bide__http_param param;
    int code;
    while ((code = bide__http_param_next(&rest, &param)) > 0) {
        note_bytes(&trace, param.name.bytes, param.name.length);
        note(&trace, param.quoted ? "=\"" : "=");
        note_bytes(&trace, param.value.bytes, param.value.length);
        note(&trace, param.quoted ? "\";" : ";");
    }
    free(copy);
    if (code < 0)
        note(&trace, "refused");
    return trace.text;
}

TEST_PLAIN(parameters)
{
    check_str(params(""), "");
    check_str(params(";a=b"), "a=b;");
    check_str(params(" ; a=b;c=\"d\""), "a=b;c=\"d\";");
    check_str(params("; a=\"b;c\"; d=e"), "a=\"b;c\";d=e;");
    check_str(params("; a=\"b\\\"c\""), "a=\"b\\\"c\";");
    check_str(params("; a=\"\""), "a=\"\";");
    check_str(params(";;; a=b ;"), "a=b;");
    check_str(params("a=b"), "refused");
    check_str(params("; a"), "refused");
    check_str(params("; a="), "refused");
    check_str(params("; =b"), "refused");
    check_str(params("; a =b"), "refused");
    check_str(params("; a=\"b"), "refused");
    check_str(params("; a=\"b\\"), "refused");
    check_str(params("; a=\"b\\\""), "refused");
    check_str(params("; a=b c"), "refused");
    check_str(params("; a=\"b\"c"), "refused");
}

/* What is written, or the code. */
static const char *written(struct bide__slice name, struct bide__slice value, size_t room)
{
    static char text[128];
    char *out = malloc(room + 1);
    require(out);
    int code = bide__http_field_write(out, room, name, value);
    if (code >= 0)
        snprintf(text, sizeof text, "%.*s", code, out);
    else
        snprintf(text, sizeof text, "%s", code == -EINVAL ? "refused" : "no room");
    free(out);
    return text;
}

TEST_PLAIN(a_field_cannot_smuggle_another)
{
    struct bide__slice name = bide__slice_of("X-a");
    check_str(written(name, bide__slice_of("b c\t\xC3\xA9"), 64), "X-a: b c\t\xC3\xA9\r\n");
    check_str(written(name, bide__slice_of(""), 64), "X-a: \r\n");
    static const char *const values[] = {
        "a\r\nSet-Cookie: b", "a\nb", "a\rb", "\r", "\n", "a\x01", "a\x7F", "a\v",
        "0123456789abcdef\n"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_str(written(name, bide__slice_of(values[i]), 64), "refused");
    check_str(written(name, bide__slice("a\0b", 3), 64), "refused");
    static const char *const names[] = {"", "a b", "a:", "a\r\nb", "a\n", "\xC3\xA9", "a\x7F"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_str(written(bide__slice_of(names[i]), bide__slice_of("v"), 64), "refused");
    check_str(written(bide__slice("a\0", 2), bide__slice_of("v"), 64), "refused");
}

TEST_PLAIN(a_field_needs_its_room)
{
    struct bide__slice name = bide__slice_of("ab"), value = bide__slice_of("cde");
    check_str(written(name, value, 9), "ab: cde\r\n");
    for (size_t room = 0; room < 9; room++)
        check_str(written(name, value, room), "no room");
}

TEST_PLAIN(reasons)
{
    check_str(bide__http_reason(100), "Continue");
    check_str(bide__http_reason(101), "Switching Protocols");
    check_str(bide__http_reason(200), "OK");
    check_str(bide__http_reason(204), "No Content");
    check_str(bide__http_reason(304), "Not Modified");
    check_str(bide__http_reason(308), "Permanent Redirect");
    check_str(bide__http_reason(404), "Not Found");
    check_str(bide__http_reason(408), "Request Timeout");
    check_str(bide__http_reason(413), "Content Too Large");
    check_str(bide__http_reason(414), "URI Too Long");
    check_str(bide__http_reason(417), "Expectation Failed");
    check_str(bide__http_reason(422), "Unprocessable Content");
    check_str(bide__http_reason(429), "Too Many Requests");
    check_str(bide__http_reason(431), "Request Header Fields Too Large");
    check_str(bide__http_reason(451), "Unavailable For Legal Reasons");
    check_str(bide__http_reason(503), "Service Unavailable");
    check_str(bide__http_reason(505), "HTTP Version Not Supported");
    check_str(bide__http_reason(511), "Network Authentication Required");
    check_str(bide__http_reason(299), "Success");
    check_str(bide__http_reason(306), "Redirection");
    check_str(bide__http_reason(418), "Client Error");
    check_str(bide__http_reason(510), "Server Error");
    check_str(bide__http_reason(99), "Unknown");
    check_str(bide__http_reason(600), "Unknown");
    check_str(bide__http_reason(-1), "Unknown");
    for (int status = 100; status < 600; status++)
        check_int(bide__http_bodiless(status), status < 200 || status == 204 || status == 304);
}
