/*
 * url.c: where mail goes: smtp://, smtps:// and outbox:, with the options of bide_mailer_open.
 * Called by mailer.c. What is wrong is said without the password.
 *
 * Source: RFC 3986 section 3.2.
 */
#include "mail/mail.h"

#include "http/url.h"
#include "model/number.h"

#include <arpa/inet.h>
#include <string.h>

enum { PORT_SUBMISSION = 587, PORT_SUBMISSIONS = 465 };

/* NULL: malformed, a control character is in it, or no memory. */
static const char *decode(bide_arena *arena, const char *text, size_t length)
{
    char *out = bide_arena_alloc(arena, length + 1);
    size_t count = 0;
    if (!out ||
        bide__url_decode((struct bide__slice){text, length}, BIDE__URL_PLUS, out, &count) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)out[i] < ' ')
            return NULL;
    out[count] = 0;
    return out;
}

static const char *parse_login(bide_arena *arena, const char *text, size_t length,
                               struct bide__mail_url *url)
{
    const char *colon = memchr(text, ':', length);
    if (!colon)
        return "a password stands behind a ':'";
    url->user = decode(arena, text, (size_t)(colon - text));
    url->password = decode(arena, colon + 1, length - (size_t)(colon + 1 - text));
    return url->user && url->password ? NULL : "its user or password is malformed";
}

static const char *parse_host(bide_arena *arena, const char *text, size_t length,
                              struct bide__mail_url *url)
{
    const char *end = text + length, *colon = NULL;
    int64_t port = url->tls ? PORT_SUBMISSIONS : PORT_SUBMISSION;
    if (length > 0 && *text == '[') {
        colon = memchr(text, ']', length);
        colon = colon ? colon + 1 : NULL;
    } else {
        colon = memchr(text, ':', length);
        colon = colon ? colon : end;
    }
    if (!colon || colon == text)
        return "it has no host";
    if (colon < end &&
        (*colon != ':' || bide__parse_i64(colon + 1, (size_t)(end - colon - 1), &port) < 0 ||
         port < 1 || port > UINT16_MAX))
        return "its port is not a number from 1 to 65535";
    if (colon - text > BIDE_CAP_MAIL_HOST_BYTES)
        return "its host is longer than 255 bytes";
    for (const char *at = text; at < colon; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:", *at))
            return "its host is malformed";
    url->port = (uint16_t)port;
    url->host = bide_arena_strndup(arena, text, (size_t)(colon - text));
    return url->host ? NULL : bide__mail_no_memory;
}

static bool is_this_machine(const char *host)
{
    struct in_addr address;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is(struct bide__slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.bytes, text, slice.length) == 0;
}

static const char *parse_option(bide_arena *arena, struct bide__slice name,
                                struct bide__slice value, struct bide__mail_url *url)
{
    int64_t number = 0;
    bool is_number = bide__parse_i64(value.bytes, value.length, &number) == 0;
    if (is(name, "starttls")) {
        if (url->tls || (!is(value, "required") && !is(value, "none")))
            return "starttls, of smtp://, is `required` or `none`";
        url->starttls = is(value, "required");
    } else if (is(name, "ca")) {
        url->ca = decode(arena, value.bytes, value.length);
        return url->ca && *url->ca ? NULL : "ca is the path of a file";
    } else if (is(name, "timeout")) {
        if (!is_number || number < 1 || number > BIDE_CAP_MAIL_TIMEOUT_S)
            return "timeout is a number of seconds, from 1 to 3600";
        url->timeout = bide_s((double)number);
    } else if (is(name, "connections")) {
        if (!is_number || number < 1 || number > BIDE_CAP_MAIL_CONNECTIONS_MOST)
            return "connections is a number from 1 to 100";
        url->connections = (int)number;
    } else {
        return "it has an option that is none of starttls, ca, timeout, connections";
    }
    return NULL;
}

const char *bide__mail_url_parse(bide_arena *arena, const char *text,
                                 struct bide__mail_url *ret_url)
{
    struct bide__mail_url url = {.timeout = bide_s(BIDE_CAP_MAIL_SEND_S),
                                 .connections = BIDE_CAP_MAIL_CONNECTIONS};
    struct bide__slice name, value;
    if (!text || strlen(text) > BIDE_CAP_MAIL_URL_BYTES)
        return "it is not there, or too long";
    url.outbox = strcmp(text, "outbox:") == 0;
    url.tls = strncmp(text, "smtps://", 8) == 0;
    if (!url.outbox && !url.tls && strncmp(text, "smtp://", 7) != 0)
        return "it is none of smtp://..., smtps://... and outbox:";
    if (!url.outbox) {
        const char *rest = text + (url.tls ? 8 : 7);
        size_t length = strcspn(rest, "/?#");
        const char *end = rest + length, *problem = NULL;
        const char *at = memrchr(rest, '@', length);
        if (at)
            problem = parse_login(arena, rest, (size_t)(at - rest), &url);
        rest = at ? at + 1 : rest;
        if (!problem)
            problem = parse_host(arena, rest, (size_t)(end - rest), &url);
        if (problem)
            return problem;
        end += *end == '/';
        if (*end && *end != '?')
            return "it has a path";
        url.starttls = !url.tls && !is_this_machine(url.host);
        struct bide__slice query = {end + (*end == '?'), strlen(end + (*end == '?'))};
        while (!problem && bide__url_pair_next(&query, &name, &value))
            problem = parse_option(arena, name, value, &url);
        if (problem)
            return problem;
    }
    *ret_url = url;
    return NULL;
}
