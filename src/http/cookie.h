/*
 * Cookies in and out (RFC 6265 and its revision 6265bis). Pure. Called by parameter binding and by
 * whoever sets a cookie.
 */
#ifndef BIDE_HTTP_COOKIE_H
#define BIDE_HTTP_COOKIE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the next cookie off the front of a Cookie field's value; quotes around the value are left
 * out, pairs without a name or an '=' are passed over, as a peer may send what other programs of
 * its host have set. False at the end. */
bool bide__cookie_next(struct bide__slice *rest, struct bide__slice *ret_name,
                       struct bide__slice *ret_value);

enum bide__same_site {
    BIDE__SAME_SITE_LAX, /* sent along when a link of another site leads here */
    BIDE__SAME_SITE_STRICT,
    BIDE__SAME_SITE_NONE, /* sent with every request: needs Secure */
};

/* What a Set-Cookie says. All zero but name and value is the careful choice: Secure, HttpOnly, Lax,
 * Path=/, this host only, gone with the browser. */
struct bide__cookie {
    struct bide__slice name;   /* a token */
    struct bide__slice value;  /* cookie-octets: no white space, quotes, comma, semicolon, '\' */
    struct bide__slice path;   /* "/" when empty */
    struct bide__slice domain; /* and its subdomains; none when empty */
    int64_t max_age_s;         /* 0: until the browser ends; below 0: the cookie is deleted */
    enum bide__same_site same_site;
    bool over_plain_http; /* without Secure */
    bool for_scripts;     /* without HttpOnly */
};

/* Writes the value of a Set-Cookie field. Returns its length; -EINVAL for a name, a value, a path
 * or a domain with a byte that must not be there, for a `__Host-` or `__Secure-` name whose
 * attributes browsers would refuse, and for SameSite=None over plain HTTP; -EMSGSIZE over `room`.
 */
int bide__cookie_write(char *out, size_t room, const struct bide__cookie *cookie);

#endif
