/*
 * url.c: where a server is: redis://[[user]:password@]host[:port][/db] and unix:/path. Called by
 * client.c. What is wrong is said without the password.
 *
 * Source: RFC 3986 section 3.2; IANA's registration of the scheme "redis".
 */
#include "redis/redis.h"

#include "model/number.h"

#include <string.h>

enum { DEFAULT_PORT = 6379 };

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Copies with percent-encoding undone. False: malformed, or more than `out` holds. */
static bool decode(const char *text, size_t length, char out[BIDE_ADDRESS_BYTES])
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < length ? hex(text[i + 1]) : -1;
            int low = high >= 0 ? hex(text[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == 0 || count + 1 >= BIDE_ADDRESS_BYTES)
            return false;
        out[count++] = c;
    }
    out[count] = 0;
    return true;
}

static bool copy(const char *text, size_t length, char out[BIDE_ADDRESS_BYTES])
{
    if (length >= BIDE_ADDRESS_BYTES)
        return false;
    memcpy(out, text, length);
    out[length] = 0;
    return true;
}

static const char *parse_login(const char *text, size_t length, struct bide__redis_url *url)
{
    const char *colon = memchr(text, ':', length);
    if (!colon)
        return "a password stands behind a ':'";
    if (!decode(text, (size_t)(colon - text), url->user) ||
        !decode(colon + 1, length - (size_t)(colon + 1 - text), url->password))
        return "its user or password is malformed or too long";
    return NULL;
}

/* `text` is what follows the host and its port. */
static const char *parse_database(const char *text, struct bide__redis_url *url)
{
    if (*text == 0 || strcmp(text, "/") == 0)
        return NULL;
    if (bide__parse_i64(text + 1, strlen(text + 1), &url->database) < 0 || url->database < 0)
        return "its path is not the number of a database";
    return NULL;
}

static const char *parse_host(const char *text, size_t length, struct bide__redis_url *url)
{
    const char *end = text + length, *colon;
    int64_t port = DEFAULT_PORT;
    if (length > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', length);
        if (!close || !copy(text + 1, (size_t)(close - text - 1), url->host))
            return "its host is malformed";
        colon = close + 1;
    } else {
        colon = memchr(text, ':', length);
        if (!colon)
            colon = end;
        if (!copy(text, (size_t)(colon - text), url->host))
            return "its host is too long";
    }
    if (!url->host[0])
        return "it has no host";
    if (colon < end &&
        (*colon != ':' || bide__parse_i64(colon + 1, (size_t)(end - colon - 1), &port) < 0 ||
         port < 1 || port > UINT16_MAX))
        return "its port is not a number from 1 to 65535";
    url->port = (uint16_t)port;
    return NULL;
}

const char *bide__redis_url_parse(const char *text, struct bide__redis_url *ret_url)
{
    struct bide__redis_url url = {.database = 0};
    const char *problem = NULL;
    if (!text || strlen(text) > BIDE_CAP_REDIS_URL_BYTES)
        return "it is not there, or too long";
    if (strncmp(text, "unix:", 5) == 0) {
        if (!text[5] || !copy(text + 5, strlen(text + 5), url.host))
            return "its path is empty or too long";
    } else if (strncmp(text, "redis://", 8) == 0) {
        const char *rest = text + 8;
        size_t length = strcspn(rest, "/");
        const char *path = rest + length;
        const char *at = memrchr(rest, '@', length);
        if (at) {
            problem = parse_login(rest, (size_t)(at - rest), &url);
            length -= (size_t)(at + 1 - rest);
            rest = at + 1;
        }
        if (!problem)
            problem = parse_host(rest, length, &url);
        if (!problem)
            problem = parse_database(path, &url);
    } else if (strncmp(text, "rediss://", 9) == 0) {
        problem = "TLS is not there yet: only redis:// and unix:";
    } else {
        problem = "it begins with neither redis:// nor unix:";
    }
    if (!problem)
        *ret_url = url;
    return problem;
}
