/*
 * jar.c: what a client keeps of the cookies that servers set. Called by http_client.c after each
 * reply, by easy.c when a request ends; calls libcurl, whose jar has no bounds of its own.
 *
 * Source: libcurl's manual pages CURLOPT_COOKIELIST(3), CURLINFO_COOKIELIST(3); RFC 6265 section
 * 6.1.
 */
#include "client/client.h"

#if BIDE_CURL
#include "http/fields.h"

#include <errno.h>
#include <string.h>

/* Whether the host may have set it: a line begins with its domain, perhaps behind "#HttpOnly_" and
   a dot, up to a tab. */
static bool is_of(const char *line, struct bide__slice host)
{
    static const char http_only[] = "#HttpOnly_";
    if (strncmp(line, http_only, sizeof http_only - 1) == 0)
        line += sizeof http_only - 1;
    line += *line == '.';
    struct bide__slice domain = bide__slice(line, strcspn(line, "\t"));
    if (domain.length > host.length)
        return false;
    size_t before = host.length - domain.length;
    return (before == 0 || host.bytes[before - 1] == '.') &&
           bide__slice_equal_nocase(domain, bide__slice(host.bytes + before, domain.length));
}

struct room {
    size_t cookies, bytes;
};

static bool fits(struct room *room, const char *line)
{
    size_t length = strlen(line);
    if (room->cookies == 0 || room->bytes < length)
        return false;
    room->cookies--;
    room->bytes -= length;
    return true;
}

/* Puts those back that are of the host, or those that are not, as long as there is room. */
static CURLcode put_back(CURL *easy, const struct curl_slist *lines, struct bide__slice host,
                         bool of_host, struct room *room)
{
    CURLcode result = CURLE_OK;
    for (; lines && result == CURLE_OK; lines = lines->next)
        if (is_of(lines->data, host) == of_host && fits(room, lines->data))
            result = curl_easy_setopt(easy, CURLOPT_COOKIELIST, lines->data);
    return result;
}

int bide__http_jar_bound(struct bide__http_call *call)
{
    if (!call->sets_cookies || !call->client->jar)
        return 0;
    call->sets_cookies = false;
    struct room room = {BIDE_CAP_CLIENT_COOKIES, BIDE_CAP_CLIENT_COOKIE_BYTES};
    struct curl_slist *lines = NULL;
    const char *authority = strstr(call->url, "//") + 2;
    struct bide__slice host = bide__slice(authority, strcspn(authority, ":/?#"));
    if (curl_easy_getinfo(call->easy, CURLINFO_COOKIELIST, &lines) != CURLE_OK)
        return -ENOMEM;
    const struct curl_slist *line = lines;
    while (line && fits(&room, line->data))
        line = line->next;
    CURLcode result = CURLE_OK;
    if (line) {
        room = (struct room){BIDE_CAP_CLIENT_COOKIES, BIDE_CAP_CLIENT_COOKIE_BYTES};
        result = curl_easy_setopt(call->easy, CURLOPT_COOKIELIST, "ALL"); /* forgets all */
        if (result == CURLE_OK)
            result = put_back(call->easy, lines, host, false, &room);
        if (result == CURLE_OK)
            result = put_back(call->easy, lines, host, true, &room);
    }
    curl_slist_free_all(lines);
    return result == CURLE_OK ? 0 : -ENOMEM;
}
#endif
