/*
 * bide_trusted_hosts, bide_https_only: what a request says it was sent to. Called through
 * bide_proceed; calls request.c.
 */
#include "web/middleware.h"

#include "http/fields.h"

#include <string.h>

/* Without a port, and without the dot of a name's root. */
static struct bide__slice host_of(const bide_request *req)
{
    bide_text text = bide_host_of(req);
    struct bide__slice host = bide__slice(text.at, text.length);
    const char *end = NULL;
    if (host.length > 0 && host.bytes[0] == '[') {
        end = memchr(host.bytes, ']', host.length);
        end = end ? end + 1 : NULL;
    } else if (host.length > 0) {
        end = memchr(host.bytes, ':', host.length);
    }
    if (end)
        host.length = (size_t)(end - host.bytes);
    if (host.length > 1 && host.bytes[host.length - 1] == '.')
        host.length--;
    return host;
}

static bool is_wildcard(struct bide__slice pattern)
{
    return pattern.length > 2 && pattern.bytes[0] == '*' && pattern.bytes[1] == '.';
}

static bool matches(struct bide__slice pattern, struct bide__slice host)
{
    if (bide__slice_equal(pattern, bide__slice("*", 1)))
        return true;
    if (!is_wildcard(pattern))
        return bide__slice_equal_nocase(pattern, host);
    struct bide__slice end = bide__slice_from(pattern, 1); /* ".example.com" */
    return host.length > end.length &&
           bide__slice_equal_nocase(bide__slice_from(host, host.length - end.length), end);
}

bide_async(void) bide_trusted_hosts(bide_request *req, bide_next *next, const void *arg)
{
    struct bide__slice rest = bide__slice_of(arg), pattern, host = host_of(req);
    bool trusted = false;
    while (!trusted && bide__http_list_next(&rest, &pattern))
        trusted = matches(pattern, host);
    if (trusted)
        bide_await(bide_proceed(next));
    else
        bide__web_refuse(req, 400, "Invalid host header");
    return bide_void;
}

int bide__trusted_hosts_prepare(bide_app *app, struct bide__middleware *middleware)
{
    const char *hosts = middleware->arg ? middleware->arg : "";
    struct bide__slice rest = bide__slice_of(hosts), pattern;
    int count = 0;
    while (bide__http_list_next(&rest, &pattern)) {
        struct bide__slice name = bide__slice_from(pattern, is_wildcard(pattern) ? 2 : 0);
        bool all = bide__slice_equal(pattern, bide__slice("*", 1));
        bool has_port = name.bytes[0] != '[' && memchr(name.bytes, ':', name.length);
        if (!all && (has_port || memchr(name.bytes, '*', name.length) || !bide__http_is_host(name)))
            return bide__app_problem(app,
                                     "bide_trusted_hosts: '%.*s' is neither a host without a "
                                     "port nor '*.' and one",
                                     (int)pattern.length, pattern.bytes);
        count++;
    }
    return count > 0 ? 0 : bide__app_problem(app, "bide_trusted_hosts: it names no hosts");
}

bide_async(void) bide_https_only(bide_request *req, bide_next *next, const void *arg)
{
    bide_text scheme = bide_scheme_of(req);
    if (scheme.length == 5 && memcmp(scheme.at, "https", 5) == 0) {
        bide_await(bide_proceed(next));
        return bide_void;
    }
    struct bide__slice host = arg ? bide__slice_of(arg) : host_of(req);
    if (host.length == 0) {
        bide__web_refuse(req, 400, "Invalid host header");
        return bide_void;
    }
    const char *to = bide_arena_printf(
        bide_arena_of(req), "https://%.*s%s%s%.*s%s%.*s", (int)host.length, host.bytes,
        bide_app_of(req)->links.root, req->path.length > 0 && req->path.bytes[0] == '/' ? "" : "/",
        (int)req->path.length, req->path.bytes, req->query.length > 0 ? "?" : "",
        (int)req->query.length, req->query.bytes);
    if (!to)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a redirect"));
    bide__web_reply(req, 308, NULL, "", 0);
    bide_set_header(req, "Location", to);
    return bide_void;
}
