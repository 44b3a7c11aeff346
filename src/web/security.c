/*
 * Proofs of who asks: where they stand in a request, and what is said when there is none. Whether
 * a proof is right is the provider's to find out. Called by dispatch.c and failure.c.
 *
 * Source: RFC 9110 section 11, RFC 6750 (Bearer), RFC 7617 (Basic).
 */
#include "web/web.h"

#include "http/cookie.h"
#include "http/url.h"
#include "model/model.h"

#include <string.h>

/* What follows the name of a scheme in the Authorization field; empty: it is another scheme. */
static struct bide__slice credentials(const bide_request *req, const char *scheme)
{
    bide_text field = bide_header_of(req, "authorization");
    struct bide__slice rest = bide__slice(field.at, field.length), name;
    if (!field.at || !bide__slice_split(&rest, ' ', &name) ||
        !bide__slice_equal_nocase(name, bide__slice_of(scheme)))
        return bide__slice("", 0);
    return bide__slice_trim(rest);
}

static const char *text_of(bide_request *req, struct bide__slice from)
{
    return from.length ? bide_arena_strndup(bide_arena_of(req), from.bytes, from.length) : NULL;
}

/* `user:password` in base64; no NUL inside, which would end a text too early. */
static const bide_basic *basic_of(bide_request *req)
{
    struct bide__slice text = credentials(req, "basic");
    bide_arena *arena = bide_arena_of(req);
    char *pair = bide_arena_alloc(arena, BIDE__BASE64_BYTES(text.length) + 1);
    bide_basic *basic = bide_arena_alloc(arena, sizeof *basic);
    if (!pair || !basic || text.length == 0)
        return NULL;
    ptrdiff_t size = bide__base64_decode(text.bytes, text.length, (unsigned char *)pair);
    char *colon = size > 0 ? memchr(pair, ':', (size_t)size) : NULL;
    if (!colon || memchr(pair, 0, (size_t)size))
        return NULL;
    *colon = 0;
    pair[size] = 0;
    *basic = (bide_basic){pair, colon + 1};
    return basic;
}

static const char *key_in_query(bide_request *req, const char *key)
{
    struct bide__slice rest = req->query, name, value;
    while (bide__url_pair_next(&rest, &name, &value)) {
        if (!bide__slice_equal(name, bide__slice_of(key)))
            continue;
        char *out = bide_arena_alloc(bide_arena_of(req), value.length + 1);
        size_t length;
        if (!out || bide__url_decode(value, BIDE__URL_PLUS_SPACE, out, &length) < 0)
            return NULL;
        out[length] = 0;
        return length > 0 && strlen(out) == length ? out : NULL;
    }
    return NULL;
}

static const char *key_in_cookie(bide_request *req, const char *key)
{
    bide_text field = bide_header_of(req, "cookie");
    struct bide__slice rest = bide__slice(field.at, field.length), name, value;
    while (bide__cookie_next(&rest, &name, &value))
        if (bide__slice_equal(name, bide__slice_of(key)))
            return text_of(req, value);
    return NULL;
}

/* The proof, or NULL without a well-formed one. */
static const void *proof_of(bide_request *req, const struct bide__security *security)
{
    switch (security->scheme) {
    case BIDE__SCHEME_BEARER:
    case BIDE__SCHEME_OAUTH2:
        return text_of(req, credentials(req, "bearer"));
    case BIDE__SCHEME_BASIC:
        return basic_of(req);
    case BIDE__SCHEME_HEADER_KEY: {
        bide_text field = bide_header_of(req, security->detail);
        return text_of(req, bide__slice(field.at, field.length));
    }
    case BIDE__SCHEME_QUERY_KEY:
        return key_in_query(req, security->detail);
    case BIDE__SCHEME_COOKIE_KEY:
        return key_in_cookie(req, security->detail);
    }
    return NULL;
}

const char *bide__web_challenge(bide_request *req)
{
    const struct bide__plan *plan = req->plan;
    for (uint32_t i = 0; plan && i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        for (uint32_t n = 0; n < callable->security_count; n++) {
            switch (callable->security[n].scheme) {
            case BIDE__SCHEME_BEARER:
            case BIDE__SCHEME_OAUTH2:
                return "Bearer";
            case BIDE__SCHEME_BASIC:
                return "Basic realm=\"restricted\", charset=\"UTF-8\"";
            default:
                break;
            }
        }
    }
    return NULL;
}

bool bide__web_prove(bide_request *req)
{
    const struct bide__plan *plan = req->plan;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct bide__callable *callable = plan->steps[i].callable;
        char *row = req->block + plan->steps[i].row_at;
        for (uint32_t n = 0; n < callable->security_count; n++) {
            const struct bide__security *security = &callable->security[n];
            const void *proof = proof_of(req, security);
            if (!proof && !security->optional) {
                bide__web_refuse(req, 401, "Not authenticated");
                return false;
            }
            memcpy(row + security->offset, &proof, sizeof proof);
        }
    }
    return true;
}
