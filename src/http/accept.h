/*
 * What a peer would rather have: quality values of Accept-Encoding and its kin (RFC 9110 12.4.2,
 * 12.5.1, 12.5.3). Pure. Called by what compresses, by static files, and for pages of errors.
 */
#ifndef BIDE_HTTP_ACCEPT_H
#define BIDE_HTTP_ACCEPT_H

#include "base/slice.h"

/* How welcome `name` is to a list such as "gzip;q=0.8, *;q=0", in thousandths: 0 is refused, -1 not
 * mentioned, neither by its name nor by "*". An element that is malformed counts as refused. */
int bide__http_quality(struct bide__slice list, const char *name);

/* Whether a reply may come compressed with gzip: it is accepted, and no less welcome than the plain
 * form. `accept_encoding` without bytes: the field is not there, and nothing is accepted. */
bool bide__http_takes_gzip(struct bide__slice accept_encoding);

/* Whether a page is more welcome than JSON: so browsers ask, and programs do not. */
bool bide__http_prefers_page(struct bide__slice accept);

#endif
