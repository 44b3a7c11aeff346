/*
 * Cookies in and out.
 */
#include "http/cookie.h"
#include "feed.h"

#include <errno.h>

static const char *cookies(const char *text)
{
    static struct trace trace;
    trace.length = 0;
    trace.text[0] = '\0';
    char *copy = copy_of(text, strlen(text));
    struct bide__slice rest = bide__slice(copy, strlen(text)), name, value;
    while (bide__cookie_next(&rest, &name, &value)) {
        note_bytes(&trace, name.bytes, name.length);
        note(&trace, "=<");
        note_bytes(&trace, value.bytes, value.length);
        note(&trace, ">");
    }
    free(copy);
    return trace.text;
}

TEST_PLAIN(cookies_of_a_request)
{
    check_str(cookies(""), "");
    check_str(cookies("a=b"), "a=<b>");
    check_str(cookies("a=b; c=d"), "a=<b>c=<d>");
    check_str(cookies("a=b;c=d;"), "a=<b>c=<d>");
    check_str(cookies("a=b; a=c"), "a=<b>a=<c>");
    check_str(cookies(" a = b ; c\t=\td"), "a=<b>c=<d>");
    check_str(cookies("a=\"b c\"; d=\""), "a=<b c>d=<\">");
    check_str(cookies("a=b=c=="), "a=<b=c==>");
    check_str(cookies("a="), "a=<>");
    check_str(cookies("junk; =x; ; a=b"), "a=<b>");
}

static const char *set(const struct bide__cookie *cookie, size_t room)
{
    static char text[256];
    char *out = malloc(room + 1);
    require(out);
    int code = bide__cookie_write(out, room, cookie);
    if (code >= 0)
        snprintf(text, sizeof text, "%.*s", code, out);
    else
        snprintf(text, sizeof text, "%s", code == -EINVAL ? "refused" : "no room");
    free(out);
    return text;
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define SET(...)                                                                                   \
    set(&(struct bide__cookie){.name = TEXT("a"), .value = TEXT("b"), __VA_ARGS__}, 200)

TEST_PLAIN(set_cookie_is_careful_by_default)
{
    check_str(SET(.max_age_s = 0), "a=b; Path=/; Secure; HttpOnly; SameSite=Lax");
    check_str(SET(.max_age_s = 3600), "a=b; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax");
    check_str(SET(.max_age_s = -1), "a=b; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    check_str(SET(.max_age_s = INT64_MAX),
              "a=b; Path=/; Max-Age=9223372036854775807; Secure; HttpOnly; SameSite=Lax");
    check_str(SET(.path = TEXT("/x"), .domain = TEXT("a.example"), .for_scripts = true,
                  .over_plain_http = true, .same_site = BIDE__SAME_SITE_STRICT),
              "a=b; Path=/x; Domain=a.example; SameSite=Strict");
    check_str(SET(.same_site = BIDE__SAME_SITE_NONE),
              "a=b; Path=/; Secure; HttpOnly; SameSite=None");
    struct bide__cookie empty = {.name = TEXT("a")};
    check_str(set(&empty, 200), "a=; Path=/; Secure; HttpOnly; SameSite=Lax");
    size_t needed = strlen("a=; Path=/; Secure; HttpOnly; SameSite=Lax");
    check_str(set(&empty, needed), "a=; Path=/; Secure; HttpOnly; SameSite=Lax");
    for (size_t room = 0; room < needed; room++)
        check_str(set(&empty, room), "no room");
}

TEST_PLAIN(set_cookie_cannot_smuggle)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        struct bide__cookie value = {.name = TEXT("a"), .value = {&byte, 1}};
        bool allowed = c > ' ' && c < 0x7F && !strchr("\",;\\", c);
        check_int(strcmp(set(&value, 200), "refused") != 0, allowed);
        struct bide__cookie path = {.name = TEXT("a"), .path = {&byte, 1}};
        struct bide__cookie domain = {.name = TEXT("a"), .domain = {&byte, 1}};
        allowed = c >= ' ' && c < 0x7F && c != ';';
        check_int(strcmp(set(&path, 200), "refused") != 0, allowed);
        check_int(strcmp(set(&domain, 200), "refused") != 0, allowed);
        struct bide__cookie name = {.name = {&byte, 1}};
        if (c <= ' ' || c >= 0x7F || strchr("=;,\"\\", c))
            check_str(set(&name, 200), "refused");
    }
    struct bide__cookie nameless = {.value = TEXT("b")};
    check_str(set(&nameless, 200), "refused");
}

TEST_PLAIN(set_cookie_keeps_what_a_prefix_promises)
{
    struct bide__cookie host = {.name = TEXT("__Host-a"), .path = TEXT("/")};
    check_str(set(&host, 200), "__Host-a=; Path=/; Secure; HttpOnly; SameSite=Lax");
    host.over_plain_http = true;
    check_str(set(&host, 200), "refused");
    host = (struct bide__cookie){.name = TEXT("__host-a"), .path = TEXT("/x")};
    check_str(set(&host, 200), "refused");
    host = (struct bide__cookie){.name = TEXT("__Host-a"), .domain = TEXT("b")};
    check_str(set(&host, 200), "refused");
    struct bide__cookie secure = {.name = TEXT("__Secure-a"), .domain = TEXT("b")};
    check_str(set(&secure, 200), "__Secure-a=; Path=/; Domain=b; Secure; HttpOnly; SameSite=Lax");
    secure.over_plain_http = true;
    check_str(set(&secure, 200), "refused");
    check_str(SET(.over_plain_http = true, .same_site = BIDE__SAME_SITE_NONE), "refused");
}
