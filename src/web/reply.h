/*
 * A reply that is made already: its header fields looked at and completed, its body replaced. In a
 * task; what adds a field may raise as bide_set_header does.
 */
#ifndef BIDE_WEB_REPLY_H
#define BIDE_WEB_REPLY_H

#include "web/web.h"

/* The first field of this name, in any case of letters, or NULL. Its value may be replaced. */
struct bide__web_field *bide__web_field(const bide_request *req, const char *name);

/* Whether the first field of this name lists the element. */
bool bide__web_field_lists(const bide_request *req, const char *name, const char *element);

/* Adds a field unless the reply has one of this name, or the value is empty. */
void bide__web_field_default(bide_request *req, const char *name, const char *value);

/* Says that the reply depends on this field of the request (RFC 9110 12.5.5): one Vary field. */
void bide__web_vary(bide_request *req, const char *name);

/* What `buf` holds becomes the body; afterwards `buf` holds what the request's buffer held. False
   without memory: nothing has changed. */
bool bide__web_swap_body(bide_request *req, bide_buf *buf);

#endif
