/*
 * What the library's middleware does when the application starts: checks its argument, and makes
 * what it needs to run. Called by app.c for each middleware. And what others ask of it.
 *
 * A prepared middleware runs with an argument of the library's own, in the application's arena, in
 * place of the one that bide_app_use was given.
 */
#ifndef BIDE_WEB_MIDDLEWARE_H
#define BIDE_WEB_MIDDLEWARE_H

#include "web/web.h"

#include <bide/middleware.h>

/* 0, or -EINVAL after bide__app_problem. */
int bide__middleware_prepare(bide_app *app, struct bide__middleware *middleware);

/* Those that need it, in files of their own. */
int bide__trusted_hosts_prepare(bide_app *app, struct bide__middleware *middleware);
int bide__rate_limit_prepare(bide_app *app, struct bide__middleware *middleware);
int bide__gzip_prepare(bide_app *app, struct bide__middleware *middleware);

/* gzip.c: of a reply in place of a whole one (206, 304), whose body would have this type and size:
   says what the whole one says, that it depends on Accept-Encoding, if bide_gzip is used and would
   compress that. Raises as bide__web_vary does. */
void bide__gzip_vary(bide_request *req, const char *type, uint64_t size);

#endif
