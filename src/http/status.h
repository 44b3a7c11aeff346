/*
 * Reason phrases (RFC 9110 section 15, RFC 6585, RFC 8470, IANA's registry). Pure.
 */
#ifndef BIDE_HTTP_STATUS_H
#define BIDE_HTTP_STATUS_H

#include <stdbool.h>

/* "Not Found"; for a status without a registered phrase that of its class, such as "Client Error";
 * "Unknown" outside of 100 to 599. Never NULL. */
const char *bide__http_reason(int status);

/* Whether a response with this status never has a body: 1xx, 204, 304 (RFC 9112 6.3). */
bool bide__http_bodiless(int status);

#endif
